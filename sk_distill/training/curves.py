"""What a net's history says of its losses."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NAMES = ("train_loss", "valid_loss", "teacher_train_loss", "teacher_valid_loss")


def loss_curves(
    history: Sequence[Mapping[str, Any]],
) -> tuple[int, dict[str, NDArray[np.float64]]]:
    """Return the number of whole epochs and their losses by name.

    A callback may stop training within an epoch: a row without a training loss is no
    whole epoch.
    """
    rows = [row for row in history if "train_loss" in row]
    curves = {
        name: np.array([row[name] for row in rows if name in row]) for name in _NAMES
    }
    return len(rows), {name: curve for name, curve in curves.items() if len(curve)}
