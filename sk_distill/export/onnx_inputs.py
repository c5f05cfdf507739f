"""The inputs of a graph: what columns there are, and which of them hold text."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from sk_distill.export.levels import levels_of
from sk_distill.export.reading import BUILT_IN


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
    text = text_columns(estimator, list(range(n_columns)), names)
    if names is None and not text:
        return [("X", FloatTensorType([None, n_columns]))]
    if names is None:
        names = [f"x{j}" for j in range(n_columns)]
    return [
        (str(name), (StringTensorType if j in text else FloatTensorType)([None, 1]))
        for j, name in enumerate(names)
    ]


def text_columns(part: Any, columns: list[int], names: Any) -> set[int]:
    """Return which of a fitted part's columns hold text, by what it has learnt.

    Parameters
    ----------
    part : estimator or str
        A student has levels, scikit-learn's encoders have ``categories_``, an imputer
        ``statistics_``; a pipeline is asked for its first step.
    columns : list of int
        The columns of the table that it gets.
    names : ndarray of str or None
        The names of the table's columns.
    """
    if isinstance(part, Pipeline):
        return text_columns(part.steps[0][1], columns, names)
    if isinstance(part, ColumnTransformer):
        text = set()
        for _, inner, picked in part.transformers_:
            places = _places(picked, columns, names)
            text |= text_columns(inner, [columns[place] for place in places], names)
        return text
    if isinstance(part, BUILT_IN):
        levels = levels_of(part.encoder_, caller="to_onnx")
        return {columns[j] for j, column in levels.items() if column.is_text}
    learnt = getattr(part, "categories_", getattr(part, "statistics_", None))
    if learnt is None or isinstance(part, str):
        return set()
    return {
        j
        for j, values in zip(columns, learnt, strict=True)
        if any(isinstance(value, str) for value in np.atleast_1d(values).tolist())
    }


def _places(picked: Any, columns: list[int], names: Any) -> list[int]:
    """Return the places of the columns that a ColumnTransformer hands to a part."""
    if isinstance(picked, str):
        picked = [picked]
    if not isinstance(picked, slice) and all(isinstance(c, str) for c in picked):
        of_name = {name: place for place, name in enumerate(names)}
        return [of_name[name] for name in picked]
    return np.atleast_1d(np.arange(len(columns))[picked]).tolist()
