"""A skorch net of the user's own, as a student."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sk_distill.encoding import Table
from sk_distill.networks import NetworkClassifier
from sk_distill.networks.module import check_logit_shape, wrong_rows
from sk_distill.progress import running_step
from sk_distill.seeding import isolated_seed
from sk_distill.validation import name_of

if TYPE_CHECKING:
    from sk_distill.training import Objective, TrainingData


class SkorchStudent(NetworkClassifier):
    """Train a skorch net on labels, soft targets or both.

    It is what ``student=net`` becomes. The net gets the columns as they are, in
    float32. Its optimiser, schedule, batches and callbacks are kept; its loss is
    replaced by the objective of :meth:`fit`.

    Parameters
    ----------
    net : skorch.NeuralNet
        Cloned before it is trained. With ``NLLLoss`` in a ``NeuralNetClassifier``,
        skorch's default, its module returns probabilities, with ``BCELoss`` that of
        the second class; with any other criterion, logits. One column will do for two
        classes. A validation set of its own (skorch's ``predefined_split``) has the
        positions of its labels in ``np.unique(y)`` for y, and is scored by them alone.
    random_state : int, RandomState or None, default=None
        Seed of the initial weights and the batches.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net.
    classes_, n_iter_, loss_curve_, history_, n_features_in_
        As in :class:`sk_distill.MLPStudent`; an iteration is an epoch.
    """

    # The net is the user's: nothing is done to its columns or to its loss's weights.
    encoding = None
    n_bins = 0
    class_weight = None

    _wraps = "net"

    def __init__(self, net: Any, *, random_state: Any = None) -> None:
        self.net = net
        self.random_state = random_state

    def _check_parameters(self) -> None:
        """Check nothing: a net checks its own."""

    def _train(
        self, data: TrainingData, objective: Objective, seed: int, *, warm: bool
    ) -> tuple[int, dict[str, NDArray[np.float64]]]:
        from sk_distill.training.curves import loss_curves
        from sk_distill.training.distilling_net import train_net

        self.net_ = train_net(
            clone(self.net),
            objective,
            data,
            seed,
            running_step(),
            owner=name_of(self),
        )
        return loss_curves(self.net_.history)

    def _n_steps(self, n_rows: int) -> int | None:
        from sk_distill.training.own_net import most_epochs

        return most_epochs(self.net)

    def _as_fitted(self, net: Any) -> dict[str, Any]:
        """Return the attributes that the classifier would have with a net kept."""
        from sk_distill.training.own_net import trained_so_far

        return vars(self) | {"net_": trained_so_far(net)}

    def _check_module(self, table: Table, n_classes: int) -> None:
        from sk_distill.training.distilling_net import net_logits

        net = clone(self.net)
        n_inputs = table.numbers.shape[1]
        rows = np.zeros((2, n_inputs), dtype=np.float32)
        with isolated_seed(0, "cpu"), wrong_rows(name_of(self), net, n_inputs):
            shape = net_logits(net.initialize(), rows).shape
        check_logit_shape(name_of(self), shape, len(rows), n_classes)

    def _block_logits(self, table: Table) -> NDArray[Any]:
        from sk_distill.training.distilling_net import net_logits

        return net_logits(self.net_, table.numbers.astype(np.float32, copy=False))
