"""Distillation losses: one file each, and the map from a name to a function.

A loss is any callable
``(student_logits, teacher_logits, hard_targets) -> per-row loss``.
Logits have shape ``(..., n_rows, n_classes)`` and are already divided by the
temperature; ``hard_targets`` are class codes of shape ``(n_rows,)``, -100 where a row
has no label (torch's ``ignore_index``), or None where none has one; the result has
shape ``(..., n_rows)``. The factor T² is not a loss's business:
:class:`sk_distill.training.objective.Objective` applies it.
"""

from collections.abc import Callable

from torch import Tensor

from sk_distill.losses.kl import kl_divergence
from sk_distill.losses.soft_cross_entropy import soft_cross_entropy

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]

LOSSES: dict[str, Loss] = {
    "soft_cross_entropy": soft_cross_entropy,
    "kl": kl_divergence,
}

__all__ = ["LOSSES", "Loss", "kl_divergence", "soft_cross_entropy"]
