"""The product of a table's rows with the weights of a first layer.

Rows arrive as positions, one number a column; the weights act on units, of which there
are many a column. ``sk_distill.encoding`` says what both are.
"""

from __future__ import annotations

from torch import nn

from sk_distill.nn.dense_units import DenseUnits
from sk_distill.nn.layout import UnitLayout
from sk_distill.nn.sparse_units import SparseUnits

# From so many rows on, what sparse rows save is more than what slots cost.
_MANY_ROWS = 100


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
        if device_type == "cpu" and n_rows >= _MANY_ROWS:
            return self.sparse
        return self.dense
