"""The layers behind a perceptron's first one, and the way back through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from sk_distill.nn.products import product, weight_gradient

# What a hidden layer applies, in place, and its slope times a gradient, by its value.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "logistic": torch.sigmoid_,
    "relu": torch.relu_,
    "tanh": torch.tanh_,
}
BACKWARD: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "identity": lambda gradient, value: gradient,
    "logistic": torch.ops.aten.sigmoid_backward,
    "relu": lambda gradient, value: torch.ops.aten.threshold_backward(
        gradient, value, 0
    ),
    "tanh": torch.ops.aten.tanh_backward,
}

# What hidden units of members are multiplied by; nothing where none is left out.
Shares = list[tuple[int | slice, Tensor]]
DrawShares = Callable[[Tensor], Shares]


def go_on(
    x: Tensor,
    weights: Sequence[nn.Parameter],
    biases: Sequence[nn.Parameter],
    activation: str,
    draw_shares: DrawShares,
) -> Tensor:
    """Return the last layer's output from the first one's.

    Parameters
    ----------
    x : Tensor of shape (n_units, n_rows) or (n_members, n_units, n_rows)
        What the first layer gives, rows being columns; it is overwritten.
    weights, biases : sequence of Parameter
        Those of the layers after it.
    activation : str
        What is applied before each of them.
    draw_shares : callable
        Returns what outputs of the activation are multiplied by.
    """
    for weight, bias in zip(weights, biases, strict=True):
        x = ACTIVATIONS[activation](x)
        shares = draw_shares(x)
        if shares:
            products = [x[members] * share for members, share in shares]
            x = torch.cat([_as_stack(part) for part in products]).view_as(x)
        x = product(weight.mT, x, bias)
    return x


def go_on_and_back(
    x: Tensor,
    weights: Sequence[nn.Parameter],
    biases: Sequence[nn.Parameter],
    activation: str,
    draw_shares: DrawShares,
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return what :func:`go_on` returns, and the way back.

    That takes the gradient of the output, sets those of the weights and the biases, and
    returns the first layer's. It is what autograd does, written out: for networks of
    this size the bookkeeping of autograd takes longer than the arithmetic.
    """
    hidden: list[tuple[Tensor, Tensor, Shares]] = []
    for weight, bias in zip(weights, biases, strict=True):
        value = ACTIVATIONS[activation](x)
        shares = draw_shares(value)
        x = _multiply(value, shares, torch.empty_like(value)) if shares else value
        hidden.append((value, x, shares))
        x = product(weight.mT, x, bias)

    def back(gradient: Tensor) -> Tensor:
        layers = zip(weights, biases, hidden, strict=True)
        for weight, bias, (value, x, shares) in reversed(list(layers)):
            bias.grad = gradient.sum(dim=-1)
            weight.grad = weight_gradient(x, gradient)
            gradient = product(weight, gradient)
            _multiply(gradient, shares, gradient)
            gradient = BACKWARD[activation](gradient, value)
        return gradient

    return x, back


def _multiply(x: Tensor, shares: Shares, out: Tensor) -> Tensor:
    """Multiply members by their shares; write the products where they belong."""
    for members, share in shares:
        torch.mul(x[members], share, out=out[members])
    return out


def _as_stack(x: Tensor) -> Tensor:
    """Return x with an axis of members, which a single one lacks."""
    return x if x.ndim == 3 else x.unsqueeze(0)
