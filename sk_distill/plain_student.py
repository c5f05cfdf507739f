"""Whether a teacher is worth its student's while: the same student, plain, says."""

from __future__ import annotations

import warnings
from copy import deepcopy
from pickle import PicklingError
from typing import Any

import numpy as np
from joblib import Memory
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ShuffleSplit, check_cv

from sk_distill._sklearn import safe_indexing
from sk_distill.exceptions import DistillationWarning, TrainingDivergedError
from sk_distill.networks.parameters import weigh_rows
from sk_distill.students import LinearStudent, MLPStudent
from sk_distill.teachers import prepare_splitter
from sk_distill.validation import name_of

# The plain student is fitted on so many rows at most, and an MLP for so many epochs: a
# teacher that loses to it all the same is no good teacher, and asking stays cheap next
# to the fit.
_MOST_ROWS = 3_000
_MOST_EPOCHS = 40

# On fewer rows the difference between two classifiers is noise.
_FEWEST_ROWS = 100


def warn_of_teacher(
    owner: object,
    student: Any,
    X: Any,
    y: NDArray[Any],
    classes: NDArray[Any],
    weight: NDArray[np.float64] | None,
    *,
    soft_targets: NDArray[np.float64],
    cv: Any,
    memory: Memory,
) -> None:
    """Tell the user of a teacher that predicts worse than a plain student.

    A clone of the student is fitted on the labels of some rows and compared, on others,
    with the soft targets. Those flatter a teacher that has seen their labels, and the
    student gets few rows and epochs: where it wins all the same, by more than two
    standard errors of the difference between the Brier scores, the teacher is worse.

    Parameters
    ----------
    owner : object
        The estimator, for the message.
    student : classifier
        The unfitted student. Only built-in ones are asked: a user's net may have
        callbacks that should see one training and no other, and a user's classifier
        may need more rows than these.
    X, y, classes, weight, soft_targets
        What the student is about to be fitted on.
    cv : None, int or splitter
        The folds that the soft targets come from, if they are out of fold.
    memory : Memory
        Keeps the plain student's answers, which a search over λ and T shares.
    """
    if not isinstance(student, LinearStudent | MLPStudent):
        return
    # What has no seed is asked with one: the generators are not for this question.
    seed = student.random_state if isinstance(student.random_state, int) else 0
    codes = np.searchsorted(classes, y)
    judging = weigh_rows(owner, student.class_weight, classes, codes, weight)
    if judging is None:
        judging = np.ones(len(y))
    fitted_on, judged_on = _choose_rows(X, y, judging > 0, cv, seed)
    if min(len(fitted_on), len(judged_on)) < _FEWEST_ROWS:
        return
    if len(np.unique(y[fitted_on])) < 2:
        return

    answer = _ask(
        _plain(student, seed),
        X,
        y,
        classes,
        weight,
        fitted_on,
        judged_on,
        memory=memory,
    )
    if answer is None:
        return
    truth = y[judged_on, None] == classes
    judging = judging[judged_on]
    answers = np.stack([soft_targets[judged_on], answer])
    # Unlike the log loss, the Brier score forgives a forest its exact zeros.
    scores = ((answers - truth) ** 2).sum(axis=2)
    teachers, students = np.average(scores, axis=1, weights=judging)
    deviation = scores[0] - scores[1] - (teachers - students)
    error = np.sqrt(((judging * deviation) ** 2).sum()) / judging.sum()
    if teachers - students > 2 * error:
        warnings.warn(
            f"{name_of(owner)}: the teacher predicts worse than {name_of(student)} "
            f"does from labels alone: Brier scores {teachers:.4f} and {students:.4f} "
            f"on {len(truth):,} rows whose labels the student had not seen. Distilling "
            "may hurt. Compare with distillation_weight=0, or choose another teacher.",
            DistillationWarning,
            stacklevel=3,
        )


def _plain(student: Any, seed: int) -> Any:
    """Return a clone that nobody watches, and that is soon done."""
    plain = clone(student).set_params(
        callbacks=None, random_state=seed, verbose=0, warm_start=False
    )
    if hasattr(plain, "set_callbacks"):
        plain.set_callbacks()
    if plain.max_iter == "auto" and plain.solver != "lbfgs":
        plain.set_params(max_iter=_MOST_EPOCHS)
    return plain


def _choose_rows(
    X: Any, y: NDArray[Any], counts: NDArray[np.bool_], cv: Any, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the rows to fit on and of those to judge on.

    They are rows that count. With folds, as many of these are judged on together as it
    takes, and fitted on is what all of their teachers were: groups stay together and
    the future stays unseen.
    """
    n_rows = len(y)
    fitted_on, judged_on = np.flatnonzero(counts), np.arange(0)
    if cv is None:
        cv = ShuffleSplit(1, test_size=0.2, random_state=seed)
    # A generator of the user's, or numpy's own, is not for this question either.
    cv = deepcopy(prepare_splitter(cv, seed))
    with warnings.catch_warnings():
        # What a splitter has to say it has said before.
        warnings.simplefilter("ignore", UserWarning)
        for train, test in check_cv(cv, y, classifier=True).split(X, y):
            rows = np.arange(n_rows)
            fitted_on = np.intersect1d(fitted_on, rows[train])
            judged_on = np.union1d(judged_on, rows[test][counts[test]])
            if len(judged_on) >= _FEWEST_ROWS:
                break
    fitted_on = np.setdiff1d(fitted_on, judged_on)
    rng = np.random.default_rng(seed)
    return _at_most(fitted_on, rng), _at_most(judged_on, rng)


def _at_most(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    if len(rows) <= _MOST_ROWS:
        return rows
    return np.sort(rng.choice(rows, _MOST_ROWS, replace=False))


def _ask(
    plain: Any,
    X: Any,
    y: NDArray[Any],
    classes: NDArray[Any],
    weight: NDArray[np.float64] | None,
    fitted_on: NDArray[np.int64],
    judged_on: NDArray[np.int64],
    *,
    memory: Memory,
) -> NDArray[np.float64] | None:
    """Return what the plain student says; None if it diverged."""
    arguments = (
        plain,
        safe_indexing(X, fitted_on),
        y[fitted_on],
        None if weight is None else weight[fitted_on],
        safe_indexing(X, judged_on),
    )
    try:
        answer = memory.cache(_fit_and_answer)(*arguments)
    except PicklingError:
        # Of the student, whose parameters may hold what has no name.
        answer = _fit_and_answer(*arguments)
    if answer is None:
        return None
    # A rare class may be absent from the rows that it was fitted on.
    proba = np.zeros((len(judged_on), len(classes)))
    proba[:, np.isin(classes, y[fitted_on])] = answer
    return proba


def _fit_and_answer(
    student: Any, X: Any, y: NDArray[Any], sample_weight: Any, X_judged: Any
) -> NDArray[np.float64] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            return student.fit(X, y, sample_weight).predict_proba(X_judged)
        except TrainingDivergedError:
            return None
