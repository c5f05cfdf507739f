"""Batches as slices of tensors: nothing is fetched row by row."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

# Rows are shuffled a block at a time: one gather makes many batches, and the copy
# stays small next to the data.
_BLOCK_ROWS = 65_536


class TensorRows(NamedTuple):
    """Inputs and the arrays of the objective, all on one device.

    The inputs are a tensor or, for training on all rows at once, ``SlotRows``, which
    are neither shuffled nor cut.
    """

    inputs: Any
    targets: dict[str, Tensor]

    def take(self, index: Tensor) -> "TensorRows":
        """Return a copy of the rows at ``index``."""
        targets = {k: v.index_select(0, index) for k, v in self.targets.items()}
        return TensorRows(self.inputs.index_select(0, index), targets)


class TensorBatches:
    """Iterate over ``rows`` in batches, shuffled anew at each pass if asked to.

    The last batch may be smaller; a ``batch_size`` of -1 is one batch of all rows. The
    order comes from ``generator`` or, without one, from torch's global generator, which
    training seeds and puts back.
    """

    def __init__(
        self,
        rows: TensorRows,
        batch_size: int,
        *,
        shuffle: bool,
        generator: torch.Generator | None = None,
    ) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator

    def __len__(self) -> int:
        n_rows = len(self.rows.inputs)
        return 1 if self.batch_size < 0 else -(-n_rows // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Any, dict[str, Tensor]]]:
        n_rows, size = len(self.rows.inputs), self.batch_size
        if size < 0 or size >= n_rows:
            # A full batch is the same in any order.
            yield self.rows.inputs, self.rows.targets
        elif not self.shuffle:
            yield from self._slices(self.rows)
        else:
            device = self.rows.inputs.device
            order = torch.randperm(n_rows, device=device, generator=self.generator)
            block_rows = max(1, _BLOCK_ROWS // size) * size
            for block in order.split(block_rows):
                yield from self._slices(self.rows.take(block))

    def _slices(self, rows: TensorRows) -> Iterator[tuple[Any, dict[str, Tensor]]]:
        names = list(rows.targets)
        tensors = [rows.inputs, *rows.targets.values()]
        columns = (tensor.split(self.batch_size) for tensor in tensors)
        for inputs, *targets in zip(*columns, strict=True):
            yield inputs, dict(zip(names, targets, strict=True))


class GroupedBatches:
    """Iterate over the batches of several tables at once, a batch of each at a time.

    Each makes as many batches as the others.
    """

    def __init__(self, parts: Sequence[TensorBatches]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts[0])

    def __iter__(self) -> Iterator[tuple[list[Any], list[dict[str, Tensor]]]]:
        for batches in zip(*self.parts, strict=True):
            inputs, targets = zip(*batches, strict=True)
            yield list(inputs), list(targets)
