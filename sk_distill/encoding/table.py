"""Reading a table: arrays, pandas and polars frames as columns of one kind each."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sk_distill.validation import name_of

_DATES = (
    "{} holds dates or times ({}), which are no numbers. Turn them into numbers that "
    "mean something (the year, the hour, the days since an event), or drop the column."
)

# Integers beyond are no longer all floating-point numbers.
_LARGEST_EXACT = 2**53


@dataclass(frozen=True)
class Categories:
    """A categorical column: ``levels[codes]``, with code -1 where a cell is missing."""

    levels: list[Hashable]
    codes: NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """Rows whose every column is known to be numeric or categorical.

    Attributes
    ----------
    numbers : ndarray of shape (n_rows, n_columns)
        The numeric columns in floating point, NaN where a cell is missing; the place
        of a categorical column holds zeros.
    categories : dict of int to Categories
        The categorical columns, by position.
    """

    numbers: NDArray[Any]
    categories: dict[int, Categories] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def has_missing(self) -> bool:
        """Whether a cell is missing."""
        return bool(np.isnan(self.numbers).any()) or any(
            (column.codes < 0).any() for column in self.categories.values()
        )

    def take(self, rows: NDArray[Any] | slice) -> Table:
        """Return the rows that a mask, a slice or row numbers pick."""
        categories = {
            j: Categories(column.levels, column.codes[rows])
            for j, column in self.categories.items()
        }
        return Table(self.numbers[rows], categories)


def check_columns(estimator: BaseEstimator, X: Any, *, reset: bool = True) -> None:
    """Learn the number and the names of the columns, or check them.

    Raises
    ------
    TypeError
        For a lazy frame.
    ValueError
        For names that occur twice, and for other columns than before.
    """
    _check_frame(estimator, X)
    validate_data(estimator, X, reset=reset, skip_check_array=True)


def _check_frame(owner: object, X: Any) -> None:
    """Raise for a lazy frame of polars, and for names of pandas' that occur twice."""
    if nw.dependencies.is_polars_lazyframe(X):
        raise TypeError(
            f"{name_of(owner)}: X is a LazyFrame, which has no rows yet; expected an "
            "array or a frame. Pass X.collect()."
        )
    if not nw.dependencies.is_pandas_dataframe(X) or X.columns.is_unique:
        return
    names = X.columns[X.columns.duplicated()].unique().tolist()
    raise ValueError(
        f"{name_of(owner)}: X has more than one column of the names {names}; expected "
        "a name of its own for each. Rename them, e.g. X.columns = "
        "[f'x{j}' for j in range(X.shape[1])]."
    )


def check_table(
    estimator: BaseEstimator,
    X: Any,
    *,
    allow_missing: bool,
    allow_categories: bool = True,
    categorical: Collection[int] | None = None,
    reset: bool = True,
) -> Table:
    """Return X as a :class:`Table` of finite numbers and categories.

    Rows are contiguous, so that the kind of table does not change a bit of a result.

    Parameters
    ----------
    estimator : BaseEstimator
        Learns the number and the names of the columns, or checks them.
    X : array-like or frame of shape (n_rows, n_columns)
        Rows.
    allow_missing, allow_categories : bool
        Whether numbers may be missing, and columns categorical.
    categorical : collection of int or None
        The columns to read as categories. None lets each column say what it is:
        strings and categoricals are categories, booleans are numbers.
    reset : bool
        False where the columns must be those of an earlier call.

    Raises
    ------
    TypeError, ValueError
        For other columns than before, and for cells that are no use.
    """
    _check_frame(estimator, X)
    if not isinstance(X, np.ndarray) and is_list_of_text(X):
        X = np.array(X, dtype=object)
    if isinstance(X, np.ndarray) and X.dtype.kind in "mM":
        raise TypeError(_DATES.format(f"{name_of(estimator)}: X", X.dtype))
    if not categorical and not _may_hold_text(X):
        numbers = validate_data(
            estimator,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            order="C",
            ensure_all_finite=False,
        )
        table = Table(numbers)
        _check_finite(estimator, table, allow_missing)
        return table
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    if min(X.shape) < 1:
        raise ValueError(
            f"{name_of(estimator)}: X has shape {X.shape}; expected at least one row "
            "and one column."
        )
    table = read_table(estimator, X, categorical)
    if table.categories and not allow_categories:
        raise ValueError(
            f"{name_of(estimator)} takes numbers as they are, but columns "
            f"{sorted(table.categories)} hold categories. Encode them yourself (a "
            "ColumnTransformer in a Pipeline), or choose another encoding or student."
        )
    _check_finite(estimator, table, allow_missing)
    return table


