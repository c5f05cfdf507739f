"""Answering by numpy: what is fastest from a few dozen weights on."""

from __future__ import annotations

import struct
from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np

from sk_distill.export.standalone.binned_columns import make_table_first
from sk_distill.export.standalone.cells import (
    cells_of,
    check_level,
    check_row,
    find_level,
    read_number,
    softmax,
)
from sk_distill.export.standalone.layers import (
    activate,
    as_tanh,
    beside_first,
    decode,
    fold_biases,
    make_product,
    make_run,
    softmax_of_rows,
)
from sk_distill.export.standalone.plain_columns import make_plain_first, make_plain_one

# What a row may hold that is not taken as it is.
UNREADABLE = (struct.error, TypeError, ValueError, OverflowError, LookupError)

# The dtype of arrays of floats.
DOUBLE = np.dtype(float)

# Cells of these types need no look at each of them.
PLAIN = {float, int, bool, type(None)}

# Rows at a time: of those that look weights up, what they look up stays in the
# processor's cache.
PLAIN_BLOCK_ROWS, BLOCK_ROWS = 2048, 32


def read_numbers(rows: Any, n_columns: int) -> Any:
    """Return rows of numbers and None as an array; of all else, nothing."""
    try:
        X = np.array(rows)
        if X.dtype.kind == "O" and PLAIN.issuperset(map(type, X.ravel().tolist())):
            X = X.astype(float)
    except (TypeError, ValueError, OverflowError):
        return None
    if X.dtype.kind not in "biuf" or X.shape != (len(rows), n_columns):
        return None
    return X.astype(np.float64, copy=False)


def make_answers(student: dict[str, Any]) -> tuple[Callable, Callable]:
    """Return the functions from one row to its probabilities, and from many rows."""
    columns, allow_missing = student["columns"], student["allow_missing"]
    activation, n_columns = student["activation"], len(columns)
    numeric = [j for j, column in enumerate(columns) if "levels" not in column]
    levels = [
        (j, {level: i for i, level in enumerate(column["levels"])})
        for j, column in enumerate(columns)
        if "levels" in column
    ]
    is_plain = not levels and all(
        not column["edges"] and column["missing"] is None for column in columns
    )
    layers = [
        (decode(weights) * (1.0 if scale is None else decode(scale)), decode(bias))
        for weights, scale, bias in student["layers"]
    ]
    if is_plain and student["standardises"] and len(layers) == 1:
        # The deviations are a hidden layer, for what that hands on.
        layers.insert(0, (np.eye(n_columns), np.zeros(n_columns)))
    layers[-1] = beside_first(*layers[-1])
    if activation == "logistic":
        layers, activation = as_tanh(layers), "tanh"
    first, *others = layers = fold_biases(layers, activation)
    hidden = [weights for weights, _ in others]
    if is_plain:
        first_of_many = make_plain_first(student, *first)
        make_first, hidden_of_one, limit = make_plain_one(student, layers)
    else:
        make_first, first_of_many = make_table_first(columns, numeric, levels, *first)
        hidden_of_one, limit = hidden, inf
    products = [
        (make_product(weights), len(own), weights.shape[1])
        for weights, own in zip(hidden_of_one, hidden, strict=True)
    ]
    hands_on, ndarray = is_plain and bool(hidden), np.ndarray
    # Whoever asks takes one of these, or has one made, and brings it back: nobody else
    # writes into its arrays meanwhile. There are as many as have answered at a time.
    idle: list[Callable] = []

    def read(row: Any) -> list[float]:
        check_row(columns, row)
        return [read_number(columns[j], row[j], allow_missing) for j in numeric]

    def find(row: Any) -> list[int]:
        try:
            return [find_level(codes, row[j]) for j, codes in levels]
        except TypeError:
            for j, _ in levels:
                check_level(columns[j], row[j])
            raise

    # Unlike many rows, one is not guarded against numpy's warnings, for the time that
    # takes: infinity warns before it is refused, and so may numbers beyond 1e154.
    def one(row: Any) -> list[float]:
        cells = row
        if type(row) is not list and (type(row) is not ndarray or row.dtype != DOUBLE):
            cells = cells_of(row)
            if not isinstance(cells, list | tuple):
                return many([row])[0]
        try:
            run = idle.pop()
        except IndexError:
            run = make_run(make_first, products, activation)
        try:
            logits = run(cells)
            distance = logits.pop() if hands_on else abs(sum(logits))
            if distance < limit:
                return softmax(logits)
        except UNREADABLE:
            pass
        finally:
            idle.append(run)
        # What is no list of numbers near their means is read cell by cell.
        return many([row])[0]

    def many(rows: Any) -> list[list[float]]:
        X = None if levels else read_numbers(rows, n_columns)
        if X is None:
            rows = [cells_of(row) for row in rows]
            X = np.array([read(row) for row in rows], float)
        codes = np.array([find(row) for row in rows]) if levels else None
        size = PLAIN_BLOCK_ROWS if is_plain else BLOCK_ROWS
        proba: list[list[float]] = []
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(X), size):
                block = slice(start, start + size)
                h = first_of_many(X[block], None if codes is None else codes[block])
                for weights in hidden:
                    activate(h, activation)
                    h = np.dot(h, weights)
                proba += softmax_of_rows(h).tolist()
        return proba

    return one, many
