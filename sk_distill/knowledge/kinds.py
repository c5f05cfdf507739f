"""The kinds of knowledge, as a user names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral
from typing import Any, NamedTuple

from sk_distill.validation import check_real, name_of

_KINDS = ("probabilities", "features", "weights")


@dataclass(frozen=True)
class Features:
    """A teacher's features as knowledge, with more to say than ``"features"``.

    Parameters
    ----------
    layer : str or None, default=None
        Name of a module of a teacher that is a torch network, as ``named_modules()``
        has it, whose output is the features; of a layer that returns several, as a
        recurrent one does, the first. None: what the last linear layer of a network
        gets, the leaves of an ensemble of trees.
    n_components : int, default=32
        Principal components that more features than these are reduced to.

    Examples
    --------
    >>> from sk_distill import DistilledClassifier, Features, MLPTeacher
    >>> knowledge = {"probabilities": 1.0, Features(n_components=8): 0.5}
    >>> model = DistilledClassifier(MLPTeacher(), knowledge=knowledge)
    """

    layer: str | None = None
    n_components: int = 32

    def __post_init__(self) -> None:
        if self.layer is not None and not isinstance(self.layer, str):
            raise TypeError(
                f"Features: layer={self.layer!r} must be the name of a module, or None."
            )
        is_number = isinstance(self.n_components, Integral)
        if not is_number or isinstance(self.n_components, bool):
            raise TypeError(
                f"Features: n_components={self.n_components!r} must be an integer >= 1."
            )
        if self.n_components < 1:
            raise ValueError(
                f"Features: n_components={self.n_components!r} must be an integer >= 1."
            )
        # A cache tells numpy's integers from Python's.
        object.__setattr__(self, "n_components", int(self.n_components))


class Inquiry(NamedTuple):
    """What a teacher is asked beside its probabilities, and how much it counts.

    Attributes
    ----------
    probabilities, features, weights : float
        The weight of each kind.
    of : Features
        Which features.
    n_units : int
        Units of the student's first layer whose weights the teacher has a say in; 0
        where the student takes the probabilities for them.
    """

    probabilities: float = 1.0
    features: float = 0.0
    weights: float = 0.0
    of: Features = Features()
    n_units: int = 0

    def question(self, n_units: int) -> Inquiry:
        """Return what a teacher is asked, whatever its answers will count.

        Nothing else is in it, since a cache of the answers looks at it.
        """
        return Inquiry(
            1.0,
            float(self.features > 0),
            float(self.weights > 0),
            self.of if self.features > 0 else Features(),
            n_units if self.weights > 0 else 0,
        )

    @property
    def is_of_the_inside(self) -> bool:
        """Whether more than probabilities is wanted of the teacher."""
        return self.features > 0 or (self.weights > 0 and self.n_units > 0)


ONLY_PROBABILITIES = Inquiry()


def check_knowledge(owner: Any, knowledge: Any) -> Inquiry:
    """Return what a parameter ``knowledge`` asks for.

    Raises
    ------
    TypeError, ValueError
        For what is no kind of knowledge, or no weight of one.
    """
    pairs = knowledge if isinstance(knowledge, Mapping) else {knowledge: 1.0}
    if not pairs:
        raise ValueError(
            f"{name_of(owner)}: knowledge={knowledge!r} must name at least one kind: "
            f"{', '.join(map(repr, _KINDS))}."
        )
    weights = dict.fromkeys(_KINDS, 0.0)
    features = Features()
    for kind, weight in pairs.items():
        if isinstance(kind, Features):
            features = kind
        name = "features" if isinstance(kind, Features) else kind
        if name not in _KINDS:
            near = get_close_matches(str(kind), _KINDS, n=1)
            raise ValueError(
                f"{name_of(owner)}: knowledge={knowledge!r} has {kind!r}; expected "
                f"{', '.join(map(repr, _KINDS))}, a Features(), or a dict from these "
                "to weights." + (f" Did you mean {near[0]!r}?" if near else "")
            )
        check_real(owner, f"knowledge[{kind!r}]", weight, 0)
        weights[name] += float(weight)
    if not any(weights.values()):
        raise ValueError(
            f"{name_of(owner)}: knowledge={knowledge!r} gives every kind the weight 0. "
            "Give one of them more, or set distillation_weight=0."
        )
    return Inquiry(
        weights["probabilities"], weights["features"], weights["weights"], features
    )
