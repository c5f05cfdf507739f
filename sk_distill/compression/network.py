"""A fitted student as an encoding and arrays."""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_distill.encoding import Table, TableEncoder
from sk_distill.inference import activate
from sk_distill.students import LinearStudent, MLPStudent


class Network(NamedTuple):
    """What a student predicts with.

    Attributes
    ----------
    encoder : TableEncoder
        The encoding.
    coefs : list of ndarray of shape (n_in, n_out)
        Weights of each layer, those of the first on the encoder's slots.
    intercepts : list of ndarray of shape (n_out,)
        Biases of each layer.
    activation : str
        What hidden layers apply.
    """

    encoder: TableEncoder
    coefs: list[NDArray[Any]]
    intercepts: list[NDArray[Any]]
    activation: str

    @property
    def n_units(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return tuple(coef.shape[1] for coef in self.coefs[:-1])

    def with_layer(
        self, i: int, coef: NDArray[Any], intercept: NDArray[Any]
    ) -> Network:
        """Return the network with another layer ``i``."""
        coefs, intercepts = self.coefs.copy(), self.intercepts.copy()
        coefs[i], intercepts[i] = coef, intercept
        return self._replace(coefs=coefs, intercepts=intercepts)


def read_network(student: LinearStudent | MLPStudent) -> Network:
    """Return the arrays of a fitted student, not copied."""
    encoder = student.encoder_
    if isinstance(student, MLPStudent):
        return Network(encoder, student.coefs_, student.intercepts_, student.activation)
    if encoder.is_plain:
        coef, intercept = encoder.unfold(student.coef_, student.intercept_)
        return Network(encoder, [coef.T], [intercept], "identity")
    return Network(encoder, [student.slot_coef_], [student.intercept_], "identity")


def first_inputs(encoder: TableEncoder, table: Table) -> Any:
    """Return rows in the form that weights of the first layer multiply.

    Returns
    -------
    inputs : ndarray or csr_array of shape (n_rows, n_slots)
    """
    positions = encoder.positions(table, np.float64)
    return positions if encoder.is_plain else encoder.slots(positions)


def layer_outputs(
    inputs: Any, coef: NDArray[Any], intercept: NDArray[Any]
) -> NDArray[np.float64]:
    """Return what a layer makes of its inputs, before any activation."""
    return inputs @ coef.astype(np.float64, copy=False) + intercept


def activated(outputs: NDArray[np.float64], activation: str) -> NDArray[np.float64]:
    """Return what the next layer gets."""
    inputs = outputs.copy()
    activate(inputs, activation)
    return inputs


def standardised(network: Network, table: Table) -> Network:
    """Return the same function with an encoder that standardises numbers.

    Weights of columns in units of their own differ by as many orders of magnitude as
    the columns, and cannot share a scale. An encoder that does more to numbers than
    take them as they are is left alone.
    """
    encoder = network.encoder
    if encoder.scales_:
        return network
    encoder = copy(encoder)
    encoder.scales_ = True
    encoder.mean_ = table.numbers.mean(axis=0, dtype=np.float64)
    scale = table.numbers.std(axis=0, dtype=np.float64)
    encoder.scale_ = np.where(scale > 0, scale, 1.0)
    coef = network.coefs[0]
    return network._replace(encoder=encoder).with_layer(
        0,
        coef * encoder.scale_[:, None],
        network.intercepts[0] + encoder.mean_ @ coef,
    )


def centred(network: Network) -> Network:
    """Return the same function with the least range of weights on slots.

    A row lies in one bin of a column, or has one of its levels: all weights of the
    column may fall by a value if the bias rises by it. Half of their range is then the
    largest that is left.
    """
    encoder = network.encoder
    coef = network.coefs[0].astype(np.float64)
    intercept = network.intercepts[0].astype(np.float64)
    for j, slots in encoder.slots_of_columns().items():
        if not (j in encoder.edges_ or j in encoder.levels_):
            continue  # The slot of a straight line holds any number.
        middle = (coef[slots].max(axis=0) + coef[slots].min(axis=0)) / 2
        coef[slots] -= middle
        intercept += middle
    return network.with_layer(0, coef, intercept)


def narrowed(encoder: TableEncoder, tolerance: float) -> TableEncoder:
    """Return the encoder with edges in single precision where that moves them little.

    Parameters
    ----------
    encoder : TableEncoder
        It is not changed.
    tolerance : float
        How far an edge may move, in widths of the column's narrowest bin. With 0 only
        edges that single precision holds exactly are stored in it.
    """
    narrow = copy(encoder)
    narrow.edges_ = {
        j: _narrow_edges(edges, tolerance) for j, edges in encoder.edges_.items()
    }
    return narrow


def _narrow_edges(edges: NDArray[Any], tolerance: float) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        narrow = edges.astype(np.float32)
    # The bin of a column that never varies has no end.
    finite = np.isfinite(edges)
    moved = np.abs(narrow[finite] - edges[finite])
    widths = np.diff(edges[finite])
    allowed = tolerance * widths.min() if len(widths) else 0.0
    return narrow if (moved <= allowed).all() else edges
