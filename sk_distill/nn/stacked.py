"""Several networks of one shape, trained side by side on the same rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from sk_distill.nn.hidden import Shares, go_on, go_on_and_back
from sk_distill.nn.layout import UnitLayout
from sk_distill.nn.products import product, weight_gradient
from sk_distill.nn.slot_rows import SlotProduct, SlotRows, slot_gradient
from sk_distill.nn.units import UnitProduct


class StackedMLP(nn.Module):
    """``n_members`` multi-layer perceptrons that share their input and no weight.

    Weights have a leading axis, the member, so that one batched product a layer
    serves all members (the idea of ``LinearEnsemble`` in TabM, arXiv:2410.24210). A
    single member is an ordinary perceptron and pays nothing for the axis.

    Members of an ensemble begin with different weights, and each leaves out units of
    its own; members that are ``alike``, as candidates that are compared, begin with the
    same weights and leave out the same ones, all of them drawn as for a single member.

    With a ``layout`` the first layer acts on the units of a table's rows, which arrive
    as positions (see :class:`UnitProduct`) or all at once as :class:`SlotRows`.

    Between its layers a row is a column: processors add up many rows at once, while
    the outputs of a row are few.

    Shape: ``(n_rows, n_columns)`` -> ``(n_rows, widths[-1])`` for a single member,
    ``(n_members, n_rows, widths[-1])`` for several.
    """

    goes_back_by_hand = True

    def __init__(
        self,
        widths: Sequence[int],
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        n_members: int = 1,
        alike: bool = False,
        layout: UnitLayout | None = None,
    ) -> None:
        super().__init__()
        self.n_members = n_members
        self.alike = alike
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for n_in, n_out in pairwise(widths):
            # The distribution of nn.Linear, drawn for each member by itself.
            bound = 1 / math.sqrt(max(n_in, 1))
            stack = () if n_members == 1 or alike else (n_members,)
            weight = torch.empty(*stack, n_in, n_out).uniform_(-bound, bound)
            bias = torch.empty(*stack, n_out).uniform_(-bound, bound)
            if n_members > 1 and alike:
                weight, bias = (
                    x.repeat(n_members, *[1] * x.ndim) for x in (weight, bias)
                )
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(bias))
        self.activation = activation
        self.dropout = dropout
        self.unit_product = None if layout is None else UnitProduct(layout)
        # Where hidden units to leave out are drawn from; None is torch's global one.
        self.generator: torch.Generator | None = None

    def by_member(self) -> Iterator[tuple[nn.Parameter, slice]]:
        """Yield each parameter with the members whose it is."""
        for parameter in self.parameters():
            yield parameter, slice(None)

    def n_products(self, n_rows: int, device_type: str) -> int:
        """Return the multiplications that a batch takes on its way to the logits."""
        first, *rest = self.weights
        n_products = n_rows * sum(weight.numel() for weight in rest)
        if self.unit_product is None:
            return n_products + n_rows * first.numel()
        way = self.unit_product.way(n_rows, device_type)
        return n_products + self.n_members * first.shape[-1] * way.n_products(n_rows)

    def forward(self, rows: Tensor | SlotRows) -> Tensor:
        """Return the logits of every member."""
        weights, biases = list(self.weights), list(self.biases)
        x, _ = self._first_layer(rows, weights[0], biases[0])
        return go_on(x, weights[1:], biases[1:], self.activation, self._draw_shares).mT

    @torch.no_grad()
    def forward_and_back(
        self, rows: Tensor | SlotRows
    ) -> tuple[Tensor, Callable[[Tensor], None]]:
        """Return the logits, and the way back from their gradient.

        Returns
        -------
        logits : Tensor
            As :meth:`forward` returns them.
        back : callable
            Sets the gradient of every parameter from that of the logits.
        """
        weights, biases = list(self.weights), list(self.biases)
        x, weight_gradient_of = self._first_layer(rows, weights[0], biases[0])
        x, back_to_first = go_on_and_back(
            x, weights[1:], biases[1:], self.activation, self._draw_shares
        )

        @torch.no_grad()
        def back(gradient: Tensor) -> None:
            gradient = back_to_first(gradient.mT)
            biases[0].grad = gradient.sum(dim=-1)
            weights[0].grad = weight_gradient_of(gradient)
            for parameter in (*weights, *biases):
                if not parameter.requires_grad:
                    parameter.grad = None

        return x.mT, back

    def _first_layer(
        self, rows: Tensor | SlotRows, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Return the first layer's output, and the way back to its weights."""
        if isinstance(rows, SlotRows):
            output = (SlotProduct.apply(rows, weight) + bias).mT
            return output, lambda gradient: slot_gradient(rows, gradient.mT)
        if self.unit_product is None:
            output = product(weight.mT, rows.mT, bias)
            return output, partial(weight_gradient, rows.mT)
        way = self.unit_product.way(len(rows), rows.device.type)
        expanded = way.expand(rows)
        output = way.multiply(expanded, weight, bias)
        return output, partial(way.weight_gradient, expanded)

    def _draw_shares(self, x: Tensor) -> Shares:
        """Return what hidden units are multiplied by: 0, or 1 / (1 - dropout)."""
        if not (self.dropout and self.training):
            return []
        shape = x.shape[-2:] if self.alike else x.shape
        return [(slice(None), draw_shares(shape, self.dropout, x, self.generator))]


def draw_shares(
    shape: Sequence[int],
    dropout: float,
    like: Tensor,
    generator: torch.Generator | None,
) -> Tensor:
    """Return a tensor of zeros, a share ``dropout`` of it, and of their complement.

    Four values are made of each random number, which takes a third of the time of
    ``bernoulli_``; the share is that of 65,536 values that is nearest.
    """
    n_values = math.prod(shape)
    words = torch.empty(-(-n_values // 4), dtype=torch.int64, device=like.device)
    drawn = (
        words.random_(-(2**63), None, generator=generator)
        .view(torch.int16)[:n_values]
        .view(*shape)
    )
    n_dropped = round(dropout * 2**16)
    kept = drawn >= n_dropped - 2**15
    return kept.to(like.dtype).mul_(2**16 / (2**16 - n_dropped))
