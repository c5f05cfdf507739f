"""Answering by numpy: what is fastest from a few dozen weights on."""

from __future__ import annotations

from base64 import b64decode
from bisect import bisect_right
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np

from sk_distill.export.standalone.cells import (
    LARGEST,
    MOST_DEVIATIONS,
    check_level,
    check_row,
    find_level,
    read_number,
    softmax,
)

# Rows at a time: of those that look weights up, what they look up stays in the
# processor's cache.
PLAIN_BLOCK_ROWS, BLOCK_ROWS = 2048, 32

# A number that is multiplied by a slope may be worth this much, of which 11 digits are
# left behind the point.
MOST_RISE = 1e4

# The table that finds the bins of a row at once has at most this many entries.
MOST_RANKS = 4_000_000


def decode(array: tuple[str, tuple[int, ...], str]) -> Any:
    """Return an array of the file in double precision."""
    dtype, shape, text = array
    return np.frombuffer(b64decode(text), dtype).reshape(shape).astype(np.float64)


def softmax_of_rows(logits: Any) -> Any:
    """Return what :func:`softmax` does of each row."""
    if logits.shape[1] == 1:
        small = np.exp(-np.abs(logits))
        low, high = small / (1 + small), 1 / (1 + small)
        return np.where(logits >= 0, np.hstack([low, high]), np.hstack([high, low]))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def activate(h: Any, activation: str) -> Any:
    """Return what hidden units make of their inputs; of relu, those above zero."""
    if activation == "tanh":
        return np.tanh(h, out=h)
    if activation == "logistic":
        # The logistic function, by one that never overflows.
        return np.tanh(h / 2) / 2 + 0.5
    return h


def fold_biases(layers: list[tuple[Any, Any]], activation: str) -> list[Any]:
    """Return layers that do without adding a bias, but for the first.

    Each hidden layer has one unit more, which is the same for all rows: its weights in
    the next layer are the biases there.
    """
    always = float(activate(np.ones(1), activation)[0])
    folded = []
    for i, (weights, bias) in enumerate(layers):
        if i > 0:
            weights = np.vstack([weights, bias / always])
            bias = np.zeros(len(bias))
        if i < len(layers) - 1:
            weights = np.hstack([weights, np.zeros((len(weights), 1))])
            weights[-1, -1] = 1 / always if i > 0 else 0.0
            bias = np.append(bias, 1.0 if i == 0 else 0.0)
        folded.append((weights, bias))
    return folded


def make_answers(student: dict[str, Any]) -> tuple[Callable, Callable]:
    """Return the functions from one row to its probabilities, and from many rows."""
    columns, allow_missing = student["columns"], student["allow_missing"]
    activation, n_columns = student["activation"], len(columns)
    layers = [
        (decode(weights) * (1.0 if scale is None else decode(scale)), decode(bias))
        for weights, scale, bias in student["layers"]
    ]
    layers = fold_biases(layers, activation)
    # Arrays of one shape are sooner compared than an array with a number.
    others = [(np.zeros(len(weights)), weights) for weights, _ in layers[1:]]
    numeric = [j for j, column in enumerate(columns) if "levels" not in column]
    levels = [
        (j, {level: i for i, level in enumerate(column["levels"])})
        for j, column in enumerate(columns)
        if "levels" in column
    ]
    is_plain = not levels and all(
        not column["edges"] and column["missing"] is None for column in columns
    )
    if is_plain:
        first_of_one, first_of_many = make_plain_first(student, *layers[0])
    else:
        first_of_one, first_of_many = make_table_first(
            columns, numeric, [j for j, _ in levels], *layers[0]
        )
    array, dot, maximum = np.array, np.dot, np.maximum
    rectifies = activation == "relu"

    def finish(h: Any) -> Any:
        for zeros, weights in others:
            if rectifies:
                maximum(h, zeros, out=h)
            else:
                h = activate(h, activation)
            h = dot(h, weights)
        return h

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
        try:
            if len(row) != n_columns:
                raise ValueError
            x = array([row[j] for j in numeric] if levels else row, float)
        except (TypeError, ValueError, OverflowError, LookupError):
            x = array(read(row))
        codes = array(find(row)) if levels else None
        logits = finish(first_of_one(x, codes)).tolist()
        if logits[0] != logits[0]:
            # A cell was missing, or was infinite.
            codes = None if codes is None else codes[None]
            logits = finish(first_of_many(x[None], codes))[0].tolist()
        return softmax(logits)

    def many(rows: Any) -> list[list[float]]:
        try:
            # Of an array of numbers nothing has to be read cell by cell.
            X = None if levels else array(rows, float)
        except (TypeError, ValueError, OverflowError):
            X = None
        if X is None or X.shape != (len(rows), n_columns):
            X = array([read(row) for row in rows], float)
        codes = array([find(row) for row in rows]) if levels else None
        size = PLAIN_BLOCK_ROWS if is_plain else BLOCK_ROWS
        proba: list[list[float]] = []
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(X), size):
                block = slice(start, start + size)
                h = first_of_many(X[block], None if codes is None else codes[block])
                proba += softmax_of_rows(finish(h)).tolist()
        return proba

    return one, many


