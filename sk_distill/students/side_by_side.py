"""Candidates of a search trained side by side, of all folds as far as memory allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from functools import partial
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Any, Self

from sk_distill.networks import NetworkClassifier
from sk_distill.networks.mlp import Arrays
from sk_distill.networks.paths import Path
from sk_distill.validation import check_hidden_layer_sizes, name_of

if TYPE_CHECKING:
    from sk_distill.networks.knowledge import Anchor
    from sk_distill.nn import StackedMLP
    from sk_distill.training import StackPart, TrainedStack

# Candidates, and folds, are trained side by side as long as it takes about a gigabyte
# to hold their weights and the hidden units of a batch, with four more values for each,
# and their rows.
_MOST_VALUES = 50_000_000
_VALUES_OF_ONE = 5


class SideBySideClassifier(NetworkClassifier):
    """A perceptron of which several are trained as one net.

    A subclass says how a stack of them is built and what is kept of one.
    """

    hidden_layer_sizes: Any
    solver: str
    callbacks: Any
    net_params: Any
    coefs_: Arrays
    intercepts_: Arrays

    def _build_stack(
        self, n_outputs: int, n_members: int, anchor: Anchor | None
    ) -> StackedMLP:
        """Return members that are alike."""
        raise NotImplementedError

    def _read_weights(self, module: StackedMLP) -> tuple[Arrays, Arrays]:
        """Return the weights and the biases of each layer that are kept."""
        raise NotImplementedError

    def _is_stacked(self) -> bool:
        """Whether candidates are trained side by side."""
        # Callbacks look at one training, and an optimiser may mix its parameters.
        return not (self.solver == "lbfgs" or self.callbacks or self.net_params)

    def _side_by_side(self, paths: Iterable[Path]) -> Iterator[list[Path]]:
        if not self._is_stacked():
            yield from super()._side_by_side(paths)
            return
        together: list[Path] = []
        n_values = 0
        for path in paths:
            n_more = _n_values(path)
            if together and n_values + n_more > _MOST_VALUES:
                yield together
                together, n_values = [], 0
            together.append(path)
            n_values += n_more
        if together:
            yield together

    def _train_together(self, paths: Sequence[Path]) -> list[Iterator[Self]]:
        parts = [part for path in paths for part in path.parts]
        is_one = sum(len(part.objectives) for part in parts) == 1
        if is_one or not (self._is_stacked() and _fit_memory(paths)):
            return super()._train_together(paths)
        trained = iter(self._train_stacks(parts))
        return [chain(*islice(trained, len(path.parts))) for path in paths]

    def _train_path(self, path: Path, plain: Self | None) -> Iterator[Self]:
        if not self._is_stacked():
            yield from super()._train_path(path, plain)
            return
        # All that fit side by side.
        n_members = max(1, _MOST_VALUES // _of_member(path))
        for start in range(0, len(path.objectives), n_members):
            some = path.objectives[start : start + n_members]
            yield from self._train_stacks([path._replace(objectives=some)])[0]

    def _train_stacks(self, paths: Sequence[Path]) -> list[Iterator[Self]]:
        """Train a stack for each path, all of them as one net if that can be."""
        from sk_distill.training import train_stacks

        stacks = train_stacks(
            [path.student._stack_part(path) for path in paths], owner=name_of(self)
        )
        return [
            path.student._copies(stack)
            for path, stack in zip(paths, stacks, strict=True)
        ]

    def _stack_part(self, path: Path) -> StackPart:
        """Return what becomes of a path as one of several."""
        from sk_distill.training import StackPart

        data, objectives = path.data, path.objectives
        outputs = self._n_outputs(data)
        with path.task.running():
            plan = self._plan(len(data.inputs), path.seed)
        build = partial(self._build_stack, outputs, len(objectives), data.anchor)
        return StackPart(build, objectives, data, plan)

    def _copies(self, stack: TrainedStack) -> Iterator[Self]:
        """Yield a fitted copy for each member of a stack."""
        layers = self._read_weights(stack.module)
        members = zip(stack.n_iter, stack.histories, strict=True)
        for i, (n_iter, history) in enumerate(members):
            student = copy(self)
            student.coefs_, student.intercepts_ = (
                [layer[i].copy() if len(stack.n_iter) > 1 else layer for layer in part]
                for part in layers
            )
            student._note_training(n_iter, history)
            yield student


def _fit_memory(paths: Sequence[Path]) -> bool:
    """Whether all candidates can be trained at once; of a single path they may not."""
    return sum(map(_n_values, paths)) <= _MOST_VALUES


def _of_member(path: Path) -> int:
    """Return the weights and the hidden units of a batch that each member has."""
    from sk_distill.training.tensor_net import VALIDATION_ROWS

    student, n_rows = path.student, len(path.data.inputs)
    hidden = check_hidden_layer_sizes(student, student.hidden_layer_sizes)
    widths = [student.encoder_.n_units, *hidden, student._n_outputs(path.data)]
    n_weights = sum(n_in * n_out for n_in, n_out in pairwise(widths))
    plan = student._plan(n_rows, path.seed)
    n_at_once = min(n_rows, plan.batch_size)
    if plan.early_stopping:
        # Of held-out rows nothing is kept for a way back.
        n_held_out = int(plan.validation_fraction * n_rows)
        n_at_once = max(n_at_once, min(n_held_out, VALIDATION_ROWS) // 2)
    return n_weights + n_at_once * sum(hidden)


def _n_values(path: Path) -> int:
    """Return what a path takes of memory, in such weights and hidden units."""
    n_values = 0
    for part in path.parts:
        n_rows, n_columns = part.data.inputs.shape
        # Rows are there twice, as arrays and as tensors, and so are their targets.
        of_rows = 2 * n_rows * (n_columns + 3 * part.student._n_outputs(part.data))
        n_values += len(part.objectives) * _of_member(part)
        n_values += of_rows // _VALUES_OF_ONE
    return n_values
