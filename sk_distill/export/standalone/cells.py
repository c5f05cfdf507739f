"""Reading cells as the student does that the file was made from."""

from __future__ import annotations

from math import exp, inf, isinf, isnan, nan
from typing import Any

# The largest number: no share of it differs from zero by more than rounding.
LARGEST = 1.7976931348623157e308

# As far from the mean as a number is taken to be, in deviations.
MOST_DEVIATIONS = 1e6


def is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN, NaT or pandas' NA."""
    if cell is None:
        return True
    try:
        return bool(cell != cell)
    except TypeError:
        return True
    except ValueError:
        # An array is no cell, which whoever wants a number or a level will say.
        return False


def read_number(column: dict[str, Any], cell: Any, allow_missing: bool) -> float:
    """Return a cell of a numeric column as a float, NaN where it is missing."""
    number, name = nan, column["name"]
    if not is_missing(cell):
        try:
            number = float(cell)
        except (TypeError, ValueError, OverflowError) as error:
            raise type(error)(
                f"column {name!r} holds {cell!r}; expected a number, or None where it "
                "is missing"
            ) from error
    if isinf(number):
        raise ValueError(f"column {name!r} holds infinity; clip or drop that cell")
    if isnan(number) and not allow_missing:
        raise ValueError(
            f"column {name!r} holds a missing value; the student was fitted with "
            "encoding=None, which takes none"
        )
    return number


def find_level(codes: dict[Any, int], cell: Any) -> int:
    """Return the place of a level among its column's, the last for all others."""
    return codes.get(None if is_missing(cell) else cell, len(codes))


def check_level(column: dict[str, Any], cell: Any) -> None:
    """Raise unless a cell may be a level, which has a hash."""
    try:
        hash(cell)
    except TypeError as error:
        raise TypeError(
            f"column {column['name']!r} holds {cell!r}; expected a level, or None "
            "where it is missing"
        ) from error


def cells_of(row: Any) -> Any:
    """Return a row of an array or a frame as a list; any other as it is."""
    if not hasattr(row, "tolist"):
        return row
    try:
        is_of_dates = row.dtype.kind in "mM" and row.ndim == 1
    except AttributeError:
        is_of_dates = False
    # Dates of numpy's would become whole numbers.
    return list(row) if is_of_dates else row.tolist()


def check_row(columns: list[dict[str, Any]], row: Any) -> None:
    """Raise unless a row has a cell for each column."""
    if isinstance(row, dict):
        raise TypeError(
            f"got the dict {row!r} for a row; expected a sequence of {len(columns)} "
            "cells. Pass [row[name] for name in COLUMNS]"
        )
    no_rows = str | bytes | set | frozenset
    if isinstance(row, no_rows) or not hasattr(row, "__len__"):
        raise TypeError(
            f"got {row!r} for a row; expected a sequence of {len(columns)} cells. Pass "
            "a list of rows, [row] for a single one"
        )
    if len(row) != len(columns):
        raise ValueError(f"a row has {len(row)} cells; expected {len(columns)}")


def clip_number(column: dict[str, Any], number: float) -> float:
    """Return a number within bounds."""
    reach = MOST_DEVIATIONS * column["scale"]
    return min(max(number, column["mean"] - reach), column["mean"] + reach)


def softmax(logits: list[float]) -> list[float]:
    """Return the probabilities of the classes, from logits beside that of the first."""
    first = 1.0
    try:
        powers = list(map(exp, logits))
        total = sum(powers, first)
    except OverflowError:
        total = inf
    if total == inf:
        largest = max(logits)
        first, *powers = [
            1.0 if logit == largest else exp(logit - largest)
            for logit in (0.0, *logits)
        ]
        total = sum(powers, first)
    # A loop is sooner than what Python 3.11 makes of a comprehension.
    proba = [first / total]
    for power in powers:
        proba.append(power / total)
    return proba
