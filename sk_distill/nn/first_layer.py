"""The product of a table's rows with the weights of a first layer.

Rows arrive as positions, one number a column; the weights act on units, of which there
are many a column. ``sk_distill.encoding`` says what both are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag


class UnitLayout(NamedTuple):
    """Which units belong to which column of positions.

    Attributes
    ----------
    value_columns, value_offsets : Tensor of shape (n_values,)
        The column of each unit of a number, and the left edge of its bin.
    is_binned : bool
        Whether a unit is filled while the position crosses its bin; else it is the
        position.
    missing_columns : Tensor of shape (n_missing,)
        The columns in which a missing cell has a unit.
    level_columns, level_units : Tensor of shape (n_categorical,)
        The categorical columns, and the unit of each one's first level.
    level_counts : Tensor of shape (n_categorical,)
        Units of each; a code beyond them is a level that has none.
    """

    value_columns: Tensor
    value_offsets: Tensor
    is_binned: bool
    missing_columns: Tensor
    level_columns: Tensor
    level_units: Tensor
    level_counts: Tensor


class UnitProduct(nn.Module):
    """Expand a batch of positions to units, and multiply.

    Numbers become a dense matrix, the size of a batch and not of the table; a level is
    looked up, so that thousands of them cost no more than two.

    Shape: ``(n_rows, n_columns)`` and weights ``(n_units, n_out)`` or
    ``(n_members, n_units, n_out)`` -> ``(n_rows, n_out)`` or
    ``(n_members, n_rows, n_out)``.
    """

    value_columns: Tensor
    value_offsets: Tensor
    missing_columns: Tensor
    level_columns: Tensor
    level_units: Tensor
    level_counts: Tensor

    def __init__(self, layout: UnitLayout) -> None:
        super().__init__()
        for name, value in layout._asdict().items():
            if isinstance(value, Tensor):
                self.register_buffer(name, value, persistent=False)
        self.is_binned = layout.is_binned

    def forward(self, positions: Tensor, weight: Tensor) -> Tensor:
        """Return ``units(positions) @ weight``."""
        numbers = self.numbers(positions)
        n_numbers = numbers.shape[1]
        product = torch.matmul(numbers, weight[..., :n_numbers, :])
        if len(self.level_columns):
            product = product + self.look_up(positions, weight[..., n_numbers:, :])
        return product

    def numbers(self, positions: Tensor) -> Tensor:
        """Return the units of numeric columns, shape ``(n_rows, n_numbers)``."""
        units = positions.index_select(1, self.value_columns)
        if self.is_binned:
            units = (units - self.value_offsets).clamp_(0, 1)
        if not len(self.missing_columns):
            return units
        missing = positions.index_select(1, self.missing_columns).isnan()
        return torch.cat([units.nan_to_num_(0), missing.to(units.dtype)], dim=1)

    def look_up(self, positions: Tensor, weight: Tensor) -> Tensor:
        """Return the sum of the weights of each row's levels."""
        codes = positions.index_select(1, self.level_columns).long()
        none = weight.shape[-2]
        start = self.level_units - self.level_units[0]
        index = torch.where(codes < self.level_counts, codes + start, none)
        # A level without a unit picks a row of zeros.
        weight = nn.functional.pad(weight, (0, 0, 0, 1))
        if weight.ndim == 2:
            return embedding_bag(index, weight, mode="sum")
        n_members, n_levels, n_out = weight.shape
        wide = weight.transpose(0, 1).reshape(n_levels, n_members * n_out)
        picked = embedding_bag(index, wide, mode="sum")
        return picked.view(-1, n_members, n_out).transpose(0, 1)


class SlotRows:
    """All rows of a table on the basis of slots, a sparse matrix of scipy's.

    For full-batch training. In this basis a column's weights hardly depend on each
    other: L-BFGS needs a tenth of the iterations that it needs on units. And scipy
    multiplies the matrix many times faster than torch does, sparse or dense.

    Parameters
    ----------
    matrix : csr_array of shape (n_rows, n_slots)
        The rows.
    unit_map : csr_array of shape (n_units, n_slots)
        Turns weights on slots into those on units, which are the ones to penalise.
    """

    def __init__(self, matrix: Any, unit_map: Any) -> None:
        self.matrix = matrix
        self.unit_map = unit_map
        self.dtype = matrix.dtype

    def __len__(self) -> int:
        return int(self.matrix.shape[0])


class SlotProduct(torch.autograd.Function):
    """``matrix @ weight`` for :class:`SlotRows`."""

    @staticmethod
    def forward(ctx: Any, rows: SlotRows, weight: Tensor) -> Tensor:
        """Return the product, on the device of the weights."""
        ctx.rows = rows
        product = rows.matrix @ weight.detach().cpu().numpy()
        return torch.from_numpy(product).to(weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        """Return the gradient of the weights."""
        product = ctx.rows.matrix.T @ gradient.detach().cpu().numpy()
        return None, torch.from_numpy(product).to(gradient)