def _may_hold_text(X: Any) -> bool:
    """Whether a column of X may be other than numbers, by the dtypes alone."""
    if isinstance(X, np.ndarray):
        return X.dtype.kind in "OUS" and X.ndim == 2
    if not nw.dependencies.is_into_dataframe(X):
        return False
    schema = open_frame(X).schema
    return not all(d.is_numeric() or d == nw.Boolean for d in schema.values())


def is_list_of_text(X: Any) -> bool:
    """Whether X is lists with a string somewhere: numpy would make all strings."""
    return isinstance(X, list | tuple) and any(
        isinstance(cell, str)
        for row in X
        if isinstance(row, list | tuple)
        for cell in row
    )


def looks_finite(X: NDArray[Any]) -> bool:
    """Whether a quick look finds no NaN or infinity: one of them makes the sum so.

    So does an overflow, for which the caller only takes a longer way.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))


def _check_finite(owner: object, table: Table, allow_missing: bool) -> None:
    if looks_finite(table.numbers):
        return
    infinite = np.isinf(table.numbers).any(axis=0)
    missing = np.isnan(table.numbers).any(axis=0) & (not allow_missing)
    for what, columns in (("infinity", infinite), ("NaN", missing)):
        if columns.any():
            first = int(np.flatnonzero(columns)[0])
            names = getattr(owner, "feature_names_in_", range(len(columns)))
            raise ValueError(
                f"{name_of(owner)}: Input X contains {what}, first in column "
                f"{names[first]!r}. Clip or drop those cells"
                + (", or choose another encoding than None." if what == "NaN" else ".")
            )


def read_table(
    owner: object, X: Any, categorical: Collection[int] | None = None
) -> Table:
    """Return a frame, or an array of objects or strings, as a :class:`Table`.

    See :func:`check_table` for parameters and errors.
    """
    numbers = np.zeros(X.shape, dtype=np.float64)
    categories = {}
    for j, (name, column) in enumerate(_columns(X)):
        if _is_categorical(column) if categorical is None else j in categorical:
            categories[j] = _read_categories(column)
        else:
            numbers[:, j] = _read_numbers(f"{name_of(owner)}: column {name!r}", column)
    return Table(numbers, categories)


def _columns(X: Any) -> list[tuple[Any, Any]]:
    """Return the name and the values of each column: a series, or a list."""
    if isinstance(X, np.ndarray):
        return list(enumerate(X.T.tolist()))
    return list(zip(X.columns, open_frame(X).iter_columns(), strict=True))


def open_frame(X: Any) -> nw.DataFrame[Any]:
    """Return a frame as narwhals has it, its columns to be taken in their order.

    A frame of pandas may name them by numbers, by tuples, or two alike.
    """
    if nw.dependencies.is_pandas_dataframe(X):
        names = X.columns
        if not (names.is_unique and all(isinstance(name, str) for name in names)):
            X = X.set_axis([f"x{j}" for j in range(X.shape[1])], axis=1)
    return nw.from_native(X, eager_only=True)


def _is_categorical(column: nw.Series | list[Any]) -> bool:
    """Whether a column holds categories, by its dtype or, of objects, by its cells."""
    if not isinstance(column, list):
        if column.dtype in (nw.String, nw.Categorical, nw.Enum):
            return True
        if column.dtype != nw.Object:
            return False
        column = column.to_list()
    return any(isinstance(cell, str) for cell in column) and not _all_parse(column)


def _all_parse(cells: list[Any]) -> bool:
    """Whether every cell is the text of a number, as in an array of strings."""
    try:
        [float(cell) for cell in cells]
    except (TypeError, ValueError):
        return False
    return True


def _read_categories(column: nw.Series | list[Any]) -> Categories:
    """Return the levels that occur, and the code of each cell."""
    cells = column if isinstance(column, list) else column.to_list()
    number_of: dict[Hashable, int] = {}
    codes = np.fromiter(
        (
            -1 if is_missing(cell) else number_of.setdefault(cell, len(number_of))
            for cell in cells
        ),
        dtype=np.int64,
        count=len(cells),
    )
    return Categories(list(number_of), codes)


def is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN, NaT or pandas' NA."""
    if cell is None:
        return True
    try:
        # Only what is missing differs from itself.
        return bool(cell != cell)
    except TypeError:
        # NA refuses to be a truth value.
        return True


