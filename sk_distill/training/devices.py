"""Where a fit runs: the device and the number of threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from threadpoolctl import ThreadpoolController


def resolve_device(owner: str, device: Any) -> torch.device:
    """Return the torch device that ``device`` names.

    Raises
    ------
    TypeError, ValueError
        When it names none, or one that this machine has not.
    """
    if not isinstance(device, str):
        raise TypeError(
            f"{owner}: device={device!r} must be a string: 'auto', 'cpu', 'cuda', …"
        )
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"{owner}: device={device!r} is no torch device. Use 'auto', 'cpu', 'cuda' "
            "or another name that torch.device takes."
        ) from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"{owner}: device={device!r}, but torch sees no GPU on this machine. "
            "Use device='auto' to take a GPU only where there is one."
        )
    try:
        torch.zeros(1, device=found).item()
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        raise ValueError(
            f"{owner}: device={device!r} cannot hold numbers on this machine "
            f"({str(error).splitlines()[0]}). Use 'auto' or 'cpu'."
        ) from error
    return found


@cache
def _blas() -> ThreadpoolController:
    """Return what limits the threads of BLAS; to find the libraries takes a while."""
    return ThreadpoolController()


class _OneThreadOfBlas:
    """Limits BLAS to one thread while anybody is inside.

    The limit is the process's: the first to come sets it and the last to leave lifts
    it, whichever of several threads they are.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._n_inside == 0:
                self._limit = _blas().limit(limits=1, user_api="blas")
            self._n_inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._limit.restore_original_limits()


_one_thread_of_blas = _OneThreadOfBlas()


@contextmanager
def threads(n_threads: int | None) -> Iterator[None]:
    """Let torch use ``n_threads`` inside the block; None leaves the number alone.

    What little numpy and scipy multiply in the meantime they do with one: the threads
    of their BLAS wait for more by turning round, on the cores that torch computes on.
    """
    before = torch.get_num_threads()
    with _one_thread_of_blas:
        # Limiting OpenMP's BLAS, where there is one, limits torch too.
        torch.set_num_threads(before if n_threads is None else min(n_threads, before))
        try:
            yield
        finally:
            torch.set_num_threads(before)
