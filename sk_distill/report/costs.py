"""What a fitted classifier costs: bytes, microseconds, parameters."""

from __future__ import annotations

import pickle
from timeit import repeat
from typing import Any, NamedTuple

import numpy as np
from sklearn.dummy import DummyClassifier

from sk_distill._sklearn import ConstantPredictor, count_nodes
from sk_distill.validation import is_torch_module

# A measurement takes about so many seconds, and the fastest of some counts: what else
# the machine does can only slow a call down.
_SECONDS, _REPEATS = 0.02, 5

# What meta-estimators call the classifiers that they have fitted, and all of which they
# ask: a stack has one more on top, and boosting one more below.
_PARTS: tuple[tuple[str, ...], ...] = (
    ("estimators_", "final_estimator_", "init_"),
    ("calibrated_classifiers_",),
    ("best_estimator_",),
    ("estimator_",),
    ("net_",),
)

# The same where no underscore says so: of a frozen one, of one that is calibrated.
_PLAIN_PARTS = ("estimator", "calibrators")

# What networks, kernel machines and linear models call what they have learnt. A machine
# with a linear kernel has ``coef_`` too, but answers by its support vectors.
_ARRAYS: tuple[tuple[str, ...], ...] = (
    ("coefs_", "intercepts_"),
    ("support_vectors_", "dual_coef_", "intercept_"),
    ("coef_", "intercept_"),
    ("slot_coef_", "intercept_"),
    # Of calibration: sigmoid, isotonic, by temperature.
    ("a_", "b_"),
    ("X_thresholds_", "y_thresholds_"),
    ("beta_",),
)


class Cost(NamedTuple):
    """What a classifier costs; None where nobody knows.

    Attributes
    ----------
    n_bytes : int or None
        Length of its pickle.
    microseconds : float
        Of ``predict_proba`` for one row, on this machine.
    n_parameters : int or None
        Learnt numbers; of trees the nodes.
    """

    n_bytes: int | None
    microseconds: float
    n_parameters: int | None


def cost_of(model: Any, row: Any) -> Cost:
    """Return the cost of a classifier, timed on one row."""
    try:
        n_bytes = len(pickle.dumps(model))
    except Exception:
        # A class of the user's may raise anything; the report goes on without.
        n_bytes = None
    return Cost(n_bytes, _microseconds(model, row), n_parameters(model))


def _microseconds(model: Any, row: Any) -> float:
    def ask() -> Any:
        return model.predict_proba(row)

    ask()
    once = min(repeat(ask, number=1, repeat=2))
    number = max(1, int(_SECONDS / max(once, 1e-7)))
    return min(repeat(ask, number=number, repeat=_REPEATS)) / number * 1e6


def n_parameters(model: Any) -> int | None:
    """Return how many numbers a fitted classifier has learnt, or None.

    They are counted by the names that scikit-learn, skorch and this package give them.
    """
    for names in _PARTS:
        if hasattr(model, names[0]):
            return _sum_of_parts(model, names)
    if hasattr(model, "steps"):
        return n_parameters(model.steps[-1][1])
    module = getattr(model, "module_", getattr(model, "module", None))
    if module is not None and is_torch_module(module):
        return sum(weight.numel() for weight in module.parameters())
    if hasattr(model, "tree_"):
        return int(model.tree_.node_count)
    if hasattr(model, "layers_"):
        return sum(layer.weights.size + layer.bias.size for layer in model.layers_)
    for names in _ARRAYS:
        if all(hasattr(model, name) for name in names):
            return _size([getattr(model, name) for name in names])
    if isinstance(model, ConstantPredictor):
        return 1
    if isinstance(model, DummyClassifier):
        return int(np.size(model.class_prior_))
    if hasattr(model, _PLAIN_PARTS[0]):
        return _sum_of_parts(model, _PLAIN_PARTS)
    return count_nodes(model)


def _sum_of_parts(model: Any, names: tuple[str, ...]) -> int | None:
    """Return the number of all parts, or None if one of them is not known."""
    parts: list[Any] = []
    for name in names:
        held = getattr(model, name, [])
        if isinstance(held, np.ndarray):
            held = held.ravel().tolist()
        parts += held if isinstance(held, list | tuple) else [held]
    # Boosting that begins with "zero" has learnt nothing there.
    counts = [n_parameters(part) for part in parts if not isinstance(part, str)]
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _size(arrays: list[Any]) -> int:
    return sum(
        np.size(part)
        for array in arrays
        for part in (array if isinstance(array, list) else [array])
    )
