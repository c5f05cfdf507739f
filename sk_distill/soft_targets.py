"""Asking a teacher for its probabilities."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from inspect import Parameter, signature
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import gen_batches
from sklearn.utils.validation import has_fit_parameter

from sk_distill._sklearn import num_samples, safe_indexing
from sk_distill.exceptions import DistillationWarning
from sk_distill.interrupts import recorded_interrupts
from sk_distill.validation import check_probabilities, name_of

# Rows that a teacher is asked for at once: its answer, and what it needs to find it,
# stay small next to the table.
_CHUNK_ROWS = 65_536


def check_folds(owner: object, name: str, cv: Any, codes: NDArray[Any]) -> None:
    """Raise unless ``cv`` is None or can make folds of rows with these labels.

    A splitter speaks for itself when it splits.
    """
    is_number = isinstance(cv, Integral) and not isinstance(cv, bool)
    usable = (
        cv >= 2
        if is_number
        else cv is None
        or hasattr(cv, "get_n_splits")
        or (isinstance(cv, Iterable) and not isinstance(cv, str))
    )
    if not usable:
        raise ValueError(
            f"{name_of(owner)}: {name}={cv!r} must be None, a number of folds >= 2, a "
            "splitter, or an iterable of (train, test) row numbers."
        )
    most = int(np.bincount(codes).max())
    if is_number and cv > most:
        raise ValueError(
            f"{name_of(owner)}: {name}={cv!r} makes more folds than the most frequent "
            f"class has rows, {most}. Set {name} to 2 .. {most}, or to None."
        )


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
            print(f"teacher: {rows.stop:,} of {n_rows:,} rows labelled\n", end="")
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
    from sklearn.feature_selection import RFE, RFECV

    # Others refuse what they do not name, unless metadata routing is on.
    passes_on = isinstance(estimator, GridSearchCV | RandomizedSearchCV | RFE)
    passes_on |= hasattr(estimator, "min_resources")  # A halving search.
    passes_on &= not isinstance(estimator, RFECV)
    return passes_on and accepts_weight(estimator.estimator)
