"""Which units of a first layer belong to which column of a table."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class UnitLayout(NamedTuple):
    """Units of values, column by column, then of missing cells, then of levels.

    Attributes
    ----------
    value_columns : Tensor of shape (n_numeric,)
        The columns of numbers.
    bin_counts : Tensor of shape (n_numeric,) or None
        The bins of each, of which each has a unit that is filled while the position
        crosses it. None: the one unit of a column is the position.
    missing_columns : Tensor of shape (n_missing,)
        The columns in which a missing cell has a unit.
    level_columns, level_counts : Tensor of shape (n_categorical,)
        The categorical columns, and the units of each; a code beyond them is a level
        that has none.
    """

    value_columns: Tensor
    bin_counts: Tensor | None
    missing_columns: Tensor
    level_columns: Tensor
    level_counts: Tensor

    @property
    def value_counts(self) -> Tensor:
        """Units of each column of numbers."""
        if self.bin_counts is None:
            return torch.ones(len(self.value_columns), dtype=torch.int64)
        return self.bin_counts
