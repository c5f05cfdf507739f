"""Checks of what users pass: parameters, tables, labels, weights, probabilities."""

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from numbers import Integral, Real
from os import PathLike
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils import (
    check_array,
    check_consistent_length,
    check_random_state,
    column_or_1d,
)
from sklearn.utils.multiclass import check_classification_targets

# Probabilities that were rounded to three digits still pass.
_SUM_TOLERANCE = 1e-3


def name_of(owner: object) -> str:
    """Return the name that messages use.

    That of the class, or of the function. A wrapper of this package, which says by
    ``_wraps`` in which parameter it has what the user passed, goes by the name of that.
    """
    parameter = getattr(type(owner), "_wraps", None)
    if parameter is not None:
        owner = getattr(owner, parameter)
        owner = owner.estimator if isinstance(owner, FrozenEstimator) else owner
    named = owner if isinstance(owner, type | FunctionType) else type(owner)
    return named.__name__


def check_real(
    owner: object,
    name: str,
    value: Any,
    low: float,
    high: float = float("inf"),
    *,
    open_low: bool = False,
    finite: bool = True,
    why: str = "",
) -> None:
    """Raise unless ``value`` is a number in [low, high] (or (low, high])."""
    expected = f"a number {'>' if open_low else '>='} {low:g}"
    if high != float("inf"):
        expected += f" and <= {high:g}"
    elif not finite:
        expected += ", inf included"
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        raise TypeError(
            f"{name_of(owner)}: {name}={value!r} must be {expected}, got a "
            f"{type(value).__name__}.{why and ' ' + why}"
        )
    number = float(value)
    ok = (number > low if open_low else number >= low) and number <= high
    if not ok or (finite and not np.isfinite(number)):
        raise ValueError(
            f"{name_of(owner)}: {name}={value!r} must be {expected}.{why and ' ' + why}"
        )


def check_integer(owner: object, name: str, value: Any, low: int) -> None:
    """Raise unless ``value`` is an integer of at least ``low``."""
    if not isinstance(value, Integral) or isinstance(value, bool | np.bool_):
        raise TypeError(
            f"{name_of(owner)}: {name}={value!r} must be an integer >= {low}, got a "
            f"{type(value).__name__}."
        )
    if value < low:
        raise ValueError(
            f"{name_of(owner)}: {name}={value!r} must be an integer >= {low}."
        )


def check_boolean(owner: object, name: str, value: Any) -> None:
    """Raise unless ``value`` is True or False; the text "False" would switch it on."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(
            f"{name_of(owner)}: {name}={value!r} must be True or False, got a "
            f"{type(value).__name__}."
        )


def check_verbose(owner: Any) -> int:
    """Return how much the owner prints; raise unless that is a number, or yes or no."""
    value = getattr(owner, "verbose", 0)
    if not isinstance(value, Integral | np.bool_):
        raise TypeError(
            f"{name_of(owner)}: verbose={value!r} must be an integer >= 0 or a "
            f"boolean, got a {type(value).__name__}."
        )
    if value < 0:
        raise ValueError(
            f"{name_of(owner)}: verbose={value!r} must be an integer >= 0; 0 prints "
            "nothing."
        )
    return int(value)


def check_seed(owner: object, value: Any) -> None:
    """Raise unless ``value`` is what scikit-learn takes for a ``random_state``."""
    try:
        check_random_state(value)
    except ValueError as error:
        raise ValueError(
            f"{name_of(owner)}: random_state={value!r} must be None, an integer from 0 "
            "to 2**32 - 1, or a numpy.random.RandomState."
        ) from error


def check_jobs(owner: object, value: Any) -> None:
    """Raise unless ``value`` is what joblib takes for ``n_jobs``."""
    if value is None:
        return
    if not isinstance(value, Integral) or isinstance(value, bool) or value == 0:
        raise ValueError(
            f"{name_of(owner)}: n_jobs={value!r} must be None, a number of processes "
            ">= 1, or -1 for one a core."
        )


def check_cache(owner: object, value: Any) -> None:
    """Raise unless ``value`` is a folder or can cache as ``joblib.Memory`` does."""
    if value is None or isinstance(value, str | PathLike) or hasattr(value, "cache"):
        return
    raise ValueError(
        f"{name_of(owner)}: memory={value!r} must be None, the path of a folder, or a "
        "joblib.Memory."
    )


def draw_seed(random_state: Any) -> int:
    """Return the seed that ``random_state`` stands for.

    An integer is its own seed. None draws one from the operating system, so that
    numpy's global generator is neither used nor moved.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def check_choice(
    owner: object, name: str, value: Any, choices: Collection[Any], also: str = ""
) -> None:
    """Raise unless ``value`` is one of ``choices``; name the nearest one."""
    if isinstance(value, str | None) and value in choices:
        return
    valid = ", ".join(repr(choice) for choice in choices)
    strings = [choice for choice in choices if isinstance(choice, str)]
    near = get_close_matches(value, strings, n=1) if isinstance(value, str) else []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"{name_of(owner)}: {name}={value!r} is not valid; choose one of {valid}"
        f"{also and f' or {also}'}.{hint}"
    )


