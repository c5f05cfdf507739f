"""Where a fit runs: the device and the number of threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


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


@contextmanager
def intra_op_threads(n_threads: int | None) -> Iterator[None]:
    """Let torch use ``n_threads`` inside the block; None leaves the number alone."""
    before = torch.get_num_threads()
    if n_threads is None or n_threads >= before:
        yield
        return
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
