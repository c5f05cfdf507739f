"""Knowing a Ctrl-C from what looks like one, or was swallowed."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def recorded_interrupts() -> Iterator[list[int]]:
    """Yield a list that gets an entry for each Ctrl-C inside the block.

    The handler of SIGINT that was there before still does its work. Outside the main
    thread no signal arrives, and the list stays empty.
    """
    interrupts: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not (in_main_thread and callable(before)):
        yield interrupts
        return

    def record(number: int, frame: Any) -> None:
        try:
            before(number, frame)
        except KeyboardInterrupt:
            # A handler of the user's that raises nothing wants the fit to go on.
            interrupts.append(number)
            raise

    signal.signal(signal.SIGINT, record)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
