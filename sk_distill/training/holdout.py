"""The rows that early stopping watches."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

# A loss over fewer rows than this is noise: nothing is held out, and the training loss
# is watched instead.
_MIN_ROWS = 10


def holdout_mask(
    labels: NDArray[Any], fraction: float, seed: int
) -> NDArray[np.bool_] | None:
    """Return which rows to hold out: a random ``fraction``, stratified if it can be.

    Returns None where the fraction makes fewer than 10 rows.
    """
    n_rows = len(labels)
    n_held_out = round(fraction * n_rows)
    if n_held_out < _MIN_ROWS:
        return None
    _, counts = np.unique(labels, return_counts=True)
    # Either side must have room for every class.
    stratify = counts.min() > 1 and len(counts) <= min(n_held_out, n_rows - n_held_out)
    splitter = StratifiedShuffleSplit if stratify else ShuffleSplit
    split = splitter(n_splits=1, test_size=n_held_out, random_state=seed % 2**32)
    _, held_out = next(split.split(labels, labels))
    mask = np.zeros(n_rows, dtype=bool)
    mask[held_out] = True
    return mask
