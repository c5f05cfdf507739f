"""From what a user passes to the fitted student that is to be exported."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from sk_distill.compression import CompressedStudent
from sk_distill.students import LinearStudent, MLPStudent


def fitted_student(
    estimator: Any, *, caller: str
) -> LinearStudent | MLPStudent | CompressedStudent:
    """Return the fitted student of an estimator, or the student that it is.

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
    student = estimator
    if hasattr(estimator, "student"):
        check_is_fitted(estimator)
        student = estimator.student_
    if not isinstance(student, LinearStudent | MLPStudent | CompressedStudent):
        raise TypeError(
            f"{caller}: cannot export {student!r}; expected a fitted LinearStudent, "
            "MLPStudent or CompressedStudent, or a DistilledClassifier with one. Of a "
            "Pipeline or a search pass the part that is one; a student that is a "
            "classifier of another package is shipped by that package's means."
        )
    check_is_fitted(student)
    return student
