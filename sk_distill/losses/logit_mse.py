"""Squared distance of the student's logits from the teacher's."""

from torch import Tensor


def logit_mse(
    student_logits: Tensor, teacher_logits: Tensor, hard_targets: Tensor | None = None
) -> Tensor:
    r"""Return half the mean squared difference of the centred logits of each row.

    .. math::

        \frac{1}{2 K} \sum_k \left( (z_k - \bar z) - (v_k - \bar v) \right)^2

    with the student's logits z, the teacher's v and K classes: Ba & Caruana 2014,
    arXiv:1312.6184, who regress the logits, here centred. A constant that is added to a
    row's logits changes no probability, and so none is asked for.

    Times T² it does not depend on T, and it is what the soft cross-entropy is for T to
    infinity: the gradients are the same (Hinton, Vinyals & Dean 2015,
    arXiv:1503.02531, section 2.1, equation 4).
    """
    difference = student_logits - teacher_logits
    difference = difference - difference.mean(-1, keepdim=True)
    return difference.square().mean(-1) / 2
