"""The default teacher: an ensemble of perceptrons, trained side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from sk_distill.encoding import Table
from sk_distill.inference import hidden_values, mlp_logits
from sk_distill.networks import NetworkClassifier
from sk_distill.networks.mlp import ACTIVATIONS, make_perceptron, read_weights
from sk_distill.networks.parameters import (
    check_training_parameters,
    make_plan,
)
from sk_distill.validation import (
    check_choice,
    check_hidden_layer_sizes,
    check_integer,
    check_real,
)

if TYPE_CHECKING:
    from sk_distill.networks.knowledge import Anchor
    from sk_distill.nn import StackedMLP
    from sk_distill.training import TrainingPlan


class MLPTeacher(NetworkClassifier):
    r"""Ensemble of perceptrons whose probabilities are averaged.

    .. math::

        P(x) = \frac{1}{M} \sum_{m=1}^{M} \text{softmax}(z_m(x))

    The M members differ in their random weights and are trained in one pass on the
    same batches (deep ensembles: Lakshminarayanan, Pritzel & Blundell 2017,
    arXiv:1612.01474). It can itself learn from soft targets.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=(256,)
        Units of each hidden layer.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        What hidden layers apply.
    n_members : int, default=4
        Networks in the ensemble.
    dropout : float, default=0.1
        Share of the hidden units left out at each step.
    weight_decay : float, default=0.2
        Decoupled weight decay of AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101).
    batch_size : int or "auto", default="auto"
        Rows in a mini-batch; "auto" grows from 32 to 512 with the table.
    learning_rate : {"one_cycle", "constant"}, default="one_cycle"
        How the step size changes: "one_cycle" lets it rise for three tenths of the
        epochs and fall to zero for the rest (Smith & Topin 2018, arXiv:1708.07120).
    learning_rate_init : float, default=0.006
        Step size, the largest of a cycle.
    max_iter : int or "auto", default="auto"
        Epochs at most. "auto" is as many as make about 10,000 steps, from 10 to 100.
    tol : float, default=1e-4
        Training at a constant step size stops where the loss does not fall by more for
        ``n_iter_no_change`` epochs.
    early_stopping : bool, default=True
        Whether to watch the loss on held-out rows and keep the best epoch's weights.
        Nothing is held out where the fraction makes fewer than 10 rows.
    validation_fraction : float, default=0.1
        Share of the rows that early stopping holds out.
    n_iter_no_change : int, default=10
        Epochs without progress after which training at a constant step size stops.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.
    encoding : str or None, default="piecewise_linear"
        What becomes of numbers. "piecewise_linear" cuts each column into bins, half of
        them quantiles, half the leaves of a small tree on the soft targets (or, without
        any, on the labels), and lets the network be linear in each bin (Gorishniy,
        Rubachev & Babenko 2022, arXiv:2203.05556); "quantile" takes quantiles alone;
        "standard" standardises; None takes finite numbers as they are. With any but
        None categories are one-hot, levels rarer than 10 rows together as one, and
        missing values have a unit of their own.
    n_bins : int, default=48
        Bins of a column, at most.
    device : str, default="auto"
        Where to train: "auto" is a GPU where there is one, else the CPU.
    callbacks : list of skorch callbacks, default=None
        Called during training. A ``KeyboardInterrupt`` raised by one ends training.
    net_params : dict, default=None
        More parameters of the skorch net, such as ``{"optimizer": torch.optim.SGD}``.
    random_state : int, RandomState or None, default=None
        Seed of everything that is random.
    verbose : int, default=0
        1 prints a line an epoch, 2 also one when the fit is done.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    coefs_ : list of ndarray of shape (n_members, n_in, n_out)
        Weights of each layer; without the first axis for a single member.
    intercepts_ : list of ndarray of shape (n_members, n_out)
        Biases of each layer; without the first axis for a single member.
    encoder_ : object
        The fitted encoding.
    n_iter_ : int
        Epochs run.
    loss_curve_ : ndarray of shape (`n_iter_`,)
        Cross-entropy on the training rows, the mean over members.
    history_ : dict of ndarray
        ``"train_loss"`` and, with early stopping, ``"valid_loss"``.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X had names that are all strings.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sk_distill import MLPTeacher
    >>> X, y = load_wine(return_X_y=True)
    >>> teacher = MLPTeacher(random_state=0).fit(X, y)
    >>> bool(teacher.score(X, y) > 0.98)
    True
    """

    coefs_: list[NDArray[Any]]
    intercepts_: list[NDArray[Any]]

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (256,),
        activation: str = "relu",
        *,
        n_members: int = 4,
        dropout: float = 0.1,
        weight_decay: float = 0.2,
        batch_size: int | str = "auto",
        learning_rate: str = "one_cycle",
        learning_rate_init: float = 0.006,
        max_iter: int | str = "auto",
        tol: float = 1e-4,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: Any = None,
        encoding: str | None = "piecewise_linear",
        n_bins: int = 48,
        device: str = "auto",
        callbacks: Any = None,
        net_params: dict[str, Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.n_members = n_members
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.encoding = encoding
        self.n_bins = n_bins
        self.device = device
        self.callbacks = callbacks
        self.net_params = net_params
        self.random_state = random_state
        self.verbose = verbose

    def _block_logits(self, table: Table) -> NDArray[Any]:
        first = self._first_product(table)
        logits = mlp_logits(first, self.coefs_[1:], self.intercepts_, self.activation)
        if logits.ndim == 2:
            return logits
        # The members' mean is taken over probabilities: log Σ_m Q_m / n_members.
        if logits.shape[-1] == 1:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
        members = log_softmax(logits, axis=-1)
        return logsumexp(members, axis=0) - np.log(len(members))

    def _first_units(self, X: Any) -> NDArray[np.float64]:
        """Return the units of the first layer before activation."""
        first = self._first_product(self._check_before_predict(X))
        return first + self.intercepts_[0][..., None, :]

    def _hidden_layers(self, X: Any) -> list[NDArray[np.float64]]:
        """Return the values of the units of each hidden layer."""
        first = self._first_product(self._check_before_predict(X))
        layers = self.coefs_[1:], self.intercepts_
        return hidden_values(first, *layers, self.activation)

    def _first_product(self, table: Table) -> NDArray[np.float64]:
        """Return rows times the weights of the first layer."""
        positions = self.encoder_.positions(table, np.float64)
        return self.encoder_.product(positions, self.coefs_[0])

    def _check_parameters(self) -> None:
        check_choice(self, "activation", self.activation, ACTIVATIONS)
        check_hidden_layer_sizes(self, self.hidden_layer_sizes)
        check_integer(self, "n_members", self.n_members, 1)
        check_real(self, "dropout", self.dropout, 0, 0.99)
        check_real(self, "weight_decay", self.weight_decay, 0)
        check_training_parameters(self)

    def _plan(self, n_rows: int, seed: int) -> TrainingPlan:
        return make_plan(
            self, n_rows, seed, solver="adam", weight_decay=self.weight_decay
        )

    def _build_module(
        self, n_outputs: int, warm: bool, anchor: Anchor | None
    ) -> StackedMLP:
        hidden = check_hidden_layer_sizes(self, self.hidden_layer_sizes)
        return make_perceptron(
            self.encoder_,
            [*hidden, n_outputs],
            activation=self.activation,
            dropout=self.dropout,
            n_members=self.n_members,
        )

    def _keep(self, module: StackedMLP) -> None:
        self.coefs_, self.intercepts_ = read_weights(module, self.encoder_)
