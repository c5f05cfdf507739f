"""The folds of a search, and what is done in each."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_distill._sklearn import safe_indexing, takes_sample_weight
from sk_distill.knowledge import Inquiry
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


def score_fold(
    task: Task,
    student: Any,
    X: Any,
    y: NDArray[Any],
    train_weight: NDArray[np.float64] | None,
    test_weight: NDArray[np.float64] | None,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    soft_targets: SoftTargets,
    candidates: list[tuple[float, float]],
    loss: Any,
    inquiry: Inquiry,
    scorer: Callable[..., float],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return each candidate's score on a fold, and seconds to fit and to score it."""
    start = perf_counter()
    with task:
        students = student.fit_path(
            safe_indexing(X, train),
            y[train],
            train_weight,
            soft_targets=soft_targets.proba,
            transfer_X=soft_targets.transfer_X,
            transfer_targets=soft_targets.transfer_proba,
            candidates=candidates,
            loss=loss,
            knowledge=soft_targets.knowledge(inquiry),
        )
    share = (perf_counter() - start) / len(candidates)
    X_test, y_test = safe_indexing(X, test), y[test]
    weighing = {}
    if test_weight is not None and takes_sample_weight(scorer):
        weighing["sample_weight"] = test_weight
    scores, seconds = [], []
    for fitted in students:
        start = perf_counter()
        scores.append(float(scorer(fitted, X_test, y_test, **weighing)))
        seconds.append(perf_counter() - start)
    return np.array(scores), np.full(len(candidates), share), np.array(seconds)
