"""Rows on which student and teacher disagree most, by the value of one column."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_distill.encoding import check_table

# On fewer rows a share says little.
FEWEST_ROWS = 20

_N_BINS = 5

# The standard normal quantile of a 95 % interval.
_Z = 1.96


class Slice(NamedTuple):
    """Rows that are alike in one column.

    Attributes
    ----------
    feature : str
        The column.
    values : str
        What is in it: a level, or between which numbers it is.
    n_rows : int
        How many rows there are.
    disagreement : float
        Share of them for which student and teacher predict different classes.
    teacher_accuracy, student_accuracy : float
        Share of them whose label each predicts.
    """

    feature: str
    values: str
    n_rows: int
    disagreement: float
    teacher_accuracy: float
    student_accuracy: float


def worst_slices(
    estimator: Any,
    X: Any,
    teacher: NDArray[np.int64],
    student: NDArray[np.int64],
    truth: NDArray[np.int64],
    n_slices: int,
) -> list[Slice]:
    r"""Return of each column the worst slice, the worst columns first.

    A slice is a fifth of a column's numbers, one of its levels, or the rows where it is
    missing, if there are 20 rows or more; all rows are none. What is compared is the
    lower end of Wilson's interval for the share of disagreement p of n rows,

    .. math::

        \frac{p + z^2 / 2n - z \sqrt{p (1 - p) / n + z^2 / 4n^2}}{1 + z^2 / n},

    so that among many slices the smallest do not win by chance (Wilson 1927).

    Parameters
    ----------
    estimator : BaseEstimator
        Knows the names and the number of the columns.
    X : array-like or frame of shape (n_rows, n_features)
        Rows.
    teacher, student, truth : ndarray of int of shape (n_rows,)
        The class that each says a row has, and that it has.
    n_slices : int
        How many to return, at most.
    """
    table = check_table(estimator, X, allow_missing=True, reset=False)
    n_columns = table.numbers.shape[1]
    names = getattr(estimator, "feature_names_in_", [f"x{j}" for j in range(n_columns)])
    apart = teacher != student
    worst = []
    for j, name in enumerate(names):
        if j in table.categories:
            column = table.categories[j]
            slices = _slices_of_levels(column.levels, column.codes)
        else:
            slices = _slices_of_numbers(table.numbers[:, j])
        rated = [
            (_lower_end(apart[rows].mean(), rows.sum()), values, rows)
            for values, rows in slices
            if rows.sum() >= FEWEST_ROWS and apart[rows].any() and not rows.all()
        ]
        if rated:
            worst.append((str(name), *max(rated, key=lambda entry: entry[0])))
    worst.sort(key=lambda entry: -entry[1])
    return [
        Slice(
            name,
            values,
            int(rows.sum()),
            float(apart[rows].mean()),
            float((teacher == truth)[rows].mean()),
            float((student == truth)[rows].mean()),
        )
        for name, _, values, rows in worst[:n_slices]
    ]


def _slices_of_levels(
    levels: list[Any], codes: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    # A column of names has too many levels to look at each.
    for code in np.flatnonzero(np.bincount(codes + 1) >= FEWEST_ROWS) - 1:
        yield "missing" if code < 0 else str(levels[code]), codes == code


def _slices_of_numbers(
    numbers: NDArray[np.float64],
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    missing = np.isnan(numbers)
    yield "missing", missing
    values = np.unique(numbers[~missing])
    if len(values) <= _N_BINS:
        for value, name in zip(values, _tell_apart(values), strict=True):
            yield name, numbers == value
        return
    edges = np.unique(
        np.quantile(numbers[~missing], np.linspace(0, 1, _N_BINS + 1)[1:-1])
    )
    number_of = np.searchsorted(edges, numbers)
    number_of[missing] = -1
    shown = _tell_apart(edges)
    names = [
        f"≤ {shown[0]}",
        *(f"{low} to {high}" for low, high in pairwise(shown)),
        f"> {shown[-1]}",
    ]
    for i, name in enumerate(names):
        yield name, number_of == i


def _tell_apart(numbers: NDArray[np.float64]) -> list[str]:
    """Return numbers in so many digits that they differ, four at least."""
    whole = max((len(f"{abs(number):.0f}") for number in numbers), default=0)
    # Rather all digits of a date, or of a time in seconds, than 2.0234e+07.
    more = range(whole if 5 <= whole <= 15 else 5, 18)
    for digits in (4, *more):
        shown = [f"{number:.{digits}g}" for number in numbers]
        if len(set(shown)) == len(shown):
            break
    return shown


def _lower_end(share: float, n: int) -> float:
    """Return the lower end of Wilson's 95 % interval."""
    z2 = _Z**2 / n
    root = np.sqrt(share * (1 - share) / n + z2 / (4 * n))
    return float((share + z2 / 2 - _Z * root) / (1 + z2))
