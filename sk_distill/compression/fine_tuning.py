"""Training a pruned network on what the whole one says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from sk_distill.compression.network import Network
from sk_distill.encoding import Table
from sk_distill.networks.mlp import make_perceptron, read_weights, write_weights
from sk_distill.networks.parameters import auto_batch_size, auto_epochs
from sk_distill.validation import name_of

if TYPE_CHECKING:
    from sk_distill.nn import StackedMLP

_LEARNING_RATE = 0.002


def fine_tune_network(
    owner: object, network: Network, table: Table, proba: NDArray[Any], seed: int
) -> Network:
    """Return the network trained on soft targets, the teacher alone (λ = inf).

    Parameters
    ----------
    owner : object
        The estimator, for messages.
    network : Network
        Where training begins; it is not changed.
    table : Table
        The rows.
    proba : ndarray of shape (n_rows, n_classes)
        The soft targets.
    seed : int
        Decides the batches and the rows that are held out.
    """
    from sk_distill.training import (
        Objective,
        TrainingData,
        TrainingPlan,
        train_module,
    )

    def build() -> StackedMLP:
        widths = [coef.shape[1] for coef in network.coefs]
        module = make_perceptron(network.encoder, widths, activation=network.activation)
        coefs = [coef.astype(np.float32) for coef in network.coefs]
        intercepts = [bias.astype(np.float32) for bias in network.intercepts]
        write_weights(owner, module, network.encoder, coefs, intercepts)
        return module

    batch_size = auto_batch_size(len(table))
    plan = TrainingPlan(
        solver="adam",
        max_iter=auto_epochs(len(table), batch_size),
        tol=0.0,
        seed=seed,
        batch_size=batch_size,
        learning_rate=_LEARNING_RATE,
        schedule="one_cycle",
        early_stopping=True,
    )
    positions = network.encoder.positions(table, np.float32)
    data = TrainingData(positions, soft_targets=proba)
    trained = train_module(build, Objective(np.inf), data, plan, owner=name_of(owner))
    module = cast("StackedMLP", trained.module)
    coefs, intercepts = read_weights(module, network.encoder)
    return network._replace(coefs=coefs, intercepts=intercepts)
