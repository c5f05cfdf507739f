"""The check that losses make of their parameters."""

import math
from collections.abc import Mapping
from numbers import Real


def check_term_weights(owner: object, weights: Mapping[str, object]) -> None:
    """Raise unless the weights of a loss's terms are numbers >= 0, and not all 0."""
    name = type(owner).__name__
    for term, weight in weights.items():
        if not isinstance(weight, Real) or isinstance(weight, bool):
            raise TypeError(
                f"{name}: {term}={weight!r} must be a number >= 0, got a "
                f"{type(weight).__name__}."
            )
        if not 0 <= float(weight) < math.inf:
            raise ValueError(f"{name}: {term}={weight!r} must be a finite number >= 0.")
    if not any(weights.values()):
        both = " and ".join(f"{term}={weight!r}" for term, weight in weights.items())
        raise ValueError(
            f"{name}: {both} leave nothing of the loss; one of them must be > 0. To "
            "learn from the labels alone set distillation_weight=0."
        )
