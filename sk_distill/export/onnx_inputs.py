"""The inputs of a graph: what columns there are, and which of them hold text."""

from __future__ import annotations

import warnings
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from sk_distill.encoding import TableEncoder
from sk_distill.exceptions import DistillationWarning
from sk_distill.export.levels import levels_of
from sk_distill.export.reading import BUILT_IN

# A column is told of whose numbers float32 moves by more of a deviation than this.
_MOST_ROUNDING = 1e-3


def input_types(estimator: Any) -> list[tuple[str, Any]]:
    """Return the name and the type of each input, as skl2onnx wants them.

    Parameters
    ----------
    estimator : student, Pipeline or classifier
        It is fitted.
    """
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    n_columns = estimator.n_features_in_
    names = getattr(estimator, "feature_names_in_", None)
    cells = learnt_cells(estimator)
    text = {j for j, cell in cells.items() if isinstance(cell, str)}
    if names is None and not text:
        return [("X", FloatTensorType([None, n_columns]))]
    if names is None:
        names = [f"x{j}" for j in range(n_columns)]
    return [
        (str(name), (StringTensorType if j in text else FloatTensorType)([None, 1]))
        for j, name in enumerate(names)
    ]


def are_alike(inputs: list[tuple[str, Any]]) -> bool:
    """Whether all inputs are text, or all are numbers."""
    return len({type(kind) for _, kind in inputs}) == 1


def learnt_cells(part: Any, outputs: dict[int, Any] | None = None) -> dict[int, Any]:
    """Return a cell of each column of which a fitted part has learnt some.

    A student has levels, scikit-learn's encoders have ``categories_``, an imputer
    ``statistics_``; what is passed through is what the next step has learnt. A column
    is text where the cell is.

    Parameters
    ----------
    part : estimator or str
        It is fitted.
    outputs : dict of int to str or number, optional
        The cells, to the next step, of the columns that it makes.
    """
    outputs = {} if outputs is None else outputs
    if isinstance(part, Pipeline):
        for _, step in reversed(part.steps):
            outputs = learnt_cells(step, outputs)
        return outputs
    if isinstance(part, ColumnTransformer):
        cells = {}
        for name, inner, picked in part.transformers_:
            made = part.output_indices_[name]
            of_inner = {
                j - made.start: cell
                for j, cell in outputs.items()
                if made.start <= j < made.stop
            }
            places = _places(part, picked)
            for place, cell in learnt_cells(inner, of_inner).items():
                cells[places[place]] = cell
        return cells
    if isinstance(part, FeatureUnion):
        return _cells_of_union(part, outputs)
    if isinstance(part, BUILT_IN):
        levels = levels_of(part, caller="to_onnx", dtype=np.float32)
        return {j: next(iter(column.slots), "") for j, column in levels.items()}
    if isinstance(part, str) or getattr(part, "func", part) is None:
        return outputs
    learnt = getattr(part, "categories_", getattr(part, "statistics_", ()))
    return {j: cell for j, values in enumerate(learnt) for cell in _one_cell(values)}


def _one_cell(values: Any) -> list[Any]:
    """Return a text or, if there is none, a number; of neither nothing."""
    values = np.atleast_1d(values).tolist()
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if isinstance(value, Real)]
    return [*texts, *(number for number in numbers if isfinite(number))][:1]


def _cells_of_union(part: FeatureUnion, outputs: dict[int, Any]) -> dict[int, Any]:
    """Return a cell of each column that any of the parts has learnt.

    What the first part passes through the next step knows by its place; where the
    columns of the others begin is not known.
    """
    cells: dict[int, Any] = {}
    for i, (_, inner) in enumerate(part.transformer_list):
        cells |= learnt_cells(inner, outputs if i == 0 else {})
    return cells


def _places(part: ColumnTransformer, picked: Any) -> list[int]:
    """Return the places of the columns that a ColumnTransformer hands to a step."""
    if isinstance(picked, str):
        picked = [picked]
    if not isinstance(picked, slice) and all(isinstance(c, str) for c in picked):
        of_name = {name: place for place, name in enumerate(part.feature_names_in_)}
        return [of_name[name] for name in picked]
    return np.atleast_1d(np.arange(part.n_features_in_)[picked]).tolist()


def rounded_columns(student: Any) -> list[Any]:
    """Return the numeric columns that float32 has too few digits for.

    Parameters
    ----------
    student : student or classifier
        It is fitted. What one from elsewhere has seen is not known.
    """
    if not isinstance(student, BUILT_IN) or not student.encoder_.scales_:
        return []
    encoder = student.encoder_
    names = getattr(student, "feature_names_in_", np.arange(student.n_features_in_))
    lost = [j for j in encoder.numeric_.tolist() if _is_lost(encoder, j)]
    return names[lost].tolist()


def warn_of_rounding(columns: list[Any]) -> None:
    """Tell the user of columns that float32 has too few digits for."""
    if columns:
        warnings.warn(
            f"to_onnx: columns {columns} lose digits in float32, which a graph "
            "calculates in: their numbers move by more than a thousandth of their "
            "spread, and the graph's answers differ from the student's. Before fitting "
            "subtract a constant from such a column, or multiply it by one; or use "
            "to_python, which calculates in float64.",
            DistillationWarning,
            stacklevel=3,
        )


def _is_lost(encoder: TableEncoder, j: int) -> bool:
    """Whether float32's numbers are far apart where most of a column's are."""
    mean, scale = encoder.mean_[j], encoder.scale_[j]
    with np.errstate(over="ignore", invalid="ignore"):
        if j in encoder.edges_:
            edges = encoder.edges_[j]
            if not np.isfinite(edges).all():
                # Of a column that never varies no number matters.
                return False
            # Quartiles, which a single cell far away does not move.
            low, mean, high = np.percentile(edges, [25, 50, 75])
            scale = high - low
        elif scale == 1:
            # A column that never varies, as a rule: no number of it matters.
            return False
        gap = float(np.spacing(np.float32(abs(mean) + 3 * scale)))
    # A number moves by half a gap at most; beyond float32's range that is none.
    return not gap / 2 <= _MOST_ROUNDING * scale
