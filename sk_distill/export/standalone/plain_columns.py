"""The first layer on numbers, as they are or standardised."""

from __future__ import annotations

import struct
from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np

from sk_distill.export.standalone.cells import MOST_DEVIATIONS, read_number
from sk_distill.export.standalone.layers import hand_on, make_product


def make_plain_first(student: dict[str, Any], weights: Any, bias: Any) -> Callable:
    """Return the first layer of many rows."""
    columns, allow_missing = student["columns"], student["allow_missing"]
    mean = np.array([column["mean"] for column in columns])
    scale = np.array([column["scale"] for column in columns])
    scales, standardises = student["scales"], student["standardises"]
    limit = MOST_DEVIATIONS**2 if standardises else inf
    dot = np.dot

    def mend(row: Any) -> Any:
        numbers = [
            read_number(column, cell, allow_missing)
            for column, cell in zip(columns, row.tolist(), strict=True)
        ]
        filled = np.array(numbers)
        if not scales:
            return filled
        filled = np.where(np.isnan(filled), mean, filled)
        # A linear map acts on numbers in their own units, any number of which it can.
        if not standardises and np.isfinite(dot(filled, weights) + bias).all():
            return filled
        reach = MOST_DEVIATIONS * scale
        filled = np.clip(filled, mean - reach, mean + reach)
        return (filled - mean) / scale if standardises else filled

    def first_of_many(x: Any, codes: Any) -> Any:
        deviations = (x - mean) / scale if standardises else x.copy()
        odd = ~((deviations * deviations).sum(axis=1) < limit)
        if odd.any():
            deviations[odd] = [mend(row) for row in x[odd]]
        h = dot(deviations, weights)
        h += bias
        return h

    return first_of_many


def make_plain_one(
    student: dict[str, Any], layers: list[tuple[Any, Any]]
) -> tuple[Callable, list[Any], float]:
    """Return what does for a single row: its first layer, the others, and a limit.

    The first of these returns a new first layer, and the array that it writes into.

    Means and scales are parts of the weights, and so is the bias, of a one after the
    numbers. Whether any of these is missing, infinite or far from its mean costs no
    look at them: the last output is the sum of how far they are, which the hidden
    layers hand on. It has to be below the limit.
    """
    (weights, bias), *others = layers
    n_columns, limit = len(weights), inf
    deviations = np.eye(n_columns + 1)[:, :-1]
    shifts, shift = False, np.zeros(n_columns + 1)
    if student["standardises"]:
        limit = MOST_DEVIATIONS
        mean = np.array([column["mean"] for column in student["columns"]])
        scale = np.array([column["scale"] for column in student["columns"]])
        deviations /= scale
        if student["folds"]:
            deviations[-1] = -mean / scale
        else:
            # Means so far from zero have to be subtracted before anything else.
            shifts, shift[:-1] = True, mean
    weights = np.dot(deviations, weights)
    weights[-1] += bias
    rest = [weights for weights, _ in others]
    if others:
        # |d| = 2 max(d, 0) - d, of which the sum needs a unit for either sign.
        total = deviations.sum(axis=1, keepdims=True)
        weights = np.hstack([weights, deviations, total, -total])
        rest = hand_on(rest, np.array([2.0] * n_columns + [-1.0, 1.0]))
    product, ndarray = make_product(weights), np.ndarray
    pack_into = struct.Struct(f"{n_columns}d").pack_into

    def make_first() -> tuple[Callable, Any]:
        x, h = np.ones(n_columns + 1), np.empty(weights.shape[1])
        cells = x.data[:-1]

        def first_of_one(row: Any) -> None:
            if type(row) is ndarray:
                cells[:] = row.data
            else:
                pack_into(cells, 0, *row)
            if shifts:
                np.subtract(x, shift, out=x)
            product(x, h)

        return first_of_one, h

    return make_first, rest, limit
