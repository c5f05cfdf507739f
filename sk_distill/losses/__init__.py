"""Distillation losses: one file each, and the map from a name to a loss.

A loss is any callable
``(student_logits, teacher_logits, hard_targets) -> per-row loss``.
Logits have shape ``(..., n_rows, n_classes)`` and are already divided by the
temperature; ``hard_targets`` are class codes of shape ``(n_rows,)``, -100 where a row
has no label (torch's ``ignore_index``), or None where there are no labels at all; at
λ = inf no row has a label. The result has shape ``(..., n_rows)``. The factor T² is not
a loss's business: :class:`sk_distill.training.objective.Objective` applies it.

A loss may have two attributes more, both callables:

``prepare_logits(logits) -> logits``
    Changes the student's and the teacher's logits before they are divided by T.
``check_n_classes(n_classes)``
    Raises a ``ValueError`` where the loss cannot be used for so many classes; it is
    called before anything is trained.

A loss with parameters is a frozen dataclass: it is compared, printed, cloned and
pickled by them.
"""

from sk_distill.losses.decoupled import Decoupled
from sk_distill.losses.dist import Dist
from sk_distill.losses.kl import kl_divergence
from sk_distill.losses.logit_mse import logit_mse
from sk_distill.losses.named import LOSSES, Loss, resolve_loss
from sk_distill.losses.soft_cross_entropy import soft_cross_entropy
from sk_distill.losses.standardized import StandardizedLogits

__all__ = [
    "LOSSES",
    "Decoupled",
    "Dist",
    "Loss",
    "StandardizedLogits",
    "kl_divergence",
    "logit_mse",
    "resolve_loss",
    "soft_cross_entropy",
]
