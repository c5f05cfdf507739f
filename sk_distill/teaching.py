"""Soft targets from teachers that have seen no label too many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils import indexable

from sk_distill._sklearn import num_samples, safe_indexing
from sk_distill.knowledge import NOTHING_TOLD, Inquiry, Told, tell
from sk_distill.networks.knowledge import Knowledge
from sk_distill.progress import Task, running_task
from sk_distill.seeding import isolated_seed
from sk_distill.soft_targets import fit_teacher, label_rows
from sk_distill.transfer_sets import Munge

RowNumbers = NDArray[np.int64]


class SoftTargets(NamedTuple):
    """What a teacher says of the rows of a fit, and of more rows.

    Attributes
    ----------
    proba : ndarray of shape (n_rows, n_classes)
        Of the labelled rows, columns in the order of the classes.
    transfer_X : table of n_transfer rows or None
        The transfer set.
    transfer_proba : ndarray of shape (n_transfer, n_classes) or None
        Of the transfer set.
    told : Told
        What the teacher tells of its inside.
    """

    proba: NDArray[np.float64]
    transfer_X: Any = None
    transfer_proba: NDArray[np.float64] | None = None
    told: Told = NOTHING_TOLD

    def take(self, rows: RowNumbers) -> SoftTargets:
        """Return those of some labelled rows, with the whole transfer set."""
        return self._replace(proba=self.proba[rows], told=self.told.take(rows))

    def knowledge(self, inquiry: Inquiry) -> Knowledge:
        """Return what a student learns beside the probabilities, with its weights."""
        return Knowledge(
            inquiry.probabilities,
            self.told.hints,
            self.told.transfer_hints,
            inquiry.features,
            self.told.first_layer,
            inquiry.weights,
        )


class _Question(NamedTuple):
    """Rows that a teacher labels for a subset; None is the subset's transfer set."""

    subset: int
    rows: RowNumbers | None


class _Fit(NamedTuple):
    """A teacher to be fitted on some rows, and what it is asked.

    ``tells`` are the subsets whose students learn of its inside.
    """

    train: RowNumbers
    questions: list[_Question]
    tells: list[int]


