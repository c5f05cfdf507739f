"""Train a torch module on an objective; return it with its history."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sk_distill.exceptions import DistillationConvergenceWarning, TrainingDivergedError
from sk_distill.nn import GroupedMLP, SlotRows, StackedMLP
from sk_distill.seeding import isolated_seed
from sk_distill.training.batches import TensorRows
from sk_distill.training.curves import loss_curves
from sk_distill.training.data import TrainingData
from sk_distill.training.devices import resolve_device, threads
from sk_distill.training.holdout import holdout_mask
from sk_distill.training.joint import JointModule, JointNet, JointObjective
from sk_distill.training.net import make_net
from sk_distill.training.objective import Objective, both_columns
from sk_distill.training.plan import TrainingPlan
from sk_distill.training.preconditioner import Preconditioner, precondition
from sk_distill.training.stopping import UntrainedError
from sk_distill.training.tensor_net import TensorNet

# Below this many multiplications a batch, waking a second thread costs more than the
# thread saves (measured with benchmarks/speed.py on two cores). A stack's threads each
# have members of their own.
_SMALL_BATCH = 20_000_000
_SMALL_BATCH_OF_STACK = 2_000_000

# Iterations that cost as much as to look at the curvature anew.
_MOST_STEPS = 4

# How much of solutions is added and taken away to point to the next one.
_FARTHEST = 30


@dataclass(frozen=True)
class TrainedModule:
    """A trained module, on the CPU and in evaluation mode, and how it got there."""

    module: nn.Module
    n_iter: int
    history: dict[str, NDArray[Any]]


def train_module(
    build: Callable[[], nn.Module],
    objective: Objective,
    data: TrainingData,
    plan: TrainingPlan,
    *,
    owner: str,
) -> TrainedModule:
    """Build a module and train it.

    Parameters
    ----------
    build : callable
        Returns the module; called with the seed set.
    objective : Objective
        The loss.
    data : TrainingData
        The rows.
    plan : TrainingPlan
        The settings.
    owner : str
        The estimator's name, for messages.

    Returns
    -------
    TrainedModule

    Raises
    ------
    TrainingDivergedError
        When the loss stops being a finite number.
    RuntimeError
        When training ended before one whole epoch.
    """
    return _read(_train(build, objective, data, plan, owner), plan, owner)


def train_path(
    build: Callable[[], nn.Module],
    objectives: Sequence[Objective],
    data: TrainingData,
    plan: TrainingPlan,
    *,
    owner: str,
    start: nn.Module | None,
) -> Iterator[TrainedModule]:
    """Train a linear module on each objective by "lbfgs", and yield it.

    Each is what :func:`train_module` makes of its objective, to the plan's tolerance,
    and soon: it begins where the solutions before point to, with the curvature at the
    first of them.

    Parameters
    ----------
    build, objectives, data, plan, owner
        As for :func:`train_module`.
    start : nn.Module or None
        The solution at λ = 0, if it is known.
    """
    # By the share of λ in the objective, 1 / (1 + λ).
    solutions: list[tuple[float, nn.Module]] = [] if start is None else [(1.0, start)]
    curvature, is_stale = None, True
    for objective in objectives:
        if solutions and is_stale:
            curvature = _curvature_at(solutions[-1][1], data, plan)
        begin = partial(_extrapolate, build, solutions, objective.hard_share)
        net = _train(begin, objective, data, plan, owner, curvature)
        trained = _read(net, plan, owner)
        yield trained
        is_stale = trained.n_iter > _MOST_STEPS
        share = objective.hard_share
        # Of two solutions at one λ, which differ in T, the later one counts.
        solutions = [pair for pair in solutions if pair[0] != share][-2:]
        solutions.append((share, trained.module))


def _extrapolate(
    build: Callable[[], nn.Module],
    solutions: Sequence[tuple[float, nn.Module]],
    share: float,
) -> nn.Module:
    """Return a module with the weights that the last solutions point to.

    Along λ's share the weights run almost straight: three of them make a parabola, by
    Lagrange's formula.
    """
    module = build()
    if not solutions:
        return module
    shares = [known for known, _ in solutions]
    factors = [
        float(np.prod([(share - b) / (a - b) for b in shares if b != a]))
        for a in shares
    ]
    if np.abs(factors).sum() > _FARTHEST:
        # Too far away for solutions that are so close together.
        factors = [0.0] * (len(factors) - 1) + [1.0]
    with torch.no_grad():
        for parameter, *known in zip(
            module.double().parameters(),
            *(solution.parameters() for _, solution in solutions),
            strict=True,
        ):
            parameter.zero_()
            for factor, weights in zip(factors, known, strict=True):
                parameter.add_(weights, alpha=factor)
    return module


def _curvature_at(
    module: nn.Module, data: TrainingData, plan: TrainingPlan
) -> Preconditioner | None:
    inputs = data.inputs
    device = next(module.parameters()).device
    rows = inputs
    if not isinstance(inputs, SlotRows):
        rows = torch.from_numpy(inputs).to(device)
    n_threads = choose_threads(module, plan, len(inputs), device)
    with torch.no_grad(), threads(n_threads):
        logits = both_columns(module(rows))
        return _precondition(data, plan, logits.softmax(-1).cpu().numpy())


def _read(net: TensorNet, plan: TrainingPlan, owner: str) -> TrainedModule:
    n_iter, history = _summary(net, plan, owner)
    return TrainedModule(net.module_.to("cpu").eval(), n_iter, history)


def train_joint(
    build: Callable[[], JointModule],
    objective: Objective,
    data: TrainingData,
    plan: TrainingPlan,
    *,
    owner: str,
    mutual: bool,
    n_classes: int,
    teacher_weight: NDArray[Any] | None,
    teacher_decay: float,
) -> TrainedModule:
    """Build a teacher and a student and train both on each batch.

    Parameters
    ----------
    build, data, plan, owner
        As for :func:`train_module`; weights of rows are the student's.
    objective : Objective
        The student's.
    mutual : bool
        Whether the teacher learns from the student too.
    n_classes : int
        Number of classes.
    teacher_weight : ndarray of shape (n_rows,) or None
        Weights of the rows for the teacher; None where ``data`` has none.
    teacher_decay : float
        The teacher's weight decay; the student's is the plan's.
    """
    both = JointObjective(
        objective, mutual=mutual, n_classes=n_classes, teacher_weight=teacher_weight
    )
    kind = partial(JointNet, teacher_decay=teacher_decay)
    net = _train(build, both, data, plan, owner, kind=kind, monitor="label_")
    return _read(net, plan, owner)


def _train(
    build: Callable[[], nn.Module],
    objective: Objective,
    data: TrainingData,
    plan: TrainingPlan,
    owner: str,
    curvature: Preconditioner | None = None,
    kind: Callable[..., TensorNet] = TensorNet,
    monitor: str = "",
) -> TensorNet:
    """Return the trained net."""
    device = resolve_device(owner, plan.device)
    with isolated_seed(plan.seed, device):
        module = build().to(torch.from_numpy(np.empty(0, data.inputs.dtype)).dtype)
        with threads(choose_threads(module, plan, len(data.inputs), device)):
            train_rows, validation_rows = split_rows(data, objective, plan, device)
            recondition = None
            if plan.solver == "lbfgs" and is_linear(module):
                assert isinstance(module, StackedMLP)
                recondition = partial(_curvature_at, module, data, plan)
                if curvature is None:
                    shares = data.class_shares(max(2, module.weights[0].shape[-1]))
                    curvature = _precondition(data, plan, shares)
            net = make_net(
                module,
                objective,
                plan,
                device,
                plan.alpha / data.total_weight,
                validates=validation_rows is not None,
                penalty_map=getattr(data.inputs, "unit_map", None),
                preconditioner=curvature,
                recondition=recondition,
                anchor=anchor_of(data),
                kind=kind,
                monitor=monitor,
            )
            run_net(net, train_rows, validation_rows, plan, owner)
    return net


def run_net(
    net: TensorNet,
    train_rows: Any,
    validation_rows: Any,
    plan: TrainingPlan,
    owner: str,
) -> None:
    """Train a net, and say in its owner's name what went wrong."""
    try:
        net.run(train_rows, validation_rows)
    except TrainingDivergedError as error:
        raise TrainingDivergedError(_advice(owner, plan, net, error)) from error
    except UntrainedError as error:
        raise RuntimeError(f"{owner}: {error}") from error


