"""Randomness that is decided by a seed and leaves no trace."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# The generators are the process's: two threads at once would draw from one seed in
# turns, and put back each other's states. Re-entrant, since a callback may fit a net.
_GENERATORS = threading.RLock()


@contextmanager
def isolated_seed(seed: int, device: torch.device | str) -> Iterator[None]:
    """Seed torch and numpy inside the block; put both generators back after it.

    The global generators are what a user's modules and callbacks draw from. Blocks of
    different threads wait for one another.
    """
    devices = [device] if torch.device(device).type == "cuda" else []
    with _GENERATORS:
        numpy_state = np.random.get_state()  # noqa: NPY002
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            try:
                yield
            finally:
                np.random.set_state(numpy_state)  # noqa: NPY002
