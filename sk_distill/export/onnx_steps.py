"""What skl2onnx is asked to convert: steps that it knows, fed as it feeds them."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
)
from sklearn.utils.validation import check_is_fitted

from sk_distill.encoding.table import is_missing
from sk_distill.export.reading import BUILT_IN, has_student, shipped_student

# In a graph these take an input for each column; of the others many look at one input.
_TAKES_COLUMNS = (ColumnTransformer, OneHotEncoder, OrdinalEncoder, *BUILT_IN)


def shipped_pipeline(estimator: Any) -> Pipeline:
    """Return what is to be converted: steps that act, and after them the student.

    No part of it is a distilled classifier.
    """
    if not isinstance(estimator, Pipeline):
        student = shipped_student(estimator, caller="to_onnx", takes=_ends_in_student)
        return Pipeline([("student", student)])
    check_is_fitted(estimator)
    *before, (name, last) = estimator.steps
    student = shipped_student(last, caller="to_onnx")
    for _, step in before:
        _check_encoders(step)
    return Pipeline([*_steps_that_act(before), (name, student)])


def _ends_in_student(part: Any) -> bool:
    """Whether something has a student, or is a pipeline that ends in one."""
    return has_student(part.steps[-1][1] if isinstance(part, Pipeline) else part)


def _check_encoders(step: Any) -> None:
    """Refuse encoders that make NaN of missing cells: skl2onnx makes a level of it."""
    if isinstance(step, Pipeline | FeatureUnion | ColumnTransformer):
        parts = getattr(step, "transformers_", getattr(step, "transformer_list", None))
        for _, part, *_ in step.steps if parts is None else parts:
            _check_encoders(part)
    elif isinstance(step, OrdinalEncoder) and is_missing(step.encoded_missing_value):
        columns = getattr(step, "feature_names_in_", np.arange(step.n_features_in_))
        has_missing = [
            any(is_missing(cell) for cell in categories.tolist())
            for categories in step.categories_
        ]
        if any(has_missing):
            raise ValueError(
                "to_onnx: an OrdinalEncoder has seen missing cells in columns "
                f"{columns[has_missing].tolist()} and makes NaN of them, of which "
                "skl2onnx makes a level; expected a number. Fit with "
                "OrdinalEncoder(encoded_missing_value=-1), or hand the columns to the "
                "student as they are."
            )


def _steps_that_act(steps: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the steps of a pipeline without those that pass rows through.

    skl2onnx knows none of these, in a pipeline within one neither.
    """
    acting = [(name, _acting(step)) for name, step in steps]
    return [(name, step) for name, step in acting if step != "passthrough"]


def _acting(step: Any) -> Any:
    """Return a step whose pipelines have steps that act alone."""
    if isinstance(step, Pipeline):
        steps = _steps_that_act(step.steps)
        return Pipeline(steps) if steps else "passthrough"
    if isinstance(step, FeatureUnion):
        return _acting_union(step)
    if isinstance(step, ColumnTransformer):
        step = copy(step)
        step.transformers_ = [
            (name, _acting(part), columns) for name, part, columns in step.transformers_
        ]
        return step
    return "passthrough" if step is None else step


def _acting_union(union: FeatureUnion) -> FeatureUnion:
    """Return a union whose pipelines have steps that act alone.

    scikit-learn, too, puts an identity where a part passes all columns through: a union
    has the columns that its first part has learnt.
    """
    parts = [(name, _acting(part)) for name, part in union.transformer_list]
    acting = [part for _, part in parts if hasattr(part, "n_features_in_")]
    if acting:
        identity = FunctionTransformer().fit(np.zeros((1, acting[0].n_features_in_)))
        if hasattr(acting[0], "feature_names_in_"):
            identity.feature_names_in_ = acting[0].feature_names_in_
        parts = [
            (name, identity if part == "passthrough" else part) for name, part in parts
        ]
    return FeatureUnion(parts, transformer_weights=union.transformer_weights)


def takes_columns(model: Any) -> bool:
    """Whether all that gets the table, in a graph, takes an input for each column."""
    if isinstance(model, Pipeline):
        return takes_columns(model.steps[0][1])
    if isinstance(model, FeatureUnion):
        return all(takes_columns(part) for _, part in model.transformer_list)
    return isinstance(model, _TAKES_COLUMNS)


def fed_by_columns(model: Any, n_columns: int) -> Any:
    """Return a model before which the inputs become one tensor, where it needs that.

    Parameters
    ----------
    model : estimator or Pipeline
        It is fitted.
    n_columns : int
        The inputs, which are all of one type.
    """
    if n_columns == 1 or takes_columns(model):
        return model
    if isinstance(model, Pipeline):
        (name, first), *others = model.steps
        if not isinstance(first, Pipeline | FeatureUnion):
            return Pipeline([("columns", _joined(n_columns)), *model.steps])
        return Pipeline([(name, fed_by_columns(first, n_columns)), *others])
    if isinstance(model, FeatureUnion):
        parts = [
            (name, fed_by_columns(part, n_columns))
            for name, part in model.transformer_list
            if part != "drop"
        ]
        return FeatureUnion(parts, transformer_weights=model.transformer_weights)
    joined = _joined(n_columns)
    if model == "passthrough":
        return joined
    return Pipeline([("columns", joined), ("step", model)])


def _joined(n_columns: int) -> ColumnTransformer:
    """Return what skl2onnx turns into the columns beside each other."""
    everything = [("all", "passthrough", slice(0, n_columns))]
    return ColumnTransformer(everything).fit(np.zeros((1, n_columns)))
