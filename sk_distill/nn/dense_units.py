"""The product of rows and weights, by all units of the rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, pad

from sk_distill.nn.layout import UnitLayout
from sk_distill.nn.products import product, weight_gradient


class DenseUnits(nn.Module):
    """Expand a batch of positions to units, and multiply.

    Numbers become a dense matrix, the size of a batch and not of the table; a level is
    looked up, so that thousands of them cost no more than two.

    Shape: ``(n_rows, n_columns)`` and weights ``(n_units, n_out)`` or
    ``(n_members, n_units, n_out)`` -> ``(n_out, n_rows)`` or
    ``(n_members, n_out, n_rows)``.
    """

    value_columns: Tensor
    left_edges: Tensor
    missing_columns: Tensor
    level_columns: Tensor
    level_counts: Tensor
    first_levels: Tensor

    def __init__(self, layout: UnitLayout) -> None:
        super().__init__()
        counts = layout.value_counts
        self.is_binned = layout.bin_counts is not None
        firsts = (counts.cumsum(0) - counts).repeat_interleave(counts)
        self.n_numbers = int(counts.sum()) + len(layout.missing_columns)
        self.n_levels = int(layout.level_counts.sum())
        buffers = {
            "value_columns": layout.value_columns.repeat_interleave(counts),
            "left_edges": (torch.arange(len(firsts)) - firsts).unsqueeze(1).float(),
            "missing_columns": layout.missing_columns,
            "level_columns": layout.level_columns,
            "level_counts": layout.level_counts,
            "first_levels": layout.level_counts.cumsum(0) - layout.level_counts,
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def n_products(self, n_rows: int) -> int:
        """Return the multiplications that a batch takes for each output."""
        return n_rows * self.n_numbers

    def expand(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the units of numbers, and the numbers of the levels' units.

        Shape: ``(n_rows, n_columns)`` -> ``(n_numbers, n_rows)`` and
        ``(n_rows, n_categorical)``.
        """
        columns = positions.T.contiguous()
        units = columns.index_select(0, self.value_columns)
        if self.is_binned:
            units.sub_(self.left_edges).clamp_(0, 1)
        if len(self.missing_columns):
            missing = columns.index_select(0, self.missing_columns).isnan()
            units = torch.cat([units.nan_to_num_(0), missing.to(units.dtype)])
        if not len(self.level_columns):
            return units, positions.new_empty((len(positions), 0), dtype=torch.int64)
        codes = positions.index_select(1, self.level_columns).long()
        # A level without a unit is the one after the last.
        has_unit = codes < self.level_counts
        return units, torch.where(has_unit, codes + self.first_levels, self.n_levels)

    def multiply(
        self, expanded: tuple[Tensor, Tensor], weight: Tensor, bias: Tensor
    ) -> Tensor:
        """Return the weights' product with expanded rows, plus the bias."""
        units, levels = expanded
        of_numbers = product(weight[..., : self.n_numbers, :].mT, units, bias)
        if not levels.shape[1]:
            return of_numbers
        # The level that is nowhere picks a row of zeros.
        rows = pad(weight[..., self.n_numbers :, :], (0, 0, 0, 1))
        if rows.ndim == 2:
            return of_numbers + embedding_bag(levels, rows, mode="sum").mT
        n_members, n_levels, n_out = rows.shape
        wide = rows.transpose(0, 1).reshape(n_levels, n_members * n_out)
        picked = embedding_bag(levels, wide, mode="sum")
        return of_numbers + picked.mT.unflatten(0, (n_members, n_out))

    def weight_gradient(
        self, expanded: tuple[Tensor, Tensor], gradient: Tensor
    ) -> Tensor:
        """Return the gradient of the weights from that of the product."""
        units, levels = expanded
        of_numbers = weight_gradient(units, gradient)
        if not levels.shape[1]:
            return of_numbers
        # Members side by side, as in multiply.
        wide = gradient.reshape(-1, len(levels)).T.contiguous()
        of_levels = wide.new_zeros(self.n_levels + 1, wide.shape[1])
        for column in levels.unbind(1):
            of_levels.index_add_(0, column, wide)
        of_levels = of_levels[:-1]
        if gradient.ndim == 3:
            of_levels = of_levels.unflatten(1, (len(gradient), -1)).transpose(0, 1)
        return torch.cat([of_numbers, of_levels], dim=-2)