def check_hidden_layer_sizes(owner: object, value: Any) -> tuple[int, ...]:
    """Return the layer sizes as a tuple; an integer is one layer."""
    sizes = (value,) if isinstance(value, Integral) else value
    valid = isinstance(sizes, tuple | list | np.ndarray) and len(sizes) > 0
    if not valid or not all(_is_width(size) for size in sizes):
        raise ValueError(
            f"{name_of(owner)}: hidden_layer_sizes={value!r} must be a positive "
            "integer or a non-empty tuple of them. Use LinearStudent "
            "(student='linear') for a student without hidden layers."
        )
    return tuple(int(size) for size in sizes)


def _is_width(size: Any) -> bool:
    return isinstance(size, Integral) and not isinstance(size, bool) and int(size) > 0


def encode_labels(estimator: BaseEstimator, X: Any, y: Any) -> tuple[Any, Any]:
    """Return ``(classes, codes)`` with ``classes[codes] == y``.

    Raises
    ------
    ValueError
        For labels that are missing, continuous, or all of one class, and for another
        number of labels than rows.
    """
    if y is None:
        # scikit-learn's words; its checks look for them.
        raise ValueError(
            f"{name_of(estimator)} requires y to be passed, but the target y is None."
        )
    y = column_or_1d(y, warn=True)
    check_consistent_length(X, y)
    if len(y) == 0:
        raise ValueError(
            f"{name_of(estimator)}: X and y have no rows; expected at least one of "
            "each class."
        )
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError(
            f"{name_of(estimator)}: Input y contains NaN or infinity. Drop the rows "
            "without a label before fitting."
        )
    if y.dtype == object and any(isinstance(label, str) for label in y):
        kinds = sorted({type(label).__name__ for label in y})
        if len(kinds) > 1:
            raise ValueError(
                f"{name_of(estimator)}: y mixes labels that cannot be sorted "
                f"({', '.join(kinds)}). Make them of one type, e.g. y.astype(str)."
            )
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{name_of(estimator)} needs at least two classes in y; got one class, "
            f"{classes.tolist()[0]!r}."
        )
    return classes, codes


