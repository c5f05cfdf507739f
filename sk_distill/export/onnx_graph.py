"""The graph of a built-in student: encoding, layers, probabilities, label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_distill.compression import CompressedStudent
from sk_distill.encoding import TableEncoder
from sk_distill.export.levels import TEXTS_OF_MISSING, Levels, levels_of
from sk_distill.export.ramps import Ramps, ramps, reach_of
from sk_distill.export.reading import network_of

_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}


class Graph:
    """Nodes and constants that are added to a graph of skl2onnx's.

    Parameters
    ----------
    scope, container : skl2onnx's
        They give names, and keep what is added.
    """

    def __init__(self, scope: Any, container: Any) -> None:
        self.scope = scope
        self.container = container

    def constant(self, array: Any) -> str:
        """Add an array, and return its name."""
        import onnx

        array = np.asarray(array)
        name = self.scope.get_unique_variable_name("constant")
        if array.dtype.kind in "OU":
            cells = [str(cell).encode() for cell in array.ravel()]
            self.container.add_initializer(
                name, onnx.TensorProto.STRING, array.shape, cells
            )
        else:
            # Strided arrays have no bytes of their own.
            tensor = onnx.numpy_helper.from_array(np.ascontiguousarray(array))
            self.container.add_initializer(name, None, None, tensor)
        return name

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Any] | None = None,
        *,
        domain: str = "",
        output: str | None = None,
    ) -> str:
        """Add a node, and return the name of its output."""
        output = output or self.scope.get_unique_variable_name(op.lower())
        self.container.add_node(
            op, list(inputs), [output], op_domain=domain, **(attributes or {})
        )
        return output

    def cast(self, value: str, dtype: str) -> str:
        """Add a conversion to "FLOAT" or "INT64"."""
        import onnx

        return self.node("Cast", [value], {"to": getattr(onnx.TensorProto, dtype)})


def write_student(
    graph: Graph,
    student: Any,
    columns: Sequence[str],
    label: str,
    probabilities: str,
) -> None:
    """Add all that a student does with a row.

    The weights are stored as the student stores them; a runtime makes float32 of them
    when it loads the file. All arithmetic is in float32, which every runtime has.

    Parameters
    ----------
    graph : Graph
        Where to add it.
    student : LinearStudent, MLPStudent or CompressedStudent
        It is fitted.
    columns : sequence of str
        The tensors ``(n_rows, 1)`` of the columns, or one of all, if all are numbers.
    label, probabilities : str
        The names of the outputs.
    """
    _, _, intercepts, activation = network_of(student)
    weights = _weights(graph, student)
    x = _first_layer(graph, student, columns, weights[0], intercepts[0])
    for weight, intercept in zip(weights[1:], intercepts[1:], strict=True):
        if activation in _ACTIVATIONS:
            x = graph.node(_ACTIVATIONS[activation], [x])
        bias = graph.constant(intercept.astype(np.float32))
        x = graph.node("Add", [graph.node("MatMul", [x, weight]), bias])
    _write_outputs(graph, x, student.classes_, label, probabilities)


def _weights(graph: Graph, student: Any) -> list[str]:
    """Add the weights of all layers, the first with a row of zeros below; in float32.

    See :class:`sk_distill.export.ramps.Ramps` for that row.
    """
    if isinstance(student, CompressedStudent):
        layers = [(layer.weights, layer.scale) for layer in student.layers_]
    else:
        layers = [(coef, None) for coef in network_of(student).coefs]
    names = []
    for i, (weights, scale) in enumerate(layers):
        if i == 0:
            weights = np.vstack([weights, np.zeros_like(weights[:1])])
        if weights.dtype == np.float64:
            weights = weights.astype(np.float32)
        name = graph.cast(graph.constant(weights), "FLOAT")
        if scale is not None:
            name = graph.node("Mul", [name, graph.constant(scale)])
        names.append(name)
    return names


def _first_layer(
    graph: Graph,
    student: Any,
    columns: Sequence[str],
    weights: str,
    intercept: NDArray[Any],
) -> str:
    """Add what the first layer makes of the columns."""
    encoder = student.encoder_
    units = ramps(encoder, reach_of(student, np.float32))
    parts = []
    if len(units.column):
        rows = graph.node("Gather", [weights, graph.constant(units.right)], {"axis": 0})
        if (units.left < encoder.n_slots).any():
            left = graph.constant(units.left)
            less = graph.node("Gather", [weights, left], {"axis": 0})
            rows = graph.node("Sub", [rows, less])
        inputs = [_units(graph, encoder, units, columns), rows]
        parts.append(graph.node("Gemm", inputs, {"transA": 1}))
    levels = levels_of(student, caller="to_onnx", dtype=np.float32)
    if levels:
        slots = [_slots(graph, columns[j], column) for j, column in levels.items()]
        index = graph.node("Concat", slots, {"axis": 1})
        picked = graph.node("Gather", [weights, index], {"axis": 0})
        axes = graph.constant(np.array([1]))
        parts.append(graph.node("ReduceSum", [picked, axes], {"keepdims": 0}))
    bias = graph.constant(intercept.astype(np.float32))
    if len(units.base):
        base = graph.node("Gather", [weights, graph.constant(units.base)], {"axis": 0})
        axes = graph.constant(np.array([0]))
        total = graph.node("ReduceSum", [base, axes], {"keepdims": 0})
        bias = graph.node("Add", [bias, total])
    for part in parts:
        bias = graph.node("Add", [part, bias])
    return bias


def _units(
    graph: Graph, encoder: TableEncoder, units: Ramps, columns: Sequence[str]
) -> str:
    """Add the units of the numeric columns, a row for each.

    Runtimes repeat rows many times faster than columns.
    """
    numbers = columns
    if len(columns) > 1:
        numbers = [graph.cast(columns[j], "FLOAT") for j in encoder.numeric_.tolist()]
    x = numbers[0]
    if len(numbers) > 1:
        x = graph.node("Concat", numbers, {"axis": 1})
    place = np.searchsorted(encoder.numeric_, units.column)
    x = graph.node("Transpose", [graph.cast(x, "FLOAT")], {"perm": [1, 0]})
    if not np.array_equal(place, np.arange(len(encoder.numeric_))):
        x = graph.node("Gather", [x, graph.constant(place)], {"axis": 0})
    if not encoder.scales_:
        return x
    moved = x
    for part in _in_two(units.shift):
        moved = graph.node("Sub", [moved, graph.constant(part[:, None])])
    # In columns of tiny numbers a width may be less than float32 has.
    width = _float32(np.maximum(units.width, np.finfo(np.float32).tiny))
    moved = graph.node("Div", [moved, graph.constant(width[:, None])])
    bounds = [graph.constant(np.float32(bound)) for bound in (units.low, units.high)]
    clipped = graph.node("Clip", [moved, *bounds])
    fill = graph.constant(np.float32(units.fill[:, None]))
    return graph.node("Where", [graph.node("IsNaN", [x]), fill, clipped])


def _in_two(values: NDArray[np.float64]) -> list[NDArray[np.float32]]:
    """Return two float32 numbers for each, of which it is the sum to 14 digits.

    What is left of a float32 cell when first the one and then the other is taken from
    it has float32's digits, however far from zero they are.
    """
    most = _float32(values)
    return [most, _float32(values - most)]


def _float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return finite numbers for finite ones: what is infinite makes NaN of a cell."""
    most = float(np.finfo(np.float32).max)
    bounded = np.where(np.isfinite(values), np.clip(values, -most, most), values)
    return bounded.astype(np.float32)