def make_plain_first(
    student: dict[str, Any], weights: Any, bias: Any
) -> tuple[Callable, Callable]:
    """Return the first layer on numbers, as they are or standardised.

    Of the two functions the one takes a row and the other takes many.
    """
    columns, allow_missing = student["columns"], student["allow_missing"]
    mean = np.array([column["mean"] for column in columns])
    scale = np.array([column["scale"] for column in columns])
    scales = student["scales"]
    # A linear map acts on numbers in their own units, any number of which it can.
    standardises = scales and not student["folded"]
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
        with np.errstate(over="ignore", invalid="ignore"):
            if not standardises and np.isfinite(dot(filled, weights) + bias).all():
                return filled
            reach = MOST_DEVIATIONS * scale
            filled = np.clip(filled, mean - reach, mean + reach)
            return (filled - mean) / scale if standardises else filled

    def first_of_one(x: Any, codes: Any) -> Any:
        deviations = x
        if standardises:
            deviations = x - mean
            deviations /= scale
        if not dot(deviations, deviations) < limit:
            deviations = mend(x)
        h = dot(deviations, weights)
        h += bias
        return h

    def first_of_many(x: Any, codes: Any) -> Any:
        deviations = (x - mean) / scale if standardises else x.copy()
        odd = ~((deviations * deviations).sum(axis=1) < limit)
        if odd.any():
            deviations[odd] = [mend(row) for row in x[odd]]
        h = dot(deviations, weights)
        h += bias
        return h

    return first_of_one, first_of_many


