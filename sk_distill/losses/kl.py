"""Kullback-Leibler divergence of the student from the teacher."""

from torch import Tensor
from torch.nn.functional import log_softmax


def kl_divergence(
    student_logits: Tensor, teacher_logits: Tensor, hard_targets: Tensor | None = None
) -> Tensor:
    """Return ``sum_k P_k (log P_k - log Q_k)`` for each row.

    It differs from the soft cross-entropy by the teacher's entropy, which the student
    cannot change: both have the same gradient, and this one is zero at ``Q = P``.
    """
    log_teacher = log_softmax(teacher_logits, dim=-1)
    log_student = log_softmax(student_logits, dim=-1)
    return (log_teacher.exp() * (log_teacher - log_student)).sum(-1)