def _slots(graph: Graph, column: str, levels: Levels) -> str:
    """Add the slot of each cell of a categorical column."""
    slots = dict(levels.slots)
    keys = "keys_strings" if levels.is_text else "keys_floats"
    if levels.is_text:
        if levels.missing is not None:
            # A string tensor has nothing where a cell is missing, or its text.
            absent = ("", *TEXTS_OF_MISSING)
            slots = dict.fromkeys(absent, levels.missing) | slots
        # A map of nothing is no map.
        slots = slots or {"": levels.others}
    else:
        column = graph.cast(column, "FLOAT")
        slots = {float(np.float32(level)): slot for level, slot in slots.items()}
    found = graph.node(
        "LabelEncoder",
        [column],
        {
            keys: list(slots),
            "values_int64s": list(slots.values()),
            "default_int64": levels.others,
        },
        domain="ai.onnx.ml",
    )
    if levels.is_text or levels.missing is None:
        return found
    is_missing = graph.node("IsNaN", [column])
    missing = graph.constant(np.array(levels.missing))
    return graph.node("Where", [is_missing, missing, found])


def _write_outputs(
    graph: Graph, logits: str, classes: NDArray[Any], label: str, probabilities: str
) -> None:
    """Add the probabilities and the most probable class."""
    if len(classes) == 2:
        both = [graph.node("Neg", [logits]), logits]
        logits = graph.node("Concat", both, {"axis": 1})
        graph.node("Sigmoid", [logits], output=probabilities)
    else:
        graph.node("Softmax", [logits], {"axis": 1}, output=probabilities)
    best = graph.node("ArgMax", [logits], {"axis": 1, "keepdims": 0})
    names = classes if has_text_labels(classes) else classes.astype(np.int64)
    graph.node("Gather", [graph.constant(names), best], output=label)


def has_text_labels(classes: NDArray[Any]) -> bool:
    """Whether the labels are strings.

    Raises
    ------
    ValueError
        For labels that are neither strings nor whole numbers.
    """
    if all(isinstance(name, str) for name in classes.tolist()):
        return True
    if classes.dtype.kind in "biuf" and np.array_equal(classes, classes.astype(int)):
        return False
    raise ValueError(
        f"to_onnx: the labels are {classes.tolist()}; expected strings or whole "
        "numbers. Fit on y.astype(str)."
    )
