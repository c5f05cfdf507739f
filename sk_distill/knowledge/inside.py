"""Looking inside a fitted teacher: its features, and its first layer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

from sk_distill.inference import BLOCK_ROWS
from sk_distill.knowledge.kinds import Inquiry
from sk_distill.networks import NetworkClassifier
from sk_distill.networks.module import module_logits
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
    TypeError
        Naming the part of the teacher, and what would serve.
    """
    for part in _unfitted_parts(teacher):
        is_network, layer = hasattr(part, "_first_units"), inquiry.of.layer
        has_features = is_network or hasattr(part, "apply")
        can_tell = _is_torch(part) or (has_features and layer is None)
        if inquiry.features > 0 and not can_tell:
            raise _without_features(part, layer)
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
            seen = _read_module(part, rows, layer)
            parts.append(seen.penultimate if layer is None else seen.named)
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
            units = _read_module(part, rows, None).first
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
        return [part for _, one in teacher.estimators for part in _unfitted_parts(one)]
    return [teacher]


def _side_by_side(units: NDArray[Any]) -> NDArray[Any]:
    """Return ``(n_members, n_rows, n_units)`` as rows of the units of all members."""
    if units.ndim == 2:
        return units
    return units.swapaxes(0, 1).reshape(units.shape[1], -1)


def _is_torch(teacher: Any) -> bool:
    return hasattr(teacher, "_module_and_rows")


class _Seen(NamedTuple):
    """What passed through a torch module, each of shape (n_rows, n_units)."""

    first: NDArray[Any]
    penultimate: NDArray[Any]
    named: NDArray[Any]


def _read_module(teacher: Any, X: Any, layer: str | None) -> _Seen:
    """Run rows through a torch module, and note what its linear layers see."""
    import torch

    module, rows = teacher._module_and_rows(X)
    parts = dict(module.named_modules())
    if layer is not None and layer not in parts:
        raise ValueError(
            f"teacher {name_of(teacher)} has no layer {layer!r}; its module has "
            f"{[name for name in parts if name]}."
        )
    if layer == "":
        raise ValueError(
            f"teacher {name_of(teacher)}: layer='' is the whole module, whose output "
            f"are logits. Name one of {[name for name in parts if name]}, or pass None."
        )
    linear = [part for part in parts.values() if isinstance(part, torch.nn.Linear)]
    if not linear:
        raise TypeError(
            f"teacher {name_of(teacher)} has a module without an nn.Linear layer, by "
            "which features are found. Choose a teacher that has one."
        )
    passed: list[tuple[Any, Any]] = []
    named: list[Any] = []
    handles = [
        part.register_forward_hook(lambda _, args, out: passed.append((args[0], out)))
        for part in linear
    ]
    if layer is not None:
        handles.append(
            parts[layer].register_forward_hook(lambda _, __, out: named.append(out))
        )
    blocks = []
    try:
        for start in range(0, len(rows), BLOCK_ROWS):
            passed.clear()
            named.clear()
            module_logits(module, rows[start : start + BLOCK_ROWS])
            if layer is not None and not named:
                raise ValueError(
                    f"teacher {name_of(teacher)} has a layer {layer!r}, but never "
                    "calls it, so that it has no output. Name another one."
                )
            (_, first), (penultimate, _) = passed[0], passed[-1]
            tensors = (first, penultimate, named[-1] if named else penultimate)
            blocks.append([x.flatten(1).cpu().numpy() for x in tensors])
    finally:
        for handle in handles:
            handle.remove()
    return _Seen(*(np.concatenate(part) for part in zip(*blocks, strict=True)))
