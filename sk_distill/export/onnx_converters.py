"""How skl2onnx converts what this package fits."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from sk_distill._optional import import_optional
from sk_distill.distilled import DistilledClassifier
from sk_distill.distilled_cv import DistilledClassifierCV
from sk_distill.export.levels import levels_of
from sk_distill.export.onnx_graph import Graph, has_text_labels, write_student
from sk_distill.export.reading import BUILT_IN, fitted_student


@cache
def register_converters() -> None:
    """Tell skl2onnx of students and distilled classifiers, once."""
    skl2onnx = import_optional("skl2onnx", extra="onnx", needed_by="to_onnx")
    for kind in (*BUILT_IN, DistilledClassifier, DistilledClassifierCV):
        skl2onnx.update_registered_converter(
            kind,
            f"SkDistill{kind.__name__}",
            _set_types,
            _convert,
            options={"zipmap": [False, True, "columns"], "nocl": [False]},
        )


def _set_types(operator: Any) -> None:
    """Set the types of the outputs."""
    from skl2onnx.common.data_types import (
        FloatTensorType,
        Int64TensorType,
        StringTensorType,
    )

    classes = operator.raw_operator.classes_
    of_label = StringTensorType if has_text_labels(classes) else Int64TensorType
    n_rows = operator.inputs[0].get_first_dimension()
    label, probabilities = operator.outputs
    label.type = of_label([n_rows])
    probabilities.type = FloatTensorType([n_rows, len(classes)])


def _check_text(student: Any, inputs: list[Any]) -> None:
    """Refuse numbers where the student knows text: no runtime would load the file."""
    from skl2onnx.common.data_types import StringTensorType

    names = getattr(student, "feature_names_in_", range(student.n_features_in_))
    known = levels_of(student, caller="to_onnx", dtype=np.float32)
    for j, levels in known.items():
        kind = inputs[j if len(inputs) > 1 else 0].type
        if levels.is_text and not isinstance(kind, StringTensorType):
            raise ValueError(
                f"to_onnx: column {names[j]!r} of the student's table is text, such as "
                f"{next(iter(levels.slots), '')!r}, but the graph has numbers for it "
                f"({type(kind).__name__}); expected a StringTensorType. Encode the "
                "column in the pipeline by a OneHotEncoder, or fit the student on the "
                "table itself, of which it encodes text."
            )


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the graph of a student."""
    student = fitted_student(operator.raw_operator, caller="to_onnx")
    _check_text(student, operator.inputs)
    graph = Graph(scope, container)
    columns = [variable.full_name for variable in operator.inputs]
    label, probabilities = (variable.full_name for variable in operator.outputs)
    n_columns = student.n_features_in_
    if student.encoder_.levels_ and len(columns) < n_columns:
        # One tensor of all columns, which all are categories then.
        columns = [
            graph.node("Gather", [columns[0], graph.constant([j])], {"axis": 1})
            for j in range(n_columns)
        ]
    write_student(graph, student, columns, label, probabilities)
