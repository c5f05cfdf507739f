"""The target class and the other classes, each with a weight of its own."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sk_distill.losses.checks import check_term_weights
from sk_distill.losses.kl import kl_divergence


@dataclass(frozen=True)
class Decoupled:
    r"""Decoupled knowledge distillation: KL, cut in two and weighted anew.

    .. math::

        α \, \text{KL}(b^v \| b^z) + β \, \text{KL}(\hat p^v \| \hat p^z),
        \qquad b = (p_t, 1 - p_t), \qquad \hat p_k = \frac{p_k}{1 - p_t}, k \ne t

    with the softmax p of the teacher's logits v and of the student's z, and the target
    class t of the row: Zhao, Cui, Song, Qiu & Liang 2022, arXiv:2203.08679. The first
    term (TCKD) is about how sure to be of the target class, the second (NCKD) about how
    likely the others are among themselves. KL is the case α = 1, β = 1 - p_t of the
    teacher: the surer it is, the less the others count there.

    Parameters
    ----------
    alpha : float, default=1.0
        α >= 0.
    beta : float, default=8.0
        β >= 0.

    Notes
    -----
    The target class is the label. Where a row has none, as a transfer row, and at
    λ = inf no row has, it is the class that the teacher holds likeliest.

    Of two classes there is one other, which is sure to be that among the others: what
    is left is α times KL.

    Examples
    --------
    >>> import torch
    >>> from sk_distill.losses import Decoupled, kl_divergence
    >>> z, v = torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[0.0, 2.0, 1.0]])
    >>> target = torch.tensor([1])
    >>> others = 1 - v.softmax(-1)[:, 1]
    >>> loss = Decoupled(1, 0)(z, v, target) + others * Decoupled(0, 1)(z, v, target)
    >>> torch.allclose(loss, kl_divergence(z, v))
    True
    """

    alpha: float = 1.0
    beta: float = 8.0

    def __post_init__(self) -> None:
        check_term_weights(self, vars(self))

    def __call__(
        self,
        student_logits: Tensor,
        teacher_logits: Tensor,
        hard_targets: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of each row."""
        target = teacher_logits.argmax(-1)
        if hard_targets is not None:
            target = torch.where(hard_targets < 0, target, hard_targets)
        student, student_others = _split(student_logits, target)
        teacher, teacher_others = _split(teacher_logits, target)
        of_target = kl_divergence(student, teacher)
        of_others = kl_divergence(student_others, teacher_others)
        return self.alpha * of_target + self.beta * of_others

    def check_n_classes(self, n_classes: int) -> None:
        """Refuse two classes where nothing would be left to learn."""
        if n_classes == 2 and self.alpha == 0:
            raise ValueError(
                f"loss={self!r} is about the classes beside a row's own, and of two "
                "classes there is one, which is sure. Set alpha > 0, or choose 'kl'."
            )


def _split(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits of (target, not target), and logits of the other classes.

    The first pair is (z_t, log Σ exp z_k over the others): nothing is subtracted from
    1, and so nothing is lost where the target is sure.

    Shape: ``(..., n_rows, n_classes)`` -> ``(..., n_rows, 2)``,
    ``(..., n_rows, n_classes - 1)``.
    """
    n_classes = logits.shape[-1]
    # The classes in a circle that begins at the target.
    order = target[..., None] + torch.arange(n_classes, device=target.device)
    order = order.remainder(n_classes).expand(logits.shape)
    of_target, others = logits.gather(-1, order).split([1, n_classes - 1], -1)
    return torch.cat([of_target, others.logsumexp(-1, keepdim=True)], -1), others
