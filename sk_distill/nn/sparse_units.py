"""The product of rows and weights, by what the weights add up to at edges of bins."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from sk_distill.nn.layout import UnitLayout


class SparseUnits(nn.Module):
    """Look up, on the basis of slots, the little of a row that is not zero.

    The weights are turned into what they add up to at the edges of the bins, of which a
    row needs two a column: many times fewer multiplications than there are units.

    Slots are ordered edge by edge and, within one, column by column, those of most bins
    first: to add up units is to add an edge to the beginning of the one before. After
    them come the slots of missing cells, of levels, and one of weight zero for a level
    that has no unit.

    Shape: ``(n_rows, n_columns)`` and weights ``(n_units, n_out)`` or
    ``(n_members, n_units, n_out)`` -> ``(n_out, n_rows)`` or
    ``(n_members, n_out, n_rows)``.
    """

    value_columns: Tensor
    ranks: Tensor
    last_bins: Tensor
    edge_starts: Tensor
    missing_columns: Tensor
    missing_slots: Tensor
    level_columns: Tensor
    level_counts: Tensor
    level_slots: Tensor
    unit_of_slot: Tensor
    empty_slots: Tensor
    slot_of_unit: Tensor

    def __init__(self, layout: UnitLayout) -> None:
        super().__init__()
        n_numeric, n_missing = len(layout.value_columns), len(layout.missing_columns)
        self.is_binned = layout.bin_counts is not None
        self.n_entries = n_numeric * (1 + self.is_binned) + len(layout.level_columns)

        counts = layout.value_counts
        order = counts.argsort(descending=True, stable=True)
        first_units = counts.cumsum(0) - counts
        most = int(counts.max()) if n_numeric else 0
        self.edge_sizes: list[int] = []
        units = []
        # At its first edge a column has no unit; one that is its position has no other.
        for edge in range(0 if self.is_binned else 1, most + 1):
            columns = order[: int((counts >= edge).sum())]
            self.edge_sizes.append(len(columns))
            empty = torch.full_like(columns, -1)
            units.append(first_units[columns] + edge - 1 if edge else empty)
        unit = torch.cat(units) if units else counts
        self.n_value_slots = len(unit)
        filled = (unit >= 0).nonzero()[:, 0]
        by_unit = filled[unit[filled].argsort()]

        n_values, n_levels = int(counts.sum()), int(layout.level_counts.sum())
        others = torch.arange(n_missing + n_levels)
        nowhere = torch.tensor([self.n_value_slots + len(others)])
        ends = layout.level_counts.cumsum(0)
        missing = torch.searchsorted(layout.missing_columns, layout.value_columns)
        first_level = self.n_value_slots + n_missing
        buffers = {
            "value_columns": layout.value_columns,
            "ranks": order.argsort().int(),
            "last_bins": (counts - 1).int(),
            "edge_starts": torch.tensor([0, *self.edge_sizes]).cumsum(0).int(),
            "missing_columns": layout.missing_columns,
            # A column in which no cell is missing never asks for its slot.
            "missing_slots": (self.n_value_slots + missing).int(),
            "level_columns": layout.level_columns,
            "level_counts": layout.level_counts.int(),
            "level_slots": (first_level + ends - layout.level_counts).int(),
            "unit_of_slot": torch.cat(
                [unit.clamp(min=0), n_values + others, nowhere * 0]
            ),
            "empty_slots": torch.cat([(unit < 0).nonzero()[:, 0], nowhere]),
            "slot_of_unit": torch.cat([by_unit, self.n_value_slots + others]),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def n_products(self, n_rows: int) -> int:
        """Return the sums and products that a batch takes for each output."""
        return n_rows * self.n_entries + self.n_value_slots

    def expand(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the slots of each row that may differ from zero, and their values.

        Shape: ``(n_rows, n_columns)`` -> twice ``(n_rows, n_entries)``.
        """
        numbers = positions.index_select(1, self.value_columns)
        has_missing = len(self.missing_columns) > 0
        if has_missing:
            absent = numbers.isnan()
            numbers = numbers.masked_fill_(absent, 0)
        if self.is_binned:
            below = torch.minimum(numbers.int(), self.last_bins)
            above = numbers - below
            start, after = (
                self.edge_starts.index_select(0, edge.flatten()).view_as(edge)
                for edge in (below, below + 1)
            )
            index, value = [start + self.ranks, after + self.ranks], [1 - above, above]
        else:
            index, value = [self.ranks.expand(numbers.shape)], [numbers]
        if has_missing:
            index[0] = torch.where(absent, self.missing_slots, index[0])
            value[0] = value[0].masked_fill(absent, 1)
        if len(self.level_columns):
            codes = positions.index_select(1, self.level_columns).int()
            nowhere = len(self.unit_of_slot) - 1
            has_unit = codes < self.level_counts
            index.append(torch.where(has_unit, codes + self.level_slots, nowhere))
            value.append(torch.ones_like(codes, dtype=positions.dtype))
        return torch.cat(index, dim=1), torch.cat(value, dim=1)

    def multiply(
        self, expanded: tuple[Tensor, Tensor], weight: Tensor, bias: Tensor
    ) -> Tensor:
        """Return the weights' product with expanded rows, plus the bias."""
        index, value = expanded
        tables = OnSlots.apply(self, weight)
        # A member at a time: its table stays in the cache.
        bags = [
            embedding_bag(index, table, mode="sum", per_sample_weights=value).T
            for table in (tables.unbind() if tables.ndim == 3 else [tables])
        ]
        product = torch.stack(bags) if tables.ndim == 3 else bags[0].contiguous()
        return product.add_(bias.unsqueeze(-1))

    def weight_gradient(
        self, expanded: tuple[Tensor, Tensor], gradient: Tensor
    ) -> Tensor:
        """Return the gradient of the weights from that of the product."""
        index, value = expanded
        n_rows, n_entries = index.shape
        ends = np.arange(0, n_rows * n_entries + 1, n_entries, dtype=np.int32)
        parts = (value.numpy().ravel(), index.numpy().ravel(), ends)
        # scipy takes a tenth of torch's time.
        slots = csr_array(parts, shape=(n_rows, len(self.unit_of_slot))).T
        rows = gradient.mT.contiguous()
        tables = [
            torch.from_numpy(slots @ member.numpy())
            for member in (rows.unbind() if rows.ndim == 3 else [rows])
        ]
        return self.on_units(torch.stack(tables) if rows.ndim == 3 else tables[0])

    def on_slots(self, weight: Tensor) -> Tensor:
        """Return weights on units as weights on slots, of the same function."""
        table = weight.index_select(-2, self.unit_of_slot)
        table.index_fill_(-2, self.empty_slots, 0)
        # At an edge all units are full that end there or before.
        for before, here in pairwise(self._edges(table)):
            here += before[..., : here.shape[-2], :]
        return table

    def on_units(self, gradient: Tensor) -> Tensor:
        """Return a gradient of weights on slots, which is lost, as one on units."""
        for after, here in pairwise(reversed(self._edges(gradient))):
            here[..., : after.shape[-2], :] += after
        return gradient.index_select(-2, self.slot_of_unit)

    def _edges(self, table: Tensor) -> Sequence[Tensor]:
        """Return the slots of values, edge by edge, as views."""
        return table[..., : self.n_value_slots, :].split(self.edge_sizes, dim=-2)


class OnSlots(torch.autograd.Function):
    """``SparseUnits.on_slots``, with its way back."""

    @staticmethod
    def forward(ctx: Any, units: SparseUnits, weight: Tensor) -> Tensor:
        """Return weights on slots."""
        ctx.units = units
        return units.on_slots(weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        """Return the gradient of weights on units."""
        return None, ctx.units.on_units(gradient.clone())
