"""Teach a skorch net of the user's own the distillation objective."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet, NeuralNetClassifier
from torch import Tensor

from sk_distill.exceptions import TrainingDivergedError
from sk_distill.training.data import TrainingData
from sk_distill.training.objective import Objective
from sk_distill.training.seeding import isolated_seed
from sk_distill.training.stopping import StoppableMixin


class _DistillingMixin(StoppableMixin):
    """Replaces a net's loss; optimiser, schedule, callbacks and batches stay.

    The rows arrive as a dict of the inputs and the arrays of the objective, while y
    holds plain label codes: stratified splits and scoring callbacks see an ordinary
    classification.
    """

    objective: Objective

    def infer(self, x: Any, **fit_params: Any) -> Any:
        if isinstance(x, Mapping):
            x = x["inputs"]
        return super().infer(x, **fit_params)  # type: ignore[misc]

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        logits = as_logits(self, y_pred)
        device = logits.device
        targets = {k: v.to(device) for k, v in X.items() if k != "inputs"}
        return self.objective(logits, targets)


def train_net(
    net: NeuralNet, objective: Objective, data: TrainingData, seed: int, *, owner: str
) -> NeuralNet:
    """Train ``net`` in place on the objective.

    Parameters
    ----------
    net : skorch.NeuralNet
        Not initialised; its criterion says what its module returns (see
        :func:`as_logits`) and is otherwise not used.
    objective : Objective
        The loss.
    data : TrainingData
        float32 rows.
    seed : int
        Seed of initial weights and batches.
    owner : str
        The estimator's name, for messages.

    Raises
    ------
    TrainingDivergedError
        When the net's loss or weights are no longer finite numbers.
    """
    targets = objective.make_targets(data.codes, data.soft_targets, data.weight)
    rows: dict[str, NDArray[Any]] = {"inputs": data.inputs}
    for name, array in targets.items():
        rows[name] = array.astype(np.float32) if array.dtype.kind == "f" else array
    codes = data.labels()
    kind = type(net)
    namespace = {"objective": objective}
    net.__class__ = type(
        f"Distilling{kind.__name__}", (_DistillingMixin, kind), namespace
    )
    try:
        with isolated_seed(seed, torch.device(net.device or "cpu")):
            net.run(rows, codes.astype(np.int64))
    finally:
        net.__class__ = kind
    parameters = torch.cat([p.detach().reshape(-1) for p in net.module_.parameters()])
    loss = net.history[-1, "train_loss"]
    if not (math.isfinite(loss) and bool(torch.isfinite(parameters).all())):
        raise TrainingDivergedError(
            f"{owner} diverged: the train loss is {loss}. Lower the net's lr (it is "
            f"{net.lr}), and look for extreme values in X. Nothing of this fit was "
            "kept."
        )
    return net


def as_logits(net: NeuralNet, output: Any) -> Tensor:
    """Return a module's output as logits, by what the net's criterion expects of it.

    ``NLLLoss`` in a ``NeuralNetClassifier`` (skorch's default) expects probabilities;
    all other criteria, log-probabilities or logits, which softmax does not tell apart.
    """
    if isinstance(output, tuple):
        output = output[0]
    if output.ndim == 1:
        output = output.unsqueeze(-1)
    probabilities = isinstance(net, NeuralNetClassifier) and isinstance(
        net.criterion_, torch.nn.NLLLoss
    )
    if probabilities:
        return torch.log(output + torch.finfo(output.dtype).eps)
    return output


def net_logits(net: NeuralNet, inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the logits of a trained net for float32 rows."""
    blocks = [as_logits(net, block) for block in net.forward_iter(inputs)]
    return torch.cat(blocks).cpu().numpy()
