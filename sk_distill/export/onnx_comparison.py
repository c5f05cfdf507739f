"""What a graph answers beside what its estimator does."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from sk_distill.exceptions import DistillationWarning
from sk_distill.export.reading import BUILT_IN
from sk_distill.validation import name_of

# By measurement, on rows in float64: sound students differ by 1e-6, by 6e-5 at most
# where bins are narrow; steps that float32 has too few digits for by 1e-3 and more.
_TOLERANCE = 1e-4


class Answers(NamedTuple):
    """Labels of rows, and their probabilities."""

    labels: NDArray[Any]
    probabilities: NDArray[Any]


def warn_of_differences(
    estimator: Any,
    student: Any,
    expected: Answers,
    answers: Answers,
    rounded: list[Any],
) -> None:
    """Tell the user of probabilities and labels of a graph that are others.

    Parameters
    ----------
    estimator : estimator
        What the user exports.
    student : student or classifier
        The last of what is converted.
    expected, answers : Answers
        Those of the estimator and those of the graph.
    rounded : list
        The student's columns that float32 has too few digits for.
    """
    differences = np.abs(answers.probabilities - expected.probabilities).max(axis=1)
    # No number is an answer that could not be further away.
    differences[np.isnan(differences)] = 1.0
    differs = differences > _TOLERANCE
    first, second = np.sort(expected.probabilities, axis=1)[:, :-3:-1].T
    # Between classes of one probability the sixteenth digit chooses.
    other_label = (answers.labels != expected.labels) & (first - second > _TOLERANCE)
    if not (differs | other_label).any():
        return
    is_pipeline = isinstance(estimator, Pipeline)
    is_built_in = isinstance(student, BUILT_IN)
    reason = "A graph calculates in float32"
    if is_pipeline or not is_built_in:
        reason += ", and skl2onnx does not convert everything closely"
    columns = str(rounded) if rounded else "of large numbers"
    remedy = f"Before fitting subtract a constant from columns {columns}, "
    if is_pipeline:
        remedy += "choose other steps, "
    if not is_built_in:
        remedy += "or distil into student='linear' or 'mlp'"
    elif is_pipeline:
        remedy += (
            "or export the student alone, to_python(pipeline[-1], path), which "
            "calculates in float64, and ask it about pipeline[:-1].transform(rows)"
        )
    else:
        remedy += "or use to_python, which calculates in float64"
    warnings.warn(
        f"to_onnx: the graph's probabilities differ from those of the "
        f"{name_of(estimator)} by up to {differences.max():.2g}, by more than "
        f"{_TOLERANCE:g} in {differs.sum()} of the {len(differs)} rows of X; labels "
        f"differ in {other_label.sum()}. {reason}. {remedy}.",
        DistillationWarning,
        stacklevel=3,
    )
