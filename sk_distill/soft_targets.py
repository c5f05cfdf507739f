"""Asking a teacher for its probabilities."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from inspect import Parameter, signature
from numbers import Integral
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.feature_selection import RFE, RFECV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import gen_batches
from sklearn.utils.validation import has_fit_parameter

from sk_distill._sklearn import num_samples, safe_indexing
from sk_distill.exceptions import DistillationWarning
from sk_distill.interrupts import recorded_interrupts
from sk_distill.seeding import isolated_seed
from sk_distill.transfer_sets import Munge
from sk_distill.validation import check_probabilities, name_of

# Rows that a teacher is asked for at once: its answer, and what it needs to find it,
# stay small next to the table.
_CHUNK_ROWS = 65_536


def check_teacher_cv(owner: object, teacher_cv: Any, codes: NDArray[Any]) -> None:
    """Raise unless ``teacher_cv`` is None or can make folds of rows with these labels.

    A splitter speaks for itself when it splits.
    """
    is_number = isinstance(teacher_cv, Integral) and not isinstance(teacher_cv, bool)
    usable = (
        teacher_cv >= 2
        if is_number
        else teacher_cv is None
        or hasattr(teacher_cv, "get_n_splits")
        or (isinstance(teacher_cv, Iterable) and not isinstance(teacher_cv, str))
    )
    if not usable:
        raise ValueError(
            f"{name_of(owner)}: teacher_cv={teacher_cv!r} must be None, a number of "
            "folds >= 2, a splitter, or an iterable of (train, test) row numbers."
        )
    most = int(np.bincount(codes).max())
    if is_number and teacher_cv > most:
        raise ValueError(
            f"{name_of(owner)}: teacher_cv={teacher_cv!r} makes more folds than the "
            f"most frequent class has rows, {most}. Set teacher_cv to 2 .. {most}, or "
            "to None."
        )


def teach(
    teacher: Any,
    X: Any,
    y: NDArray[Any],
    classes: NDArray[Any],
    fit_params: dict[str, Any],
    cv: Any,
    transfer_set: Any,
    seed: int | None,
    n_jobs: int | None,
    verbose: int,
) -> tuple[Any, NDArray[np.float64], Any, NDArray[np.float64] | None]:
    """Fit the teacher on all rows and let it label them, and more rows.

    All that decides the result is an argument, so that ``joblib.Memory`` can cache
    the call.

    Parameters
    ----------
    teacher : classifier
        Fitted in place.
    X : array-like or frame
        Rows, as the user passed them.
    y : ndarray of shape (n_samples,)
        Labels.
    classes : ndarray of shape (n_classes,)
        ``np.unique(y)``.
    fit_params : dict
        Passed to the teacher's ``fit``.
    cv : None, int or splitter
        None: the teacher labels the rows that it was fitted on. Else each row is
        labelled by a teacher fitted on other folds (Dao et al. 2021, arXiv:2104.09732).
    transfer_set : None, Munge or rows
        See :class:`sk_distill.DistilledClassifier`.
    seed : int or None
        Of the global generators, from which skorch nets within the teacher draw; None
        leaves them alone.
    n_jobs : int or None
        Folds fitted at once.
    verbose : int
        Whether to say how far the labelling of transfer rows is.

    Returns
    -------
    teacher : classifier
        Fitted on all rows.
    proba : ndarray of shape (n_samples, n_classes)
        The soft targets, columns in the order of ``classes``.
    transfer_X : table of n_transfer rows or None
        The transfer set.
    transfer_proba : ndarray of shape (n_transfer, n_classes) or None
        What the fitted teacher says of it.
    """
    if cv is not None:
        proba = out_of_fold(teacher, X, y, classes, fit_params, cv, seed, n_jobs)
    with isolated_seed(seed):
        fit_teacher(teacher, X, y, fit_params)
        if cv is None:
            proba = label_rows(teacher, X, classes)
        if transfer_set is None:
            return teacher, proba, None, None
        made = isinstance(transfer_set, Munge)
        rows = transfer_set.sample(X) if made else transfer_set
        return teacher, proba, rows, label_rows(teacher, rows, classes, verbose=verbose)


def fit_teacher(
    teacher: Any, X: Any, y: NDArray[Any], fit_params: dict[str, Any]
) -> None:
    """Fit the teacher; raise a Ctrl-C that it swallowed.

    A skorch net, be it within a pipeline or a search, ends its training on one and
    looks fitted.
    """
    with recorded_interrupts() as interrupts:
        teacher.fit(X, y, **fit_params)
    if interrupts:
        raise KeyboardInterrupt


def out_of_fold(
    teacher: Any,
    X: Any,
    y: NDArray[Any],
    classes: NDArray[Any],
    fit_params: dict[str, Any],
    cv: Any,
    seed: int | None,
    n_jobs: int | None,
) -> NDArray[np.float64]:
    """Return for each row what a clone of the teacher fitted on other folds says.

    A row that several folds hold out gets the mean; one that none holds out, as the
    first rows in order of time, has its label for a soft target. A class that a clone
    has not seen has probability zero. Parameters are those of :func:`teach`.
    """
    folds = [
        (train, test)
        for train, test in check_cv(cv, y, classifier=True).split(X, y)
        if len(test) > 0
    ]
    if not folds:
        raise ValueError(
            f"teacher_cv={cv!r} holds out no row, so that no teacher says anything. "
            "Pass a number of folds, a splitter, or (train, test) row numbers; an "
            "iterator can be gone through once only: pass list(iterator)."
        )
    answers = Parallel(n_jobs=n_jobs)(
        delayed(_teach_fold)(
            clone(teacher), X, y, classes, fit_params, train, test, seed
        )
        for train, test in folds
    )
    total = np.zeros((len(y), len(classes)))
    times = np.zeros(len(y))
    for (_, test), answer in zip(folds, answers, strict=True):
        total[test] += answer
        times[test] += 1
    never = times == 0
    total[never] = y[never, None] == classes
    return total / np.maximum(times, 1)[:, None]


def _teach_fold(
    teacher: Any,
    X: Any,
    y: NDArray[Any],
    classes: NDArray[Any],
    fit_params: dict[str, Any],
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    seed: int | None,
) -> NDArray[np.float64]:
    """Fit the teacher on the rows ``train`` and return what it says of ``test``."""
    params = {name: safe_indexing(value, train) for name, value in fit_params.items()}
    # Classes that these rows lack are no mistake of the teacher's.
    known = classes[np.isin(classes, y[train])]
    proba = np.zeros((len(test), len(classes)))
    if len(known) == 1:
        # The first rows in order of time may all be of one class, which is then all
        # that a teacher can say; few can be fitted on it.
        proba[:, classes == known] = 1
        return proba
    with isolated_seed(seed):
        fit_teacher(teacher, safe_indexing(X, train), y[train], params)
        answer = label_rows(teacher, safe_indexing(X, test), known)
    proba[:, np.isin(classes, known)] = answer
    return proba


def label_rows(
    teacher: Any, X: Any, classes: NDArray[Any], *, verbose: int = 0
) -> NDArray[np.float64]:
    """Return the fitted teacher's probabilities, columns in the order of ``classes``.

    The teacher is asked for a chunk of rows at a time, and ``verbose`` says how far it
    is.

    Raises
    ------
    ValueError
        When the teacher knows other classes, or answers with what are no
        probabilities.
    """
    n_rows = num_samples(X)
    chunks = []
    for rows in gen_batches(n_rows, _CHUNK_ROWS):
        chunk = X if n_rows <= _CHUNK_ROWS else safe_indexing(X, rows)
        chunks.append(np.asarray(teacher.predict_proba(chunk)))
        if verbose:
            print(f"teacher: {rows.stop:,} of {n_rows:,} rows labelled")
    proba = np.concatenate(chunks)
    owner = f"teacher {name_of(teacher)}"
    if not hasattr(teacher, "classes_"):
        raise TypeError(
            f"{owner} has no classes_ after fit, so that nobody knows which column of "
            "its predict_proba is which class. Set self.classes_ = np.unique(y) in its "
            "fit."
        )
    known = np.asarray(teacher.classes_)
    unseen = [label for label in classes.tolist() if label not in known.tolist()]
    if unseen:
        raise ValueError(
            f"{owner} has never seen the classes {unseen} of y; it knows "
            f"{known.tolist()}. Fit it on all classes, or drop those rows."
        )
    surplus = [label for label in known.tolist() if label not in classes.tolist()]
    if surplus:
        raise ValueError(
            f"{owner} knows the classes {surplus} that y has not; y has "
            f"{classes.tolist()}. Pass rows of every class, or teacher_proba with the "
            "columns of those classes dropped and the rows scaled to sum to 1."
        )
    proba = check_probabilities(owner, proba, n_rows, len(classes))
    position = {label: column for column, label in enumerate(known.tolist())}
    return proba[:, [position[label] for label in classes.tolist()]]


def weight_params(teacher: Any, sample_weight: NDArray[Any] | None) -> dict[str, Any]:
    """Return the fit parameters that hand ``sample_weight`` to the teacher.

    A pipeline hands them to its last step. A teacher that takes none is fitted without,
    and the user is told.
    """
    if sample_weight is None or isinstance(teacher, FrozenEstimator):
        return {}
    if isinstance(teacher, Pipeline):
        name, last = teacher.steps[-1]
        if accepts_weight(last):
            return {f"{name}__sample_weight": sample_weight}
    elif accepts_weight(teacher):
        return {"sample_weight": sample_weight}
    warnings.warn(
        f"teacher {name_of(teacher)} takes no sample_weight: it is fitted without, and "
        "only the student is weighted. Choose a teacher whose fit has sample_weight.",
        DistillationWarning,
        stacklevel=3,
    )
    return {}


def accepts_weight(estimator: Any) -> bool:
    """Whether ``estimator.fit`` takes ``sample_weight``, by itself or for its parts."""
    if has_fit_parameter(estimator, "sample_weight"):
        return True
    parameters = signature(estimator.fit).parameters.values()
    if not any(p.kind is Parameter.VAR_KEYWORD for p in parameters):
        return False
    # A search or a vote passes on what its own fit does not name.
    if hasattr(estimator, "estimators"):
        return all(accepts_weight(part) for _, part in estimator.estimators)
    # Others refuse what they do not name, unless metadata routing is on.
    passes_on = isinstance(estimator, GridSearchCV | RandomizedSearchCV | RFE)
    passes_on |= hasattr(estimator, "min_resources")  # A halving search.
    passes_on &= not isinstance(estimator, RFECV)
    return passes_on and accepts_weight(estimator.estimator)
