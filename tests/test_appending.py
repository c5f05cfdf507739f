"""Rows of one table after those of another, whatever either is."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from sk_distill.encoding import append_rows


@pytest.mark.parametrize("kind", ["frame", "array", "polars"])
def test_rows_are_appended_in_the_form_of_the_first(kind):
    X = pd.DataFrame(
        {
            0: pd.Categorical(["a", "b"]),
            1: np.array([1, 2]),
            2: np.array([0.5, np.nan]),
        }
    )
    more = {
        "frame": X.set_axis(["x", "y", "z"], axis=1).assign(
            x=pd.Categorical(["c", "a"])
        ),
        "array": np.array([["c", 1, 0.5], ["a", 2, np.nan]], dtype=object),
        "polars": pl.DataFrame({"x": ["c", "a"], "y": [1, 2], "z": [0.5, None]}),
    }[kind]
    table = append_rows(X, more)
    assert list(table.columns) == [0, 1, 2]
    assert list(table[0].cat.categories) == ["a", "b", "c"]
    assert list(table[0]) == ["a", "b", "c", "a"]
    assert list(table[1]) == [1, 2, 1, 2]
    assert table.dtypes[1] == np.int64
    assert_array_equal(table[2], [0.5, np.nan, 0.5, np.nan])


def test_rows_of_arrays_lists_and_polars_are_appended():
    numbers = append_rows(np.array([[1, 2]]), pd.DataFrame({"a": [0.5], "b": [1]}))
    assert_array_equal(numbers, [[1, 2], [0.5, 1]])
    text = append_rows([[1, "a"]], [[2, "b"]])
    assert text.dtype == object
    assert text.tolist() == [[1, "a"], [2, "b"]]
    parsed = append_rows(np.array([[1, 2]]), np.array([["3", "4.5"]]))
    assert_array_equal(parsed, [[1, 2], [3, 4.5]])
    X = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    frame = append_rows(X, np.array([[0.5, "z"]], dtype=object))
    assert frame.schema == {"a": pl.Float64, "b": pl.String}
    assert frame["b"].to_list() == ["x", "y", "z"]
