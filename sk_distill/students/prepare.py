"""From what a user passes as ``student`` to a classifier that learns soft targets."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from sk_distill.networks import NetworkClassifier
from sk_distill.networks.module import ModuleClassifier
from sk_distill.students.linear import LinearStudent
from sk_distill.students.mlp import MLPStudent
from sk_distill.students.skorch_net import SkorchStudent
from sk_distill.validation import (
    check_choice,
    is_skorch_net,
    is_torch_module,
    is_torch_module_class,
)

_ALSO = "a LinearStudent, an MLPStudent, an nn.Module or a skorch net"


def prepare_student(owner: object, student: Any, verbose: int) -> NetworkClassifier:
    """Return a new student for ``student``.

    Parameters
    ----------
    owner : object
        The estimator, for messages.
    student : str, student, nn.Module or skorch net
        See :class:`sk_distill.DistilledClassifier`.
    verbose : int
        Handed to a student that is made here; a student of the user's has its own.

    Raises
    ------
    TypeError, ValueError
        When it is nothing that learns from soft targets.
    """
    if isinstance(student, str):
        check_choice(owner, "student", student, ("linear", "mlp"), _ALSO)
        kind = LinearStudent if student == "linear" else MLPStudent
        return kind(verbose=verbose)
    if is_torch_module(student) or is_torch_module_class(student):
        return ModuleClassifier(student, verbose=verbose)
    if is_skorch_net(student):
        return SkorchStudent(student)
    if isinstance(student, NetworkClassifier):
        return clone(student)
    raise TypeError(
        f"{type(owner).__name__}: student={student!r} cannot learn from soft targets; "
        f"choose 'linear', 'mlp', {_ALSO}."
    )
