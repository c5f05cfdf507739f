"""The rows of a table as a graph takes them."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from sk_distill.encoding.table import is_list_of_text, read_table

Feed = dict[str, NDArray[Any]]


def feed_of(graph: Any, X: Any, estimator: Any) -> Feed:
    """Return what each input of a graph is fed: numbers in float32, text as text.

    Parameters
    ----------
    graph : onnx.ModelProto
        Columns that it has no input for are not looked at.
    X : array-like or frame of shape (n_rows, n_columns)
        Rows that the estimator takes.
    estimator : estimator
        It is fitted. Where it knows columns by name, a frame's are taken by name.
    """
    import onnx

    names = getattr(estimator, "feature_names_in_", None)
    X = _as_table(X, keep_frame=names is not None)
    if names is None:
        names = [f"x{j}" for j in range(X.shape[1])]
    place_of = {str(name): j for j, name in enumerate(names)}
    feed: Feed = {}
    for value in graph.graph.input:
        columns = X
        if not isinstance(X, np.ndarray):
            columns = X[[value.name]]
        elif value.name in place_of:
            columns = X[:, [place_of[value.name]]]
        is_text = value.type.tensor_type.elem_type == onnx.TensorProto.STRING
        feed[value.name] = _texts(columns) if is_text else _numbers(estimator, columns)
    return feed


def _as_table(X: Any, *, keep_frame: bool) -> Any:
    """Return an array of two dimensions, or a frame."""
    if issparse(X):
        return X.toarray()
    if nw.dependencies.is_into_dataframe(X):
        return X if keep_frame else X.to_numpy()
    return np.array(X, dtype=object) if is_list_of_text(X) else np.asarray(X)


def _texts(column: Any) -> NDArray[Any]:
    """Return each cell as text; one that is missing is "None", "nan" or "<NA>"."""
    cells = column if isinstance(column, np.ndarray) else column.to_numpy()
    return np.array([[str(cell)] for cell in cells.ravel().tolist()], dtype=object)


def _numbers(estimator: Any, columns: Any) -> NDArray[np.float32]:
    """Return the cells in float32, NaN where one is missing."""
    if not isinstance(columns, np.ndarray) or columns.dtype.kind not in "biuf":
        columns = read_table(estimator, columns, categorical=()).numbers
    # What is beyond float32 is infinite to a graph.
    with np.errstate(over="ignore"):
        return columns.astype(np.float32)
