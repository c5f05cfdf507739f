"""Several networks of one shape, trained side by side on the same rows."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

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

    Shape: ``(n_rows, widths[0])`` -> ``(n_rows, widths[-1])`` for a single member,
    ``(n_members, n_rows, widths[-1])`` for several.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        n_members: int = 1,
    ) -> None:
        super().__init__()
        self.n_members = n_members
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for n_in, n_out in pairwise(widths):
            # The distribution of nn.Linear, drawn for each member by itself.
            bound = 1 / math.sqrt(n_in)
            stack = () if n_members == 1 else (n_members,)
            weight = torch.empty(*stack, n_in, n_out).uniform_(-bound, bound)
            bias = torch.empty(*stack, n_out).uniform_(-bound, bound)
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(bias))
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout) if dropout else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of every member."""
        weights, biases = list(self.weights), list(self.biases)
        last = len(weights) - 1
        for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            if self.n_members == 1:
                x = torch.addmm(bias, x, weight)
            else:
                x = torch.matmul(x, weight) + bias.unsqueeze(-2)
            if i < last:
                x = self.activation(x)
                if self.dropout is not None:
                    x = self.dropout(x)
        return x