def teach(
    teacher: Any,
    X: Any,
    y: NDArray[Any],
    classes: NDArray[Any],
    fit_params: dict[str, Any],
    subsets: Sequence[RowNumbers],
    cv: Any,
    transfer_set: Any,
    inquiry: Inquiry,
    seed: int | None,
    n_jobs: int | None,
    verbose: int,
    teacher_verbose: int = 0,
) -> tuple[Any, list[SoftTargets]]:
    """Return the soft targets of each subset of rows.

    The teachers of a subset see the labels of no other rows. One that several subsets
    want is fitted once: the teacher without two folds of a cross-validation labels
    either fold for the student that is scored on the other, which makes K (K - 1) / 2
    teachers of K folds.

    All that decides the result is an argument, so that ``joblib.Memory`` can cache
    the call.

    Parameters
    ----------
    teacher : classifier
        Fitted in place if one of the subsets is all rows.
    X : array-like or frame
        Rows, as the user passed them.
    y : ndarray of shape (n_samples,)
        Labels.
    classes : ndarray of shape (n_classes,)
        ``np.unique(y)``.
    fit_params : dict
        Passed to the teacher's ``fit``.
    subsets : sequence of ndarray
        Row numbers, each in ascending order.
    cv : None, int or splitter
        None: a subset's teacher labels the rows that it was fitted on. Else each row
        is labelled by a teacher fitted on what other folds and the subset have in
        common (Dao et al. 2021, arXiv:2104.09732). The folds are those of all rows. A
        row that several of them hold out gets the mean; one that none holds out, as
        the first rows in order of time, has its label for a soft target.
    transfer_set : None, Munge or rows
        See :class:`sk_distill.DistilledClassifier`. It is labelled by a teacher fitted
        on the whole subset.
    inquiry : Inquiry
        What that teacher is to tell of its inside.
    seed : int or None
        Of the global generators, from which skorch nets within the teacher draw; None
        leaves them alone.
    n_jobs : int or None
        Teachers fitted at once.
    verbose : int
        Whether to say how far the labelling of transfer rows is.
    teacher_verbose : int, default=0
        How much a teacher prints that has a ``verbose`` and is not the user's; else 0.

    Returns
    -------
    teacher : classifier
        Fitted on all rows, if one of the subsets is.
    soft_targets : list of SoftTargets
        Those of each subset.
    """
    (X,) = indexable(X)
    transfer = [_transfer_rows(transfer_set, X, rows, len(y)) for rows in subsets]
    fits = _plan(X, y, subsets, cv, transfer_set, inquiry)
    whole = [fit for fit in fits if len(fit.train) == len(y)]
    parts = [fit for fit in fits if len(fit.train) < len(y)]

    # A cache knows a teacher by its parameters: it has this one while it is fitted.
    if teacher_verbose:
        teacher.set_params(verbose=teacher_verbose)
    given = (X, y, classes, fit_params, transfer, subsets, inquiry, seed, verbose)
    with running_task().subtask("teachers", len(fits)) as task:
        # Made before the first of them goes to another process.
        tasks = [task.subtask("teacher") for _ in fits]
        answers = Parallel(n_jobs=n_jobs)(
            delayed(_fit_and_ask)(clone(teacher), fit, fit_task, *given)
            for fit, fit_task in zip(parts, tasks, strict=False)
        )
        answers += [_fit_and_ask(teacher, fit, tasks[-1], *given) for fit in whole]
    if teacher_verbose:
        teacher.set_params(verbose=0)
    said: dict[int, list[tuple[RowNumbers | None, NDArray[np.float64]]]] = {
        i: [] for i in range(len(subsets))
    }
    told: dict[int, Told] = {}
    for fit, (probas, insides) in zip(parts + whole, answers, strict=True):
        told |= dict(zip(fit.tells, insides, strict=True))
        for question, proba in zip(fit.questions, probas, strict=True):
            said[question.subset].append((question.rows, proba))
    return teacher, [
        SoftTargets(
            _mean_or_label(said[i], rows, y, classes),
            transfer[i],
            next((proba for asked, proba in said[i] if asked is None), None),
            told.get(i, NOTHING_TOLD),
        )
        for i, rows in enumerate(subsets)
    ]


def _plan(
    X: Any,
    y: NDArray[Any],
    subsets: Sequence[RowNumbers],
    cv: Any,
    transfer_set: Any,
    inquiry: Inquiry,
) -> list[_Fit]:
    """Return the teachers that it takes, each of them once."""
    fits: dict[bytes, _Fit] = {}

    def fit_on(train: RowNumbers) -> _Fit:
        return fits.setdefault(train.tobytes(), _Fit(train, [], []))

    folds = [] if cv is None else held_out_folds("teacher_cv", cv, X, y)
    for i, rows in enumerate(subsets):
        for train, test in folds:
            held_out, known = np.intersect1d(test, rows), np.intersect1d(train, rows)
            # In order of time the first rows have nobody to learn from.
            if len(held_out) and len(known):
                fit_on(known).questions.append(_Question(i, held_out))
        if cv is None:
            fit_on(rows).questions.append(_Question(i, rows))
        if transfer_set is not None:
            fit_on(rows).questions.append(_Question(i, None))
        if inquiry.is_of_the_inside:
            fit_on(rows).tells.append(i)
        if len(rows) == len(y):
            fit_on(rows)
    return list(fits.values())


