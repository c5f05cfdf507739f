"""The product of a table's rows with the weights of a first layer.

Rows arrive as positions, one number a column; the weights act on units, of which there
are many a column. ``sk_distill.encoding`` says what both are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, pad


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``x @ weight + bias``, for one member or for each of several.

    Members may share x: it is not copied for them, as ``torch.matmul`` would.

    Shape: ``(n_rows, n_in)`` and ``(n_in, n_out)``, both with an axis of members before
    or only the latter; the bias is ``(n_out,)``, or ``(n_members, n_out)``.
    """
    if weight.ndim == 2:
        return x @ weight if bias is None else torch.addmm(bias, x, weight)
    x = x.expand(len(weight), *x.shape[-2:])
    if bias is None:
        return torch.bmm(x, weight)
    return torch.baddbmm(bias.unsqueeze(-2), x, weight)


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

    def forward(self, positions: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return ``units(positions) @ weight + bias``."""
        return self.multiply(self.expand(positions), weight, bias)

    def expand(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the units of numbers, and the numbers of the levels' units.

        Shape: ``(n_rows, n_columns)`` -> ``(n_rows, n_numbers)`` and
        ``(n_rows, n_categorical)``.
        """
        units = positions.index_select(1, self.value_columns)
        if self.is_binned:
            units = (units - self.value_offsets).clamp_(0, 1)
        if len(self.missing_columns):
            missing = positions.index_select(1, self.missing_columns).isnan()
            units = torch.cat([units.nan_to_num_(0), missing.to(units.dtype)], dim=1)
        if not len(self.level_columns):
            return units, positions.new_empty((len(positions), 0), dtype=torch.int64)
        codes = positions.index_select(1, self.level_columns).long()
        starts = self.level_units - self.level_units[0]
        # A level without a unit is the one after the last.
        nowhere = int(starts[-1] + self.level_counts[-1])
        return units, torch.where(codes < self.level_counts, codes + starts, nowhere)

    def multiply(
        self, expanded: tuple[Tensor, Tensor], weight: Tensor, bias: Tensor
    ) -> Tensor:
        """Return expanded rows times the weights, plus the bias."""
        units, levels = expanded
        n_numbers = units.shape[1]
        of_numbers = product(units, weight[..., :n_numbers, :], bias)
        if not levels.shape[1]:
            return of_numbers
        # The level that is nowhere picks a row of zeros.
        rows = pad(weight[..., n_numbers:, :], (0, 0, 0, 1))
        if rows.ndim == 2:
            return of_numbers + embedding_bag(levels, rows, mode="sum")
        n_members, n_levels, n_out = rows.shape
        wide = rows.transpose(0, 1).reshape(n_levels, n_members * n_out)
        picked = embedding_bag(levels, wide, mode="sum")
        return of_numbers + picked.view(-1, n_members, n_out).transpose(0, 1)

    def weight_gradient(
        self, expanded: tuple[Tensor, Tensor], gradient: Tensor, n_units: int
    ) -> Tensor:
        """Return the gradient of the weights from that of the product."""
        units, levels = expanded
        of_numbers = product(units.mT, gradient)
        if not levels.shape[1]:
            return of_numbers
        # Members side by side, as in multiply.
        wide = gradient if gradient.ndim == 2 else gradient.transpose(0, 1).flatten(1)
        n_levels = n_units - units.shape[1]
        of_levels = wide.new_zeros(n_levels + 1, wide.shape[1])
        for column in levels.unbind(1):
            of_levels.index_add_(0, column, wide)
        of_levels = of_levels[:-1]
        if gradient.ndim == 3:
            of_levels = of_levels.unflatten(1, (len(gradient), -1)).transpose(0, 1)
        return torch.cat([of_numbers, of_levels], dim=-2)


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


def slot_gradient(rows: SlotRows, gradient: Tensor) -> Tensor:
    """Return the gradient of the weights from that of ``matrix @ weight``."""
    product = rows.matrix.T @ gradient.detach().cpu().numpy()
    return torch.from_numpy(product).to(gradient)


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
        return None, slot_gradient(ctx.rows, gradient)
