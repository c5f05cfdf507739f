"""How an estimator that distils is shown in a notebook: teacher, λ, student."""

from __future__ import annotations

from typing import Any

from sk_distill._sklearn import VisualBlock
from sk_distill.fitted import distilled_with, show_weight
from sk_distill.students.expanded import ExpandedStudent
from sk_distill.students.prepare import prepare_student
from sk_distill.teachers import prepare_teacher

_EQUATION = "L = L_student + λ · L_distillation"


def teacher_to_student(estimator: Any) -> Any:
    """Return teacher, objective and student, one below the other.

    Of a fitted estimator they are what was fitted, else what would be.
    """
    is_fitted = hasattr(estimator, "student_")
    student = (
        estimator.student_
        if is_fitted
        else prepare_student(estimator, estimator.student, 0)
    )
    if isinstance(student, ExpandedStudent):
        student = student.estimator
    if not is_fitted:
        teacher = _labelled("teacher", prepare_teacher(estimator.teacher))
    elif hasattr(estimator, "teacher_"):
        teacher = _labelled("teacher", estimator.teacher_)
    else:
        teacher = VisualBlock(
            "single",
            None,
            names="teacher_proba",
            name_caption="probabilities that fit was given",
            name_details="There is no teacher to ask.",
        )
    return VisualBlock(
        "serial",
        [teacher, _objective(estimator), _labelled("student", student)],
        dash_wrapped=False,
    )


def _labelled(role: str, model: Any) -> Any:
    return VisualBlock(
        "parallel",
        [model],
        names=[role],
        name_details=[str(model)],
        dash_wrapped=False,
    )


def _objective(estimator: Any) -> Any:
    caption = "teacher's weight, temperature"
    if not hasattr(estimator, "distillation_weights"):
        pass
    elif hasattr(estimator, "distillation_weight_"):
        caption = "chosen by cross-validation"
    else:
        return VisualBlock(
            "single",
            None,
            names="λ and T",
            name_caption="by cross-validation",
            name_details=_EQUATION,
        )
    weight, temperature = distilled_with(estimator)
    return VisualBlock(
        "single",
        None,
        names=f"λ = {show_weight(weight)}, T = {temperature:g}",
        name_caption=caption,
        name_details=_EQUATION,
    )
