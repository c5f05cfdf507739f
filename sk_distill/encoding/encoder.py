"""From a table to positions, and from positions to what a linear map acts on.

Between the table and a network a row takes two forms. Its *positions* are one number a
column: deviations from the mean, bins from the left, or the code of a level. They are
what is stored and trained on, being as small as the table. The first layer acts on a
wider form of them, in one of two bases:

- *units*, in which networks are trained: a column of T bins has T units, filled from
  the left (Gorishniy, Rubachev & Babenko 2022, arXiv:2203.05556, equation 1); a level
  has one, and so has a column's being missing.
- *slots*, in which fitted weights are stored: the same functions, by their values at
  the T + 1 edges of the bins. At most two slots of a column are not zero, so that
  predicting costs as little for a hundred bins as for two.

Weights W on units and V on slots are the same map where V = ``slot_map() @ W``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import block_diag, csr_array, eye_array, vstack
from sklearn.preprocessing import StandardScaler

from sk_distill.encoding.bins import column_edges
from sk_distill.encoding.levels import Levels, learn_levels
from sk_distill.encoding.table import Table

# No row that a scaler was fitted on is farther than sqrt(n_rows) deviations from the
# mean, so this bound touches only rows to come, and keeps them finite in float32.
MOST_DEVIATIONS = 1e6

# A mean that is farther from zero, in deviations, leaves less than eight digits of them
# to a linear map of numbers in their own units.
_FARTHEST_FOLDED = 1e8

# The squares of larger numbers than this overflow when they are added up.
_LARGEST_SQUARED = 1e100

# Rows at a time: the float64 intermediate never grows with the table.
_BLOCK_ROWS = 8192


class TableEncoder:
    """The fitted encoding of a table.

    Attributes
    ----------
    numeric_ : ndarray of int
        The numeric columns.
    mean_, scale_ : ndarray of shape (n_columns,)
        What standardising subtracts, and what it divides by; 0 and 1 of other columns.
    scales_ : bool
        Whether numbers are changed at all.
    edges_ : dict of int to ndarray of shape (n_bins + 1,)
        The edges of the bins of each numeric column; empty where numbers are
        standardised or left alone.
    missing_ : ndarray of int
        The numeric columns in which missing cells have a unit of their own. In the
        others none was seen, and one that comes is taken for the mean or, of bins, for
        the middle one.
    levels_ : dict of int to Levels
        The levels of each categorical column.
    n_slots, n_units : int
        Width of a row in either basis.
    folds_ : bool
        Whether a linear map may act on numbers in their own units; see :meth:`fold`.
    """

    def fit(
        self,
        table: Table,
        targets: NDArray[Any],
        weight: NDArray[Any] | None,
        encoding: str | None,
        n_bins: int,
    ) -> TableEncoder:
        """Learn means, edges and levels.

        Parameters
        ----------
        table : Table
            Rows of positive weight.
        targets : ndarray of shape (n_rows, n_classes)
            Probabilities; they choose the bins of "piecewise_linear".
        weight : ndarray of shape (n_rows,) or None
            Positive weights.
        encoding : {"piecewise_linear", "quantile", "standard", None}
            What becomes of numbers.
        n_bins : int
            Bins of a column, at most.
        """
        X = table.numbers
        n_columns = X.shape[1]
        self.numeric_ = np.setdiff1d(np.arange(n_columns), list(table.categories))
        absent = np.isnan(X)
        self.missing_ = np.flatnonzero(absent.any(axis=0))
        self.scales_ = encoding is not None
        self.mean_, self.scale_ = np.zeros(n_columns), np.ones(n_columns)
        self.edges_ = {}
        if encoding == "standard":
            self._fit_scale(X, weight)
        elif encoding is not None:
            knows_targets = encoding == "piecewise_linear"
            for j in self.numeric_.tolist():
                # A slice copies nothing.
                seen = ~absent[:, j] if j in self.missing_ else slice(None)
                self.edges_[j] = column_edges(
                    X[seen, j],
                    targets[seen] if knows_targets else None,
                    None if weight is None else weight[seen],
                    n_bins,
                )
        self.levels_ = {
            j: learn_levels(column, weight) for j, column in table.categories.items()
        }
        self._lay_out()
        return self

    @property
    def is_plain(self) -> bool:
        """Whether positions, units and slots are the same: a number a column."""
        return not (self.edges_ or self.levels_ or len(self.missing_))

    def positions(self, table: Table, dtype: DTypeLike) -> NDArray[Any]:
        """Return one number a cell as a new C-ordered array, NaN where one is missing.

        Parameters
        ----------
        table : Table
            Rows.
        dtype : dtype
            Of the result; the arithmetic is in float64, so that a column far from zero
            keeps its digits.

        Returns
        -------
        positions : ndarray of shape (n_rows, n_columns)
        """
        X = table.numbers
        if not self.scales_:
            return np.array(X, dtype=dtype, order="C")
        out = np.empty(X.shape, dtype=dtype)
        if self.edges_:
            for j, edges in self.edges_.items():
                out[:, j] = np.interp(X[:, j], edges, np.arange(len(edges)))
        else:
            for start in range(0, len(X), _BLOCK_ROWS):
                block = slice(start, start + _BLOCK_ROWS)
                with np.errstate(over="ignore"):
                    deviations = (X[block] - self.mean_) / self.scale_
                np.minimum(deviations, MOST_DEVIATIONS, out=deviations)
                np.maximum(
                    deviations, -MOST_DEVIATIONS, out=out[block], casting="same_kind"
                )
        for j, column in table.categories.items():
            out[:, j] = self.levels_[j].codes(column)
        absent = np.isnan(out)
        if absent.any():
            absent[:, self.missing_] = False
            rows, columns = absent.nonzero()
            out[rows, columns] = self._middle()[columns]
        return out

    def _middle(self) -> NDArray[np.float64]:
        """Return the position that stands for a missing cell where none was seen."""
        middle = np.zeros(len(self.mean_))
        for j, edges in self.edges_.items():
            # Half of the quantiles' bins lie to either side.
            middle[j] = (len(edges) - 1) / 2
        return middle

    def _fit_scale(self, X: NDArray[Any], weight: NDArray[Any] | None) -> None:
        peaks = np.fmax.reduce(np.abs(X), axis=0).astype(np.float64)
        unit = np.where(peaks > _LARGEST_SQUARED, peaks, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            small = X if (unit == 1).all() else X / unit
            scaler = StandardScaler().fit(small, sample_weight=weight)
        # A column without a single number has no mean.
        self.mean_ = np.nan_to_num(scaler.mean_) * unit
        self.scale_ = np.nan_to_num(scaler.scale_, nan=1.0) * unit

    def product(
        self, positions: NDArray[Any], weights: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Return rows of positions, on the basis of slots, times ``weights``.

        Parameters
        ----------
        positions : ndarray of shape (n_rows, n_columns)
            Rows.
        weights : ndarray of shape (n_slots, n_out) or (n_members, n_slots, n_out)
            Weights on slots.

        Returns
        -------
        product : ndarray of shape (n_rows, n_out) or (n_members, n_rows, n_out)
            In float64.
        """
        if weights.ndim == 3:
            return np.stack([self.product(positions, member) for member in weights])
        if self.is_plain:
            return positions @ weights.astype(np.float64, copy=False)
        index, value = self.sparse_slots(positions)
        if index.size < self.n_slots:
            # Few rows look at few weights: to convert them all would take longer.
            picked = weights[index].astype(np.float64, copy=False)
            return np.matmul(value[:, None, :], picked)[:, 0]
        return self.slots(positions) @ weights.astype(np.float64, copy=False)

    def units(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Return rows of positions on the basis of units, a dense matrix."""
        if self.is_plain:
            return positions
        units = self.slots(positions) @ self.slot_map()
        return units.toarray().astype(positions.dtype)

    def slots(self, positions: NDArray[Any]) -> csr_array:
        """Return rows of positions on the basis of slots.

        Returns
        -------
        slots : csr_array of shape (n_rows, n_slots)
            In float64.
        """
        index, share = self.sparse_slots(positions)
        starts = np.arange(0, index.size + 1, index.shape[1])
        shape = (len(positions), self.n_slots)
        return csr_array((share.ravel(), index.ravel(), starts), shape=shape)

    def sparse_slots(
        self, positions: NDArray[Any]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the slots of each row that may differ from zero, and their values.

        Returns
        -------
        index, value : ndarray of shape (n_rows, n_entries)
        """
        number = positions[:, self.numeric_].astype(np.float64)
        absent = np.isnan(number)
        number[absent] = 0
        if self.edges_:
            below = np.minimum(number.astype(np.int64), self.last_bin_)
            above = number - below
            first = self.value_slot_ + below
            index, value = [first, first + 1], [1 - above, above]
        else:
            first = np.repeat(self.value_slot_[None], len(number), axis=0)
            index, value = [first], [number]
        if absent.any():
            first[absent] = np.broadcast_to(self.missing_slot_, absent.shape)[absent]
            value[0][absent] = 1
        if self.levels_:
            codes = positions[:, list(self.levels_)].astype(np.int64)
            index.append(self.level_slot_ + codes)
            value.append(np.ones(codes.shape))
        return np.hstack(index), np.hstack(value)

    def left_edges(self, *, missing: bool) -> NDArray[np.int64]:
        """Return where the bins of columns with missing cells begin, or of others."""
        if not self.edges_:
            return np.empty(0, dtype=np.int64)
        return self.value_slot_[np.isin(self.numeric_, self.missing_) == missing]

    def slots_of_columns(self) -> dict[int, NDArray[np.int64]]:
        """Return the slots of each column, a missing cell's or other levels' last."""
        ends = self.value_slot_ + (self.last_bin_ + 2 if self.edges_ else 1)
        slots = {
            int(j): np.arange(start, end)
            for j, start, end in zip(self.numeric_, self.value_slot_, ends, strict=True)
        }
        for j in self.missing_.tolist():
            k = np.searchsorted(self.numeric_, j)
            slots[j] = np.append(slots[j], self.missing_slot_[k])
        for j, start in zip(self.levels_, self.level_slot_, strict=True):
            slots[j] = start + np.arange(len(self.levels_[j].names) + 1)
        return dict(sorted(slots.items()))

    def fold(
        self, coef: NDArray[Any], intercept: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a linear map of plain positions as one of the table itself.

        Of a column of 1e15 ± 100 the mean has to be subtracted first: it is no use for
        predicting where ``folds_`` is False.

        Parameters
        ----------
        coef : ndarray of shape (n_outputs, n_columns)
        intercept : ndarray of shape (n_outputs,)
        """
        coef = coef / self.scale_
        return coef, intercept - coef @ self.mean_

    def unfold(
        self, coef: NDArray[Any], intercept: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Undo :meth:`fold`."""
        return coef * self.scale_, intercept + coef @ self.mean_

    def slot_map(self) -> csr_array:
        """Return what turns weights on units into weights on slots.

        It and its inverse are made where they are asked for, in training: a fitted
        network that is shipped needs neither.

        Returns
        -------
        slot_map : csr_array of shape (n_slots, n_units)
        """
        return block_diag([block for block, _ in self._blocks()], format="csr")

    def unit_map(self) -> csr_array:
        """Return what turns them back, of shape (n_units, n_slots)."""
        return block_diag([inverse for _, inverse in self._blocks()], format="csr")

    def _blocks(self) -> list[tuple[csr_array, csr_array]]:
        """Return both maps of each column: of values, of missing cells, of levels."""
        one = eye_array(1, format="csr")
        if self.edges_:
            blocks = [bins_to_slots(len(edges) - 1) for edges in self.edges_.values()]
        else:
            blocks = [(one, one)] * len(self.numeric_)
        blocks += [(one, one)] * len(self.missing_)
        return blocks + [levels_to_slots(column) for column in self.levels_.values()]

    def _lay_out(self) -> None:
        """Give each column its units and slots: values, missing cells, levels."""
        sizes = np.array([block.shape for block, _ in self._blocks()], dtype=np.int64)
        ends = np.cumsum(sizes, axis=0)
        self.n_slots, self.n_units = ends[-1].tolist()
        slot = (ends - sizes)[:, 0]
        n_numeric, n_missing = len(self.numeric_), len(self.missing_)
        self.value_slot_ = slot[:n_numeric]
        self.last_bin_ = sizes[:n_numeric, 1] - 1 if self.edges_ else slot[:0]
        # A column that has no slot for missing cells never asks for it.
        self.missing_slot_ = sizes[:n_numeric, 0].sum() + np.searchsorted(
            self.missing_, self.numeric_
        )
        self.level_slot_ = slot[n_numeric + n_missing :]
        self.level_count_ = sizes[n_numeric + n_missing :, 1]
        self.note_folds()

    def note_folds(self) -> None:
        """Set ``folds_``, which follows from means and scales."""
        reach = _FARTHEST_FOLDED * self.scale_
        self.folds_ = self.is_plain and bool((np.abs(self.mean_) <= reach).all())


def bins_to_slots(n_bins: int) -> tuple[csr_array, csr_array]:
    """Return what turns ``n_bins`` units into values at the edges, and its inverse."""
    to_slots = np.tril(np.ones((n_bins + 1, n_bins)), k=-1)
    to_units = np.diff(np.eye(n_bins + 1), axis=0)
    return csr_array(to_slots), csr_array(to_units)


def levels_to_slots(levels: Levels) -> tuple[csr_array, csr_array]:
    """Return what turns the units of a column's levels into slots, and its inverse.

    Where no level was rare, nothing is learnt of the others: one that comes is taken
    for the mean level.
    """
    n_units = len(levels.names) + levels.has_rare
    units = eye_array(n_units, format="csr")
    if levels.has_rare:
        return units, units
    to_slots = vstack([units, csr_array(levels.shares[None])], format="csr")
    return to_slots, eye_array(n_units, n_units + 1, format="csr")
