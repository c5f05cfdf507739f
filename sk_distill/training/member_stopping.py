"""Early stopping of each member of a stack by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback


class MemberStopping(Callback):
    """End training with each member as it was when a net of its own had ended.

    That is :class:`BestWeights` and skorch's ``EarlyStopping``, for every member: with
    held-out rows a member ends with the weights of its best epoch, without with those
    of its last one. One whose patience has ended no longer changes.

    Parameters
    ----------
    validates : bool
        Whether there are held-out rows.
    patience : int
        Epochs without progress after which a member stops.
    tol : float
        By how much the loss must fall for it to be progress.

    Attributes
    ----------
    n_iter_ : ndarray of shape (n_members,)
        Epochs of each member.
    is_running_ : ndarray of shape (n_members,)
        Whether its patience lasts.
    """

    def __init__(self, *, validates: bool, patience: int, tol: float) -> None:
        self.validates = validates
        self.patience = patience
        self.tol = tol

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget an earlier run."""
        n_members = net.module_.n_members
        self.n_iter_ = np.zeros(n_members, dtype=np.int64)
        self._best = np.full(n_members, np.inf)
        self._to_beat = np.full(n_members, np.inf)
        self._misses = np.zeros(n_members, dtype=np.int64)
        self.is_running_ = np.ones(n_members, dtype=bool)
        self._kept: list[torch.Tensor] = []

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Keep the weights that count, and stop when no member goes on."""
        name = "valid_losses" if self.validates else "train_losses"
        losses = net.history[-1][name]
        running = self.is_running_
        self.n_iter_[running] += 1

        progress = losses < self._to_beat - self.tol
        self._to_beat[progress & running] = losses[progress & running]
        self._misses[running] += 1
        self._misses[running & progress] = 0

        keep = running & (losses < self._best) if self.validates else running
        self._best[keep] = losses[keep]
        self._keep(net, keep)
        self.is_running_ = self._misses < self.patience
        if not self.is_running_.any():
            raise KeyboardInterrupt  # skorch's way to end a fit.

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Put the weights that were kept into the net."""
        with torch.no_grad():
            for (parameter, _), kept in zip(
                net.module_.by_member(), self._kept, strict=False
            ):
                parameter.copy_(kept)
        self._kept = []

    @torch.no_grad()
    def _keep(self, net: NeuralNet, members: np.ndarray) -> None:
        if not self._kept:
            self._kept = [p.detach().clone() for p, _ in net.module_.by_member()]
        for (parameter, whose), kept in zip(
            net.module_.by_member(), self._kept, strict=True
        ):
            chosen = members[whose]
            if chosen.all():
                kept.copy_(parameter)
            elif chosen.any():
                index = torch.from_numpy(np.flatnonzero(chosen)).to(parameter.device)
                kept[index] = parameter[index]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the copy out of a pickle of the net, which holds the weights."""
        return {**vars(self), "_kept": []}
