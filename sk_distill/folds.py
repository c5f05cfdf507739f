"""The folds of a search, and what is done in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray

from sk_distill._sklearn import safe_indexing, takes_sample_weight
from sk_distill.knowledge import Inquiry
from sk_distill.networks.paths import Lesson
from sk_distill.progress import Task
from sk_distill.teachers import prepare_splitter
from sk_distill.teaching import SoftTargets, split_rows
from sk_distill.validation import name_of


def make_folds(
    owner: Any,
    X: Any,
    y: NDArray[Any],
    classes: NDArray[Any],
    weight: NDArray[np.float64] | None,
    seed: int | None,
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the row numbers of each fold of ``owner.cv``, in ascending order.

    Raises
    ------
    ValueError
        When there are none, or one has nothing to train or to score on.
    """
    cv = prepare_splitter(owner.cv, seed)
    folds = split_rows(f"{name_of(owner)}: cv", cv, X, y)
    for i, (train, test) in enumerate(folds):
        unseen = np.setdiff1d(classes, y[train])
        if len(unseen):
            raise ValueError(
                f"{name_of(owner)}: cv={owner.cv!r} trains fold {i} on no row of the "
                f"classes {unseen.tolist()}. Make fewer folds, stratify them, or "
                "leave out classes of few rows."
            )
        if not len(test) or (weight is not None and not weight[test].any()):
            raise ValueError(
                f"{name_of(owner)}: cv={owner.cv!r} scores fold {i} on no row that "
                "weighs anything. Pass folds with such rows to score on."
            )
    if not folds:
        raise ValueError(
            f"{name_of(owner)}: cv={owner.cv!r} makes no folds. An iterator can be "
            "gone through once only: pass list(iterator)."
        )
    return folds


class Fold(NamedTuple):
    """A fold of a search, and what its students learn from.

    Attributes
    ----------
    task : Task
        The fold's part of the search.
    train, test : ndarray of int
        Row numbers.
    train_weight, test_weight : ndarray or None
        Weights of these rows.
    soft_targets : SoftTargets
        What teachers say of the rows to train on.
    """

    task: Task
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    train_weight: NDArray[np.float64] | None
    test_weight: NDArray[np.float64] | None
    soft_targets: SoftTargets

    def lesson(self, X: Any, y: NDArray[Any], inquiry: Inquiry) -> Lesson:
        """Return what the fold's students learn from."""
        said = self.soft_targets
        return Lesson(
            self.task,
            safe_indexing(X, self.train),
            y[self.train],
            self.train_weight,
            said.proba,
            said.transfer_X,
            said.transfer_proba,
            said.knowledge(inquiry),
        )


def share_out(folds: Sequence[Fold], n_jobs: int | None) -> list[Sequence[Fold]]:
    """Return the folds in as many parts as there are jobs, as even as can be."""
    n_parts = min(effective_n_jobs(n_jobs), len(folds))
    ends = [len(folds) * i // n_parts for i in range(n_parts + 1)]
    return [folds[start:end] for start, end in pairwise(ends)]


class FoldScores(NamedTuple):
    """Scores of a fold's candidates, and the seconds to fit and to score each."""

    scores: NDArray[np.float64]
    fit_seconds: NDArray[np.float64]
    score_seconds: NDArray[np.float64]


def score_folds(
    student: Any,
    folds: Sequence[Fold],
    X: Any,
    y: NDArray[Any],
    candidates: list[tuple[float, float]],
    loss: Any,
    inquiry: Inquiry,
    scorer: Callable[..., float],
) -> list[FoldScores]:
    """Fit the candidates of each fold, score them on it, and return the scores."""

    def lessons() -> Iterator[Lesson]:
        for fold in folds:
            fold.task.begin()
            yield fold.lesson(X, y, inquiry)

    outcomes: list[FoldScores] = []
    start = perf_counter()
    for paths in student.fit_paths(lessons(), candidates=candidates, loss=loss):
        share = (perf_counter() - start) / (len(paths) * len(candidates))
        for path in paths:
            fold = folds[len(outcomes)]
            fold.task.end()
            outcomes.append(_score(fold, path, X, y, scorer, share))
        start = perf_counter()
    return outcomes


def _score(
    fold: Fold,
    students: Sequence[Any],
    X: Any,
    y: NDArray[Any],
    scorer: Callable[..., float],
    fit_seconds: float,
) -> FoldScores:
    """Score fitted students on a fold."""
    X_test, y_test = safe_indexing(X, fold.test), y[fold.test]
    weighing = {}
    if fold.test_weight is not None and takes_sample_weight(scorer):
        weighing["sample_weight"] = fold.test_weight
    scores, seconds = [], []
    for fitted in students:
        start = perf_counter()
        scores.append(float(scorer(fitted, X_test, y_test, **weighing)))
        seconds.append(perf_counter() - start)
    return FoldScores(
        np.array(scores), np.full(len(students), fit_seconds), np.array(seconds)
    )
