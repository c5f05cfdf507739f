"""The rows of a fit, and what is known of each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_distill.encoding import Table, TableEncoder


class Rows(NamedTuple):
    """A table with the labels, soft targets and weights of its rows.

    Attributes
    ----------
    table : Table
        The rows.
    codes : ndarray of shape (n_rows,) or None
        Labels as integers from 0.
    soft_targets : ndarray of shape (n_rows, n_classes) or None
        A teacher's probabilities.
    weight : ndarray of shape (n_rows,) or None
        Weights; None where every row weighs the same.
    hints : ndarray of shape (n_rows, n_hints) or None
        The teacher's features.
    first_layer : ndarray of shape (n_rows, n_units) or None
        What units of the first layer are to be before activation.
    """

    table: Table
    codes: NDArray[Any] | None
    soft_targets: NDArray[Any] | None
    weight: NDArray[Any] | None = None
    hints: NDArray[Any] | None = None
    first_layer: NDArray[Any] | None = None

    def without_weightless(self) -> Rows:
        """Return the rows that weigh something: the others are as good as absent."""
        if self.weight is None or self.weight.all():
            return self
        present = self.weight > 0
        known = (None if known is None else known[present] for known in self[1:])
        return Rows(self.table.take(present), *known)

    def alone(self) -> Rows:
        """Return the rows without what the teacher says."""
        return self._replace(soft_targets=None, hints=None, first_layer=None)

    def fit_encoder(
        self, encoding: str | None, n_bins: int, n_classes: int
    ) -> TableEncoder:
        """Return the encoding that these rows teach.

        Bins are chosen for the soft targets or, where there are none, for the labels.
        """
        targets = self.soft_targets
        if targets is None:
            targets = np.eye(n_classes)[self.codes]
        return TableEncoder().fit(self.table, targets, self.weight, encoding, n_bins)
