"""The product of a table's rows with the weights of a first layer.

Rows arrive as positions, one number a column; the weights act on units, of which there
are many a column. ``sk_distill.encoding`` says what both are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, pad

# Of so few outputs BLAS multiplies many times faster with them in the first factor.
_FEW_OUTPUTS = 16


def product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``a @ b`` plus a bias for each of its rows.

    What members share is not copied for them, as ``torch.matmul`` would.

    Shape: ``(n, k)`` and ``(k, m)`` -> ``(n, m)``, each of them, or both, with an axis
    of members before; the bias is ``(n,)``, or ``(n_members, n)``.
    """
    if a.ndim == b.ndim == 2:
        return a @ b if bias is None else torch.addmm(bias.unsqueeze(-1), a, b)
    n_members = len(a if a.ndim == 3 else b)
    a, b = a.expand(n_members, *a.shape[-2:]), b.expand(n_members, *b.shape[-2:])
    if bias is None:
        return torch.bmm(a, b)
    return torch.baddbmm(bias.unsqueeze(-1), a, b)


def weight_gradient(x: Tensor, gradient: Tensor) -> Tensor:
    """Return ``x @ gradient.mT``, of a layer's input and its output's gradient.

    Shape: ``(n_in, n_rows)`` and ``(n_out, n_rows)`` -> ``(n_in, n_out)``, with or
    without an axis of members before.
    """
    if gradient.shape[-2] <= _FEW_OUTPUTS:
        return product(gradient, x.mT).mT.contiguous()
    return product(x, gradient.mT)


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
    ``(n_members, n_units, n_out)`` -> ``(n_out, n_rows)`` or
    ``(n_members, n_out, n_rows)``.
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
        """Return the weights' product with expanded rows, plus the bias."""
        units, levels = expanded
        n_numbers = units.shape[1]
        of_numbers = product(weight[..., :n_numbers, :].mT, units.mT, bias)
        if not levels.shape[1]:
            return of_numbers
        # The level that is nowhere picks a row of zeros.
        rows = pad(weight[..., n_numbers:, :], (0, 0, 0, 1))
        if rows.ndim == 2:
            return of_numbers + embedding_bag(levels, rows, mode="sum").mT
        n_members, n_levels, n_out = rows.shape
        wide = rows.transpose(0, 1).reshape(n_levels, n_members * n_out)
        picked = embedding_bag(levels, wide, mode="sum")
        return of_numbers + picked.mT.unflatten(0, (n_members, n_out))

    def weight_gradient(
        self, expanded: tuple[Tensor, Tensor], gradient: Tensor, n_units: int
    ) -> Tensor:
        """Return the gradient of the weights from that of the product."""
        units, levels = expanded
        of_numbers = weight_gradient(units.mT, gradient)
        if not levels.shape[1]:
            return of_numbers
        # Members side by side, as in multiply.
        wide = gradient.reshape(-1, len(units)).T.contiguous()
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
