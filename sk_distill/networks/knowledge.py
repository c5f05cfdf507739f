"""What a student learns of its teacher beside soft targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.sparse import diags_array, eye_array
from scipy.sparse.linalg import splu

from sk_distill.encoding import TableEncoder

if TYPE_CHECKING:
    from sk_distill.training import Shares

# Least squares from so many rows at most: more move the weights by little.
_MOST_ROWS = 20_000

# A ridge that decides only what the rows leave open.
_RIDGE = 1e-4

# Up to so many slots the normal equations are solved as a dense matrix.
_DENSE_SLOTS = 4096


class Knowledge(NamedTuple):
    """What a teacher tells of its inside, and how much each kind counts.

    Attributes
    ----------
    probabilities : float
        Weight of the soft targets.
    hints : ndarray of shape (n_rows, n_hints) or None
        The teacher's features of the labelled rows, which the student's last hidden
        layer is to tell by a linear map.
    transfer_hints : ndarray of shape (n_transfer, n_hints) or None
        Those of the transfer rows.
    features : float
        Weight of the hints.
    first_layer : ndarray of shape (n_rows, n_units) or None
        What units of the student's first layer are to be before activation: its weights
        begin there, and are pulled there.
    weights : float
        Weight of the pull.
    """

    probabilities: float = 1.0
    hints: NDArray[Any] | None = None
    transfer_hints: NDArray[Any] | None = None
    features: float = 0.0
    first_layer: NDArray[Any] | None = None
    weights: float = 0.0

    @property
    def shares(self) -> Shares:
        """How much each kind counts."""
        from sk_distill.training import Shares

        return Shares(self.probabilities, self.features, self.weights)


SOFT_TARGETS_ALONE = Knowledge()


class Anchor(NamedTuple):
    """Weights on units and biases of a first layer's first units.

    Attributes
    ----------
    weights : ndarray of shape (n_encoder_units, n_units)
    biases : ndarray of shape (n_units,)
    """

    weights: NDArray[Any]
    biases: NDArray[Any]


def least_squares(
    encoder: TableEncoder,
    positions: NDArray[Any],
    weight: NDArray[Any] | None,
    outputs: NDArray[Any],
) -> Anchor:
    """Return the first layer that is nearest to ``outputs`` on these rows.

    Parameters
    ----------
    encoder : TableEncoder
        The student's.
    positions : ndarray of shape (n_rows, n_columns)
        Rows.
    weight : ndarray of shape (n_rows,) or None
        Weights of the squares.
    outputs : ndarray of shape (n_rows, n_units)
        What the units are to be.
    """
    weight = np.ones(len(positions)) if weight is None else weight
    if len(positions) > _MOST_ROWS:
        rows = np.random.default_rng(0).choice(len(positions), _MOST_ROWS, False)
        positions, weight, outputs = positions[rows], weight[rows], outputs[rows]
    weight = weight / weight.sum()
    # On slots the problem is well conditioned, and the rows are sparse.
    slots = encoder.slots(positions)
    mean, level = slots.T @ weight, weight @ outputs
    weighted = diags_array(weight) @ slots
    right = weighted.T @ (outputs - level)
    squares = slots.T @ weighted
    if encoder.n_slots <= _DENSE_SLOTS:
        matrix = squares.toarray() - np.outer(mean, mean)
        ridge = _RIDGE * max(matrix.diagonal().mean(), 1e-12)
        matrix[np.diag_indices_from(matrix)] += ridge
        on_slots = solve(matrix, right, assume_a="pos")
        biases = level - mean @ on_slots
    else:
        # Without the means' outer product, which is not sparse.
        ridge = _RIDGE * squares.diagonal().mean()
        on_slots = splu((squares + ridge * eye_array(encoder.n_slots)).tocsc()).solve(
            np.asarray(right)
        )
        biases = level
    on_slots, biases = begin_at_zero(encoder, on_slots, biases)
    return Anchor(encoder.unit_map() @ on_slots, biases)


def begin_at_zero(
    encoder: TableEncoder, on_slots: NDArray[Any], biases: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the same map with every curve zero where its first bin begins.

    That is what units can say: at the left edge of a column none of them is filled.
    """
    on_slots, biases = on_slots.copy(), biases.copy()
    for j, column in encoder.slots_of_columns().items():
        if j in encoder.edges_:
            effect = on_slots[column[0]].copy()
            on_slots[column] -= effect
            biases += effect
    return on_slots, biases
