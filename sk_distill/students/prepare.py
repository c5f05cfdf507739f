"""From what a user passes as ``student`` to a classifier that learns soft targets."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sk_distill.networks import NetworkClassifier
from sk_distill.networks.module import ModuleClassifier
from sk_distill.students.expanded import ExpandedStudent, takes_weights
from sk_distill.students.linear import LinearStudent
from sk_distill.students.mlp import MLPStudent
from sk_distill.students.protocol import Student
from sk_distill.students.skorch_net import SkorchStudent
from sk_distill.validation import (
    check_choice,
    is_skorch_net,
    is_torch_module,
    is_torch_module_class,
    name_of,
)

_ALSO = (
    "a LinearStudent, an MLPStudent, an nn.Module, a skorch net, or a classifier whose "
    "fit takes sample_weight"
)

_SUCH_AS = (
    "DecisionTreeClassifier, HistGradientBoostingClassifier, LogisticRegression or "
    "GaussianNB"
)


def prepare_student(owner: object, student: Any, verbose: int) -> Student:
    """Return a new student for ``student``.

    Parameters
    ----------
    owner : object
        The estimator, for messages.
    student : str, student, nn.Module, skorch net or classifier
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
    if isinstance(student, type) or not hasattr(student, "fit"):
        raise TypeError(
            f"{name_of(owner)}: student={student!r} cannot learn from soft targets; "
            f"choose 'linear', 'mlp', {_ALSO}."
        )
    _check_classifier(owner, student)
    return ExpandedStudent(clone(student))


def _check_classifier(owner: object, student: Any) -> None:
    """Raise unless a classifier gives probabilities and takes weights of rows."""
    if not hasattr(student, "predict_proba"):
        raise TypeError(
            f"{name_of(owner)}: student={student!r} has no predict_proba, and a "
            "student answers with probabilities. Set probability=True or "
            "loss='log_loss' where the classifier has such a parameter, or choose "
            f"{_SUCH_AS}, 'linear' or 'mlp'."
        )
    if not takes_weights(student):
        what = "last step's fit" if isinstance(student, Pipeline) else "fit"
        raise TypeError(
            f"{name_of(owner)}: student={student!r} cannot learn from soft targets: "
            f"its {what} takes no sample_weight. Choose a classifier whose fit does, "
            f"such as {_SUCH_AS}, a Pipeline that ends in one, 'linear' or 'mlp'; to "
            "search over its parameters, search over those of the whole, as "
            "student__max_depth."
        )


def has_decision_function(student: Any) -> bool:
    """Whether what a user passes as ``student``, or what it became, has logits.

    All networks have, whatever they are made of. A tree has none.
    """
    is_network = (
        isinstance(student, str | NetworkClassifier)
        or is_torch_module(student)
        or is_torch_module_class(student)
        or is_skorch_net(student)
    )
    return is_network or hasattr(student, "decision_function")
