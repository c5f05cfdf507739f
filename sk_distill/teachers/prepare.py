"""From what a user passes as ``teacher`` to a classifier that can be fitted."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from inspect import signature
from typing import Any

from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator

from sk_distill.networks.module import ModuleClassifier
from sk_distill.teachers.fused import FusedTeacher
from sk_distill.teachers.mlp import MLPTeacher
from sk_distill.teachers.module import ModuleTeacher
from sk_distill.teachers.skorch_net import SkorchTeacher
from sk_distill.validation import (
    is_skorch_net,
    is_torch_module,
    is_torch_module_class,
)


def prepare_teacher(teacher: Any) -> BaseEstimator:
    """Return a new classifier for ``teacher``; a frozen one comes back as it is.

    Parameters
    ----------
    teacher : None, classifier, list of (name, classifier), nn.Module or skorch net
        See :class:`sk_distill.DistilledClassifier`.

    Raises
    ------
    TypeError
        When it is nothing that could give probabilities.
    """
    # A member of a vote is again whatever a teacher may be.
    from sk_distill.teachers.voting import VotingTeacher

    if teacher is None:
        return _weighted(MLPTeacher())
    if is_torch_module_class(teacher):
        return _weighted(ModuleClassifier(teacher))
    if is_torch_module(teacher):
        return ModuleTeacher(teacher)
    if isinstance(teacher, type):
        raise TypeError(
            f"teacher={teacher.__name__} is a class; pass an instance, "
            f"{teacher.__name__}(...)."
        )
    if isinstance(teacher, FusedTeacher):
        # Its estimator may be anything here; its fit says what it can use.
        return clone(teacher)
    if is_skorch_net(teacher) or is_skorch_net(getattr(teacher, "estimator", None)):
        return SkorchTeacher(teacher)
    if isinstance(teacher, list):
        return VotingTeacher(prepare_members("teacher", teacher))
    if isinstance(teacher, VotingTeacher):
        return clone(teacher).set_params(estimators=teacher._prepare_members())
    if not hasattr(teacher, "fit"):
        raise TypeError(
            f"teacher={teacher!r} is no classifier; pass None, a classifier with "
            "predict_proba, a list of (name, classifier), an nn.Module or a skorch net."
        )
    if not hasattr(teacher, "predict_proba"):
        raise TypeError(
            f"teacher={teacher!r} has no predict_proba, and a student learns from "
            "probabilities. Wrap it: CalibratedClassifierCV(teacher), or set "
            "probability=True or loss='log_loss' where the classifier has such a "
            "parameter."
        )
    return clone(teacher)


def is_made_here(teacher: Any) -> bool:
    """Whether what a user passes as ``teacher`` has no parameters of the user's."""
    return teacher is None or is_torch_module_class(teacher)


def _weighted(teacher: Any) -> BaseEstimator:
    """Ask for sample_weight on behalf of a teacher that the user has no hold of."""
    if get_config()["enable_metadata_routing"]:
        teacher.set_fit_request(sample_weight=True)
    return teacher


def prepare_members(owner: str, members: Any) -> list[tuple[str, BaseEstimator]]:
    """Return the members of a vote, each a new classifier.

    ``owner`` is the parameter that they come from, for messages.
    """
    from sk_distill.teachers.voting import VotingTeacher

    sequence = members if isinstance(members, list | tuple) else []
    pairs = [m for m in sequence if isinstance(m, tuple) and len(m) == 2]
    names = [name for name, _ in pairs]
    if (
        not pairs
        or len(pairs) < len(sequence)
        or not all(isinstance(name, str) for name in names)
    ):
        raise TypeError(
            f"{owner}={members!r} must be a non-empty list of (name, classifier), such "
            "as [('forest', RandomForestClassifier()), ('network', MLPTeacher())]."
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{owner} has members of one name: {names}. Rename them.")
    taken = signature(VotingTeacher).parameters
    for name in names:
        if name in taken or "__" in name:
            raise ValueError(
                f"{owner} has a member named {name!r}, but names of parameters "
                f"({', '.join(taken)}) and '__' are taken. Rename it."
            )
    return [(name, prepare_teacher(member)) for name, member in pairs]


def is_frozen(teacher: Any) -> bool:
    """Whether fitting the teacher changes nothing: it is used as it is."""
    if isinstance(teacher, SkorchTeacher):
        return isinstance(teacher.net, FrozenEstimator)
    return isinstance(teacher, FrozenEstimator | ModuleTeacher)


def holds_frozen(teacher: BaseEstimator) -> bool:
    """Whether the teacher or a part of it is used as it is."""
    parts = teacher.get_params(deep=True).values()
    return is_frozen(teacher) or any(is_frozen(part) for part in parts)


def holds_net(teacher: BaseEstimator) -> bool:
    """Whether a part of the teacher is a skorch net."""
    return any(is_skorch_net(p) for p in teacher.get_params(deep=True).values())


def prepare_splitter(cv: Any, seed: int | None) -> Any:
    """Return folds that can be gone through again and again, the same each time.

    A splitter that shuffles gets the seed, if there is one and it has none; an iterator
    becomes a list.
    """
    if isinstance(cv, Iterator):
        return list(cv)
    if seed is None or getattr(cv, "random_state", 0) is not None:
        return cv
    cv = copy(cv)
    cv.random_state = seed
    return cv
