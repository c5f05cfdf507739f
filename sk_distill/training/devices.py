"""Where a fit runs: the device and the number of threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def resolve_device(device: str) -> torch.device:
    """Return the torch device that ``device`` names.

    Raises
    ------
    ValueError
        When the device does not exist on this machine.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is no torch device. Use 'auto', 'cpu', 'cuda' or "
            "another name that torch.device takes."
        ) from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device={device!r}, but torch sees no GPU on this machine. "
            "Use device='auto' to take a GPU only where there is one."
        )
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
