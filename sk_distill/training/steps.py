"""Telling the task of a fit of each epoch or iteration."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

from skorch.callbacks import Callback

from sk_distill.training.stopping import InterruptedTraining, StopTraining

Step = Callable[[str], Callable[[Any], bool]]


class EpochSteps(Callback):
    """A skorch callback that makes each epoch a step of a larger task.

    It comes last: the others have seen an epoch with which it ends training.

    Parameters
    ----------
    step : callable
        Begins a step of the name that it is given, and returns what ends it. That takes
        what is trained as it is then, and returns whether training is to end.
    trained : callable
        Returns that, of a net.
    """

    _end: Callable[[Any], bool] | None = None

    def __init__(
        self, step: Step, trained: Callable[[Any], Any] = attrgetter("module_")
    ) -> None:
        self.step = step
        self.trained = trained

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin the step."""
        with _interrupts_raised():
            self._end = self.step("epoch")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """End the step, and training with it if that is wanted."""
        if self._finish(net):
            raise StopTraining

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """End the step of an epoch with which another callback ended training."""
        if self._end is not None:
            self._finish(net)

    def _finish(self, net: Any) -> bool:
        """End the step; return whether training is to end."""
        assert self._end is not None
        end, self._end = self._end, None
        with _interrupts_raised():
            return end(self.trained(net))


@contextmanager
def _interrupts_raised() -> Iterator[None]:
    """Keep skorch from taking an interrupt for a stop: scikit-learn's is none."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise InterruptedTraining(interrupt) from interrupt
