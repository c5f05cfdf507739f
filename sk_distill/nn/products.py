"""Products of rows that are columns, for one member or for several."""

from __future__ import annotations

import torch
from torch import Tensor

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
