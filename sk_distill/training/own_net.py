"""Train a skorch net of the user's own, with its own loss or with another."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet, NeuralNetBinaryClassifier
from torch import nn

from sk_distill.exceptions import TrainingDivergedError
from sk_distill.seeding import isolated_seed
from sk_distill.training.curves import loss_curves
from sk_distill.training.steps import EpochSteps, Step
from sk_distill.training.stopping import StoppableMixin, UntrainedError


class OwnNetMixin(StoppableMixin):
    """What a net of the user's gets for the time of a fit.

    ``_epoch_steps`` is the class's: what the user's callbacks save of the net, and what
    remains of it, knows nothing of who watches.
    """

    _epoch_steps: EpochSteps | None = None

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call the callbacks; the last of them tells who watches."""
        super().notify(method_name, **cb_kwargs)
        tell = getattr(self._epoch_steps, method_name, None)
        if tell is not None:
            tell(self, **cb_kwargs)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Record the loss of the epoch, which skorch leaves to a callback.

        The user may have disabled that one, and a stop may come before it is called.
        """
        super().run_single_epoch(  # type: ignore[misc]
            iterator, training, prefix, *args, **kwargs
        )
        name, size = f"{prefix}_loss", f"{prefix}_batch_size"
        epoch = self.history[-1]  # type: ignore[attr-defined]
        batches = [batch for batch in epoch["batches"] if name in batch]
        if batches:
            losses = [batch[name] for batch in batches]
            mean = np.average(losses, weights=[batch[size] for batch in batches])
            epoch[name] = float(mean)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle as the user's own class; this one is made for a fit only."""
        reduced: Any = super().__reduce_ex__(protocol)
        make, args, *rest = reduced
        args = tuple(_own_kind(self) if arg is type(self) else arg for arg in args)
        if getattr(make, "__name__", "") == "__newobj__":
            # pickle checks of this one that it makes the object's own class.
            make = object.__new__
        return make, args, *rest


def trained_so_far(net: OwnNetMixin) -> Any:
    """Return a net of the user's own class whose modules are trained no further."""
    copied: Any = object.__new__(_own_kind(net))
    parts = vars(net)
    modules = {k: v for k, v in parts.items() if isinstance(v, nn.Module)}
    vars(copied).update(parts | deepcopy(modules))
    return copied


def _own_kind(net: OwnNetMixin) -> type:
    """Return what the class was before the fit."""
    return type(net).__bases__[-1]


def most_epochs(net: Any) -> int | None:
    """Return the epochs of a net's fit at most; None where nobody knows.

    A loop of the user's own may make more of them than its parameter says, and what is
    around a net has a fit of its own.
    """
    if not isinstance(net, NeuralNet):
        return 0
    return net.max_epochs if type(net).fit_loop is NeuralNet.fit_loop else None


def fit_net(
    net: Any,
    inputs: NDArray[Any],
    codes: NDArray[Any],
    seed: int,
    step: Step | None,
    *,
    owner: str,
) -> None:
    """Fit a net on labels, with its own loss.

    Parameters
    ----------
    net : skorch.NeuralNet or an estimator around one
        Fitted in place. What is around a net, such as a search for its parameters, is
        fitted in its own way.
    inputs : ndarray of shape (n_rows, n_features)
        float32 rows.
    codes : ndarray of shape (n_rows,)
        Labels as integers from 0.
    seed : int
        Seed of initial weights and batches.
    step : callable or None
        Makes each epoch a step of a larger task; see :class:`EpochSteps`. What is
        around a net has none.
    owner : str
        The estimator's name, for messages.

    Raises
    ------
    TrainingDivergedError
        When the net's loss or weights are no longer finite numbers.
    RuntimeError
        When training ended before one whole epoch.
    """
    inner = getattr(net, "estimator", net)
    is_binary = isinstance(inner, NeuralNetBinaryClassifier)
    # Its loss wants the labels in the dtype of the logits.
    labels = codes.astype(np.float32 if is_binary else np.int64)
    if isinstance(net, NeuralNet):
        train_as(net, OwnNetMixin, {}, (inputs, labels), seed, step, owner=owner)
        return
    device = torch.device(inner.device or "cpu")
    with isolated_seed(seed, device):
        net.fit(inputs, labels)


def train_as(
    net: NeuralNet,
    mixin: type,
    members: dict[str, Any],
    data: tuple[Any, NDArray[Any]],
    seed: int,
    step: Step | None,
    *,
    owner: str,
) -> None:
    """Fit ``net`` in place while its class is one of ``mixin`` and its own.

    Parameters
    ----------
    net : skorch.NeuralNet
        Not initialised.
    mixin : subclass of OwnNetMixin
        What is different during the fit.
    members : dict
        Attributes of the class made for the fit.
    data : tuple of X and y
        As skorch takes them.
    seed : int
        Seed of initial weights and batches.
    step : callable or None
        As for :func:`fit_net`.
    owner : str
        The estimator's name, for messages.

    Raises
    ------
    TrainingDivergedError
        When the net's loss or weights are no longer finite numbers.
    RuntimeError
        When training ended before one whole epoch.
    """
    kind = type(net)
    if step is not None:
        members = members | {"_epoch_steps": EpochSteps(step, lambda net: net)}
    net.__class__ = type(f"Distilling{kind.__name__}", (mixin, kind), members)
    try:
        with isolated_seed(seed, torch.device(net.device or "cpu")):
            net.fit(*data)
    except UntrainedError as error:
        raise RuntimeError(f"{owner}: {error}") from error
    finally:
        net.__class__ = kind
    loss = float(loss_curves(net.history)[1]["train_loss"][-1])
    finite = all(bool(p.isfinite().all()) for p in net.module_.parameters())
    if not (math.isfinite(loss) and finite):
        raise TrainingDivergedError(
            f"{owner} diverged: the train loss is {loss}. Lower the net's lr (it is "
            f"{net.lr}), and look for extreme values in X. Nothing of this fit was "
            "kept."
        )
