"""Leaving out the hidden units that say least."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_distill.compression.network import (
    Network,
    activated,
    first_inputs,
    layer_outputs,
)
from sk_distill.encoding import Table


def prune_units(network: Network, table: Table, share: float) -> Network:
    """Return the network with a share of each hidden layer's units left out.

    From the first hidden layer to the last: a unit's contribution is the standard
    deviation of its value over the rows times the norm of its outgoing weights. Those
    that contribute least go, and the next layer learns to do without them: its weights
    on the units that stay, and its bias, change by what makes up for the loss on these
    rows, by least squares (He, Zhang & Sun 2017, arXiv:1707.06168, section 3.1).

    Parameters
    ----------
    network : Network
        It is not changed.
    table : Table
        The rows.
    share : float
        What share of the units goes; each layer keeps one at least.
    """
    original = network
    inputs = wanted_inputs = first_inputs(network.encoder, table)
    for i, width in enumerate(network.n_units):
        wanted = layer_outputs(wanted_inputs, original.coefs[i], original.intercepts[i])
        wanted_inputs = activated(wanted, network.activation)
        outputs = layer_outputs(inputs, network.coefs[i], network.intercepts[i])
        units = activated(outputs, network.activation)
        n_kept = max(1, width - round(share * width))
        kept = largest(contributions(units, network.coefs[i + 1]), n_kept)
        network = network.with_layer(
            i, network.coefs[i][:, kept], network.intercepts[i][kept]
        )
        inputs, outgoing = units[:, kept], network.coefs[i + 1][kept]
        intercept = network.intercepts[i + 1]
        loss = layer_outputs(
            wanted_inputs, original.coefs[i + 1], original.intercepts[i + 1]
        ) - layer_outputs(inputs, outgoing, intercept)
        change, shift = least_squares(inputs, loss)
        network = network.with_layer(i + 1, outgoing + change, intercept + shift)
    return network


def contributions(
    units: NDArray[np.float64], outgoing: NDArray[Any]
) -> NDArray[np.float64]:
    """Return how much each unit moves the next layer from row to row.

    Parameters
    ----------
    units : ndarray of shape (n_rows, n_units)
        Their values.
    outgoing : ndarray of shape (n_units, n_out)
        The next layer's weights on them.
    """
    return units.std(axis=0) * np.linalg.norm(outgoing, axis=1)


def largest(values: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Return where the ``n`` largest values are, from left to right."""
    return np.sort(np.argsort(-values, kind="stable")[:n])


def least_squares(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the weights and the bias of the linear map from x that is nearest to y.

    A slight ridge, which counts as one more row, keeps the weights small where columns
    of x depend on each other.
    """
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    x, y = x - x_mean, y - y_mean
    moments = x.T @ x
    moments += np.eye(len(moments)) * (np.trace(moments) / len(moments) / len(x))
    # Columns that never vary leave nothing to solve for.
    weights = np.linalg.lstsq(moments, x.T @ y, rcond=None)[0]
    return weights, y_mean - x_mean @ weights
