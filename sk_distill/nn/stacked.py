"""Several networks of one shape, trained side by side on the same rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from sk_distill.nn.first_layer import SlotProduct, SlotRows, UnitLayout, UnitProduct

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
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
        x = self._first_layer(rows, weights[0], biases[0])
        for weight, bias in zip(weights[1:], biases[1:], strict=True):
            x = self.activation(x)
            if self.dropout is not None:
                x = self.dropout(x)
            x = self._layer(x, weight, bias)
        return x

    def _first_layer(
        self, rows: Tensor | SlotRows, weight: Tensor, bias: Tensor
    ) -> Tensor:
        if isinstance(rows, SlotRows):
            return SlotProduct.apply(rows, weight) + bias
        if self.unit_product is not None:
            return self.unit_product(rows, weight) + bias.unsqueeze(-2)
        return self._layer(rows, weight, bias)

    def _layer(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if self.n_members == 1:
            return torch.addmm(bias, x, weight)
        return torch.matmul(x, weight) + bias.unsqueeze(-2)