def anchor_of(data: TrainingData) -> NDArray[Any] | None:
    """Return the anchor's weights in the dtype of training."""
    if data.anchor is None:
        return None
    return np.asarray(data.anchor.weights, dtype=data.inputs.dtype)


def is_linear(module: nn.Module) -> bool:
    """Whether a module is a single linear map of its own kind."""
    return isinstance(module, StackedMLP) and len(module.weights) == 1


def _precondition(
    data: TrainingData, plan: TrainingPlan, proba: NDArray[Any]
) -> Preconditioner | None:
    penalty = plan.alpha / data.total_weight
    return precondition(data.inputs, data.weight, proba, penalty)


def choose_threads(
    module: nn.Module, plan: TrainingPlan, n_rows: int, device: torch.device
) -> int | None:
    """Return 1 where a second thread would cost more than it saves."""
    if device.type != "cpu":
        return None
    if plan.solver != "lbfgs":
        n_rows = min(n_rows, plan.batch_size)
    if isinstance(module, StackedMLP | GroupedMLP | JointModule):
        n_products = module.n_products(n_rows, device.type)
        is_stack = getattr(module, "n_members", 1) > 1
        small = _SMALL_BATCH_OF_STACK if is_stack else _SMALL_BATCH
    else:
        n_products = n_rows * sum(p.numel() for p in module.parameters())
        small = _SMALL_BATCH
    return 1 if n_products < small else None


