"""The weights of the best epoch."""

from copy import deepcopy
from typing import Any

import numpy as np
from skorch import NeuralNet
from skorch.callbacks import Callback


class BestWeights(Callback):
    """End training with the weights of the epoch with the lowest validation loss.

    skorch's ``EarlyStopping`` keeps the best weights only up to its threshold: an
    epoch that is better by less does not count. Here any improvement does, and the
    threshold only decides when patience ends.

    Parameters
    ----------
    monitor : str
        Name of that loss in the net's history.
    """

    def __init__(self, monitor: str = "valid_loss") -> None:
        self.monitor = monitor

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget an earlier run."""
        self.best_loss_ = np.inf
        self.best_epoch_ = 0
        self.weights_: dict[str, Any] | None = None

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Copy the weights if they are the best so far."""
        loss = net.history[-1, self.monitor]
        if loss < self.best_loss_:
            self.best_loss_ = loss
            self.best_epoch_ = len(net.history)
            self.weights_ = deepcopy(net.module_.state_dict())

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Put the best weights back."""
        if self.weights_ is not None and self.best_epoch_ != len(net.history):
            net.module_.load_state_dict(self.weights_)
        self.weights_ = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the copy out of a pickle of the net, which holds the weights."""
        return {**vars(self), "weights_": None}
