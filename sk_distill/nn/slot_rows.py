"""All rows of a table at once, for a first layer that is trained on the full batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


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
