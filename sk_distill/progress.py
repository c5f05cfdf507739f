"""How far a fit has come: told to scikit-learn's callbacks, and printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar, Token
from time import perf_counter
from typing import Any, Self

from sklearn.frozen import FrozenEstimator

from sk_distill._sklearn import (
    CallbackSupportMixin,
    has_callbacks,
    is_the_deepest,
    managed_callbacks,
)
from sk_distill.validation import check_verbose, name_of


class Task:
    """A part of a fit; as a context manager it begins and ends.

    Inside of it :func:`running_task` returns it, so that what trains a network far
    below can tell of epochs. A task of a fit that nobody watches tells nobody.

    Parameters
    ----------
    name : str
        What is done.
    title : str
        The name of the estimator that does it.
    shows : bool
        Whether to print a line at its end.
    context : sklearn.callback.CallbackContext or None
        Tells the callbacks; None where there are none.
    given : dict
        What they are told each time: the estimator, the rows and the labels.
    fitted : callable or None
        Returns the attributes with which the estimator could predict, from what one of
        its steps has trained.
    predicts : bool
        Whether the estimator itself can predict at its end.
    """

    def __init__(
        self,
        name: str,
        title: str = "",
        *,
        shows: bool = False,
        context: Any = None,
        given: dict[str, Any] | None = None,
        fitted: Callable[[Any], dict[str, Any]] | None = None,
        predicts: bool = False,
    ) -> None:
        self._name = name
        self._title = title
        self._shows = shows
        self._context = context
        self._given = given or {}
        self._fitted = fitted
        self._predicts = predicts
        self._part: Any = None

    @property
    def is_watched(self) -> bool:
        """Whether there is a callback to be told."""
        return self._context is not None

    def subtask(self, name: str, n_subtasks: int | None = 0) -> Task:
        """Return a part of this task, itself of so many parts; None: nobody knows."""
        context = None
        if self._context is not None:
            context = self._context.subcontext(name, max_subtasks=n_subtasks)
        return Task(
            name, self._title, shows=self._shows, context=context, given=self._given
        )

    def begin(self) -> None:
        """Tell the callbacks that it begins."""
        if self._context is not None:
            self._context.call_on_fit_task_begin(**self._given)

    def end(self, fitted: Callable[[], dict[str, Any]] | None = None) -> bool:
        """Tell the callbacks that it ends; return whether one asks for a stop.

        ``fitted`` returns the attributes with which the estimator could predict now.
        """
        if self._context is None:
            return False
        told = self._given | {"reconstruction_attributes": fitted}
        return bool(self._context.call_on_fit_task_end(**told))

    def step(self, name: str) -> Callable[[Any], bool]:
        """Begin a step of an iteration, and return what ends it.

        That is called with what was trained so far, from which the ``fitted`` of the
        whole makes attributes, and returns whether to stop.
        """
        step = self.subtask(name)
        step.begin()

        def end(trained: Any) -> bool:
            fitted = self._fitted
            return step.end(None if fitted is None else lambda: fitted(trained))

        return end

    def __enter__(self) -> Self:
        self._token: Token[Task | None] = _running.set(self)
        self._start = perf_counter()
        self.begin()
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        _running.reset(self._token)
        del self._token
        if kind is None:
            self.end(dict if self._predicts else None)
            if self._shows:
                seconds = perf_counter() - self._start
                # In one piece: other processes may be writing as well.
                print(f"{self._title}: {self._name}, {seconds:.3g} s\n", end="")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let :func:`running_task` return it; neither begin nor end."""
        token = _running.set(self)
        try:
            yield
        finally:
            _running.reset(token)

    @contextmanager
    def fits(self, part: Any) -> Iterator[None]:
        """Begin and end around the fit of a part, which has tasks of its own.

        Where callbacks of limited depth are not handed on to the part, as
        scikit-learn's bars are not beyond one estimator, its tasks become those of the
        whole. A frozen part passes for what it holds, but its fit does nothing.
        """
        tells = hasattr(part, "set_callbacks") and not isinstance(part, FrozenEstimator)
        with ExitStack() as stack:
            if self._context is not None and tells:
                stack.enter_context(self._context.propagate_callback_context(part))
                if (
                    isinstance(part, WatchedMixin)
                    and not has_callbacks(part)
                    and is_the_deepest(self._context)
                ):
                    self._part, self._context.max_subtasks = part, 1
            stack.enter_context(self)
            yield

    def takes_in(self, estimator: Any) -> bool:
        """Whether an estimator's fit is a task of this one's, not one of its own."""
        return self._part is estimator

    def take_in(self, estimator: Any, n_subtasks: int | None, shows: bool) -> Task:
        """Return the task of such an estimator's fit."""
        name = name_of(estimator)
        context = self._context.subcontext(name, max_subtasks=n_subtasks)
        return Task("fit", name, shows=shows, context=context, given=self._given)


class WatchedMixin(CallbackSupportMixin):
    """An estimator whose ``fit`` is a :func:`fit_task`."""


_NOTHING = Task("nothing")
_running: ContextVar[Task | None] = ContextVar("running", default=None)


def running_task() -> Task:
    """Return the task that the caller is a part of."""
    return _running.get() or _NOTHING


def running_step() -> Callable[[str], Callable[[Any], bool]] | None:
    """Return what begins a step of that task; None where nobody watches."""
    task = running_task()
    return task.step if task.is_watched else None


def unwatched() -> AbstractContextManager[None]:
    """Let nobody be told of what is done inside."""
    return _NOTHING.running()


@contextmanager
def fit_task(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    n_subtasks: int | None,
    fitted: Callable[[Any], dict[str, Any]] | None = None,
    *,
    predicts: bool = True,
) -> Iterator[Task]:
    """Yield the task of a whole fit.

    Parameters
    ----------
    estimator : estimator
        Its own callbacks are told, and those of a fit that this one is a part of.
    X, y, sample_weight
        What ``fit`` was called with.
    n_subtasks : int or None
        Its parts at most; None where that is not known.
    fitted : callable, optional
        Returns the attributes with which the estimator could predict from what a
        step of it has trained.
    predicts : bool, default=True
        Whether it can predict at the end.
    """
    shows = check_verbose(estimator) >= 2
    whole = running_task()
    if whole.takes_in(estimator):
        with whole.take_in(estimator, n_subtasks, shows) as task:
            yield task
        return
    with managed_callbacks(estimator, n_subtasks) as context:
        given = None
        # Else it goes without them: a task is sent to other processes, where nobody
        # wants a large teacher.
        if context is not None:
            metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
            given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        with Task(
            "fit",
            name_of(estimator),
            shows=shows,
            context=context,
            given=given,
            fitted=fitted,
            predicts=predicts,
        ) as task:
            yield task