def held_out_folds(
    name: str, cv: Any, X: Any, y: NDArray[Any]
) -> list[tuple[RowNumbers, RowNumbers]]:
    """Return the folds that hold out rows, as row numbers.

    ``name`` is that of the parameter, for messages.
    """
    folds = [fold for fold in split_rows(name, cv, X, y) if len(fold[1])]
    if not folds:
        raise ValueError(
            f"{name}={cv!r} holds out no row, so that no teacher says anything. "
            "Pass a number of folds, a splitter, or (train, test) row numbers; an "
            "iterator can be gone through once only: pass list(iterator)."
        )
    return folds


def split_rows(
    name: str, cv: Any, X: Any, y: NDArray[Any]
) -> list[tuple[RowNumbers, RowNumbers]]:
    """Return the folds as row numbers, each in ascending order.

    ``name`` is that of the parameter, for messages.
    """
    every = np.arange(len(y))
    try:
        return [
            (np.unique(every[train]), np.unique(every[test]))
            for train, test in check_cv(cv, y, classifier=True).split(X, y)
        ]
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(
            f"{name}={cv!r} cannot split {len(y)} rows: {error} For groups pass their "
            "splits, list(GroupKFold().split(X, y, groups))."
        ) from error


def _transfer_rows(transfer_set: Any, X: Any, rows: RowNumbers, n_rows: int) -> Any:
    """Return a subset's transfer set: made of its rows, or the user's."""
    if isinstance(transfer_set, Munge):
        return transfer_set.sample(_take(X, rows, n_rows))
    return transfer_set


def _take(X: Any, rows: RowNumbers, n_rows: int) -> Any:
    """Return rows of X; of all of them no copy is made."""
    return X if len(rows) == n_rows else safe_indexing(X, rows)


def _fit_and_ask(
    teacher: Any,
    fit: _Fit,
    task: Task,
    X: Any,
    y: NDArray[Any],
    classes: NDArray[Any],
    fit_params: dict[str, Any],
    transfer: Sequence[Any],
    subsets: Sequence[RowNumbers],
    inquiry: Inquiry,
    seed: int | None,
    verbose: int,
) -> tuple[list[NDArray[np.float64]], list[Told]]:
    """Fit the teacher; return its answers, and what it tells of its inside.

    The columns of answers are in the order of ``classes``; a class that it has not seen
    has probability zero.
    """
    train, n_rows = fit.train, len(y)
    # Classes that these rows lack are no mistake of the teacher's.
    known = classes[np.isin(classes, y[train])]
    params = {name: _take(value, train, n_rows) for name, value in fit_params.items()}
    answers = []
    with isolated_seed(seed):
        if len(known) > 1:
            with task.fits(teacher):
                fit_teacher(teacher, _take(X, train, n_rows), y[train], params)
        for subset, rows in fit.questions:
            table = transfer[subset] if rows is None else _take(X, rows, n_rows)
            if len(known) > 1:
                shown = verbose if rows is None else 0
                answer = label_rows(teacher, table, known, verbose=shown)
            else:
                # The first rows in order of time may all be of one class, which is
                # then all that a teacher can say; few can be fitted on it.
                answer = np.ones((num_samples(table), 1))
            proba = np.zeros((len(answer), len(classes)))
            proba[:, np.isin(classes, known)] = answer
            answers.append(proba)
        insides = [
            tell(teacher, _take(X, subsets[i], n_rows), transfer[i], inquiry)
            for i in fit.tells
        ]
    return answers, insides


def _mean_or_label(
    said: list[tuple[RowNumbers | None, NDArray[np.float64]]],
    rows: RowNumbers,
    y: NDArray[Any],
    classes: NDArray[Any],
) -> NDArray[np.float64]:
    """Return the mean of what was said of each row or, if nothing was, its label."""
    total = np.zeros((len(rows), len(classes)))
    times = np.zeros((len(rows), 1))
    for asked, proba in said:
        if asked is not None:
            positions = np.searchsorted(rows, asked)
            total[positions] += proba
            times[positions] += 1
    never = times[:, 0] == 0
    total[never] = y[rows][never, None] == classes
    return total / np.maximum(times, 1)