def check_sample_weight(
    estimator: BaseEstimator, sample_weight: ArrayLike | None, n_rows: int
) -> NDArray[np.float64] | None:
    """Return the weights as float64, or None where every row weighs the same."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_rows, float(sample_weight))
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weight.shape != (n_rows,):
        raise ValueError(
            f"{name_of(estimator)}: sample_weight has shape {weight.shape}; expected "
            f"one weight a row, ({n_rows},)."
        )
    if weight.min() < 0:
        raise ValueError(
            f"{name_of(estimator)}: sample_weight has negative values (the smallest is "
            f"{weight.min():g}); weights must be >= 0. Clip or drop those rows."
        )
    total = weight.sum()
    if total == 0:
        raise ValueError(
            f"{name_of(estimator)}: sample_weight is zero for every row; at least one "
            "row must weigh something."
        )
    if not 1e-30 < total < 1e30:
        raise ValueError(
            f"{name_of(estimator)}: sample_weight sums to {total:g}, too far from 1 to "
            "compute with. Divide the weights by their mean."
        )
    return weight


def check_probabilities(
    owner: str, proba: Any, n_rows: int, n_classes: int
) -> NDArray[np.float64]:
    """Return ``proba`` as float64 rows that sum to one.

    Parameters
    ----------
    owner : str
        Whose probabilities they are, for messages.
    proba : array-like of shape (n_rows, n_classes)
        What somebody says are probabilities.
    n_rows, n_classes : int
        The shape that is expected.

    Raises
    ------
    ValueError
        For another shape, NaN, a negative value, or rows that do not sum to one.
    """
    proba = np.asarray(proba)
    if proba.shape == (n_rows, 1):
        raise ValueError(
            f"{owner} has one column; expected one for each class, two at least. For "
            "the probabilities p of the second class of two pass "
            "np.column_stack([1 - p, p])."
        )
    if proba.shape != (n_rows, n_classes):
        raise ValueError(
            f"{owner} has shape {proba.shape}; expected {(n_rows, n_classes)}: one row "
            "for each row of X, one column for each class in the order of np.unique(y)."
        )
    proba = proba.astype(np.float64)
    if not np.isfinite(proba).all():
        row = int(np.flatnonzero(~np.isfinite(proba).all(axis=1))[0])
        raise ValueError(
            f"{owner} holds NaN or infinity, first in row {row}; expected "
            "probabilities. Drop or mend those rows."
        )
    if proba.size and proba.min() < 0:
        row = int(np.flatnonzero((proba < 0).any(axis=1))[0])
        raise ValueError(
            f"{owner} holds negative values, first in row {row} (the smallest is "
            f"{proba.min():g}); expected probabilities. Turn logits into "
            "probabilities with scipy.special.softmax(logits, axis=1)."
        )
    total = proba.sum(axis=1, keepdims=True)
    off = np.abs(total - 1).ravel() > _SUM_TOLERANCE
    if off.any():
        row = int(np.flatnonzero(off)[0])
        raise ValueError(
            f"{owner} does not sum to 1 in {int(off.sum())} of {n_rows} rows, first in "
            f"row {row} (sum {total[row, 0]:g}); divide each row by its sum."
        )
    return proba / total


def check_probability_pair(
    owner: str, teacher_proba: Any, student_proba: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probabilities of teacher and student as float64 of one shape.

    Of two classes they may be those of the second alone.

    Raises
    ------
    ValueError
        For labels in place of probabilities, and as :func:`check_probabilities` does.
    """
    name = f"{owner}: teacher_proba"
    teacher = _two_columns(name, teacher_proba)
    if teacher.ndim != 2 or not teacher.size:
        raise ValueError(
            f"{name} has shape {teacher.shape}; expected (n_samples, n_classes), or "
            "(n_samples,) with the probability of the second of two classes, of one "
            "row at least."
        )
    teacher = check_probabilities(name, teacher, *teacher.shape)
    name = f"{owner}: student_proba"
    student = _two_columns(name, student_proba)
    return teacher, check_probabilities(name, student, *teacher.shape)


def _two_columns(owner: str, proba: Any) -> NDArray[Any]:
    """Return the probabilities of two classes where those of the second are given.

    That is how scorers hand the probabilities of two classes to a metric; what they
    hand over as the truth are labels, unless they are told otherwise.

    Raises
    ------
    ValueError
        For labels, named with their ``owner``.
    """
    proba = np.asarray(proba)
    if proba.ndim != 1:
        return proba
    is_number = proba.dtype.kind in "biuf"
    odd = (proba < 0) | (proba > 1) if is_number else np.ones(len(proba), bool)
    if odd.any():
        value = proba[odd].tolist()[0]
        raise ValueError(
            f"{owner} has one value a row, {value!r} among them; expected "
            "probabilities of shape (n_samples, n_classes), or one from 0 to 1 a row, "
            "that of the second of two classes. In place of labels pass predict_proba "
            "of the rows."
        )
    return np.column_stack([1.0 - proba, proba])


@contextmanager
def unchanged_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Put the estimator's attributes back if the block raises (Ctrl-C included)."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def is_torch_module(value: object) -> bool:
    """Whether ``value`` is an ``nn.Module`` instance; torch is not imported for it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def is_torch_module_class(value: object) -> bool:
    """Whether ``value`` is a subclass of ``nn.Module``."""
    torch = sys.modules.get("torch")
    return (
        torch is not None
        and isinstance(value, type)
        and issubclass(value, torch.nn.Module)
    )


def is_skorch_net(value: object) -> bool:
    """Whether ``value`` is a skorch net; skorch is not imported for it."""
    skorch = sys.modules.get("skorch")
    return skorch is not None and isinstance(value, skorch.NeuralNet)
