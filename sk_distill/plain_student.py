"""Whether a teacher is worth its student's while: the same student, plain, says."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from joblib import Memory
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedShuffleSplit, check_cv

from sk_distill._sklearn import safe_indexing
from sk_distill.exceptions import DistillationWarning, TrainingDivergedError
from sk_distill.students import LinearStudent, MLPStudent
from sk_distill.validation import name_of

# The plain student is fitted on this many rows at most, and judged on as many: a
# teacher that loses to a student of so few rows is no good teacher, and the question
# costs seconds at most.
_MOST_ROWS = 5_000

# On fewer rows the difference between two classifiers is noise.
_FEWEST_ROWS = 100


def warn_of_teacher(
    owner: object,
    student: Any,
    X: Any,
    y: NDArray[Any],
    classes: NDArray[Any],
    soft_targets: NDArray[np.float64],
    sample_weight: NDArray[np.float64] | None,
    cv: Any,
    seed: int | None,
    memory: Memory,
) -> None:
    """Tell the user of a teacher that predicts worse than a plain student.

    A clone of the student is fitted on the labels of some rows and compared, on others,
    with the soft targets. Those flatter a teacher that has seen their labels, and the
    student sees no more than 5,000 rows: where it wins all the same, by more than two
    standard errors of the difference between the Brier scores, the teacher is worse.

    Parameters
    ----------
    owner : object
        The estimator, for the message.
    student : classifier
        The unfitted student. Only built-in ones are asked: a user's net may have
        callbacks that should see one training and no other.
    X, y, classes, soft_targets, sample_weight
        What the student is about to be fitted on.
    cv : None, int or splitter
        The folds that the soft targets come from.
    seed : int or None
        Of the plain student, and of the rows it gets.
    memory : Memory
        Keeps the plain student's answers, which a search over λ and T shares.
    """
    if not isinstance(student, LinearStudent | MLPStudent):
        return
    seed = seed or 0
    rows = _choose_rows(X, y, sample_weight, cv, seed)
    if rows is None:
        return
    fitted_on, judged_on = rows
    plain = clone(student).set_params(
        callbacks=None, random_state=seed, verbose=0, warm_start=False
    )
    answer = memory.cache(_ask)(
        plain,
        safe_indexing(X, fitted_on),
        y[fitted_on],
        None if sample_weight is None else sample_weight[fitted_on],
        safe_indexing(X, judged_on),
    )
    if answer is None:
        return
    truth = y[judged_on, None] == classes
    weight = np.ones(len(truth)) if sample_weight is None else sample_weight[judged_on]
    answers = np.stack([soft_targets[judged_on], answer])
    # Unlike the log loss, the Brier score forgives a forest its exact zeros.
    scores = ((answers - truth) ** 2).sum(axis=2)
    teachers, students = np.average(scores, axis=1, weights=weight)
    deviation = scores[0] - scores[1] - (teachers - students)
    error = np.sqrt(((weight * deviation) ** 2).sum()) / weight.sum()
    if teachers - students > 2 * error:
        warnings.warn(
            f"{name_of(owner)}: the teacher predicts worse than {name_of(student)} "
            f"does from labels alone: Brier scores {teachers:.4f} and {students:.4f} "
            f"on {len(truth):,} rows whose labels the student had not seen. Distilling "
            "may hurt. Compare with distillation_weight=0, or choose another teacher.",
            DistillationWarning,
            stacklevel=3,
        )


def _choose_rows(
    X: Any,
    y: NDArray[Any],
    sample_weight: NDArray[np.float64] | None,
    cv: Any,
    seed: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return the numbers of the rows to fit on and of those to judge on.

    None where there are too few, or where the former lack a class.
    """
    if len(y) < 2 * _FEWEST_ROWS:
        return None
    if cv is None:
        cv = StratifiedShuffleSplit(1, test_size=0.2, random_state=seed)
        if np.unique(y, return_counts=True)[1].min() < 2:
            return None
    # An iterator of folds that the teacher has used up has none left.
    rows_of_none = np.arange(0)
    # With folds of the user's, groups stay together and the future stays unseen.
    folds = check_cv(cv, y, classifier=True).split(X, y)
    fitted_on, judged_on = next(iter(folds), (rows_of_none, rows_of_none))
    rng = np.random.default_rng(seed)
    rows = []
    for part in (np.asarray(fitted_on), np.asarray(judged_on)):
        kept = part if sample_weight is None else part[sample_weight[part] > 0]
        if len(kept) < _FEWEST_ROWS:
            return None
        if len(kept) > _MOST_ROWS:
            kept = rng.choice(kept, _MOST_ROWS, replace=False)
        rows.append(np.sort(kept))
    if len(np.unique(y[rows[0]])) < len(np.unique(y)):
        return None
    return rows[0], rows[1]


def _ask(
    student: Any, X: Any, y: NDArray[Any], sample_weight: Any, X_judged: Any
) -> NDArray[np.float64] | None:
    """Return what the student, fitted on labels alone, says; None if it diverged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            return student.fit(X, y, sample_weight).predict_proba(X_judged)
        except TrainingDivergedError:
            return None