def find_segments(column: dict[str, Any]) -> tuple[list[Any], tuple[int, float]]:
    """Return the pieces of a column's effect, and where in them a missing cell is.

    A piece is (left, width, at, to): the weights of slot ``at``, and the share
    ``(x - left) / width`` of the way to those of slot ``to``. Slot -1 is zero. Those of
    bins are in the order of the bins, with a flat one to either side; those of levels
    are in the order of the levels.
    """
    slot = column["slot"]
    if "levels" in column:
        n_levels = len(column["levels"]) + 1
        return [(0.0, LARGEST, slot + i, slot + i) for i in range(n_levels)], (0, 0.0)
    edges = column["edges"]
    if edges:
        n_bins = len(edges) - 1
        segments = [(0.0, LARGEST, slot, slot)]
        segments += [
            (edges[i], min(edges[i + 1] - edges[i], LARGEST), slot + i, slot + i + 1)
            for i in range(n_bins)
        ]
        segments.append((0.0, LARGEST, slot + n_bins, slot + n_bins))
        middle = min(n_bins // 2, n_bins - 1)
        missing = middle + 1, n_bins / 2 - middle
    else:
        segments = [(column["mean"], column["scale"], -1, slot)]
        missing = 0, 0.0
    if column["missing"] is not None:
        missing = len(segments), 0.0
        segments.append((0.0, LARGEST, column["missing"], column["missing"]))
    return segments, missing


def make_table(
    segments: list[Any], weights: Any, only_bins: bool
) -> tuple[Any, Any, Any, bool]:
    """Return what cells look up: a value and a slope, side by side, of each segment.

    Of bins that are not narrow beside how far they are from zero, a number itself is
    multiplied by the slope, and the value is that at zero: this is what the last of the
    four that are returned says. Else it is the share of the bin, which ``left`` and
    ``width``, the others, make of a number.
    """
    left, width = (np.array([segment[i] for segment in segments]) for i in (0, 1))
    at, to = ([segment[i] for segment in segments] for i in (2, 3))
    weights = np.vstack([weights, np.zeros(weights.shape[1])])
    values, slopes = weights[at], weights[to] - weights[at]
    with np.errstate(over="ignore", invalid="ignore"):
        per_number = slopes / width[:, None]
        rises = left[:, None] * per_number
    if only_bins and (np.abs(rises) < MOST_RISE).all():
        return np.hstack([values - rises, per_number]), left, width, True
    return np.hstack([values, slopes]), left, width, False


def make_table_first(
    columns: list[dict[str, Any]],
    numeric: list[int],
    categorical: list[int],
    weights: Any,
    bias: Any,
) -> tuple[Callable, Callable]:
    """Return the first layer on bins and levels: a cell looks up a value and a slope.

    Of the two functions the one takes a row and the other takes many. Columns are in
    the order of ``numeric``, then ``categorical``.
    """
    pieces = [find_segments(columns[j]) for j in numeric + categorical]
    begins = np.cumsum([0, *(len(segments) for segments, _ in pieces)])
    segments = [segment for column, _ in pieces for segment in column]
    only_bins = all(columns[j]["edges"] for j in numeric)
    table, left, width, unscaled = make_table(segments, weights, only_bins)
    n_out, n_numeric, n_entries = len(bias), len(numeric), 2 * len(columns)
    # Every row looks at one segment of the first column.
    table[: begins[1], :n_out] += bias
    first_level = begins[n_numeric:-1]
    absent = [missing for _, missing in pieces[:n_numeric]]
    missing_segment = begins[:n_numeric] + np.array([at for at, _ in absent], np.intp)
    missing_share = np.array([share for _, share in absent])
    if unscaled:
        missing_share *= width[missing_segment]
        missing_share += left[missing_segment]
    find_bins = make_find_bins(
        [columns[j]["edges"] for j in numeric], begins[:n_numeric]
    )
    # By turns what values are multiplied by, and slopes.
    pattern = np.tile([1.0, 0.0], len(columns))
    of_slopes = slice(1, 2 * n_numeric, 2)
    dot, concatenate, take, copy = np.dot, np.concatenate, table.take, pattern.copy
    limit = inf if unscaled else MOST_DEVIATIONS**2

    def mend(x: Any, segment: Any, share: Any) -> None:
        infinite = np.isinf(x)
        if infinite.any():
            read_number(columns[numeric[infinite.nonzero()[-1][0]]], inf, True)
        absent = np.isnan(x)
        segment[absent] = np.broadcast_to(missing_segment, x.shape)[absent]
        share[absent] = np.broadcast_to(missing_share, x.shape)[absent]
        if not only_bins:
            np.clip(share, -MOST_DEVIATIONS, MOST_DEVIATIONS, out=share)

    def first_of_one(x: Any, codes: Any) -> Any:
        segment, share, entries = find_bins(x), x, copy()
        if not unscaled:
            share = (x - left.take(segment)) / width.take(segment)
            # A share of a bin is no number, or from 0 to 1.
            if not (only_bins or dot(share, share) < limit):
                mend(x, segment, share)
        entries[of_slopes] = share
        if codes is not None:
            segment = concatenate((segment, first_level + codes))
        return dot(entries, take(segment, 0).reshape(n_entries, n_out))

    def first_of_many(x: Any, codes: Any) -> Any:
        segment, share, entries = find_bins(x), x, np.tile(pattern, (len(x), 1))
        if not unscaled:
            share = (x - left.take(segment)) / width.take(segment)
        if not (share * share).sum() < limit:
            share = share.copy()
            mend(x, segment, share)
        entries[:, of_slopes] = share
        if codes is not None:
            segment = np.hstack((segment, first_level + codes))
        rows = table.take(segment, 0).reshape(len(x), n_entries, n_out)
        return np.matmul(entries[:, None], rows)[:, 0]

    return first_of_one, first_of_many


def make_find_bins(edges: Sequence[Sequence[float]], begins: Any) -> Callable:
    """Return the function from numbers to their segments.

    The edges of all columns in one array need one search a row, and a table then has
    the segment of each column for each place in that array.
    """
    together = np.unique(np.concatenate([np.empty(0), *edges]))
    n_ranks = len(together) + 1
    if len(edges) * n_ranks > MOST_RANKS:
        # One search a column takes longer, but no more memory than the edges.
        def find_each(x: Any) -> Any:
            rows = np.atleast_2d(x).tolist()
            found = [list(map(bisect_right, edges, row)) for row in rows]
            return (np.array(found) + begins).reshape(x.shape)

        return find_each
    ranks = np.concatenate([[-inf], together])
    segments = [np.searchsorted(e, ranks, "right") for e in edges]
    table = np.array(segments, np.intp).reshape(len(edges), n_ranks)
    table = (table + begins[:, None]).ravel()
    offsets = np.arange(len(edges)) * n_ranks
    search, take = together.searchsorted, table.take

    def find_together(x: Any) -> Any:
        rank = search(x, "right")
        rank += offsets
        return take(rank)

    return find_together
