"""The first layer on bins and levels: a cell looks up a value and a slope."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np

from sk_distill.export.standalone.cells import (
    LARGEST,
    MOST_DEVIATIONS,
    find_level,
    read_number,
)

# A number that is multiplied by a slope may be worth this much, of which 10 digits are
# left behind the point.
MOST_RISE = 1e5

# The table that finds the bins of a row at once has at most this many entries.
MOST_RANKS = 4_000_000


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
    levels: list[tuple[int, dict[Any, int]]],
    weights: Any,
    bias: Any,
) -> tuple[Callable, Callable]:
    """Return the first layer on bins and levels: a cell looks up a value and a slope.

    Of the two functions the one returns a new layer of a row as it comes, and the array
    that it writes into; the other takes the numbers of many rows, and the places of
    their levels.
    """
    categorical = [j for j, _ in levels]
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
    take, ndarray = table.take, np.ndarray
    pack_into = struct.Struct(f"{n_numeric}d").pack_into
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

    def make_first() -> tuple[Callable, Any]:
        x, entries, h = np.empty(n_numeric), pattern.copy(), np.empty(n_out)
        cells, shares = x.data, entries[of_slopes]
        segment = np.empty(len(columns), np.intp)
        bins, places = segment[:n_numeric], segment[n_numeric:]
        lines = np.empty((len(columns), 2 * n_out))
        product = lines.reshape(n_entries, n_out).T.dot

        def first_of_one(row: Any) -> None:
            numbers = row
            if levels:
                if len(row) != len(columns):
                    raise ValueError
                numbers = [row[j] for j in numeric]
                codes = [find_level(codes, row[j]) for j, codes in levels]
                np.add(first_level, codes, out=places)
            if type(numbers) is ndarray:
                cells[:] = numbers.data
            else:
                pack_into(cells, 0, *numbers)
            find_bins(x, bins)
            if unscaled:
                shares[:] = x
            else:
                share = (x - left.take(bins)) / width.take(bins)
                # A share of a bin is no number, or from 0 to 1.
                if not (only_bins or share.dot(share) < limit):
                    raise ValueError
                shares[:] = share
            # No place is out of range; to be told so, lines would be copied twice.
            take(segment, 0, lines, "clip")
            product(entries, h)

        return first_of_one, h

    def first_of_many(x: Any, codes: Any) -> Any:
        segment, share = np.empty(x.shape, np.intp), x
        entries = np.tile(pattern, (len(x), 1))
        find_bins(x, segment)
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

    return make_first, first_of_many


def make_find_bins(edges: Sequence[Sequence[float]], begins: Any) -> Callable:
    """Return the function that writes the segments of numbers into an array.

    The edges of all columns in one array need one search a row, and a table then has
    the segment of each column for each place in that array.
    """
    together = np.unique(np.concatenate([np.empty(0), *edges]))
    n_ranks = len(together) + 1
    if len(edges) * n_ranks > MOST_RANKS:
        # One search a column takes longer, but no more memory than the edges.
        def find_each(x: Any, segment: Any) -> None:
            rows = np.atleast_2d(x).tolist()
            found = np.array([list(map(bisect_right, edges, row)) for row in rows])
            np.add(found.reshape(x.shape), begins, out=segment)

        return find_each
    ranks = np.concatenate([[-inf], together])
    segments = [np.searchsorted(e, ranks, "right") for e in edges]
    table = np.array(segments, np.intp).reshape(len(edges), n_ranks)
    table = (table + begins[:, None]).ravel()
    offsets = np.arange(len(edges)) * n_ranks
    search, take = together.searchsorted, table.take

    def find_together(x: Any, segment: Any) -> None:
        rank = search(x, "right")
        rank += offsets
        # As above, none is out of range.
        take(rank, None, segment, "clip")

    return find_together
