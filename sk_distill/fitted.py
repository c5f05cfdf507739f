"""What is read of a fitted estimator, or asked of its teacher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from sk_distill._sklearn import num_samples
from sk_distill.soft_targets import label_rows
from sk_distill.validation import check_probabilities, name_of


def fitted_attribute(owner: str, estimator: Any, name: str, remedy: str) -> Any:
    """Return an attribute that ``fit`` sets, or say for whom and what to do.

    Raises
    ------
    TypeError
        For what is no estimator.
    NotFittedError
        For an estimator that was never fitted, or a search without refit.
    AttributeError
        For one whose fit sets no such attribute.
    """
    try:
        return getattr(estimator, name)
    except AttributeError as error:
        check_refitted(owner, estimator)
        if isinstance(estimator, type) or not hasattr(estimator, "fit"):
            raise TypeError(
                f"{owner}: {estimator!r} is no estimator; expected a fitted one, such "
                "as DistilledClassifier().fit(X, y)."
            ) from error
        if not hasattr(estimator, "classes_"):
            raise NotFittedError(
                f"{owner}: this {name_of(estimator)} instance is not fitted yet. Call "
                "'fit' with appropriate arguments first."
            ) from error

        def has_it(part: Any) -> bool:
            return hasattr(part, name) or hasattr(getattr(part, "student_", None), name)

        raise AttributeError(
            f"{owner}: {name_of(estimator)} has no {name}. "
            + (way_into(estimator, has_it) or remedy)
        ) from error


def check_refitted(owner: str, estimator: Any) -> None:
    """Raise for a search that was fitted with ``refit=False``, whoever wrote it.

    Raises
    ------
    NotFittedError
        It has tried many, and holds none.
    """
    if not hasattr(estimator, "cv_results_"):
        return
    if hasattr(estimator, "_fitted_student"):
        estimator._fitted_student()
    elif not hasattr(estimator, "best_estimator_"):
        raise NotFittedError(
            f"{owner}: this {name_of(estimator)} instance was fitted with refit=False, "
            "so that it holds no classifier. Set refit=True, and pass its "
            "best_estimator_."
        )


def way_into(estimator: Any, is_wanted: Callable[[Any], bool]) -> str:
    """Return what to pass in the place of a search or a pipeline, or nothing."""
    place = _place_within(estimator, is_wanted)
    if not place:
        return ""
    rows = ", and rows as that gets them" if "steps" in place else ""
    return f"Pass its {place}{rows}."


def _place_within(estimator: Any, is_wanted: Callable[[Any], bool]) -> str:
    """Return the attribute that holds what is wanted, as one writes it."""
    parts = {}
    if hasattr(estimator, "best_estimator_"):
        parts["best_estimator_"] = estimator.best_estimator_
    if hasattr(estimator, "steps"):
        parts["steps[-1][1]"] = estimator.steps[-1][1]
    for place, part in parts.items():
        if is_wanted(part):
            return place
        deeper = _place_within(part, is_wanted)
        if deeper:
            return f"{place}.{deeper}"
    return ""


def distilled_with(estimator: Any) -> tuple[float, float]:
    """Return the λ and the T that a fitted estimator has chosen, or was given."""
    if hasattr(estimator, "distillation_weight_"):
        return estimator.distillation_weight_, estimator.temperature_
    return estimator.distillation_weight, estimator.temperature


def show_weight(weight: float) -> str:
    """Return λ in three digits."""
    return "∞" if np.isinf(weight) else f"{weight:.3g}"


def check_sequence(owner: str, name: str, values: Any) -> None:
    """Raise for what has no rows, or one label a row."""
    if not hasattr(values, "__len__") or isinstance(values, str):
        raise TypeError(
            f"{owner}: {name}={values!r} must be an array or a frame of rows, got a "
            f"{type(values).__name__}."
        )


def check_rows(owner: str, X: Any) -> None:
    """Raise where there is no row to look at."""
    check_sequence(owner, "X", X)
    if num_samples(X) == 0:
        raise ValueError(f"{owner}: X has no rows; expected one at least.")


def teacher_probabilities(
    owner: str, estimator: Any, X: Any, teacher_proba: Any
) -> NDArray[np.float64]:
    """Return what the teacher says of the rows, columns in the order of ``classes_``.

    Probabilities that are given go before those of the estimator's teacher.
    """
    classes = fitted_attribute(owner, estimator, "classes_", "")
    check_rows(owner, X)
    if teacher_proba is not None:
        return check_probabilities(
            f"{owner}: teacher_proba", teacher_proba, num_samples(X), len(classes)
        )
    teacher = fitted_attribute(
        owner,
        estimator,
        "teacher_",
        "Pass the teacher's probabilities for these rows as teacher_proba.",
    )
    return label_rows(teacher, X, classes)
