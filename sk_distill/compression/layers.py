"""Layers in fewer bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_distill.compression.network import (
    Network,
    activated,
    centred,
    first_inputs,
    layer_outputs,
    standardised,
)
from sk_distill.encoding import Table

DTYPES = ("float32", "float16", "int8")

# int8 is symmetric: -128 is not used.
_LARGEST_INT = 127

# Scales that are tried: of the whole range of weights, and of less, beyond which they
# are clipped.
_CLIPPING = np.linspace(1.0, 0.5, 11)


# Scales are in single precision, which holds a 127th of this.
_LEAST_PEAK = 1e-30


class Layer(NamedTuple):
    """A layer as it is stored.

    Attributes
    ----------
    weights : ndarray of shape (n_in, n_out)
        In float32, float16 or int8.
    scale : ndarray of shape (n_out,) or None
        What products with the weights are multiplied by; None stands for 1.
    bias : ndarray of shape (n_out,)
        What is added then.
    """

    weights: NDArray[Any]
    scale: NDArray[Any] | None
    bias: NDArray[Any]

    def finish(self, product: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a product with the weights, scaled and shifted in place."""
        if self.scale is not None:
            product *= self.scale
        product += self.bias
        return product

    def dense(self) -> NDArray[np.float64]:
        """Return what the weights stand for."""
        weights = self.weights.astype(np.float64)
        return weights if self.scale is None else weights * self.scale


def store(network: Network, table: Table, dtype: str) -> tuple[Network, list[Layer]]:
    """Return the network and its layers in ``dtype``, calibrated on rows.

    The network comes back with the encoding that the layers are for.

    Layer by layer, on the inputs that the stored layers before it make of the rows:
    each layer's bias makes up for the mean of what rounding has moved its outputs by,
    rounding of the layers before included.
    """
    if dtype == "float32":
        return network, [
            Layer(coef.astype(np.float32), None, bias.astype(np.float32))
            for coef, bias in zip(network.coefs, network.intercepts, strict=True)
        ]
    network = standardised(network, table)
    if dtype == "int8":
        network = centred(network)
    rounded = ROUNDING[dtype]
    layers = []
    inputs = wanted_inputs = first_inputs(network.encoder, table)
    for coef, bias in zip(network.coefs, network.intercepts, strict=True):
        wanted = layer_outputs(wanted_inputs, coef, bias)
        weights, scale = rounded(inputs, coef.astype(np.float64))
        layer = Layer(weights, scale, bias)
        outputs = layer_outputs(inputs, layer.dense(), bias)
        shift = (wanted - outputs).mean(axis=0)
        layers.append(layer._replace(bias=(bias + shift).astype(np.float32)))
        wanted_inputs = activated(wanted, network.activation)
        inputs = activated(outputs + shift, network.activation)
    return network, layers


def to_float16(
    inputs: Any, coef: NDArray[np.float64]
) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Return the weights in float16, which has few exponents, and their scale.

    A power of two, by which no digit is lost.
    """
    scale = np.exp2(np.ceil(np.log2(_peaks(coef)))).astype(np.float32)
    return (coef / scale).astype(np.float16), scale


def to_int8(
    inputs: Any, coef: NDArray[np.float64]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    r"""Return the weights as whole numbers from -127 to 127, and their scale.

    Each output's scale is that of several for which

    .. math::

        \sum_x (x \cdot δ - \overline{x \cdot δ})^2 + \|δ\|^2

    is least, where δ is what rounding and clipping do to the weights and x runs over
    the inputs; the mean is the bias's to mend. The second term counts each weight as
    one more row, so that those that no row asks for are kept too.

    Parameters
    ----------
    inputs : ndarray or csr_array of shape (n_rows, n_in)
        What the layer gets.
    coef : ndarray of shape (n_in, n_out)
        Its weights.
    """
    least = np.full(coef.shape[1], np.inf)
    weights = np.zeros(coef.shape, dtype=np.int8)
    scale = np.ones(coef.shape[1], dtype=np.float32)
    for factor in _CLIPPING:
        step = (factor * _peaks(coef) / _LARGEST_INT).astype(np.float32)
        whole = np.clip(np.rint(coef / step), -_LARGEST_INT, _LARGEST_INT)
        moved = whole * step - coef
        error = inputs.shape[0] * (inputs @ moved).var(axis=0)
        error += (moved**2).sum(axis=0)
        better = error < least
        least[better], scale[better] = error[better], step[better]
        weights[:, better] = whole[:, better]
    return weights, scale


def _peaks(coef: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each output's largest weight, 1 where all are as good as zero."""
    peaks = np.abs(coef).max(axis=0)
    return np.where(peaks > _LEAST_PEAK, peaks, 1.0)


ROUNDING: dict[str, Callable[..., tuple[NDArray[Any], NDArray[np.float32]]]] = {
    "float16": to_float16,
    "int8": to_int8,
}
