"""From a plan to the skorch net, and whether the user's parts fit into one."""

from collections.abc import Callable
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    LRScheduler,
    PassthroughScoring,
    PrintLog,
)
from skorch.utils import noop
from torch import nn

from sk_distill.seeding import isolated_seed
from sk_distill.training.best_weights import BestWeights
from sk_distill.training.devices import resolve_device
from sk_distill.training.grouped import GroupedObjective
from sk_distill.training.lbfgs import ScipyLBFGS
from sk_distill.training.member_stopping import MemberStopping
from sk_distill.training.objective import Objective
from sk_distill.training.plan import TrainingPlan
from sk_distill.training.preconditioner import Preconditioner
from sk_distill.training.schedule import SCHEDULES
from sk_distill.training.steps import EpochSteps, Step
from sk_distill.training.tensor_net import TensorNet

# What a user may say of the net; all else has a parameter of its own, or no meaning
# where batches are slices of tensors.
_NET_PARAMS = ("optimizer", "lr", "max_epochs", "batch_size", "compile")

# Losses of each member of a stack, in a line that has their mean.
_NOT_PRINTED = ("train_losses", "valid_losses")

# Callbacks that the net has itself, by their names.
_OWN_CALLBACKS = (
    "best_weights",
    "early_stopping",
    "epoch_steps",
    "epoch_timer",
    "print_log",
)


def check_plan(owner: str, plan: TrainingPlan) -> None:
    """Refuse a device, callbacks or parameters of the net before any work is done.

    Raises
    ------
    TypeError, ValueError
        Naming the owner's parameter, its value and what would do.
    """
    resolve_device(owner, plan.device)
    _check_callbacks(owner, plan)
    for name in plan.net_params:
        if name.split("__")[0] not in _NET_PARAMS:
            raise ValueError(
                f"{owner}: net_params has {name!r}; expected "
                f"{', '.join(map(repr, _NET_PARAMS))}, or a parameter of the "
                "optimizer, 'optimizer__…'. Where more is your own, pass a skorch net "
                "as the student."
            )
        if plan.solver == "lbfgs":
            raise ValueError(
                f"{owner}: net_params has {name!r}, but the solver 'lbfgs' finds its "
                "own steps, over all rows at once. Set solver='adam' for it to count."
            )
    for name in ("batch_size", "max_epochs"):
        value = plan.net_params.get(name, 1)
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(
                f"{owner}: net_params has {name!r}: {value!r}; expected an integer "
                ">= 1."
            )
    cpu = torch.device("cpu")
    with isolated_seed(plan.seed, cpu):
        rehearsal = make_net(
            nn.Linear(1, 1),
            Objective(),
            replace(plan, callbacks=(), verbose=0),
            cpu,
            alpha=0.0,
            validates=False,
        )
        try:
            rehearsal.initialize()
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"{owner}: net_params={dict(plan.net_params)!r} make no skorch net: "
                f"{error}"
            ) from error


def _check_callbacks(owner: str, plan: TrainingPlan) -> None:
    """Refuse what is no callback, what would fail in a fit, and names that clash."""
    shown = f"{owner}: callbacks={list(plan.callbacks)!r}"
    names = []
    for entry in plan.callbacks:
        is_pair = isinstance(entry, tuple) and len(entry) == 2
        callback = entry[1] if is_pair else entry
        kind = callback if isinstance(callback, type) else type(callback)
        named = isinstance(entry[0], str) if is_pair else True
        if not (named and issubclass(kind, Callback)):
            raise TypeError(
                f"{shown} must be a list of skorch callbacks, or of (name, callback); "
                f"{entry!r} is none."
            )
        if is_pair:
            names.append(entry[0])
        if issubclass(kind, LRScheduler) and plan.schedule != "constant":
            raise ValueError(
                f"{shown} has a schedule of its own, and so has "
                f"learning_rate={plan.schedule!r}. Set learning_rate='constant' for "
                "yours to count."
            )
        if plan.solver == "lbfgs" and issubclass(
            kind, Checkpoint | EarlyStopping | LRScheduler
        ):
            raise ValueError(
                f"{shown} has a {kind.__name__}, which looks at epochs; the solver "
                "'lbfgs' has none. Set solver='adam', or leave it out."
            )
        # They predict and score on the rows of each batch, while the net has tensors
        # and the arrays of an objective instead of labels.
        if issubclass(kind, EpochScoring | BatchScoring | PassthroughScoring):
            raise ValueError(
                f"{shown} has a {kind.__name__}, which needs skorch's own batches. "
                "history_ has the losses of the epochs; for scores of your own pass "
                "a skorch net as the student."
            )
    for name in names:
        if name in _OWN_CALLBACKS or names.count(name) > 1:
            whose = "the net's own callbacks" if name in _OWN_CALLBACKS else "another"
            raise ValueError(
                f"{shown} has a callback named {name!r}, as {whose} is. Choose a "
                "different name for it, or pass it without one."
            )


