"""Two tables, one below the other, in the form of the first."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from sk_distill.encoding.table import is_list_of_text, open_frame


def append_rows(X: Any, more: Any) -> Any:
    """Return the rows of X, and those of ``more`` after them.

    Parameters
    ----------
    X : array-like or frame of shape (n_rows, n_columns)
        What the result resembles: a frame keeps its columns' names, kinds and
        categories.
    more : array-like or frame of shape (n_more, n_columns)
        Columns are taken by their place. A level that X does not have is one more
        category; integers below which there are fractions become floats.

    Returns
    -------
    table : array or frame of shape (n_rows + n_more, n_columns)
    """
    if not nw.dependencies.is_into_dataframe(X):
        X, more = _as_array(X), _as_array(more)
        if X.dtype.kind in "biuf" and more.dtype.kind not in "biuf":
            # Numbers as text would make text of all.
            more = more.astype(np.float64)
        return np.concatenate([X, more])
    native = nw.get_native_namespace(X)
    names = X.columns
    X, more = nw.to_native(open_frame(X)), _frame_like(X, more)
    if nw.dependencies.is_polars_dataframe(X):
        return native.concat([X, more], how="vertical_relaxed")
    for name in more.columns:
        if isinstance(X[name].dtype, native.CategoricalDtype):
            column, added = X[name].array, native.Categorical(more[name])
            new = added.categories.difference(column.categories, sort=False)
            kind = column.add_categories(new).dtype
            X = X.assign(**{name: X[name].astype(kind)})
            more = more.assign(**{name: more[name].astype(kind)})
    table = native.concat([X, more], ignore_index=True)
    table.columns = names
    return table


def _as_array(X: Any) -> NDArray[Any]:
    if nw.dependencies.is_into_dataframe(X):
        return X.to_numpy()
    return np.array(X, dtype=object) if is_list_of_text(X) else np.asarray(X)


def _frame_like(X: Any, more: Any) -> Any:
    """Return rows as a frame of the type of X, columns named as :func:`open_frame`'s.

    A frame of that type keeps its dtypes.
    """
    names = open_frame(X).columns
    if type(more) is type(X):
        columns = [column.to_native() for column in open_frame(more).iter_columns()]
    elif nw.dependencies.is_into_dataframe(more):
        columns = [column.to_list() for column in open_frame(more).iter_columns()]
    else:
        columns = [column.tolist() for column in _as_array(more).T]
    return type(X)(dict(zip(names, columns, strict=True)))
