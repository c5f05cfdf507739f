"""A graph is asked before it is written: one may load and not answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_distill._optional import import_optional
from sk_distill.export.onnx_inputs import learnt_cells
from sk_distill.export.onnx_rows import Feed, feed_of

# No graph has so many columns or classes by chance: where arrays of other lengths are
# laid over each other, which a runtime refuses, they have to be of other lengths.
_N_ROWS = 13


def answers_of(
    graph: Any,
    pipeline: Any,
    names: list[str],
    X: Any,
    shapes: Sequence[tuple[int, ...] | None],
) -> list[NDArray[Any]]:
    """Return what a graph answers to rows of a user or, if there are none, to others.

    Some graphs answer no zeros, as where numbers have to be categories, others no ones:
    those of which neither is answered are no use.

    Parameters
    ----------
    graph : onnx.ModelProto
        It is valid, and of the first steps of the pipeline or of all.
    pipeline : Pipeline
        It is fitted.
    names : list of str
        Of all columns, or of the one input that has all of them.
    X : array-like or frame of shape (n_rows, n_columns), or None
        Rows that the pipeline takes.
    shapes : sequence of tuple of int or None
        What each output has for a row; None where that is not known.

    Raises
    ------
    Exception
        By onnxruntime, which has classes of its own, where the graph fails.
    ValueError
        For an answer of another shape.
    """
    if X is not None:
        return _answers_to(graph, feed_of(graph, X, pipeline), shapes)
    cells = learnt_cells(pipeline)
    tolerant = _taking_any_level(graph)
    zeros, ones = (_made_up_rows(graph, names, cells, number) for number in (0, 1))
    try:
        return _answers_to(tolerant, zeros, shapes)
    except Exception:
        return _answers_to(tolerant, ones, shapes)


def _answers_to(
    graph: Any, feed: Feed, shapes: Sequence[tuple[int, ...] | None]
) -> list[NDArray[Any]]:
    """Return what a graph answers to all rows, after the first of them alone."""
    onnxruntime = import_optional("onnxruntime", extra="onnx", needed_by="to_onnx")
    options = onnxruntime.SessionOptions()
    # What fails is raised; it need not be printed too.
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    first = {name: cells[:1] for name, cells in feed.items()}
    for rows in (first, feed):
        answers = session.run(None, rows)
        n_rows = len(next(iter(rows.values())))
        for output, answer, shape in zip(
            session.get_outputs(), answers, shapes, strict=True
        ):
            if shape is not None and np.shape(answer) != (n_rows, *shape):
                raise ValueError(
                    f"{output.name!r} has shape {np.shape(answer)}, which has to be "
                    f"{(n_rows, *shape)}"
                )
    return answers


def _made_up_rows(
    graph: Any, names: list[str], cells: dict[int, Any], number: int
) -> Feed:
    """Return rows of what is known of columns, and of a number where nothing is."""
    feed = {}
    for value in graph.graph.input:
        first = names.index(value.name)
        n_columns = value.type.tensor_type.shape.dim[1].dim_value
        row = [cells.get(first + j, number) for j in range(n_columns)]
        is_text = isinstance(row[0], str)
        # What is beyond float32 is infinite to a graph.
        with np.errstate(over="ignore"):
            feed[value.name] = np.array(
                [row] * _N_ROWS, dtype=object if is_text else np.float32
            )
    return feed


def _taking_any_level(graph: Any) -> Any:
    """Return a graph whose encoders fail on no level that they do not know.

    With ``handle_unknown="error"`` they would, also of what other steps make of cells.
    """
    import onnx

    graph_of_any = onnx.ModelProto()
    graph_of_any.CopyFrom(graph)
    for node in graph_of_any.graph.node:
        for attribute in node.attribute:
            if node.op_type == "OneHotEncoder" and attribute.name == "zeros":
                attribute.i = 1
    return graph_of_any
