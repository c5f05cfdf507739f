"""The shallow student: a perceptron that can learn from soft targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sk_distill.encoding import TARGET_AWARE, Table
from sk_distill.inference import mlp_logits
from sk_distill.networks import n_outputs
from sk_distill.networks.mlp import (
    ACTIVATIONS,
    Arrays,
    begin_at,
    make_perceptron,
    make_slot_rows,
    read_weights,
    write_weights,
)
from sk_distill.networks.parameters import (
    check_training_parameters,
    check_weight_decay,
    make_plan,
)
from sk_distill.students.side_by_side import SideBySideClassifier
from sk_distill.validation import (
    check_boolean,
    check_choice,
    check_hidden_layer_sizes,
    check_real,
    name_of,
)

if TYPE_CHECKING:
    from sk_distill.networks.knowledge import Anchor
    from sk_distill.networks.rows import Rows
    from sk_distill.nn import SlotRows, StackedMLP
    from sk_distill.training import TrainingPlan


class MLPStudent(SideBySideClassifier):
    r"""Shallow network that learns from labels, from soft targets, or from both.

    The minimum of :math:`L / (1 + λ)`, averaged over the rows by weight, with

    .. math::

        L = \text{CE}(y, \text{softmax}(z))
            - λ T^2 \sum_k P_k^{(T)} \log \text{softmax}(z / T)_k

    where z are the logits and :math:`P^{(T)}` the soft targets at temperature T. What
    is kept are numpy arrays: predicting needs no torch.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=(128,)
        Units of each hidden layer.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        What hidden layers apply.
    solver : {"auto", "adam", "lbfgs"}, default="auto"
        "adam" takes mini-batches in float32; "lbfgs" takes all rows at once, in
        float64, and suits small tables. "auto" is "adam".
    alpha : float, default=0.0001
        Strength of the L2 penalty :math:`α / (2 \sum_i w_i) \|W\|^2` on the weights of
        all layers, as in ``MLPClassifier``.
    dropout : float, default=0.1
        Share of the hidden units left out at each step of "adam".
    weight_decay : float or "auto", default="auto"
        Decoupled weight decay of "adam" (Loshchilov & Hutter 2019, arXiv:1711.05101).
        "auto" is 4,000 divided by the number of rows, those of a transfer set included,
        from 0.03 to 0.3.
    batch_size : int or "auto", default="auto"
        Rows in a mini-batch of "adam"; "auto" grows from 32 to 512 with the table.
    learning_rate : {"one_cycle", "constant"}, default="one_cycle"
        How the step size of "adam" changes: "one_cycle" lets it rise for three tenths
        of the epochs and fall to zero for the rest (Smith & Topin 2018,
        arXiv:1708.07120).
    learning_rate_init : float, default=0.006
        Step size of "adam", the largest of a cycle.
    max_iter : int or "auto", default="auto"
        Epochs of "adam", iterations of "lbfgs", at most. "auto" is as many epochs as
        make about 10,000 steps, from 10 to 100, and 1,000 iterations.
    tol : float, default=1e-4
        "adam" at a constant step size stops where the loss does not fall by more for
        ``n_iter_no_change`` epochs; "lbfgs" where no entry of the gradient is larger.
    early_stopping : bool, default=True
        Whether "adam" watches the loss on held-out rows and keeps the best epoch's
        weights. Nothing is held out where the fraction makes fewer than 10 rows.
    validation_fraction : float, default=0.1
        Share of the rows, those of a transfer set included, that early stopping holds
        out.
    n_iter_no_change : int, default=10
        Epochs without progress after which "adam" at a constant step size stops.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, in both terms of the objective.
    warm_start : bool, default=False
        Whether to go on from the weights (and the encoding) of the fit before.
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
        More parameters of the skorch net for "adam", such as
        ``{"optimizer": torch.optim.SGD}``; "lbfgs" takes none.
    random_state : int, RandomState or None, default=None
        Seed of everything that is random.
    verbose : int, default=0
        1 prints a line an epoch, 2 also one when the fit is done.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer; those of the first on the slots of the encoding (see
        ``sk_distill.encoding``). The last layer has one output for two classes.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer.
    encoder_ : object
        The fitted encoding.
    n_iter_ : int
        Epochs or iterations run.
    loss_curve_ : ndarray of shape (`n_iter_`,)
        L / (1 + λ) on the training rows, without the penalty.
    history_ : dict of ndarray
        ``"train_loss"`` and, with early stopping, ``"valid_loss"``.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X had names that are all strings.

    References
    ----------
    Hinton, Vinyals & Dean (2015), "Distilling the Knowledge in a Neural Network",
    arXiv:1503.02531, section 2.1 for the factor T².

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sk_distill import MLPStudent
    >>> X, y = load_wine(return_X_y=True)
    >>> teacher = RandomForestClassifier(random_state=0).fit(X, y)
    >>> student = MLPStudent(random_state=0)
    >>> student = student.fit(X, y, soft_targets=teacher.predict_proba(X))
    >>> bool(student.score(X, y) > 0.98)
    True
    """

    coefs_: list[NDArray[Any]]
    intercepts_: list[NDArray[Any]]

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (128,),
        activation: str = "relu",
        *,
        solver: str = "auto",
        alpha: float = 1e-4,
        dropout: float = 0.1,
        weight_decay: float | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: str = "one_cycle",
        learning_rate_init: float = 0.006,
        max_iter: int | str = "auto",
        tol: float = 1e-4,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: Any = None,
        warm_start: bool = False,
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
        self.solver = solver
        self.alpha = alpha
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
        self.warm_start = warm_start
        self.encoding = encoding
        self.n_bins = n_bins
        self.device = device
        self.callbacks = callbacks
        self.net_params = net_params
        self.random_state = random_state
        self.verbose = verbose

    def _block_logits(self, table: Table) -> NDArray[Any]:
        positions = self.encoder_.positions(table, np.float64)
        first = self.encoder_.product(positions, self.coefs_[0])
        return mlp_logits(first, self.coefs_[1:], self.intercepts_, self.activation)

    def _check_parameters(self) -> None:
        check_choice(self, "solver", self.solver, ("auto", "adam", "lbfgs"))
        check_choice(self, "activation", self.activation, ACTIVATIONS)
        check_hidden_layer_sizes(self, self.hidden_layer_sizes)
        check_real(self, "alpha", self.alpha, 0)
        check_real(self, "dropout", self.dropout, 0, 0.99)
        check_weight_decay(self)
        check_boolean(self, "warm_start", self.warm_start)
        check_training_parameters(self)

    def _n_first_units(self) -> int:
        return check_hidden_layer_sizes(self, self.hidden_layer_sizes)[0]

    def _check_knowledge(self, features: bool, weights: bool) -> None:
        if weights and self.solver == "lbfgs":
            raise ValueError(
                f"{name_of(self)}: solver='lbfgs' does not pull some units and leave "
                "others free. Set solver='adam' for knowledge='weights'."
            )

    def _dtype(self) -> type:
        return np.float64 if self.solver == "lbfgs" else np.float32

    def _plan(self, n_rows: int, seed: int) -> TrainingPlan:
        solver = "adam" if self.solver == "auto" else self.solver
        return make_plan(
            self,
            n_rows,
            seed,
            solver=solver,
            alpha=self.alpha,
            weight_decay=self.weight_decay,
        )

    def _inputs(self, positions: NDArray[Any]) -> NDArray[Any] | SlotRows:
        if self.solver == "lbfgs":
            return make_slot_rows(self.encoder_, positions)
        return positions

    def _build_module(
        self, n_outputs: int, warm: bool, anchor: Anchor | None
    ) -> StackedMLP:
        module = self._build_stack(n_outputs, 1, anchor)
        if warm:
            write_weights(self, module, self.encoder_, self.coefs_, self.intercepts_)
        return module

    def _build_stack(
        self, n_outputs: int, n_members: int, anchor: Anchor | None
    ) -> StackedMLP:
        hidden = check_hidden_layer_sizes(self, self.hidden_layer_sizes)
        full_batch = self.solver == "lbfgs"
        module = make_perceptron(
            self.encoder_,
            [*hidden, n_outputs],
            full_batch=full_batch,
            activation=self.activation,
            # A line search wants a loss that stands still.
            dropout=0.0 if full_batch else self.dropout,
            n_members=n_members,
            alike=True,
        )
        if anchor is not None:
            begin_at(module, self.encoder_, anchor)
        return module

    def _sees_the_same_alone(self, transfer: Rows | None) -> bool:
        # Held-out rows are chosen by the teacher, or by the labels.
        holds_out = self.early_stopping and self.solver != "lbfgs"
        return not (transfer or holds_out or self.encoding in TARGET_AWARE)

    def _keep(self, module: StackedMLP) -> None:
        self.coefs_, self.intercepts_ = self._read_weights(module)

    def _read_weights(self, module: StackedMLP) -> tuple[Arrays, Arrays]:
        """Return what is kept of the module: outputs that told of hints are dropped."""
        coefs, intercepts = read_weights(module, self.encoder_)
        logits = slice(n_outputs(self.classes_))
        coefs[-1] = coefs[-1][..., logits].copy()
        intercepts[-1] = intercepts[-1][..., logits].copy()
        return coefs, intercepts
