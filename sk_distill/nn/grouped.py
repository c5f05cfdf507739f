"""Stacks of networks on rows of their own, trained as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from sk_distill.nn.hidden import DrawShares, Shares, go_on, go_on_and_back
from sk_distill.nn.stacked import StackedMLP, draw_shares


class GroupedMLP(nn.Module):
    """Groups of networks; those of a group share their rows, as a stack does.

    Each group has a first layer of its own, since its rows may be encoded in a way of
    their own. The layers after it are one batched product for the members of all
    groups. Where one group's batch is smaller than another's, the rows that it lacks
    are zeros that nobody looks at.

    Shape: a batch ``(n_rows, n_columns)`` for each group -> logits
    ``(n_members, n_rows, widths[-1])`` for each group.

    Parameters
    ----------
    stacks : sequence of StackedMLP
        A group each, of members that are alike; all have as many layers after the
        first, of the same widths. They are taken apart.
    """

    goes_back_by_hand = True

    weights: nn.ParameterList
    biases: nn.ParameterList

    def __init__(self, stacks: Sequence[StackedMLP]) -> None:
        super().__init__()
        one = stacks[0]
        ends = list(accumulate((stack.n_members for stack in stacks), initial=0))
        self.n_members = ends[-1]
        # A group of one has no axis of members.
        self.members = [
            start if end - start == 1 else slice(start, end)
            for start, end in pairwise(ends)
        ]
        self.activation = one.activation
        self.dropout = one.dropout
        for name in ("weights", "biases"):
            layers = zip(*(list(getattr(s, name))[1:] for s in stacks), strict=True)
            n_axes = 2 if name == "weights" else 1
            together = [
                torch.cat(
                    [part.detach().reshape(-1, *part.shape[-n_axes:]) for part in layer]
                )
                for layer in layers
            ]
            setattr(self, name, nn.ParameterList(together))
        for stack in stacks:
            stack.weights, stack.biases = stack.weights[:1], stack.biases[:1]
        self.firsts = nn.ModuleList(stacks)

    @property
    def stacks(self) -> list[StackedMLP]:
        """Return the groups, of which nothing is left but the first layer."""
        return cast("list[StackedMLP]", list(self.firsts))

    def part(self, group: int) -> StackedMLP:
        """Return a group as the stack that it was, with the weights of now."""
        stack = self.stacks[group]
        members = self.members[group]
        for mine, whole in ((stack.weights, self.weights), (stack.biases, self.biases)):
            mine.extend(nn.Parameter(layer[members].detach()) for layer in whole)
        return stack

    def by_member(self) -> Iterator[tuple[nn.Parameter, int | slice]]:
        """Yield each parameter with the members whose it is."""
        for stack, members in zip(self.stacks, self.members, strict=True):
            for parameter in stack.parameters():
                yield parameter, members
        for parameter in (*self.weights, *self.biases):
            yield parameter, slice(None)

    def n_products(self, n_rows: int, device_type: str) -> int:
        """Return the multiplications that a batch takes on its way to the logits."""
        behind = n_rows * sum(weight.numel() for weight in self.weights)
        return behind + sum(f.n_products(n_rows, device_type) for f in self.stacks)

    def forward(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """Return the logits of every member of each group."""
        sizes = [len(batch) for batch in rows]
        firsts = zip(self.stacks, rows, strict=True)
        x = self._join([first(batch).mT for first, batch in firsts])
        x = go_on(
            x,
            list(self.weights),
            list(self.biases),
            self.activation,
            self._draw_shares_of(sizes),
        )
        return self._apart(x, sizes)

    @torch.no_grad()
    def forward_and_back(
        self, rows: Sequence[Tensor]
    ) -> tuple[list[Tensor], Callable[[Sequence[Tensor]], None]]:
        """Return the logits, and the way back from their gradients.

        See :meth:`StackedMLP.forward_and_back`.
        """
        sizes = [len(batch) for batch in rows]
        firsts = [
            first.forward_and_back(batch)
            for first, batch in zip(self.stacks, rows, strict=True)
        ]
        x, back_to_first = go_on_and_back(
            self._join([output.mT for output, _ in firsts]),
            list(self.weights),
            list(self.biases),
            self.activation,
            self._draw_shares_of(sizes),
        )

        @torch.no_grad()
        def back(gradients: Sequence[Tensor]) -> None:
            gradient = back_to_first(self._join([part.mT for part in gradients]))
            parts = self._apart(gradient, sizes)
            for (_, back_of_first), part in zip(firsts, parts, strict=True):
                back_of_first(part)

        return self._apart(x, sizes), back

    def _join(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the groups' columns as those of one stack."""
        n_columns = [part.shape[-1] for part in parts]
        shape = (self.n_members, parts[0].shape[-2], max(n_columns))
        is_full = len(set(n_columns)) == 1
        x = (parts[0].new_empty if is_full else parts[0].new_zeros)(shape)
        for part, members, n in zip(parts, self.members, n_columns, strict=True):
            x[members, :, :n] = part
        return x

    def _apart(self, x: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """Return the groups' columns as rows."""
        groups = zip(self.members, sizes, strict=True)
        return [x[members, :, :size].mT for members, size in groups]

    def _draw_shares_of(self, sizes: Sequence[int]) -> DrawShares:
        """Return what draws hidden units to leave out, for each group as for itself."""

        def draw(x: Tensor) -> Shares:
            if not (self.dropout and self.training):
                return []
            shares: Shares = []
            for stack, members, size in zip(
                self.stacks, self.members, sizes, strict=True
            ):
                shape = (x.shape[-2], size)
                share = draw_shares(shape, self.dropout, x, stack.generator)
                shares.append((members, pad(share, (0, x.shape[-1] - size))))
            return shares

        return draw
