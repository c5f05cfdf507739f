"""What a fitted classifier costs: bytes, microseconds, parameters."""

from __future__ import annotations

import pickle
from timeit import repeat
from typing import Any, NamedTuple

import numpy as np

from sk_distill._sklearn import count_nodes
from sk_distill.validation import is_torch_module

# A measurement takes about so many seconds, and the fastest of some counts: what else
# the machine does can only slow a call down.
_SECONDS, _REPEATS = 0.02, 5

# What networks, kernel machines and linear models call what they have learnt. A machine
# with a linear kernel has ``coef_`` too, but answers by its support vectors.
_ARRAYS = (
    ("coefs_", "intercepts_"),
    ("support_vectors_", "dual_coef_", "intercept_"),
    ("coef_", "intercept_"),
    ("slot_coef_", "intercept_"),
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
    for part in ("estimators_", "best_estimator_", "estimator_", "estimator", "net_"):
        if hasattr(model, part):
            parts = getattr(model, part)
            if isinstance(parts, np.ndarray):
                parts = parts.ravel().tolist()
            elif not isinstance(parts, list | tuple):
                parts = [parts]
            counts = [n_parameters(p) for p in parts]
            known = [count for count in counts if count is not None]
            if counts and len(known) == len(counts):
                return sum(known)
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
    return count_nodes(model)


def _size(arrays: list[Any]) -> int:
    return sum(
        np.size(part)
        for array in arrays
        for part in (array if isinstance(array, list) else [array])
    )
