"""Torch modules that are chains of linear layers, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sk_distill.teachers.alignment import Chain

if TYPE_CHECKING:
    from torch import nn

# They act on each unit by itself, and have no weights.
ELEMENT_WISE = (
    "AlphaDropout",
    "CELU",
    "Dropout",
    "ELU",
    "GELU",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "LeakyReLU",
    "Mish",
    "ReLU",
    "ReLU6",
    "SELU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Tanh",
)


def parts_of(owner: str, module: nn.Module) -> list[nn.Module]:
    """Return the parts of a module in the order in which rows go through them.

    Raises
    ------
    TypeError
        For a module of which that, or what happens to its units, cannot be known.
    """
    from torch import nn

    if (
        isinstance(module, nn.Sequential)
        and type(module).forward is nn.Sequential.forward
    ):
        parts = [part for child in module for part in parts_of(owner, child)]
        # A weight in two places has units of two layers to follow.
        weights = [id(weight) for part in parts for weight in part.parameters()]
        if len(set(weights)) == len(weights):
            return parts
    kinds = {nn.Linear} | {getattr(nn, name) for name in ELEMENT_WISE}
    if type(module) in kinds:
        return [module]
    raise TypeError(
        f"{owner}: the hidden units of {type(module).__name__} cannot be matched; "
        "expected an nn.Sequential of nn.Linear layers that share no weight, and of "
        f"{', '.join(ELEMENT_WISE)}. Build the module so, or average what the teachers "
        "say instead of their weights: VotingTeacher."
    )


def read_chain(
    parts: list[nn.Module], inputs: NDArray[Any]
) -> tuple[Chain, list[NDArray[Any]]]:
    """Return the weights of a chain, and its hidden units' values for some rows.

    Parameters
    ----------
    parts : list of nn.Module
        As :func:`parts_of` returns them, on the CPU and in evaluation mode.
    inputs : ndarray of shape (n_rows, n_inputs)
        Rows, in the dtype of the weights.
    """
    import torch
    from torch import nn

    coefs, intercepts, values = [], [], []
    x = torch.from_numpy(inputs)
    with torch.no_grad():
        for part in parts:
            if isinstance(part, nn.Linear):
                values.append(x.numpy())
                coefs.append(part.weight.numpy().T)
                none = np.zeros(part.out_features, dtype=coefs[-1].dtype)
                intercepts.append(none if part.bias is None else part.bias.numpy())
            x = part(x)
    # What the first layer acts on is no hidden unit.
    return Chain(coefs, intercepts), values[1:]


def write_chain(parts: list[nn.Module], chain: Chain) -> None:
    """Copy the weights of a chain into a module's parts."""
    import torch
    from torch import nn

    layers = [part for part in parts if isinstance(part, nn.Linear)]
    with torch.no_grad():
        for layer, coef, intercept in zip(layers, *chain, strict=True):
            layer.weight.copy_(torch.from_numpy(coef.T))
            if layer.bias is not None:
                layer.bias.copy_(torch.from_numpy(intercept))
