"""Logits of mean 0 and variance 1 in every row, for any loss."""

from dataclasses import dataclass
from difflib import get_close_matches

from torch import Tensor

from sk_distill.losses.named import LOSSES, Loss, resolve_loss

# Equal logits have no standard form, and close to that the slope grows without bound.
_VARIANCE_FLOOR = 1e-8


@dataclass(frozen=True)
class StandardizedLogits:
    r"""Any loss, on the standardised logits of both student and teacher.

    .. math::

        \ell \left( \frac{s(z)}{T}, \frac{s(v)}{T} \right), \qquad
        s(z)_k = \frac{z_k - \bar z}{\sqrt{\frac{1}{K} \sum_j (z_j - \bar z)^2}}

    with the student's logits z, the teacher's v, K classes and the loss ℓ: Sun, Ren,
    Li, Wang & Cao 2024, arXiv:2403.01427. A small student need not reach the range of a
    large teacher's logits, only their relations. T divides what is standardised: it is
    how sharp both are, whatever the logits' scale.

    Parameters
    ----------
    loss : str or callable, default="soft_cross_entropy"
        The name of a loss, or a loss.

    Notes
    -----
    The scale of the student's logits is left to the labels. At λ = inf its classes are
    learned, and its probabilities are not calibrated: a penalty or a weight decay makes
    them ever more alike, and "lbfgs" may find no end of it.

    1e-8 is added to the variance, so that logits that are all equal have a finite
    gradient.

    Of two logits standardising leaves which is larger, and nothing to learn: two
    classes are refused.

    Examples
    --------
    >>> import torch
    >>> from sk_distill.losses import StandardizedLogits
    >>> loss = StandardizedLogits("kl")
    >>> z = loss.prepare_logits(torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]))
    >>> z.numpy().round(3)
    array([[-1.225,  0.   ,  1.225],
           [-1.225,  0.   ,  1.225]], dtype=float32)
    """

    loss: str | Loss = "soft_cross_entropy"

    def __post_init__(self) -> None:
        if isinstance(self.loss, str):
            near = get_close_matches(self.loss, LOSSES, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            valid = self.loss in LOSSES
        else:
            is_class = isinstance(self.loss, type)
            hint = " Pass an instance of the class." if is_class else ""
            valid = callable(self.loss) and not is_class
        if not valid:
            raise ValueError(
                f"StandardizedLogits: loss={self.loss!r} is not valid; choose one of "
                f"{', '.join(map(repr, LOSSES))} or a callable (student_logits, "
                f"teacher_logits, hard_targets) -> per-row loss.{hint}"
            )

    def __call__(
        self,
        student_logits: Tensor,
        teacher_logits: Tensor,
        hard_targets: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of each row."""
        return resolve_loss(self.loss)(student_logits, teacher_logits, hard_targets)

    def prepare_logits(self, logits: Tensor) -> Tensor:
        """Return the standardised logits, of the same shape."""
        centred = logits - logits.mean(-1, keepdim=True)
        variance = centred.square().mean(-1, keepdim=True)
        standard = centred / (variance + _VARIANCE_FLOOR).sqrt()
        prepare = getattr(resolve_loss(self.loss), "prepare_logits", None)
        return standard if prepare is None else prepare(standard)

    def check_n_classes(self, n_classes: int) -> None:
        """Refuse two classes, and what the loss refuses."""
        if n_classes == 2:
            raise ValueError(
                f"loss={self!r} needs three classes or more, and here are two: "
                "standardised, their logits only say which is larger. Choose another "
                "loss, such as 'kl'."
            )
        check = getattr(resolve_loss(self.loss), "check_n_classes", None)
        if check is not None:
            check(n_classes)
