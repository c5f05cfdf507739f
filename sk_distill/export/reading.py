"""From what a user passes to the fitted student that is to be exported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.utils.validation import check_is_fitted

from sk_distill.compression import CompressedStudent
from sk_distill.compression.network import Network, read_network
from sk_distill.fitted import check_refitted, way_into
from sk_distill.students import LinearStudent, MLPStudent
from sk_distill.validation import name_of

BUILT_IN = (LinearStudent, MLPStudent, CompressedStudent)


def fitted_student(
    estimator: Any, *, caller: str
) -> LinearStudent | MLPStudent | CompressedStudent:
    """Return the fitted built-in student of an estimator, or the one that it is.

    Parameters
    ----------
    estimator : DistilledClassifier, DistilledClassifierCV or student
        What a user passes.
    caller : str
        The function that was called, for messages.

    Raises
    ------
    TypeError
        For anything else, and for a student that is not of this package's own.
    NotFittedError
        For an estimator that is not fitted.
    """
    student = shipped_student(estimator, caller=caller)
    if not isinstance(student, BUILT_IN):
        raise TypeError(
            f"{caller}: the student is a {name_of(student)}; expected a LinearStudent, "
            "an MLPStudent or a CompressedStudent. Ship it by its own package's means: "
            "it is a classifier without any part of sk_distill."
        )
    return student


def has_student(part: Any) -> bool:
    """Whether something is one of this package's students, or has a student."""
    return hasattr(part, "_fitted_student") or isinstance(part, BUILT_IN)


def shipped_student(
    estimator: Any, *, caller: str, takes: Callable[[Any], bool] = has_student
) -> Any:
    """Return the fitted student of an estimator, of whatever package it is.

    Parameters and errors are those of :func:`fitted_student`, but for a student that is
    a classifier from elsewhere, which is returned as it is. A net is refused: it needs
    torch. Of anything else a message names the part that the caller ``takes``.
    """
    if isinstance(estimator, type):
        raise TypeError(
            f"{caller}: {name_of(estimator)} is a class; expected a fitted instance, "
            "such as DistilledClassifier().fit(X, y)."
        )
    student = estimator
    if hasattr(estimator, "_fitted_student"):
        student = estimator._fitted_student()
    elif not isinstance(estimator, BUILT_IN):
        check_refitted(caller, estimator)
        way_out = way_into(estimator, takes)
        raise TypeError(
            f"{caller}: cannot export a {name_of(estimator)}; expected a fitted "
            "DistilledClassifier, DistilledClassifierCV, LinearStudent, MLPStudent or "
            f"CompressedStudent. {way_out or 'Pass the part that is one of these.'}"
        )
    if is_of_this_package(student) and not isinstance(student, BUILT_IN):
        raise TypeError(
            f"{caller}: the student is a {name_of(student)}, a net that needs torch "
            "wherever it goes; expected student='linear', 'mlp', a LinearStudent, an "
            "MLPStudent or a classifier from elsewhere. Distil with student='mlp', or "
            "export the net with torch.onnx.export."
        )
    check_is_fitted(student)
    return student


def is_of_this_package(part: object) -> bool:
    """Whether an object is an instance of a class of this package."""
    return type(part).__module__.split(".")[0] == "sk_distill"


def network_of(student: Any) -> Network:
    """Return the encoding and the arrays of a built-in student.

    Those of a compressed one are what its weights stand for, in float64.
    """
    if not isinstance(student, CompressedStudent):
        return read_network(student)
    return Network(
        student.encoder_,
        [layer.dense() for layer in student.layers_],
        [layer.bias for layer in student.layers_],
        student.activation_,
    )