def split_rows(
    data: TrainingData,
    objective: Objective,
    plan: TrainingPlan,
    device: torch.device,
) -> tuple[TensorRows, TensorRows | None]:
    """Return training rows and, for early stopping, held-out rows, on the device."""
    inputs = data.inputs
    targets = objective.make_targets(
        data.codes, data.soft_targets, data.weight, data.hints
    )

    def rows(keep: NDArray[np.bool_] | slice) -> TensorRows:
        def tensor(array: NDArray[Any]) -> torch.Tensor:
            if array.dtype.kind == "f":
                array = array.astype(inputs.dtype, copy=False)
            array = np.require(array[keep], requirements=["C", "W"])
            return torch.from_numpy(array).to(device)

        shown = inputs if isinstance(inputs, SlotRows) else tensor(inputs)
        return TensorRows(shown, {k: tensor(v) for k, v in targets.items()})

    if plan.early_stopping and plan.solver != "lbfgs":
        held_out = holdout_mask(
            data.likely_classes(), plan.validation_fraction, plan.seed
        )
        if held_out is not None:
            return rows(~held_out), rows(held_out)
    return rows(slice(None)), None


def _summary(
    net: TensorNet, plan: TrainingPlan, owner: str
) -> tuple[int, dict[str, NDArray[Any]]]:
    """Return the number of iterations and the loss curves; warn of an early end."""
    if plan.solver != "lbfgs":
        return loss_curves(net.history)
    optimizer = net.optimizer_
    if optimizer.result.status == 1:
        warnings.warn(
            f"{owner}: lbfgs stopped at max_iter={plan.max_iter} iterations, before "
            f"the optimum (tol={plan.tol}). Increase max_iter, scale the inputs, or "
            "raise alpha.",
            DistillationConvergenceWarning,
            stacklevel=2,
        )
    return int(optimizer.result.nit), {"train_loss": np.array(optimizer.losses)}


def _advice(
    owner: str, plan: TrainingPlan, net: TensorNet, error: TrainingDivergedError
) -> str:
    """Return what to do about a loss that is no number."""
    if plan.solver == "lbfgs":
        what = "Scale the inputs (encoding='standard'), or raise alpha"
    elif {"lr", "optimizer__lr"} & set(plan.net_params):
        what = f"Lower the lr in net_params (it is {net.lr})"
    else:
        what = f"Lower learning_rate_init (it is {net.lr})"
    return (
        f"{owner} diverged: {error}. {what}, and look for extreme values in X. "
        "Nothing of this fit was kept."
    )
