"""Variables in which the problem of a linear map is almost a sphere."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.sparse import csr_array, hstack, issparse

from sk_distill.nn import SlotRows

# A factor of more variables than these takes long to find, and one with more entries
# than so many times those of the rows takes longer to apply than the rows themselves.
_MOST_VARIABLES = 3_000
_MOST_ENTRIES = 4

# All outputs are taken together as long as they make few variables.
_MOST_JOINT = 600

# Of fewer rows a column, all of whose entries count, the moments say little.
_FEWEST_ROWS = 4

# Multiplications for second moments: beyond, a part of the rows will do.
_MOST_PRODUCTS = 50_000_000


class Preconditioner:
    """The map between a linear map's parameters and variables of unit curvature.

    With the Hessian, or something like it, as L Lᵀ, the variables are u = Lᵀ w. What
    takes L-BFGS hundreds of iterations on columns that depend on each other, as the
    slots of a table do, takes tens in them.

    Parameters
    ----------
    hessian : ndarray of shape (n_variables, n_variables)
        Positive definite. Of one output's bias and weights, which then serves for each
        output, or of those of all outputs, one variable's outputs side by side.
    """

    def __init__(self, hessian: NDArray[np.float64]) -> None:
        self.factor = cholesky(hessian, lower=True, check_finite=False)

    def to_variables(self, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return u for flat parameters, the biases first."""
        return (self.factor.T @ self._columns(parameters)).ravel()

    def to_parameters(self, variables: NDArray[np.float64]) -> NDArray[np.float64]:
        """Undo :meth:`to_variables`."""
        return self._solve(variables, "T")

    def to_gradient(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the gradient for u from that for the parameters."""
        return self._solve(gradient, "N")

    def _solve(self, flat: NDArray[np.float64], trans: str) -> NDArray[np.float64]:
        columns = self._columns(flat)
        return solve_triangular(
            self.factor, columns, trans=trans, lower=True, check_finite=False
        ).ravel()

    def _columns(self, flat: NDArray[np.float64]) -> NDArray[np.float64]:
        return flat.reshape(len(self.factor), -1)


def precondition(
    inputs: NDArray[Any] | SlotRows,
    weight: NDArray[Any] | None,
    proba: NDArray[np.float64],
    penalty: float,
) -> Preconditioner | None:
    """Return variables for softmax regression on some rows.

    The Hessian of the mean cross-entropy at probabilities q is that of the blocks
    ``mean(q_a (δ_ab - q_b) x xᵀ)`` of outputs a and b, with x the row after a one.

    Parameters
    ----------
    inputs : ndarray of shape (n_rows, n_inputs) or SlotRows
        The rows.
    weight : ndarray of shape (n_rows,) or None
        Their weights.
    proba : ndarray of shape (n_rows, n_classes) or (1, n_classes)
        The probabilities, or those that serve for all rows: where all rows have the
        same, and where there are many variables, all outputs share one block.
    penalty : float
        That of half the squared norm of the weights.

    Returns
    -------
    preconditioner : Preconditioner or None
        None where there are too many variables, or too few rows for them, and where
        nothing curves.
    """
    rows: Any = inputs.matrix if isinstance(inputs, SlotRows) else inputs
    n_rows, n_variables = rows.shape[0], rows.shape[1] + 1
    if n_variables > _MOST_VARIABLES:
        return None
    if isinstance(inputs, SlotRows):
        if n_variables**2 > _MOST_ENTRIES * rows.nnz:
            return None
    elif n_rows < _FEWEST_ROWS * n_variables:
        return None
    ones = np.ones((n_rows, 1))
    weight = np.ones(n_rows) if weight is None else weight
    weight = weight / weight.sum()

    ridge = np.zeros((n_variables, n_variables))
    if isinstance(inputs, SlotRows):
        rows = hstack([csr_array(ones), rows], "csr")
        ridge[1:, 1:] = (penalty * inputs.unit_map.T @ inputs.unit_map).toarray()
    else:
        rows = np.concatenate([ones, rows], axis=1)
        ridge[1:, 1:] = penalty * np.eye(n_variables - 1)

    n_outputs = 1 if proba.shape[1] == 2 else proba.shape[1]
    joint = len(proba) > 1 and n_outputs > 1 and n_outputs * n_variables <= _MOST_JOINT
    n_blocks = n_outputs * (n_outputs + 1) // 2 if joint else 1
    some = _some_rows(rows, n_blocks)
    if some is not None:
        rows, weight = rows[some], weight[some] / weight[some].sum()
        proba = proba if len(proba) == 1 else proba[some]
    if not joint:
        curvature = (proba * (1 - proba)).mean(axis=1)
        return _factored(second_moments(rows, weight * curvature) + ridge)
    hessian = np.empty((n_variables, n_outputs, n_variables, n_outputs))
    for a in range(n_outputs):
        for b in range(a + 1):
            if a == b:
                curvature = proba[:, a] * (1 - proba[:, a])
                block = second_moments(rows, weight * curvature) + ridge
            else:
                block = -second_moments(rows, weight * proba[:, a] * proba[:, b])
            hessian[:, a, :, b] = hessian[:, b, :, a] = block
    n_all = n_variables * n_outputs
    return _factored(hessian.reshape(n_all, n_all))


def _some_rows(rows: Any, n_blocks: int) -> NDArray[np.int64] | None:
    """Return which rows will do for the second moments; None where all are few enough.

    They are drawn, always the same ones: rows in a row may be alike.
    """
    n_rows = rows.shape[0]
    n_entries = rows.nnz / n_rows if issparse(rows) else rows.shape[1]
    n_some = int(_MOST_PRODUCTS / (n_blocks * n_entries**2))
    if n_some >= n_rows:
        return None
    rng = np.random.default_rng(0)
    return np.sort(rng.choice(n_rows, max(n_some, 1), replace=False))


def second_moments(rows: Any, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``rows.T @ diag(weight) @ rows``."""
    product = rows.T @ _scaled(rows, weight)
    return product.toarray() if issparse(rows) else product


def _scaled(rows: Any, weight: NDArray[np.float64]) -> Any:
    column = weight[:, None]
    return rows.multiply(column).tocsr() if issparse(rows) else rows * column


def _factored(hessian: NDArray[np.float64]) -> Preconditioner | None:
    """Return what a Hessian says, or None where it says nothing.

    Rounding must not spoil it, nor a direction that nothing curves: the biases of all
    outputs may rise together, and the rows that were looked at may have none of a slot,
    which is then taken to be rare. Without any doubt or penalty nothing curves at all.
    """
    diagonal = np.diag(hessian)
    hessian = hessian + np.diag(1e-6 * diagonal + 1e-5 * diagonal.mean())
    try:
        return Preconditioner(hessian)
    except LinAlgError:
        return None
