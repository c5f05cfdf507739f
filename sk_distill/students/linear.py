"""The linear student: a softmax regression that can learn from soft targets."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sk_distill.encoding import TARGET_AWARE, Table
from sk_distill.networks import NetworkClassifier, n_outputs
from sk_distill.networks.knowledge import begin_at_zero
from sk_distill.networks.mlp import (
    begin_at,
    make_perceptron,
    make_slot_rows,
    read_weights,
    write_weights,
)
from sk_distill.networks.parameters import check_training_parameters, make_plan
from sk_distill.progress import unwatched
from sk_distill.students.effects import FeatureEffect, feature_effects
from sk_distill.validation import check_boolean, check_choice, check_real, name_of

if TYPE_CHECKING:
    from sk_distill.networks.knowledge import Anchor, Knowledge
    from sk_distill.networks.paths import Path
    from sk_distill.nn import SlotRows, StackedMLP
    from sk_distill.training import Objective, TrainingData, TrainingPlan

# What a straight line is fitted to: log-odds beyond it would outweigh all others.
_LINEAR_FLOOR = 1e-3


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
        takes mini-batches in float32. "auto" is "lbfgs". A loss that may have several
        optima is trained from where the soft cross-entropy leads.
    alpha : float, default=1.0
        Strength of the L2 penalty, ``1 / C`` of ``LogisticRegression``; it acts on the
        encoded columns.
    batch_size : int or "auto", default="auto"
        Rows in a mini-batch of "adam"; "auto" grows from 32 to 512 with the table.
    learning_rate : {"constant", "one_cycle"}, default="constant"
        How the step size of "adam" changes; see :class:`MLPStudent`.
    learning_rate_init : float, default=0.001
        Step size of "adam", the largest of a cycle.
    max_iter : int, default=1000
        Iterations of "lbfgs", epochs of "adam", at most.
    tol : float, default=1e-7
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
    encoding : str or None, default="standard"
        What becomes of numbers. "piecewise_linear" cuts each column into bins, half of
        them quantiles, half the leaves of a small tree on the soft targets (or, without
        any, on the labels), and lets the logits be linear in each bin (Gorishniy,
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
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights in units of the input; only where all columns are numbers, none of them
        missing, that are standardised or left alone.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Biases in units of the input.
    feature_effects_ : dict of str to FeatureEffect
        What each column adds to the logits: with categories or bins the student is an
        additive model, and this is it.
    encoder_ : object
        The fitted encoding.
    n_iter_ : int
        Iterations or epochs run.
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
        learning_rate: str = "constant",
        learning_rate_init: float = 1e-3,
        max_iter: int = 1000,
        tol: float = 1e-7,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: Any = None,
        warm_start: bool = False,
        encoding: str | None = "standard",
        n_bins: int = 48,
        device: str = "auto",
        callbacks: Any = None,
        net_params: dict[str, Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.solver = solver
        self.alpha = alpha
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

    def _block_logits(self, table: Table) -> NDArray[np.float64]:
        if not self.encoder_.is_plain:
            positions = self.encoder_.positions(table, np.float64)
            product = self.encoder_.product(positions, self.slot_coef_)
            return product + self.intercept_
        if not self.encoder_.folds_:
            return self._standardised_logits(table)
        logits = self._plain_logits(table.numbers)
        if np.isfinite(logits).all():
            return logits
        # A cell is missing where none was: it is the mean.
        odd = np.flatnonzero(~np.isfinite(logits).all(axis=1))
        numbers = table.numbers[odd]
        numbers = np.where(np.isnan(numbers), self.encoder_.mean_, numbers)
        logits[odd] = self._plain_logits(numbers)
        # Or one is so large that it overflows: as a position it keeps within bounds.
        odd = np.flatnonzero(~np.isfinite(logits).all(axis=1))
        logits[odd] = self._standardised_logits(table.take(odd))
        return logits

    def _standardised_logits(self, table: Table) -> NDArray[np.float64]:
        """Return the logits of positions: numbers less their means."""
        coef, intercept = self.encoder_.unfold(self.coef_, self.intercept_)
        return self.encoder_.positions(table, np.float64) @ coef.T + intercept

    def _plain_logits(self, numbers: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logits of numbers in their own units, none where they overflow."""
        with np.errstate(over="ignore", invalid="ignore"):
            return numbers @ self.coef_.T + self.intercept_

    def _check_parameters(self) -> None:
        check_choice(self, "solver", self.solver, ("auto", "lbfgs", "adam"))
        check_real(self, "alpha", self.alpha, 0)
        check_boolean(self, "warm_start", self.warm_start)
        check_training_parameters(self)

    def _first_layer(
        self, knowledge: Knowledge, proba: NDArray[np.float64] | None
    ) -> NDArray[Any] | None:
        # The logits of the teacher, which a linear map can be fitted to.
        if knowledge.weights == 0 or proba is None:
            return None
        logits = np.log(np.clip(proba, _LINEAR_FLOOR, None))
        if logits.shape[1] == 2:
            return logits[:, 1:] - logits[:, :1]
        return logits - logits.mean(axis=1, keepdims=True)

    def _check_knowledge(self, features: bool, weights: bool) -> None:
        if features:
            raise ValueError(
                f"{name_of(self)} has no hidden layer that could tell of a teacher's "
                "features. Choose an MLPStudent, or knowledge='weights'."
            )

    def _dtype(self) -> type:
        return np.float32 if self.solver == "adam" else np.float64

    def _plan(self, n_rows: int, seed: int) -> TrainingPlan:
        solver = "lbfgs" if self.solver == "auto" else self.solver
        return make_plan(self, n_rows, seed, solver=solver, alpha=self.alpha)

    @property
    def feature_effects_(self) -> dict[str, FeatureEffect]:
        """What each column adds to the logits, by the column's name.

        The logits of a row are ``intercept_`` plus the effect of each of its cells; a
        :class:`FeatureEffect` is one curve, or one value a level, for each output. For
        two classes the output is the log-odds of ``classes_[1]``.
        """
        check_is_fitted(self)
        encoder = self.encoder_
        if encoder.is_plain:
            coef, _ = encoder.unfold(self.coef_, self.intercept_)
            return feature_effects(self, encoder, coef.T)
        return feature_effects(self, encoder, self.slot_coef_)

    def _train(
        self, data: TrainingData, objective: Objective, seed: int, *, warm: bool
    ) -> tuple[int, dict[str, NDArray[np.float64]]]:
        if not (warm or objective.is_convex):
            self._begin_at_cross_entropy(data, objective, seed)
            warm = True
        outcome = super()._train(data, objective, seed, warm=warm)
        self._centre(data)
        return outcome

    def _train_path(self, path: Path, plain: Self | None) -> Iterator[Self]:
        # With several optima the one that is reached depends on where a fit begins.
        convex = all(objective.is_convex for objective in path.objectives)
        if self.solver == "adam" or self.callbacks or not convex:
            yield from super()._train_path(path, plain)
            return

        from sk_distill.training import train_path

        data, outputs = path.data, n_outputs(self.classes_)
        start = None
        if plain is not None and self.encoding not in TARGET_AWARE:
            start = plain._build_module(outputs, True, None).double()
        for trained in train_path(
            partial(self._build_module, outputs, False, data.anchor),
            path.objectives,
            data,
            self._plan(len(data.inputs), path.seed),
            owner=name_of(self),
            start=start,
        ):
            student = copy(self)
            student._keep(trained.module)
            student._centre(data)
            student._note_training(trained.n_iter, trained.history)
            yield student

    def _centre(self, data: TrainingData) -> None:
        """Let each column's effect be zero in the mean over the rows of the fit.

        All of a column's slots may rise by the same value if the intercept falls by it:
        what the model says stays, and each effect is one against the mean row.
        """
        if self.encoder_.is_plain:
            return
        inputs = data.inputs
        slots = (
            self.encoder_.slots(inputs)
            if isinstance(inputs, np.ndarray)
            else inputs.matrix
        )
        weight = np.ones(len(inputs)) if data.weight is None else data.weight
        mean = (slots.T @ weight) / weight.sum()
        for j, column in self.encoder_.slots_of_columns().items():
            if not (j in self.encoder_.edges_ or j in self.encoder_.levels_):
                continue  # A straight line goes through zero at the mean already.
            effect = mean[column] @ self.slot_coef_[column]
            self.slot_coef_[column] -= effect
            self.intercept_ += effect

    def _begin_at_cross_entropy(
        self, data: TrainingData, objective: Objective, seed: int
    ) -> None:
        """Take the weights that the soft cross-entropy leads to at this λ.

        A loss of several optima may have a bad one at zero, where rows are alike and
        there is nothing to correlate or to standardise.
        """
        begin = copy(self)
        begin.callbacks, begin.verbose = None, 0
        with unwatched():
            begin._train(data, objective.with_cross_entropy(), seed, warm=False)
        for name in ("coef_", "slot_coef_", "intercept_"):
            if hasattr(begin, name):
                setattr(self, name, getattr(begin, name))

    def _inputs(self, positions: NDArray[Any]) -> NDArray[Any] | SlotRows:
        if self.solver == "adam":
            return positions
        return make_slot_rows(self.encoder_, positions)

    def _build_module(
        self, outputs: int, warm: bool, anchor: Anchor | None
    ) -> StackedMLP:
        encoder = self.encoder_
        module = make_perceptron(encoder, [outputs], full_batch=self.solver != "adam")
        if not warm:
            # The problem is convex: zero is as good a start as any, and the same one
            # every time.
            coef, intercept = (
                np.zeros((encoder.n_slots, outputs)),
                np.zeros(outputs),
            )
        elif encoder.is_plain:
            coef, intercept = encoder.unfold(self.coef_, self.intercept_)
            coef = coef.T
        else:
            coef, intercept = begin_at_zero(encoder, self.slot_coef_, self.intercept_)
        write_weights(self, module, encoder, [coef], [intercept])
        if anchor is not None and not warm:
            begin_at(module, encoder, anchor)
        return module

    def _keep(self, module: Any) -> None:
        (weight,), (bias,) = read_weights(module, self.encoder_)
        for name in ("coef_", "slot_coef_"):
            if hasattr(self, name):
                delattr(self, name)
        if self.encoder_.is_plain:
            self.coef_, self.intercept_ = self.encoder_.fold(weight.T, bias)
        else:
            self.slot_coef_ = weight.astype(np.float64)
            self.intercept_ = bias.astype(np.float64)
