"""Randomness that is decided by a seed and leaves no trace."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

# The generators are the process's: two threads at once would draw from one seed in
# turns, and put back each other's states. Re-entrant, since a callback may fit a net.
_GENERATORS = threading.RLock()


@contextmanager
def isolated_seed(seed: int | None, device: Any = "cpu") -> Iterator[None]:
    """Seed torch and numpy inside the block; put both generators back after it.

    The global generators are what a user's modules and callbacks draw from. Blocks of
    different threads wait for one another. Torch is left alone where nobody has
    imported it yet.

    Parameters
    ----------
    seed : int or None
        The seed; None leaves the generators alone.
    device : torch.device or str
        Where torch computes; a GPU has a generator of its own.
    """
    if seed is None:
        yield
        return
    with _GENERATORS:
        numpy_state = np.random.get_state()  # noqa: NPY002
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            with _seeded_torch(seed, device):
                yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002


@contextmanager
def _seeded_torch(seed: int, device: Any) -> Iterator[None]:
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    kind = torch.device(device).type
    with torch.random.fork_rng(devices=[device] if kind == "cuda" else []):
        if kind == "cpu":
            # torch.manual_seed seeds every device, and takes a trace of the stack
            # where CUDA sleeps.
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)
        yield


def seed_parts(estimator: BaseEstimator, seed: int | None) -> None:
    """Give a seed to every part of the estimator whose ``random_state`` is None.

    ``seed=None`` leaves all as it is, and so does a part that the user has seeded.
    """
    if seed is None:
        return
    source = np.random.RandomState(seed)
    unseeded = [
        name
        for name, value in sorted(estimator.get_params(deep=True).items())
        if value is None and name.split("__")[-1] == "random_state"
    ]
    estimator.set_params(**{name: source.randint(2**31 - 1) for name in unseeded})