def _read_numbers(what: str, column: nw.Series | list[Any]) -> NDArray[np.float64]:
    """Return the cells as float64, NaN where one is missing."""
    if not isinstance(column, list):
        if column.dtype.is_temporal():
            raise TypeError(_DATES.format(what, column.dtype))
        if column.dtype.is_numeric() or column.dtype == nw.Boolean:
            return column.cast(nw.Float64).to_numpy()
        column = column.to_list()
    return np.array([_number(what, cell) for cell in column])


def _number(what: str, cell: Any) -> float:
    """Return a cell of objects as a number."""
    if is_missing(cell):
        return np.nan
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError) as error:
        # Dates of Python's and periods of pandas' can be formatted alike.
        if isinstance(cell, timedelta) or hasattr(cell, "strftime"):
            raise TypeError(_DATES.format(what, type(cell).__name__)) from error
        raise type(error)(
            f"{what} holds {cell!r}: a numeric column's argument must be a string or a "
            f"number, not {type(cell).__name__!r}. Mend the cell, or make the whole "
            "column strings."
        ) from error


def takes_new_numbers(X: Any) -> NDArray[np.bool_]:
    """Return which columns may hold numbers that nobody has put there.

    Those of a numeric dtype, and columns of objects among which there are floats. Other
    objects may be codes for which a value in between has no meaning, and integers that
    floating point cannot tell apart are names rather than numbers.
    """
    if not nw.dependencies.is_into_dataframe(X):
        X = np.asarray(X)
        return np.array([_takes_new_numbers(column, X.dtype.kind) for column in X.T])
    return np.array(
        [
            _takes_new_numbers(column, _kind(column.dtype))
            for column in open_frame(X).iter_columns()
        ]
    )


def _kind(dtype: Any) -> str:
    """Return the letter that numpy has for a dtype of a frame."""
    if dtype == nw.Object:
        return "O"
    if dtype.is_integer():
        return "i"
    return "f" if dtype.is_numeric() else ""


def _takes_new_numbers(column: Any, kind: str) -> bool:
    if kind == "O":
        return any(isinstance(x, float) and not is_missing(x) for x in column)
    if kind in ("i", "u"):
        # Python's integers, whose absolute value never overflows.
        bounds = [int(x) for x in (column.min(), column.max()) if not is_missing(x)]
        return all(abs(x) <= _LARGEST_EXACT for x in bounds)
    return kind == "f"


def table_like(
    X: Any,
    is_number: NDArray[np.bool_],
    numbers: NDArray[np.float64],
    sources: NDArray[np.int64],
) -> Any:
    """Return a table of the type of X, with its columns, dtypes and categories.

    Parameters
    ----------
    X : array or frame of shape (n_rows, n_columns)
        What to resemble.
    is_number : ndarray of bool of shape (n_columns,)
        Which columns get new numbers; they are rounded where X holds integers.
    numbers : ndarray of shape (n_made, n_numbers)
        The values of these columns.
    sources : ndarray of shape (n_made, n_columns - n_numbers)
        For each other column, the rows of X that the values are taken from.
    """
    number = iter(numbers.T)
    source = iter(sources.T)
    if not nw.dependencies.is_into_dataframe(X):
        X = np.asarray(X)
        columns = [
            _cast_array(next(number), column) if drawn else column[next(source)]
            for column, drawn in zip(X.T, is_number, strict=True)
        ]
        return np.stack(columns, axis=1)
    frame = open_frame(X)
    made = {
        column.name: _cast_series(next(number), column)
        if drawn
        else nw.maybe_reset_index(column[next(source).tolist()]).to_native()
        for column, drawn in zip(frame.iter_columns(), is_number, strict=True)
    }
    table = type(X)(made)
    table.columns = X.columns
    return table


def _cast_series(values: NDArray[np.float64], like: Any) -> Any:
    """Return new values of a frame's column, a native series of its dtype."""
    if like.dtype.is_integer():
        values = np.rint(values)
    native = like.to_native()
    if like.implementation.is_polars():
        return type(native)(like.name, values, nan_to_null=True).cast(native.dtype)
    return type(native)(values, name=like.name, dtype=native.dtype)


def _cast_array(values: NDArray[np.float64], like: NDArray[Any]) -> NDArray[Any]:
    """Return new values of an array's column in its dtype."""
    if like.dtype.kind in "iu":
        values = np.rint(values)
    return values.astype(like.dtype)
