"""Watching what passes through the layers of a torch module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

    watched = {layer: module.get_submodule(layer)}
    return _watch(teacher, module, rows, watched, take)


def read_penultimate(teacher: Any, X: Any) -> NDArray[Any]:
    """Return what the last linear layer of a module gets."""
    module, rows = teacher._module_and_rows(X)
    watched = _linear(teacher, module)
    return _watch(teacher, module, rows, watched, lambda calls, _: calls[-1].got)


def read_first(teacher: Any, X: Any) -> NDArray[Any]:
    """Return the output of the first linear layer of a module."""
    module, rows = teacher._module_and_rows(X)
    watched = _linear(teacher, module)
    return _watch(teacher, module, rows, watched, lambda calls, _: calls[0].returned)


def _linear(teacher: Any, module: Any) -> dict[str, Any]:
    """Return the linear layers of a module, by name."""
    import torch

    layers = dict(module.named_modules())
    found = {k: v for k, v in layers.items() if isinstance(v, torch.nn.Linear)}
    if not found:
        raise TypeError(
            f"teacher {name_of(teacher)} has a module without an nn.Linear layer, by "
            "which its knowledge is found. For features name a layer of "
            f"{[name for name in layers if name]}, as Features(layer=...)."
        )
    return found


def _watch(
    teacher: Any,
    module: Any,
    rows: NDArray[Any],
    layers: Mapping[str, Any],
    take: Callable[[Sequence[Call], int], Any],
) -> NDArray[Any]:
    """Return what ``take`` finds in the calls of layers, for all rows.

    It gets the calls in their order, and the number of rows that went through.
    """
    calls: list[Call] = []

    def note(
        layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], returned: Any
    ) -> None:
        got = (*args, *kwargs.values())
        calls.append(Call(got[0] if got else None, returned))

    handles = [
        layer.register_forward_hook(note, with_kwargs=True) for layer in layers.values()
    ]
    blocks = []
    try:
        for start in range(0, len(rows), BLOCK_ROWS):
            calls.clear()
            block = rows[start : start + BLOCK_ROWS]
            module_logits(module, block)
            if not calls:
                raise ValueError(
                    f"teacher {name_of(teacher)} has {' and '.join(map(repr, layers))} "
                    "for a layer, but never calls it, so that it has no output. Name "
                    "another one."
                )
            blocks.append(take(calls, len(block)).flatten(1).cpu().numpy())
    finally:
        for handle in handles:
            handle.remove()
    return np.concatenate(blocks)
