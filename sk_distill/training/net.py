"""From a plan to the skorch net, and whether the user's parts fit into one."""

from dataclasses import replace
from typing import Any

import torch
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochTimer,
    LRScheduler,
    PrintLog,
)
from skorch.utils import noop
from torch import nn

from sk_distill.training.devices import resolve_device
from sk_distill.training.lbfgs import ScipyLBFGS
from sk_distill.training.objective import Objective
from sk_distill.training.plan import TrainingPlan
from sk_distill.training.schedule import SCHEDULES
from sk_distill.training.seeding import isolated_seed
from sk_distill.training.tensor_net import TensorNet

# What a user may say of the net; all else has a parameter of its own, or no meaning
# where batches are slices of tensors.
_NET_PARAMS = ("optimizer", "lr", "max_epochs", "batch_size", "compile")


def check_plan(owner: str, plan: TrainingPlan) -> None:
    """Refuse a device, callbacks or parameters of the net before any work is done.

    Raises
    ------
    TypeError, ValueError
        Naming the owner's parameter, its value and what would do.
    """
    resolve_device(owner, plan.device)
    for entry in plan.callbacks:
        callback = entry[1] if isinstance(entry, tuple) and len(entry) == 2 else entry
        kind = callback if isinstance(callback, type) else type(callback)
        if not issubclass(kind, Callback):
            raise TypeError(
                f"{owner}: callbacks={list(plan.callbacks)!r} must be a list of skorch "
                f"callbacks, or of (name, callback); {entry!r} is none."
            )
        if issubclass(kind, LRScheduler) and plan.schedule != "constant":
            raise ValueError(
                f"{owner}: callbacks={list(plan.callbacks)!r} has a schedule of its "
                f"own, and so has learning_rate={plan.schedule!r}. Set "
                "learning_rate='constant' for yours to count."
            )
    for name in plan.net_params:
        if name.split("__")[0] not in _NET_PARAMS:
            raise ValueError(
                f"{owner}: net_params has {name!r}; expected "
                f"{', '.join(map(repr, _NET_PARAMS))}, or a parameter of the "
                "optimizer, 'optimizer__…'. Where more is your own, pass a skorch net "
                "as the student."
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


def make_net(
    module: nn.Module,
    objective: Objective,
    plan: TrainingPlan,
    device: torch.device,
    alpha: float,
    *,
    validates: bool,
) -> TensorNet:
    """Return the skorch net that the plan describes."""
    params: dict[str, Any] = {
        "module": module,
        "criterion": objective,
        "device": device,
        "verbose": plan.verbose,
        # Biases go free of any penalty.
        "optimizer__param_groups": [("*bias*", {"weight_decay": 0.0})],
    }
    callbacks = list(plan.callbacks)
    if plan.verbose:
        callbacks += [("epoch_timer", EpochTimer()), ("print_log", PrintLog())]
    if plan.solver == "lbfgs":
        params |= {
            "optimizer": ScipyLBFGS,
            "optimizer__max_iter": plan.max_iter,
            "optimizer__tol": plan.tol,
            "optimizer__weight_decay": alpha,
            "max_epochs": 1,
            "batch_size": -1,
        }
    else:
        if "optimizer" not in plan.net_params:
            params["optimizer__fused"] = device.type in ("cpu", "cuda")
        params |= {
            "optimizer": torch.optim.AdamW,
            "optimizer__weight_decay": plan.weight_decay,
            "lr": plan.learning_rate,
            "schedule": SCHEDULES[plan.schedule],
            "penalty": alpha,
            "max_epochs": plan.max_iter,
            "batch_size": plan.batch_size,
        }
        patience = EarlyStopping(
            monitor="valid_loss" if validates else "train_loss",
            # A cycle is gone through to its end: only there the step size is small.
            patience=plan.n_iter_no_change
            if plan.schedule == "constant"
            else plan.max_iter,
            threshold=plan.tol,
            threshold_mode="abs",
            sink=noop,
            load_best=validates,
        )
        callbacks.append(("early_stopping", patience))
    return TensorNet(**(params | {"callbacks": callbacks} | dict(plan.net_params)))