def make_net(
    module: nn.Module,
    objective: Any,
    plan: TrainingPlan,
    device: torch.device,
    alpha: float,
    *,
    validates: bool,
    penalty_map: Any = None,
    preconditioner: Preconditioner | None = None,
    recondition: Callable[[], Preconditioner | None] | None = None,
    anchor: NDArray[Any] | None = None,
    kind: Callable[..., TensorNet] = TensorNet,
    monitor: str = "",
) -> TensorNet:
    """Return the skorch net that the plan describes.

    ``penalty_map`` turns the first layer's weights into those that "lbfgs" penalises;
    the ``preconditioner`` has the variables that it searches in, ``recondition`` makes
    others. The first layer is pulled to the ``anchor`` as hard as the objective says,
    in shares of the anchor's own squared norm. ``kind`` makes the net. ``monitor`` is
    what the names of the losses that decide when to stop begin with.
    """
    params: dict[str, Any] = {
        "module": module,
        "criterion": objective,
        "device": device,
        "verbose": plan.verbose,
    }
    net_params = dict(plan.net_params)
    if "optimizer__lr" in net_params:
        # skorch has two names for it; the schedule looks at this one.
        net_params["lr"] = net_params.pop("optimizer__lr")
    callbacks = list(plan.callbacks)
    if plan.verbose:
        callbacks += [
            ("epoch_timer", EpochTimer()),
            ("print_log", PrintLog(keys_ignored=_NOT_PRINTED)),
        ]
    if plan.solver == "lbfgs":
        first_layer: dict[str, Any] = {"penalty_map": penalty_map}
        if anchor is not None:
            pull = objective.pull / _squared_norm(anchor)
            first_layer |= {"anchor": anchor, "pull": pull}
        params |= {
            "optimizer": ScipyLBFGS,
            "optimizer__max_iter": plan.max_iter,
            "optimizer__tol": plan.tol,
            "optimizer__weight_decay": alpha,
            "optimizer__preconditioner": preconditioner,
            "optimizer__recondition": recondition,
            "optimizer__on_iteration": _on_iteration(plan.step, module),
            # Biases go free of the penalty.
            "optimizer__param_groups": [
                ("*bias*", {"weight_decay": 0.0}),
                ("weights.0", first_layer),
            ],
            "max_epochs": 1,
            "batch_size": -1,
        }
    else:
        if "optimizer" not in net_params:
            params["optimizer__fused"] = device.type in ("cpu", "cuda")
        params |= {
            "optimizer": torch.optim.Adam,
            "penalty": alpha,
            "weight_decay": plan.weight_decay,
            "lr": plan.learning_rate,
            "schedule": SCHEDULES[plan.schedule],
            "max_epochs": plan.max_iter,
            "batch_size": plan.batch_size,
        }
        if anchor is not None:
            params["anchors"] = [pull_to(anchor, objective, device)]
        # A cycle is gone through to its end: only there the step size is small.
        patience = (
            plan.n_iter_no_change if plan.schedule == "constant" else plan.max_iter
        )
        if isinstance(objective, GroupedObjective):
            stopping = MemberStopping(
                validates=validates, patience=patience, tol=plan.tol
            )
            callbacks.append(("member_stopping", stopping))
        else:
            if validates:
                # First of all: a later callback may stop training in the best epoch.
                callbacks.insert(
                    0, ("best_weights", BestWeights(f"{monitor}valid_loss"))
                )
            stopping = EarlyStopping(
                monitor=f"{monitor}{'valid' if validates else 'train'}_loss",
                patience=patience,
                threshold=plan.tol,
                threshold_mode="abs",
                sink=noop,
            )
            callbacks.append(("early_stopping", stopping))
        if plan.step is not None:
            callbacks.append(("epoch_steps", EpochSteps(plan.step)))
    return kind(**(params | {"callbacks": callbacks} | net_params))


def _on_iteration(step: Step | None, module: nn.Module) -> Callable[[], bool] | None:
    """Return what makes an iteration a step of a larger task."""
    return None if step is None else lambda: step("iteration")(module)


def pull_to(
    anchor: NDArray[Any], objective: Objective, device: torch.device
) -> tuple[torch.Tensor, Any]:
    """Return the anchor on the device, and how hard the objective pulls to it."""
    tensor = torch.from_numpy(anchor).to(device)
    return tensor, objective.pull_of(tensor) / _squared_norm(anchor)


def _squared_norm(anchor: NDArray[Any]) -> float:
    """Return what makes a pull relative to the anchor."""
    return max(float(np.square(anchor, dtype=np.float64).sum()), 1e-12)
