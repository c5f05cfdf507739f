"""The skorch net of the built-in networks: tensors in, nothing fetched by row."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn

from sk_distill.exceptions import TrainingDivergedError
from sk_distill.training.batches import TensorBatches, TensorRows
from sk_distill.training.schedule import constant
from sk_distill.training.stopping import StoppableMixin

# Big enough to keep two cores busy, small enough to stay in the cache.
VALIDATION_ROWS = 8192

_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


class TensorNet(StoppableMixin, NeuralNet):
    """A skorch net over :class:`TensorRows`, with no default callbacks.

    ``run(rows, validation_rows)`` takes both parts ready made; the criterion gets
    the logits and the batch's targets. The loss of an epoch is gathered on the device
    and read once.

    Parameters
    ----------
    schedule : callable
        The step size of a batch, as a share of ``lr``, from the share of the run that
        is done.
    penalty, weight_decay : float
        α of an L2 penalty of α / 2 ‖w‖² on all weights but biases, and the share of the
        step size by which each step shrinks them (Loshchilov & Hutter 2019,
        arXiv:1711.05101). An optimiser would want two groups of parameters for it, and
        twice the time.
    anchors : sequence of (Tensor of shape (n_inputs, n_units), float or Tensor)
        For each first layer weights that its first units are pulled to, and β of the
        penalty β / 2 ‖w - anchor‖² for it (Li, Grandvalet & Davoine 2018,
        arXiv:1802.01483, equation 2), one for all members or (n_members, 1, 1).
    **kwargs
        skorch's.
    """

    def __init__(
        self,
        *args: Any,
        schedule: Callable[[float], float] = constant,
        penalty: float = 0.0,
        weight_decay: float = 0.0,
        anchors: Sequence[tuple[Tensor, Any]] = (),
        **kwargs: Any,
    ) -> None:
        self.schedule = schedule
        self.penalty = penalty
        self.weight_decay = weight_decay
        self.anchors = anchors
        super().__init__(*args, **kwargs)

    def get_default_callbacks(self) -> list[Any]:
        return []

    def initialize_callbacks(self) -> "TensorNet":
        super().initialize_callbacks()
        self._batches_are_watched = any(
            getattr(type(callback), hook) is not getattr(Callback, hook)
            for _, callback in self.callbacks_
            for hook in _BATCH_HOOKS
        )
        return self

    def get_split_datasets(
        self, X: TensorRows, y: TensorRows | None = None, **fit_params: Any
    ) -> tuple[TensorRows, TensorRows | None]:
        return X, y

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        size = self.batch_size if training else VALIDATION_ROWS
        return TensorBatches(dataset, size, shuffle=training)

    def infer(self, x: Tensor, **fit_params: Any) -> Tensor:
        return self.module_(x)

    def get_loss(
        self, y_pred: Tensor, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        return self.criterion_(y_pred, y_true)

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take one optimiser step, without skorch's bookkeeping if nobody looks."""
        self._shrink()
        if self._batches_are_watched:
            return super().train_step(batch, **fit_params)
        step: dict[str, Any] = {}

        def closure() -> Tensor:
            step.update(self.train_step_single(batch))
            return step["loss"]

        return {"loss": self.optimizer_.step(closure)}

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Set the gradients of a batch; return its loss and its logits."""
        inputs, targets = batch
        if self._goes_back_by_hand:
            logits, back = self.module_.forward_and_back(inputs)
            loss, gradient = self.criterion_.value_and_gradient(logits, targets)
            back(gradient)
        else:
            self.optimizer_.zero_grad()
            logits = self.module_(inputs)
            loss = self.criterion_(logits, targets)
            loss.sum().backward()
        self._add_penalty()
        self._add_pulls()
        return {"loss": loss, "y_pred": logits}

    def initialize_module(self) -> "TensorNet":
        super().initialize_module()
        self._penalties: list[tuple[nn.Parameter, Tensor]] = []
        self._decays: list[tuple[nn.Parameter, Tensor]] = []
        for name, weight in self.module_.named_parameters():
            if "bias" in name:
                continue
            parts = (self._penalties, self._decays)
            for part, value in zip(parts, self._penalties_of(name), strict=True):
                value = torch.as_tensor(value, device=weight.device).to(weight.dtype)
                if value.any():
                    part.append((weight, value))
        return self

    def _penalties_of(self, name: str) -> tuple[Any, Any]:
        """Return the L2 penalty and the weight decay of a parameter."""
        return self.penalty, self.weight_decay

    @torch.no_grad()
    def _add_penalty(self) -> None:
        for weight, penalty in self._penalties:
            if weight.grad is not None:
                weight.grad.addcmul_(weight, penalty)

    @torch.no_grad()
    def _add_pulls(self) -> None:
        if not self.anchors:
            return
        for weight, (anchor, pull) in zip(
            self._first_weights(), self.anchors, strict=True
        ):
            if weight.grad is not None:
                units = slice(anchor.shape[-1])
                weight.grad[..., units] += pull * (weight[..., units] - anchor)

    def _first_weights(self) -> list[nn.Parameter]:
        """Return the weights of each first layer."""
        return [next(self.module_.parameters())]

    @torch.no_grad()
    def _shrink(self) -> None:
        for weight, decay in self._decays:
            if weight.requires_grad:
                rate = self.optimizer_.param_groups[0]["lr"]
                weight.mul_(1 - rate * decay)

    def run_single_epoch(
        self,
        iterator: Any,
        training: bool,
        prefix: str,
        step_fn: Any,
        **fit_params: Any,
    ) -> None:
        if iterator is None:
            return
        self._set_training(training)
        # A hook that a callback has set wants the module called, and autograd.
        by_hand = getattr(self.module_, "goes_back_by_hand", False)
        parameters = self.module_.parameters()
        by_hand = by_hand and not any(
            p._backward_hooks or p._post_accumulate_grad_hooks for p in parameters
        )
        self._goes_back_by_hand = by_hand and not any(
            part._forward_hooks
            or part._forward_pre_hooks
            or part._backward_hooks
            or part._backward_pre_hooks
            for part in self.module_.modules()
        )
        losses, sizes = [], []
        n_batches = len(iterator)
        if not self._batches_are_watched:
            # One row for all batches: Checkpoint looks for the last of them.
            self.history.new_batch()
        for i, batch in enumerate(iterator):
            if training and self.schedule is not constant:
                self._set_rate(
                    (len(self.history) - 1 + i / n_batches) / self.max_epochs
                )
            if self._batches_are_watched:
                self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            if self._batches_are_watched:
                self.notify("on_batch_end", batch=batch, training=training, **step)
            losses.append(step["loss"].detach())
            sizes.append(self._batch_sizes(batch[0]))
        # One transfer from the device an epoch, not one a batch.
        values = torch.stack(losses).cpu().numpy()
        losses_of_epoch = np.average(values, axis=0, weights=sizes)
        name, mean = f"{prefix}_loss", self._record(prefix, losses_of_epoch)
        if not math.isfinite(mean):
            raise TrainingDivergedError(f"the {prefix} loss is {mean}")
        # What skorch's Checkpoint monitors.
        best = all(mean < epoch[name] for epoch in self.history[:-1])
        self.history.record(f"{name}_best", best)

    def _batch_sizes(self, inputs: Any) -> Any:
        """Return how much the loss of a batch counts in that of its epoch."""
        return len(inputs)

    def _record(self, prefix: str, losses: NDArray[Any]) -> float:
        """Record the loss of an epoch; return it."""
        mean = float(losses.mean())
        self.history.record(f"{prefix}_loss", mean)
        return mean

    def _set_rate(self, done: float) -> None:
        """Set the step size for the next batch, ``done`` being the share of the run."""
        for group in self.optimizer_.param_groups:
            group["lr"] = self.lr * self.schedule(done)
