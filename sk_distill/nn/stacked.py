"""Several networks of one shape, trained side by side on the same rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from sk_distill.nn.first_layer import (
    SlotProduct,
    SlotRows,
    UnitLayout,
    UnitProduct,
    slot_gradient,
)

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
}


# The slope of each activation, from its value.
SLOPES: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.Identity: torch.ones_like,
    nn.Sigmoid: lambda a: a * (1 - a),
    nn.ReLU: lambda a: a > 0,
    nn.Tanh: lambda a: 1 - a * a,
}


class StackedMLP(nn.Module):
    """``n_members`` multi-layer perceptrons that share nothing but their input.

    Weights have a leading axis, the member, so that one batched product a layer
    serves all members (the idea of ``LinearEnsemble`` in TabM, arXiv:2410.24210). A
    single member is an ordinary perceptron and pays nothing for the axis.

    With a ``layout`` the first layer acts on the units of a table's rows, which arrive
    as positions (see :class:`UnitProduct`) or all at once as :class:`SlotRows`.

    Shape: ``(n_rows, n_columns)`` -> ``(n_rows, widths[-1])`` for a single member,
    ``(n_members, n_rows, widths[-1])`` for several.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        n_members: int = 1,
        layout: UnitLayout | None = None,
    ) -> None:
        super().__init__()
        self.n_members = n_members
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for n_in, n_out in pairwise(widths):
            # The distribution of nn.Linear, drawn for each member by itself.
            bound = 1 / math.sqrt(max(n_in, 1))
            stack = () if n_members == 1 else (n_members,)
            weight = torch.empty(*stack, n_in, n_out).uniform_(-bound, bound)
            bias = torch.empty(*stack, n_out).uniform_(-bound, bound)
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(bias))
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.unit_product = None if layout is None else UnitProduct(layout)

    def forward(self, rows: Tensor | SlotRows) -> Tensor:
        """Return the logits of every member."""
        weights, biases = list(self.weights), list(self.biases)
        x, _ = self._first_layer(rows, weights[0], biases[0])
        for weight, bias in zip(weights[1:], biases[1:], strict=True):
            x = self.activation(x)
            if self.dropout is not None:
                x = self.dropout(x)
            x = self._layer(x, weight, bias)
        return x

    @torch.no_grad()
    def forward_and_back(
        self, rows: Tensor | SlotRows
    ) -> tuple[Tensor, Callable[[Tensor], None]]:
        """Return the logits, and the way back from their gradient.

        It is what autograd does of :meth:`forward`, written out: for a network of this
        size the bookkeeping of autograd takes longer than the arithmetic.

        Returns
        -------
        logits : Tensor
            As :meth:`forward` returns them.
        back : callable
            Sets the gradient of every parameter from that of the logits.
        """
        weights, biases = list(self.weights), list(self.biases)
        x, expanded = self._first_layer(rows, weights[0], biases[0])
        hidden, slopes = [], []
        for weight, bias in zip(weights[1:], biases[1:], strict=True):
            x = self.activation(x)
            slope = SLOPES[type(self.activation)](x)
            if self.dropout is not None and self.training:
                x, kept = torch.native_dropout(x, self.dropout.p, True)
                slope = slope * kept / (1 - self.dropout.p)
            hidden.append(x)
            slopes.append(slope)
            x = self._layer(x, weight, bias)

        @torch.no_grad()
        def back(gradient: Tensor) -> None:
            for i in range(len(weights) - 1, 0, -1):
                biases[i].grad = gradient.sum(dim=-2)
                weights[i].grad = torch.matmul(hidden[i - 1].mT, gradient)
                gradient = torch.matmul(gradient, weights[i].mT)
                gradient *= slopes[i - 1]
            biases[0].grad = gradient.sum(dim=-2)
            if isinstance(rows, SlotRows):
                weights[0].grad = slot_gradient(rows, gradient)
            elif self.unit_product is not None and expanded is not None:
                weights[0].grad = self.unit_product.weight_gradient(
                    expanded, gradient, weights[0].shape[-2]
                )
            else:
                weights[0].grad = torch.matmul(rows.mT, gradient)
            for parameter in (*weights, *biases):
                if not parameter.requires_grad:
                    parameter.grad = None

        return x, back

    def _first_layer(
        self, rows: Tensor | SlotRows, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Return the first layer's output and, of positions, the rows as expanded."""
        if isinstance(rows, SlotRows):
            return SlotProduct.apply(rows, weight) + bias, None
        if self.unit_product is None:
            return self._layer(rows, weight, bias), None
        expanded = self.unit_product.expand(rows)
        product = self.unit_product.multiply(expanded, weight)
        return product + bias.unsqueeze(-2), expanded

    def _layer(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if self.n_members == 1:
            return torch.addmm(bias, x, weight)
        return torch.matmul(x, weight) + bias.unsqueeze(-2)
