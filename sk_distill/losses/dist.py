"""Correlations of the student's probabilities with the teacher's."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softmax

from sk_distill.losses.checks import check_term_weights

# A constant has no correlation, and close to one its slope grows without bound: what
# varies by less than the square root of this, 0.0001 in probability, counts as noise.
_VARIANCE_FLOOR = 1e-8


@dataclass(frozen=True)
class Dist:
    r"""Distillation from a stronger teacher: relations kept, values free.

    .. math::

        β \, \left( 1 - ρ(P_{i \cdot}, Q_{i \cdot}) \right)
        + \frac{γ}{K} \sum_k \left( 1 - ρ(P_{\cdot k}, Q_{\cdot k}) \right)

    for row i, with the teacher's probabilities P, the student's Q, K classes and
    Pearson's correlation ρ: Huang, You, Wang, Qian & Xu 2022, arXiv:2205.10536. The
    first term (inter-class) compares the classes of a row, the second (intra-class) the
    rows of a batch in each class; it is the same for all of them, so that the mean over
    rows is the paper's loss.

    Parameters
    ----------
    beta : float, default=1.0
        β >= 0.
    gamma : float, default=1.0
        γ >= 0.

    Notes
    -----
    A student that keeps the relative distances has a loss of 0 whatever its scale: at
    λ = inf its probabilities are not calibrated.

    The second term depends on the batch: with "lbfgs" that is the whole table, and in a
    batch of one row nothing varies. Row weights are the objective's, which weighs what
    it gets; within the second term all rows are alike.

    ρ is the covariance over the root of both variances, each with 1e-8 added to it: it
    is 0 for a constant, with a gradient that is finite.

    Two probabilities are always correlated by 1 or -1, which has no gradient: for two
    classes the first term is left out. The second one orders the rows, and leaves it to
    the labels where the one class ends and the other begins.

    Examples
    --------
    >>> import torch
    >>> from sk_distill.losses import Dist
    >>> P = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    >>> flatter = 0.5 * P + 0.5 / 3
    >>> Dist()(flatter.log(), P.log()).numpy().round(3) + 0.0
    array([0., 0.], dtype=float32)
    """

    beta: float = 1.0
    gamma: float = 1.0

    def __post_init__(self) -> None:
        check_term_weights(self, vars(self))

    def __call__(
        self,
        student_logits: Tensor,
        teacher_logits: Tensor,
        hard_targets: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of each row, the batch's part of it included."""
        student = softmax(student_logits, dim=-1)
        teacher = softmax(teacher_logits, dim=-1)
        of_classes = 1 - _correlation(student, teacher, dim=-2)
        intra = self.gamma * of_classes.mean(-1, keepdim=True)
        if student.shape[-1] == 2:
            return intra.expand(student.shape[:-1])
        return self.beta * (1 - _correlation(student, teacher, dim=-1)) + intra

    def check_n_classes(self, n_classes: int) -> None:
        """Refuse two classes where nothing would be left to learn."""
        if n_classes == 2 and self.gamma == 0:
            raise ValueError(
                f"loss={self!r} correlates the classes of a row, and two of them are "
                "always correlated by 1 or -1. Set gamma > 0, or choose 'kl'."
            )


def _correlation(a: Tensor, b: Tensor, dim: int) -> Tensor:
    """Return Pearson's correlation along an axis."""
    a, b = (x - x.mean(dim, keepdim=True) for x in (a, b))
    variances = [x.square().mean(dim) + _VARIANCE_FLOOR for x in (a, b)]
    return (a * b).mean(dim) / (variances[0] * variances[1]).sqrt()
