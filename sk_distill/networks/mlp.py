"""A perceptron on the encoding of a table: as a module, and as numpy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import diags_array

from sk_distill.encoding import TableEncoder
from sk_distill.networks.knowledge import Anchor
from sk_distill.validation import name_of

if TYPE_CHECKING:
    from sk_distill.nn import SlotRows, StackedMLP, UnitLayout

ACTIVATIONS = ("identity", "logistic", "relu", "tanh")

Arrays = list[NDArray[Any]]


def make_perceptron(
    encoder: TableEncoder,
    widths: Sequence[int],
    *,
    full_batch: bool = False,
    activation: str = "relu",
    dropout: float = 0.0,
    n_members: int = 1,
    alike: bool = False,
) -> StackedMLP:
    """Return a perceptron whose first layer acts on a table's positions.

    Parameters
    ----------
    encoder : TableEncoder
        The encoding.
    widths : sequence of int
        Units of the layers after the encoding, the last one's being the outputs.
    full_batch : bool
        Whether it is trained on all rows at once, as :func:`make_slot_rows` has them.
    activation, dropout, n_members, alike
        As in ``StackedMLP``.
    """
    import torch

    from sk_distill.nn import StackedMLP

    module = StackedMLP(
        [encoder.n_units, *widths],
        activation=activation,
        dropout=dropout,
        n_members=n_members,
        alike=alike,
        layout=None if full_batch else make_layout(encoder),
    )
    if full_batch and not encoder.is_plain:
        # The same function as on units: there neighbouring bins begin alike.
        on_slots = encoder.slot_map() @ module.weights[0].detach().numpy()
        module.weights[0] = torch.nn.Parameter(torch.from_numpy(on_slots))
    return module


def make_layout(encoder: TableEncoder) -> UnitLayout | None:
    """Return the units of the first layer; None where they are the positions."""
    if encoder.is_plain:
        return None
    import torch

    from sk_distill.nn import UnitLayout

    n_bins = [len(edges) - 1 for edges in encoder.edges_.values()]
    return UnitLayout(
        torch.from_numpy(encoder.numeric_),
        torch.tensor(n_bins) if n_bins else None,
        torch.from_numpy(encoder.missing_),
        torch.tensor(list(encoder.levels_), dtype=torch.int64),
        torch.from_numpy(encoder.level_count_),
    )


def make_slot_rows(
    encoder: TableEncoder, positions: NDArray[Any]
) -> NDArray[Any] | SlotRows:
    """Return rows for full-batch training: the same first layer, many times faster."""
    if encoder.is_plain:
        return positions
    from sk_distill.nn import SlotRows

    # At the left edge of its first bin a column adds nothing: no unit is filled there.
    # That is left free where it only moves the intercept (which makes the problem many
    # times better conditioned); where a cell may be missing it would be more.
    counts = np.ones(encoder.n_slots)
    counts[encoder.left_edges(missing=True)] = 0
    diagonal = diags_array(counts)
    return SlotRows(encoder.slots(positions) @ diagonal, encoder.unit_map() @ diagonal)


def read_weights(module: StackedMLP, encoder: TableEncoder) -> tuple[Arrays, Arrays]:
    """Return the module's weights, each ``(…, n_in, n_out)``, and its biases.

    Those of the first layer are weights on the encoder's slots.
    """
    coefs = [weight.detach().numpy().copy() for weight in module.weights]
    intercepts = [bias.detach().numpy().copy() for bias in module.biases]
    if encoder.is_plain:
        return coefs, intercepts
    units = coefs[0]
    if module.unit_product is None:
        intercepts[0] += units[encoder.left_edges(missing=False)].sum(axis=0)
        units = _apply(encoder.unit_map(), units)
    coefs[0] = _apply(encoder.slot_map(), units)
    return coefs, intercepts


def begin_at(module: StackedMLP, encoder: TableEncoder, anchor: Anchor) -> None:
    """Let the first layer's first units, in every member, be those of the anchor."""
    import torch

    weights = np.asarray(anchor.weights)
    if module.unit_product is None and not encoder.is_plain:
        weights = encoder.slot_map() @ weights
    units = slice(weights.shape[1])
    with torch.no_grad():
        module.weights[0][..., units] = torch.from_numpy(weights).to(module.weights[0])
        module.biases[0][..., units] = torch.from_numpy(anchor.biases).to(
            module.biases[0]
        )


def _apply(matrix: Any, weights: NDArray[Any]) -> NDArray[Any]:
    """Return ``matrix @ weights`` for one member or for each of several."""
    if weights.ndim == 2:
        return (matrix @ weights).astype(weights.dtype, copy=False)
    return np.stack([_apply(matrix, member) for member in weights])


def write_weights(
    owner: object,
    module: StackedMLP,
    encoder: TableEncoder,
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
    first = coefs[0]
    if module.unit_product is not None:
        first = _apply(encoder.unit_map(), first)
    arrays = [first, *coefs[1:], *intercepts]
    shapes = [tuple(param.shape) for param in params]
    earlier = [array.shape for array in arrays]
    if shapes != earlier:
        raise ValueError(
            f"{name_of(owner)}: warm_start=True goes on with weights of shapes "
            f"{earlier[: len(coefs)]}; this fit has "
            f"{[tuple(weight.shape) for weight in module.weights]}. Keep the columns "
            "and hidden_layer_sizes of the earlier fit, or set warm_start=False."
        )
    with torch.no_grad():
        for param, array in zip(params, arrays, strict=True):
            param.copy_(torch.from_numpy(np.ascontiguousarray(array)))
