"""The levels of a categorical column."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_distill.encoding.table import Categories

# Levels with less weight than this share one slot: too little to learn from.
_RARE_WEIGHT = 10


class Levels(NamedTuple):
    """The levels of one column, learnt from its cells.

    Attributes
    ----------
    names : list
        The levels that have a code of their own, from 0; None is a missing cell. The
        code after the last stands for all others, rare and unknown ones.
    shares : ndarray of shape (len(names),)
        Each level's part of the weight of them all.
    has_rare : bool
        Whether there were rare levels, from which the others' weight can be learnt.
    """

    names: list[Hashable]
    shares: NDArray[np.float64]
    has_rare: bool

    def codes(self, column: Categories) -> NDArray[np.int64]:
        """Return the code of each cell."""
        code_of = {name: code for code, name in enumerate(self.names)}
        others = len(self.names)
        # The last entry answers for -1, a missing cell.
        table = [code_of.get(level, others) for level in [*column.levels, None]]
        return np.array(table)[column.codes]


def learn_levels(column: Categories, weight: NDArray[Any] | None) -> Levels:
    """Return the levels of a column of a table."""
    counts = np.bincount(
        column.codes % (len(column.levels) + 1),
        weights=weight,
        minlength=len(column.levels) + 1,
    )
    # The last one counts missing cells.
    weight_of = dict(zip([*column.levels, None], counts, strict=True))
    names = [name for name, w in weight_of.items() if w >= _RARE_WEIGHT]
    has_rare = any(0 < w < _RARE_WEIGHT for w in weight_of.values())
    # In an order that does not depend on that of the rows.
    names.sort(key=lambda name: (name is None, type(name).__name__, name))
    kept = np.array([weight_of[name] for name in names], dtype=np.float64)
    return Levels(names, kept / max(kept.sum(), 1e-300), has_rare)
