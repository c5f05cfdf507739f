"""How much each kind of the teacher's knowledge counts."""

from typing import NamedTuple


class Shares(NamedTuple):
    """The weights of the kinds of knowledge; λ multiplies them all.

    Attributes
    ----------
    probabilities : float
        Of the soft targets.
    features : float
        Of the hints.
    weights : float
        Of the pull to the anchor.
    """

    probabilities: float = 1.0
    features: float = 0.0
    weights: float = 0.0


SOFT_TARGETS_ALONE = Shares()
