"""Cross-entropy of the student against the teacher's distribution."""

from torch import Tensor
from torch.nn.functional import log_softmax, softmax


def soft_cross_entropy(
    student_logits: Tensor, teacher_logits: Tensor, hard_targets: Tensor | None = None
) -> Tensor:
    """Return ``-sum_k P_k log Q_k`` for each row.

    ``P = softmax(teacher_logits)`` and ``Q = softmax(student_logits)``; Hinton,
    Vinyals & Dean 2015, arXiv:1503.02531, section 2.
    """
    teacher = softmax(teacher_logits, dim=-1)
    return -(teacher * log_softmax(student_logits, dim=-1)).sum(-1)
