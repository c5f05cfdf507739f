"""Looking inside a fitted teacher: its features, and its first layer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

from sk_distill.knowledge.kinds import Inquiry
from sk_distill.knowledge.watching import (
    check_layer,
    read_first,
    read_named,
    read_penultimate,
)
from sk_distill.networks import NetworkClassifier
from sk_distill.validation import name_of


class FirstLayer(NamedTuple):
    """The units of a teacher's first layer, before activation.

    Attributes
    ----------
    units : ndarray of shape (n_rows, n_units)
    importance : ndarray of shape (n_units,)
        How much each unit moves what comes after it.
    """

    units: NDArray[Any]
    importance: NDArray[np.float64]


def check_inside(teacher: Any, inquiry: Inquiry) -> None:
    """Refuse, before it is fitted, a teacher that has nothing of the kind inside.

    Raises
    ------
    TypeError, ValueError
        Naming the part of the teacher, and what would serve.
    """
    for part in _unfitted_parts(teacher):
        is_network, layer = hasattr(part, "_first_units"), inquiry.of.layer
        has_features = is_network or hasattr(part, "apply")
        can_tell = _is_torch(part) or (has_features and layer is None)
        if inquiry.features > 0 and not can_tell:
            raise _without_features(part, layer)
        if inquiry.features > 0 and layer is not None:
            module = part._known_module()
            # Others make one when they are fitted, which finds a wrong name then.
            if module is not None:
                check_layer(part, module, layer)
        wants_layer = inquiry.weights > 0 and inquiry.n_units > 0
        if wants_layer and not (_is_torch(part) or is_network):
            raise _without_first_layer(part)


def _without_features(part: Any, layer: str | None) -> TypeError:
    what = "features" if layer is None else f"layer {layer!r}"
    return TypeError(
        f"teacher {name_of(part)} has no {what} to learn from. knowledge='features' is "
        "for an MLPTeacher, a skorch net, an nn.Module, trees that have apply() as a "
        "RandomForestClassifier does, a pipeline that ends in one of these, or a list "
        "of them; a named layer is for a skorch net or an nn.Module."
    )


def _without_first_layer(part: Any) -> TypeError:
    return TypeError(
        f"teacher {name_of(part)} has no first layer to begin with. "
        "knowledge='weights' of an MLPStudent is for an MLPTeacher, a skorch net, an "
        "nn.Module, a pipeline that ends in one of these, or a list of them; a "
        "LinearStudent takes any teacher."
    )


def features_of(teacher: Any, X: Any, layer: str | None) -> list[NDArray[Any]]:
    """Return the features of a teacher, or of each of several that it is made of.

    Returns
    -------
    parts : list of ndarray of shape (n_rows, n_features)
        Floats, the units of a network; integers, the leaf of each tree.

    Raises
    ------
    TypeError
        For a teacher that has none.
    """
    parts = []
    for part, rows in _parts(teacher, X):
        if hasattr(part, "_first_units") and layer is None:
            parts.append(_side_by_side(part._hidden_layers(rows)[-1]))
        elif _is_torch(part):
            if layer is None:
                parts.append(read_penultimate(part, rows))
            else:
                parts.append(read_named(part, rows, layer))
        elif hasattr(part, "apply") and layer is None:
            leaves = np.asarray(part.apply(rows))
            parts.append(leaves.reshape(len(leaves), -1).astype(np.int64))
        else:
            raise _without_features(part, layer)
    return parts


def first_layer_of(teacher: Any, X: Any) -> FirstLayer:
    """Return the first layer of a teacher, or of all that it is made of.

    Raises
    ------
    TypeError
        For a teacher that has none.
    """
    found = []
    for part, rows in _parts(teacher, X):
        if hasattr(part, "_first_units"):
            units = _side_by_side(part._first_units(rows))
            importance = np.linalg.norm(part.coefs_[1], axis=-1).ravel()
        elif _is_torch(part):
            units = read_first(part, rows)
            importance = np.ones(units.shape[1])
        else:
            raise _without_first_layer(part)
        found.append(FirstLayer(units, importance))
    units, importance = zip(*found, strict=True)
    return FirstLayer(np.hstack(units), np.concatenate(importance))


def _parts(teacher: Any, X: Any) -> list[tuple[Any, Any]]:
    """Return what a teacher is made of, each with its rows."""
    if isinstance(teacher, FrozenEstimator):
        return _parts(teacher.estimator, X)
    if isinstance(teacher, GridSearchCV | RandomizedSearchCV):
        return _parts(teacher.best_estimator_, X)
    if isinstance(teacher, Pipeline):
        return _parts(teacher[-1], teacher[:-1].transform(X))
    # The trees of a forest are its own affair.
    if hasattr(teacher, "estimators_") and not hasattr(teacher, "apply"):
        return [pair for part in teacher.estimators_ for pair in _parts(part, X)]
    if isinstance(getattr(teacher, "estimator_", None), NetworkClassifier):
        return _parts(teacher.estimator_, X)
    return [(teacher, X)]


def _unfitted_parts(teacher: Any) -> list[Any]:
    """Return what a teacher will be made of."""
    if isinstance(teacher, FrozenEstimator | GridSearchCV | RandomizedSearchCV):
        return _unfitted_parts(teacher.estimator)
    if hasattr(teacher, "_prepare_estimator"):
        return [teacher._prepare_estimator()]
    if isinstance(teacher, Pipeline):
        return _unfitted_parts(teacher[-1])
    if hasattr(teacher, "estimators") and not hasattr(teacher, "apply"):
        members = [one for _, one in teacher.estimators if not isinstance(one, str)]
        return [part for one in members for part in _unfitted_parts(one)]
    return [teacher]


def _side_by_side(units: NDArray[Any]) -> NDArray[Any]:
    """Return ``(n_members, n_rows, n_units)`` as rows of the units of all members."""
    if units.ndim == 2:
        return units
    return units.swapaxes(0, 1).reshape(units.shape[1], -1)


def _is_torch(teacher: Any) -> bool:
    return hasattr(teacher, "_module_and_rows")
