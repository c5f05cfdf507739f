"""A trained perceptron as numpy arrays, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sk_distill.validation import name_of

if TYPE_CHECKING:
    from sk_distill.nn import StackedMLP

ACTIVATIONS = ("identity", "logistic", "relu", "tanh")

Arrays = list[NDArray[Any]]


def read_weights(module: StackedMLP) -> tuple[Arrays, Arrays]:
    """Return the module's weights, each ``(…, n_in, n_out)``, and its biases."""
    coefs = [weight.detach().numpy().copy() for weight in module.weights]
    intercepts = [bias.detach().numpy().copy() for bias in module.biases]
    return coefs, intercepts


def write_weights(
    owner: object,
    module: StackedMLP,
    coefs: Sequence[NDArray[Any]],
    intercepts: Sequence[NDArray[Any]],
) -> None:
    """Copy an earlier fit's arrays into the module.

    Raises
    ------
    ValueError
        When the earlier fit had another shape.
    """
    import torch

    params = [*module.weights, *module.biases]
    arrays = [*coefs, *intercepts]
    shapes = [tuple(param.shape) for param in params]
    if shapes != [array.shape for array in arrays]:
        raise ValueError(
            f"{name_of(owner)}: warm_start=True goes on with weights of shapes "
            f"{[coef.shape for coef in coefs]}; this fit has "
            f"{[tuple(weight.shape) for weight in module.weights]}. Keep the columns "
            "and hidden_layer_sizes of the earlier fit, or set warm_start=False."
        )
    with torch.no_grad():
        for param, array in zip(params, arrays, strict=True):
            param.copy_(torch.from_numpy(np.ascontiguousarray(array)))
