"""Ends of a fit: a callback's stop, and the user's Ctrl-C."""

from contextlib import suppress
from typing import Any


class StopTraining(Exception):
    """A callback asked for the end of training."""


class StoppableMixin:
    """Lets a skorch net tell a callback's stop from the user's Ctrl-C.

    skorch's callbacks end a fit by raising ``KeyboardInterrupt``, and skorch swallows
    it wherever it came from: after a Ctrl-C a half-trained net would look fitted. Here
    a callback ends training quietly and a Ctrl-C is raised.
    """

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call the callbacks; a stop that one raises becomes ``StopTraining``."""
        try:
            super().notify(method_name, **cb_kwargs)  # type: ignore[misc]
        except KeyboardInterrupt as stop:
            raise StopTraining from stop

    def run(self, X: Any, y: Any = None) -> None:
        """Initialise the net and train it to its end."""
        self.initialize()  # type: ignore[attr-defined]
        self.notify("on_train_begin", X=X, y=y)
        with suppress(StopTraining):
            self.fit_loop(X, y)  # type: ignore[attr-defined]
        self.notify("on_train_end", X=X, y=y)
