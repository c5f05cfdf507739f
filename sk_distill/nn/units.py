"""The product of a table's rows with the weights of a first layer.

Rows arrive as positions, one number a column; the weights act on units, of which there
are many a column. ``sk_distill.encoding`` says what both are.
"""

from __future__ import annotations

from torch import nn

from sk_distill.nn.dense_units import DenseUnits
from sk_distill.nn.layout import UnitLayout
from sk_distill.nn.sparse_units import SparseUnits

# What one look-up of an entry, and adding up one slot, take in multiplications of a
# dense product (measured with 30 columns of 48 bins, 64 outputs).
_LOOK_UP, _ADD_UP = 5, 95


class UnitProduct(nn.Module):
    """The two ways to multiply a batch of positions with weights on units.

    Both give the same numbers. The dense one takes time in proportion to rows times
    units; the sparse one needs the units only once a batch.
    """

    def __init__(self, layout: UnitLayout) -> None:
        super().__init__()
        self.dense = DenseUnits(layout)
        self.sparse = SparseUnits(layout)

    def way(self, n_rows: int, device_type: str) -> DenseUnits | SparseUnits:
        """Return the faster way for a batch of so many rows."""
        if device_type != "cpu":
            return self.dense
        sparse = self.sparse
        cost = _LOOK_UP * n_rows * sparse.n_entries + _ADD_UP * sparse.n_value_slots
        return sparse if cost < self.dense.n_products(n_rows) else self.dense
