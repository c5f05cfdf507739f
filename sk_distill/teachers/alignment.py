"""Networks whose hidden units are put in one order, so that weights can be averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


class Chain(NamedTuple):
    """Linear layers with element-wise functions between them.

    Attributes
    ----------
    coefs : list of ndarray of shape (n_in, n_out)
        Weights of each layer.
    intercepts : list of ndarray of shape (n_out,)
        Biases of each layer.
    """

    coefs: list[NDArray[Any]]
    intercepts: list[NDArray[Any]]

    def reorder(self, orders: Sequence[NDArray[np.int64]]) -> Self:
        """Return the same function with each hidden layer's units in another order."""
        coefs, intercepts = list(self.coefs), list(self.intercepts)
        for i, order in enumerate(orders):
            coefs[i], intercepts[i] = coefs[i][:, order], intercepts[i][order]
            coefs[i + 1] = coefs[i + 1][order]
        return self._replace(coefs=coefs, intercepts=intercepts)


def fuse_chains(
    chains: Sequence[Chain], hidden: Sequence[Sequence[NDArray[Any]]]
) -> Chain:
    """Return the mean of networks, after their units are matched to the first one's.

    Parameters
    ----------
    chains : sequence of Chain
        Networks of one shape.
    hidden : sequence of sequences of ndarray of shape (n_rows, n_units)
        What each layer of each network says of the same rows.

    Returns
    -------
    chain : Chain
        In the precision of the first.
    """
    first, *others = chains
    aligned = [first] + [
        chain.reorder(
            [match_units(a, b) for a, b in zip(hidden[0], values, strict=True)]
        )
        for chain, values in zip(others, hidden[1:], strict=True)
    ]
    return Chain(
        [_mean(layers) for layers in zip(*(c.coefs for c in aligned), strict=True)],
        [
            _mean(layers)
            for layers in zip(*(c.intercepts for c in aligned), strict=True)
        ],
    )


def match_units(reference: NDArray[Any], other: NDArray[Any]) -> NDArray[np.int64]:
    r"""Return the order of a layer's units in which they are most like another's.

    It maximises :math:`\sum_j \text{corr}(a_j, b_{π(j)})` over permutations π: optimal
    transport between equal masses (Singh & Jaggi 2020, arXiv:1910.05653, section 4),
    by the correlation of activations (Li et al. 2016, arXiv:1511.07543).

    Parameters
    ----------
    reference, other : ndarray of shape (n_rows, n_units)
        Values of the units for the same rows.

    Returns
    -------
    order : ndarray of shape (n_units,)
        ``other[:, order]`` is like ``reference``.
    """
    correlation = _standardise(reference).T @ _standardise(other)
    return linear_sum_assignment(correlation, maximize=True)[1]


def _standardise(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return columns of mean 0 and length 1; a unit that never changes is like none."""
    deviations = values - values.mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(deviations, axis=0)
    return deviations / np.where(length > 0, length, 1)


def _mean(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.mean(arrays, axis=0, dtype=np.float64).astype(arrays[0].dtype)
