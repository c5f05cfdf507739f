"""Watching what passes through the layers of a torch module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_distill.inference import BLOCK_ROWS
from sk_distill.networks.module import module_logits
from sk_distill.validation import name_of


class Call(NamedTuple):
    """One call of a layer: its first argument, and what it returned."""

    got: Any
    returned: Any


def check_layer(teacher: Any, module: Any, layer: str) -> None:
    """Raise ValueError unless a module has a layer of that name."""
    names = [name for name, _ in module.named_modules() if name]
    if layer == "":
        raise ValueError(
            f"teacher {name_of(teacher)}: layer='' is the whole module, whose output "
            f"are logits. Name one of {names}, or pass None."
        )
    if layer not in names:
        raise ValueError(
            f"teacher {name_of(teacher)} has no layer {layer!r}; its module has "
            f"{names}."
        )


def read_named(teacher: Any, X: Any, layer: str) -> NDArray[Any]:
    """Return the output of a named layer, of several calls the last, a row each.

    A layer that returns several, as recurrent layers and attention do, speaks by the
    first.
    """
    module, rows = teacher._module_and_rows(X)
    check_layer(teacher, module, layer)

    def take(calls: Sequence[Call], n_rows: int) -> Any:
        if not calls:
            raise ValueError(
                f"teacher {name_of(teacher)} has a layer {layer!r}, but never calls "
                "it, so that it has no output. Name another one."
            )
        output = calls[-1].returned
        if isinstance(output, list | tuple) and output:
            output = output[0]
        shape = tuple(getattr(output, "shape", ()))
        if len(shape) < 2 or shape[0] != n_rows:
            what = f"shape {shape}" if shape else type(output).__name__
            raise ValueError(
                f"teacher {name_of(teacher)}: layer {layer!r} returned {what} for "
                f"{n_rows} rows; features are a tensor with a row for each "
                "(batch_first=True of a recurrent layer). Name another one."
            )
        return output

    return _watch(module, rows, [module.get_submodule(layer)], take)


def read_penultimate(teacher: Any, X: Any) -> NDArray[Any]:
    """Return what the last linear layer of a module gets."""
    module, rows = teacher._module_and_rows(X)
    return _watch(
        module, rows, _linear(teacher, module), lambda calls, _: calls[-1].got
    )


def read_first(teacher: Any, X: Any) -> NDArray[Any]:
    """Return the output of the first linear layer of a module."""
    module, rows = teacher._module_and_rows(X)
    return _watch(
        module, rows, _linear(teacher, module), lambda calls, _: calls[0].returned
    )


def _linear(teacher: Any, module: Any) -> list[Any]:
    """Return the linear layers of a module."""
    import torch

    found = [part for part in module.modules() if isinstance(part, torch.nn.Linear)]
    if not found:
        names = [name for name, _ in module.named_modules() if name]
        raise TypeError(
            f"teacher {name_of(teacher)} has a module without an nn.Linear layer, by "
            f"which its knowledge is found. For features name a layer of {names}, as "
            "Features(layer=...)."
        )
    return found


def _watch(
    module: Any,
    rows: NDArray[Any],
    layers: Sequence[Any],
    take: Callable[[Sequence[Call], int], Any],
) -> NDArray[Any]:
    """Return what ``take`` finds in the calls of layers, for all rows.

    It gets the calls in their order, and the number of rows that went through.
    """
    calls: list[Call] = []

    def note(layer: Any, args: tuple[Any, ...], returned: Any) -> None:
        calls.append(Call(args[0], returned))

    handles = [layer.register_forward_hook(note) for layer in layers]
    blocks = []
    try:
        for start in range(0, len(rows), BLOCK_ROWS):
            calls.clear()
            block = rows[start : start + BLOCK_ROWS]
            module_logits(module, block)
            blocks.append(take(calls, len(block)).flatten(1).cpu().numpy())
    finally:
        for handle in handles:
            handle.remove()
    return np.concatenate(blocks)
