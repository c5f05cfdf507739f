"""An encoding of numbers as one formula, which any runtime can evaluate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sk_distill.encoding import TableEncoder
from sk_distill.encoding.encoder import MOST_DEVIATIONS
from sk_distill.students import LinearStudent


class Ramps(NamedTuple):
    r"""What becomes of the numbers of a row, as units that rise from low to high.

    Unit u, of the cell x of column ``column[u]``, is

    .. math::

        a_u(x) = \min(\max((x - shift_u) / width_u, low), high)

    and ``fill[u]`` where the cell is missing. A bin is a unit from 0 to 1 (Gorishniy,
    Rubachev & Babenko 2022, arXiv:2203.05556, equation 1); a standardised column is one
    whose bounds are far away; that a cell is missing is one of infinite width, which
    nothing but its fill moves from 0.

    Attributes
    ----------
    column : ndarray of int of shape (n_units,)
        The column of the table that each unit looks at.
    shift, width, fill : ndarray of float of shape (n_units,)
        See above.
    low, high : float
        The bounds.
    right, left : ndarray of int of shape (n_units,)
        A unit's weight is the one of slot ``right[u]`` less the one of ``left[u]``;
        slot ``n_slots`` of the encoder, one more than there are, has weight 0.
    base : ndarray of int
        The slots whose weights all rows have: the bias rises by them.
    """

    column: NDArray[np.int64]
    shift: NDArray[np.float64]
    width: NDArray[np.float64]
    fill: NDArray[np.float64]
    low: float
    high: float
    right: NDArray[np.int64]
    left: NDArray[np.int64]
    base: NDArray[np.int64]


def ramps(encoder: TableEncoder, reach: float = MOST_DEVIATIONS) -> Ramps:
    """Return the units of the numeric columns of a fitted encoding.

    Parameters
    ----------
    encoder : TableEncoder
        The encoding.
    reach : float
        How many deviations a number of a standardised column may be from its mean; see
        :func:`reach_of`.
    """
    values = _bins(encoder) if encoder.edges_ else _lines(encoder, reach)
    place = np.searchsorted(encoder.numeric_, encoder.missing_)
    n_missing = len(place)
    zero = np.zeros(n_missing)
    # Of bins a missing cell's weight takes the place of the first edge's.
    start = np.full(n_missing, encoder.n_slots)
    if encoder.edges_:
        start = encoder.value_slot_[place]
    return Ramps(
        column=np.append(values.column, encoder.missing_),
        shift=np.append(values.shift, zero),
        width=np.append(values.width, zero + np.inf),
        fill=np.append(values.fill, zero + 1),
        low=values.low,
        high=values.high,
        right=np.append(values.right, encoder.missing_slot_[place]),
        left=np.append(values.left, start),
        base=values.base,
    )


def reach_of(student: Any, dtype: DTypeLike) -> float:
    """Return how many deviations from the mean a number is to a student, at most.

    A linear student on plain columns takes any number as it is. So does a runtime that
    calculates in ``dtype``, as far as sums stay finite.
    """
    if not (isinstance(student, LinearStudent) and student.encoder_.folds_):
        return MOST_DEVIATIONS
    coef, intercept = student.encoder_.unfold(student.coef_, student.intercept_)
    most = np.abs(coef).sum(axis=1).max() + np.abs(intercept).max()
    # A quarter: the difference of two such sums is finite, too.
    return float(np.finfo(dtype).max / (4 * max(1.0, most)))


def _lines(encoder: TableEncoder, reach: float) -> Ramps:
    """Return a unit for each column that is standardised or left alone."""
    columns = encoder.numeric_
    bound = reach if encoder.scales_ else np.inf
    return Ramps(
        column=columns,
        shift=encoder.mean_[columns],
        width=encoder.scale_[columns],
        fill=np.zeros(len(columns)),
        low=-bound,
        high=bound,
        right=encoder.value_slot_,
        left=np.full(len(columns), encoder.n_slots),
        base=np.empty(0, dtype=np.int64),
    )


def _bins(encoder: TableEncoder) -> Ramps:
    """Return a unit for each bin."""
    column, shift, width, fill, right = [], [], [], [], []
    for j, start in zip(encoder.numeric_.tolist(), encoder.value_slot_, strict=True):
        edges = encoder.edges_[j].astype(np.float64)
        n_bins = len(edges) - 1
        column += [j] * n_bins
        shift.append(edges[:-1])
        width.append(np.diff(edges))
        # Where none was missing, one that comes is taken for the middle bin.
        middle = 0.0 if j in encoder.missing_ else n_bins / 2
        fill.append(np.clip(middle - np.arange(n_bins), 0, 1))
        right.append(start + 1 + np.arange(n_bins))
    slots = np.concatenate(right)
    return Ramps(
        column=np.array(column),
        shift=np.concatenate(shift),
        width=np.concatenate(width),
        fill=np.concatenate(fill),
        low=0.0,
        high=1.0,
        right=slots,
        left=slots - 1,
        base=encoder.value_slot_,
    )


def first_layer(
    encoder: TableEncoder,
    right: NDArray[np.int64],
    left: NDArray[np.int64],
    base: NDArray[np.int64],
    coef: NDArray[np.floating],
    intercept: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights and bias on units, from those on slots.

    Parameters
    ----------
    encoder : TableEncoder
        The encoding.
    right, left, base : ndarray of int
        As in :class:`Ramps`.
    coef : ndarray of shape (n_slots, n_out)
    intercept : ndarray of shape (n_out,)
    """
    slots = np.zeros((encoder.n_slots + 1, coef.shape[1]))
    slots[:-1] = coef
    return slots[right] - slots[left], intercept + slots[base].sum(axis=0)
