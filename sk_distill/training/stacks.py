"""Train stacks of networks, as many as go together in one pass."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sk_distill.nn import GroupedMLP, StackedMLP
from sk_distill.seeding import isolated_seed
from sk_distill.training.batches import TensorRows
from sk_distill.training.data import TrainingData
from sk_distill.training.devices import resolve_device, threads
from sk_distill.training.fit import anchor_of, choose_threads, run_net, split_rows
from sk_distill.training.grouped import GroupedNet, GroupedObjective
from sk_distill.training.net import make_net, pull_to
from sk_distill.training.objective import Objective
from sk_distill.training.plan import TrainingPlan
from sk_distill.training.stacked_objective import StackedObjective
from sk_distill.training.steps import Step
from sk_distill.training.tensor_net import VALIDATION_ROWS, TensorNet


class StackPart(NamedTuple):
    """Members that share their rows, as those of a fold do.

    Attributes
    ----------
    build : callable
        Returns a stack of members that are alike; called with the seed set.
    objectives : sequence of Objective
        One for each member.
    data : TrainingData
        The rows.
    plan : TrainingPlan
        The settings.
    """

    build: Callable[[], StackedMLP]
    objectives: Sequence[Objective]
    data: TrainingData
    plan: TrainingPlan


@dataclass(frozen=True)
class TrainedStack:
    """A trained stack, on the CPU and in evaluation mode.

    ``n_iter`` and ``histories`` have an entry for each member.
    """

    module: StackedMLP
    n_iter: list[int]
    histories: list[dict[str, NDArray[Any]]]


class _Ready(NamedTuple):
    """A part whose stack is built, and whose rows are on the device."""

    part: StackPart
    stack: StackedMLP
    objective: Objective
    train_rows: TensorRows
    validation_rows: TensorRows | None

    @property
    def steps(self) -> Hashable:
        """What parts must have in common to take their steps together."""
        plan, held_out = self.part.plan, self.validation_rows
        return (
            -(-len(self.train_rows.inputs) // plan.batch_size),
            0 if held_out is None else -(-len(held_out.inputs) // VALIDATION_ROWS),
            tuple(weight.shape[-2:] for weight in list(self.stack.weights)[1:]),
            self.part.data.anchor is None,
            (plan.batch_size, plan.max_iter),
        )


def train_stacks(parts: Sequence[StackPart], *, owner: str) -> list[TrainedStack]:
    """Build a stack for each part and train its members, each on its objective.

    Each member is what :func:`train_module` makes of its objective. Parts whose epochs
    have as many batches are trained as one net, in one pass.

    Parameters
    ----------
    parts : sequence of StackPart
        They differ in their rows and in what follows from these.
    owner : str
        The estimator's name, for messages.

    Returns
    -------
    stacks : list of TrainedStack
        One for each part.

    Raises
    ------
    TrainingDivergedError
        When a loss stops being a finite number.
    RuntimeError
        When training ended before one whole epoch.
    """
    device = resolve_device(owner, parts[0].plan.device)
    ready = [_make_ready(part, device) for part in parts]
    together: dict[Hashable, list[int]] = {}
    for i, each in enumerate(ready):
        together.setdefault(each.steps, []).append(i)
    stacks: list[Any] = [None] * len(parts)
    for numbers in together.values():
        trained = _train([ready[i] for i in numbers], device, owner)
        for i, stack in zip(numbers, trained, strict=True):
            stacks[i] = stack
    return stacks


def _make_ready(part: StackPart, device: torch.device) -> _Ready:
    seed, inputs = part.plan.seed, part.data.inputs
    with isolated_seed(seed, device):
        stack = part.build().to(torch.from_numpy(np.empty(0, inputs.dtype)).dtype)
        # A net that is trained alone goes on to draw where its weights end.
        stack.generator = torch.Generator(device)
        if device.type == "cpu":
            stack.generator.set_state(torch.get_rng_state())
        else:
            stack.generator.manual_seed(seed)
    objective: Objective
    if len(part.objectives) == 1:
        (objective,) = part.objectives
    else:
        objective = StackedObjective(part.objectives)
    return _Ready(
        part, stack, objective, *split_rows(part.data, objective, part.plan, device)
    )


def _train(
    ready: Sequence[_Ready], device: torch.device, owner: str
) -> list[TrainedStack]:
    """Train parts that go together as one net."""
    parts = [each.part for each in ready]
    steps = [part.plan.step for part in parts if part.plan.step is not None]
    plan = replace(parts[0].plan, step=_as_one(steps) if steps else None)
    module = GroupedMLP([each.stack for each in ready])
    n_rows = max(len(part.data.inputs) for part in parts)
    validates = ready[0].validation_rows is not None
    anchors = [
        pull_to(anchor, each.objective, device)
        for each in ready
        if (anchor := anchor_of(each.part.data)) is not None
    ]
    with (
        isolated_seed(plan.seed, device),
        threads(choose_threads(module, plan, n_rows, device)),
    ):
        net = make_net(
            module,
            GroupedObjective([each.objective for each in ready]),
            plan,
            device,
            0.0,
            validates=validates,
            kind=partial(
                GroupedNet,
                penalties=[part.plan.alpha / part.data.total_weight for part in parts],
                weight_decays=[part.plan.weight_decay for part in parts],
                anchors=anchors,
            ),
        )
        run_net(
            net,
            [each.train_rows for each in ready],
            [each.validation_rows for each in ready] if validates else None,
            plan,
            owner,
        )
    return _read(net)


def _as_one(steps: Sequence[Step]) -> Step:
    """Return a step of several tasks at once, which ends when one of them is to end."""

    def begin(name: str) -> Callable[[Any], bool]:
        ends = [step(name) for step in steps]

        def end_all(trained: Any) -> bool:
            wants_stop = [end(trained) for end in ends]
            return any(wants_stop)

        return end_all

    return begin


def _read(net: TensorNet) -> list[TrainedStack]:
    module = net.module_.to("cpu").eval()
    curves = {
        name: np.array([row[key] for row in net.history])
        for name, key in (
            ("train_loss", "train_losses"),
            ("valid_loss", "valid_losses"),
        )
        if key in net.history[0]
    }
    n_iter = dict(net.callbacks_)["member_stopping"].n_iter_
    histories = [
        {name: curve[:n, i] for name, curve in curves.items()}
        for i, n in enumerate(n_iter)
    ]
    numbers = np.arange(module.n_members)
    groups = [numbers[members].reshape(-1) for members in module.members]
    return [
        TrainedStack(
            module.part(group),
            [int(n_iter[i]) for i in members],
            [histories[i] for i in members],
        )
        for group, members in enumerate(groups)
    ]
