"""Ends of a fit: a callback's stop, and the user's Ctrl-C."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sk_distill.interrupts import recorded_interrupts


class StopTraining(Exception):
    """A callback asked for the end of training."""


class InterruptedTraining(Exception):
    """One of scikit-learn's callbacks raised this ``KeyboardInterrupt``."""

    def __init__(self, interrupt: KeyboardInterrupt) -> None:
        super().__init__()
        self.interrupt = interrupt


class UntrainedError(RuntimeError):
    """Training ended before one whole epoch; the message goes behind the owner's."""


class StoppableMixin:
    """Lets a skorch net tell a callback's stop from the user's Ctrl-C.

    skorch's callbacks end a fit by raising ``KeyboardInterrupt``, and skorch swallows
    it wherever it came from: after a Ctrl-C a half-trained net would look fitted. Here
    a callback ends training quietly and a Ctrl-C is raised, also one that comes while
    a callback is at work. scikit-learn's callbacks ask for a stop otherwise: what they
    raise is raised.
    """

    _interrupts: Sequence[int] = ()

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call the callbacks; a stop that one raises becomes ``StopTraining``."""
        try:
            super().notify(method_name, **cb_kwargs)  # type: ignore[misc]
        except KeyboardInterrupt as stop:
            if self._interrupts:
                raise
            raise StopTraining from stop

    def run(self, X: Any, y: Any = None) -> None:
        """Initialise the net and train it to its end.

        Raises
        ------
        UntrainedError
            When that end comes before one whole epoch.
        KeyboardInterrupt
            On a Ctrl-C.
        """
        self.initialize()  # type: ignore[attr-defined]
        self.partial_fit(X, y)

    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any
    ) -> Any:
        """Train; skorch's own ``fit`` comes here too."""
        with recorded_interrupts() as self._interrupts:
            try:
                # A stop in on_train_end stops nothing, but is no error either.
                with suppress(StopTraining):
                    self._train(X, y, **fit_params)
                    self.notify("on_train_end", X=X, y=y)
            except InterruptedTraining as error:
                raise error.interrupt from None
            finally:
                del self._interrupts
        return self

    def _train(self, X: Any, y: Any, **fit_params: Any) -> None:
        """Go through the epochs; raise unless there is a whole one."""
        stopped = True
        with suppress(StopTraining):
            self.notify("on_train_begin", X=X, y=y)
            self.fit_loop(X, y, **fit_params)  # type: ignore[attr-defined]
            stopped = False
        if any("train_loss" in row for row in self.history):  # type: ignore[attr-defined]
            return
        if stopped:
            raise UntrainedError(
                "a callback ended training before one whole epoch, so that nothing "
                "was learnt. Let it stop later, in on_epoch_end."
            )
        raise UntrainedError(
            f"the net has max_epochs={self.max_epochs!r}, "  # type: ignore[attr-defined]
            "so that nothing was learnt. Set it to 1 or more."
        )
