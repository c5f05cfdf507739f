"""The linear student: a softmax regression that can learn from soft targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sk_distill.networks import NetworkClassifier
from sk_distill.networks.mlp import read_weights, write_weights
from sk_distill.networks.parameters import check_training_parameters, make_plan
from sk_distill.validation import check_boolean, check_choice, check_real

if TYPE_CHECKING:
    from sk_distill.nn import StackedMLP
    from sk_distill.training import TrainingPlan


class LinearStudent(NetworkClassifier):
    r"""Linear classifier that learns from labels, from soft targets, or from both.

    .. math::

        Q(x) = \text{softmax}(W x + b), \qquad
        L = \text{CE}(y, Q) - λ \sum_k P_k \log Q_k

    and the minimum of :math:`L / (1 + λ)`, averaged over the rows by weight, plus
    :math:`α / (2 \sum_i w_i) \|W\|^2`. On labels alone and without encoding it is
    ``LogisticRegression(C=1 / alpha)``; on labels and soft targets it is that
    regression on a table in which each row stands once for each class, weighted by
    the blend :math:`(y + λP) / (1 + λ)`.

    Parameters
    ----------
    solver : {"auto", "lbfgs", "adam"}, default="auto"
        "lbfgs" takes all rows at once, in float64, and runs to the optimum; "adam"
        takes mini-batches in float32. "auto" is "lbfgs".
    alpha : float, default=1.0
        Strength of the L2 penalty, ``1 / C`` of ``LogisticRegression``; it acts on the
        encoded columns.
    batch_size : int or "auto", default="auto"
        Rows in a mini-batch of "adam"; "auto" grows from 32 to 512 with the table.
    learning_rate_init : float, default=0.001
        Step size of "adam".
    max_iter : int, default=1000
        Iterations of "lbfgs", epochs of "adam", at most.
    tol : float, default=1e-5
        "lbfgs" stops where no entry of the gradient is larger; "adam" where the loss
        does not fall by more for ``n_iter_no_change`` epochs.
    early_stopping : bool, default=False
        Whether "adam" watches the loss on held-out rows and keeps the best epoch's
        weights. Nothing is held out where the fraction makes fewer than 10 rows.
    validation_fraction : float, default=0.1
        Share of the rows that early stopping holds out.
    n_iter_no_change : int, default=10
        Epochs without progress after which "adam" stops.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, in both terms of the objective.
    warm_start : bool, default=False
        Whether to go on from the weights (and the encoding) of the fit before.
    encoding : {"standard", None}, default="standard"
        "standard" standardises the columns; None takes them as they are.
    device : str, default="auto"
        Where to train: "auto" is a GPU where there is one, else the CPU.
    callbacks : list of skorch callbacks, default=None
        Called during training. A ``KeyboardInterrupt`` raised by one ends training.
    net_params : dict, default=None
        More parameters of the skorch net, such as ``{"optimizer": torch.optim.SGD}``.
    random_state : int, RandomState or None, default=None
        Seed of everything that is random.
    verbose : int, default=0
        1 prints a line an epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights in units of the input.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Biases in units of the input.
    encoder_ : object
        The fitted encoding.
    n_iter_ : int
        Iterations or epochs run.
    loss_curve_ : ndarray of shape (n_iter_,)
        L / (1 + λ) on the training rows, without the penalty.
    history_ : dict of ndarray
        ``"train_loss"`` and, with early stopping, ``"valid_loss"``.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if X had names that are all strings.

    References
    ----------
    Hinton, Vinyals & Dean (2015), "Distilling the Knowledge in a Neural Network",
    arXiv:1503.02531, section 2.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sk_distill import LinearStudent
    >>> X, y = load_wine(return_X_y=True)
    >>> teacher = RandomForestClassifier(random_state=0).fit(X, y)
    >>> student = LinearStudent().fit(X, y, soft_targets=teacher.predict_proba(X))
    >>> student.coef_.shape
    (3, 13)
    >>> print(f"{student.score(X, y):.2f}")
    1.00
    """

    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]

    def __init__(
        self,
        *,
        solver: str = "auto",
        alpha: float = 1.0,
        batch_size: int | str = "auto",
        learning_rate_init: float = 1e-3,
        max_iter: int = 1000,
        tol: float = 1e-5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: Any = None,
        warm_start: bool = False,
        encoding: str | None = "standard",
        device: str = "auto",
        callbacks: Any = None,
        net_params: dict[str, Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.encoding = encoding
        self.device = device
        self.callbacks = callbacks
        self.net_params = net_params
        self.random_state = random_state
        self.verbose = verbose

    def _block_logits(self, X: NDArray[Any]) -> NDArray[np.float64]:
        return X @ self.coef_.T + self.intercept_

    def _check_parameters(self) -> None:
        check_choice(self, "solver", self.solver, ("auto", "lbfgs", "adam"))
        check_real(self, "alpha", self.alpha, 0)
        check_boolean(self, "warm_start", self.warm_start)
        check_training_parameters(self)

    def _dtype(self) -> type:
        return np.float32 if self.solver == "adam" else np.float64

    def _plan(self, n_rows: int, seed: int) -> TrainingPlan:
        solver = "lbfgs" if self.solver == "auto" else self.solver
        return make_plan(self, n_rows, seed, solver=solver, alpha=self.alpha)

    def _build_module(self, n_inputs: int, n_outputs: int, warm: bool) -> StackedMLP:
        from sk_distill.nn import StackedMLP

        module = StackedMLP([n_inputs, n_outputs])
        if warm:
            coef, intercept = self.encoder_.unfold(self.coef_, self.intercept_)
        else:
            # The problem is convex: zero is as good a start as any, and the same one
            # every time.
            coef, intercept = np.zeros((n_outputs, n_inputs)), np.zeros(n_outputs)
        write_weights(self, module, [coef.T], [intercept])
        return module

    def _keep(self, module: StackedMLP) -> None:
        (weight,), (bias,) = read_weights(module)
        self.coef_, self.intercept_ = self.encoder_.fold(weight.T, bias)
