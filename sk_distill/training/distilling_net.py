"""Teach a skorch net of the user's own the distillation objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet, NeuralNetClassifier
from torch import Tensor
from torch.utils.data import DataLoader

from sk_distill.training.data import TrainingData
from sk_distill.training.objective import (
    Objective,
    both_columns,
    hard_cross_entropy,
)
from sk_distill.training.own_net import OwnNetMixin, train_as
from sk_distill.training.steps import Step


class _DistillingMixin(OwnNetMixin):
    """Replaces a net's loss; optimiser, schedule, callbacks and batches stay.

    The rows arrive as a dict of the inputs and the arrays of the objective, while y
    holds plain label codes: stratified splits and scoring callbacks see an ordinary
    classification.
    """

    objective: Objective
    owner_name: str

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        # A fit of the user's would look for a matrix.
        self.run(X, y)
        return self

    def infer(self, x: Any, **fit_params: Any) -> Any:
        if isinstance(x, Mapping):
            x = x["inputs"]
        return super().infer(x, **fit_params)  # type: ignore[misc]

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        logits = as_logits(self, y_pred)
        device = logits.device
        if isinstance(X, Mapping):
            targets = {k: v.to(device) for k, v in X.items() if k != "inputs"}
            return self.objective(logits, targets)
        if training:
            raise TypeError(
                f"{self.owner_name}: the net's dataset or iterator made a "
                f"{type(X).__name__} of a training batch; expected the dict of inputs "
                "and targets that it was given. Leave dataset and iterator_train to "
                "skorch, or hand the dict on."
            )
        # Rows of a validation set of the user's own, of which no teacher was asked.
        logits = both_columns(logits)
        codes = torch.as_tensor(y_true, device=device).long()
        if codes.min() < 0 or codes.max() >= logits.shape[-1]:
            raise ValueError(
                f"{self.owner_name}: the net's train_split holds out rows of its own "
                f"with labels from {int(codes.min())} to {int(codes.max())}; expected "
                f"0 to {logits.shape[-1] - 1}, the positions in np.unique(y). Encode "
                "them: np.searchsorted(np.unique(y), y_valid)."
            )
        return hard_cross_entropy(logits, codes).mean()


def train_net(
    net: NeuralNet,
    objective: Objective,
    data: TrainingData,
    seed: int,
    step: Step | None,
    *,
    owner: str,
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
    step : callable or None
        Makes each epoch a step of a larger task.
    owner : str
        The estimator's name, for messages.

    Raises
    ------
    TrainingDivergedError
        When the net's loss or weights are no longer finite numbers.
    RuntimeError
        When training ended before one whole epoch.
    """
    targets = objective.make_targets(data.codes, data.soft_targets, data.weight)
    rows: dict[str, NDArray[Any]] = {"inputs": data.inputs}
    for name, array in targets.items():
        rows[name] = array.astype(np.float32) if array.dtype.kind == "f" else array
    labels = data.likely_classes().astype(np.int64)
    members = {"objective": objective, "owner_name": owner}
    train_as(net, _DistillingMixin, members, (rows, labels), seed, step, owner=owner)
    return net


def as_logits(net: NeuralNet, output: Any) -> Tensor:
    """Return a module's output as logits, by what the net's criterion expects of it.

    ``NLLLoss`` in a ``NeuralNetClassifier`` (skorch's default) expects probabilities,
    and ``BCELoss`` the probability of the second class; all other criteria,
    log-probabilities or logits, which softmax does not tell apart.
    """
    if isinstance(output, tuple):
        output = output[0]
    if output.ndim == 1:
        output = output.unsqueeze(-1)
    if isinstance(net.criterion_, torch.nn.BCELoss):
        return torch.logit(output, eps=torch.finfo(output.dtype).eps)
    probabilities = isinstance(net, NeuralNetClassifier) and isinstance(
        net.criterion_, torch.nn.NLLLoss
    )
    if probabilities:
        return torch.log(output + torch.finfo(output.dtype).eps)
    return output


def net_logits(net: NeuralNet, inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the logits of a trained net for float32 rows."""
    batches = net.get_iterator(net.get_dataset(inputs), training=False)
    if isinstance(batches, DataLoader) and batches.generator is None:
        # A loader draws a number for its workers, even if it has none: not from the
        # global generator, from which a fit in another thread may be drawing.
        batches.generator = torch.Generator()
    logits = [as_logits(net, net.evaluation_step(batch)) for batch in batches]
    return torch.cat(logits).cpu().numpy()
