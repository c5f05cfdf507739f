"""The way of the data through every classifier that is a torch network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from sk_distill.encoding import Table, TableEncoder, check_table
from sk_distill.inference import (
    BLOCK_ROWS,
    one_score_a_class,
    probabilities,
)
from sk_distill.networks.parameters import (
    check_objective,
    warn_of_rounding,
    weigh_rows,
)
from sk_distill.networks.rows import Rows
from sk_distill.validation import (
    check_probabilities,
    check_sample_weight,
    draw_seed,
    encode_labels,
    name_of,
    unchanged_on_failure,
)

if TYPE_CHECKING:
    from torch import nn

    from sk_distill.nn import SlotRows
    from sk_distill.training import Objective, TrainingData, TrainingPlan


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """A classifier that is trained as a torch network on labels, soft targets or both.

    A subclass says how its parameters are checked (:meth:`_check_parameters`) and
    become a plan (:meth:`_plan`), how its module is built (:meth:`_build_module`),
    what is kept of it (:meth:`_keep`), and how what was kept turns rows into logits
    (:meth:`_block_logits`).
    """

    classes_: NDArray[Any]
    encoder_: TableEncoder
    allow_missing_: bool
    n_features_in_: int
    n_iter_: int
    loss_curve_: NDArray[np.float64]
    history_: dict[str, NDArray[np.float64]]

    encoding: str | None
    n_bins: int
    class_weight: Any
    random_state: Any

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        soft_targets: ArrayLike | None = None,
        transfer_X: Any = None,
        transfer_targets: ArrayLike | None = None,
        distillation_weight: float = 1.0,
        temperature: float = 1.0,
        loss: Any = "soft_cross_entropy",
    ) -> Self:
        """Fit to labels, to soft targets, or to both.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            Rows: numbers, booleans, strings, categoricals, missing values. Infinite
            numbers and dates are refused.
        y : array-like of shape (n_samples,) or None
            Class labels. None, with ``soft_targets``, learns from these alone; the
            classes are then ``0 .. n_classes - 1``.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in both terms of the objective. A row of weight 0 is a
            row that is not there.
        soft_targets : array-like of shape (n_samples, n_classes), default=None
            A teacher's probabilities, columns in the order of ``np.unique(y)``.
        transfer_X : array-like or frame of shape (n_transfer, n_features), default=None
            More rows, without labels. Each weighs in the distillation loss as much as
            the mean labelled row.
        transfer_targets : array-like of shape (n_transfer, n_classes), default=None
            The teacher's probabilities for them.
        distillation_weight : float, default=1.0
            λ of the objective; without ``soft_targets`` it is not used. ``inf`` leaves
            the labels out.
        temperature : float, default=1.0
            T of the objective.
        loss : str or callable, default="soft_cross_entropy"
            The distillation loss; see :class:`sk_distill.DistilledClassifier`.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError, TypeError
            For input or a parameter that cannot be used; the earlier fit stays.
        TrainingDivergedError
            When the training loss is no longer a finite number; the earlier fit stays.
        """
        if soft_targets is None:
            distillation_weight = 0.0
        elif y is None:
            distillation_weight = np.inf
        with unchanged_on_failure(self):
            check_objective(self, distillation_weight, temperature, loss)
            table = self._check_before_fit(X)
            classes, codes, proba = self._check_targets(table, y, soft_targets)
            weight = check_sample_weight(self, sample_weight, len(table))
            rows = Rows(table, codes, proba, weight).without_weightless()
            weight = weigh_rows(
                self, self.class_weight, classes, rows.codes, rows.weight
            )
            rows = rows._replace(weight=weight)
            if 1 + distillation_weight == 1:
                distillation_weight = 0.0
                rows, transfer = rows._replace(soft_targets=None), None
            else:
                transfer = self._check_transfer(
                    transfer_X, transfer_targets, table, len(classes)
                )

            if rows.soft_targets is not None and self._dtype() is np.float32:
                warn_of_rounding(self, temperature)

            warm = self._starts_warm(classes)
            encoder = (
                self.encoder_
                if warm
                else rows.fit_encoder(self.encoding, self.n_bins, len(classes))
            )
            self._check_module(table, len(classes))
            self.classes_, self.encoder_ = classes, encoder
            self.allow_missing_ = self.encoding is not None

            from sk_distill.training import Objective

            self.n_iter_, self.history_ = self._train(
                self._encode(rows, transfer),
                Objective(distillation_weight, temperature, loss),
                warm=warm,
            )
            self.loss_curve_ = self.history_["train_loss"]
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the logits.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        logits : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the log-odds of ``classes_[1]``; for more, what softmax
            turns into the probabilities.
        """
        return self._in_blocks(X, one_score_a_class)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._in_blocks(X, probabilities)

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithm of each class's probability.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; -inf where a probability is zero.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]

    def _in_blocks(
        self, X: Any, answer: Callable[[NDArray[Any]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Return ``answer(logits)`` for the rows of X, in bounded memory."""
        table = self._check_before_predict(X)
        if len(table) <= BLOCK_ROWS:
            return answer(self._block_logits(table))
        blocks = [
            answer(self._block_logits(table.take(slice(start, start + BLOCK_ROWS))))
            for start in range(0, len(table), BLOCK_ROWS)
        ]
        return np.concatenate(blocks)

    def _check_before_predict(self, X: Any) -> Table:
        """Return X as a table with the columns of ``fit``.

        A plain float array, the usual case in production, is looked at once and passed
        on; all else takes scikit-learn's way, with its messages.
        """
        if "classes_" not in vars(self):
            check_is_fitted(self)
            raise NotFittedError(f"This {name_of(self)} instance is not fitted yet.")
        if (
            type(X) is np.ndarray
            and X.dtype.char in "fd"
            and X.ndim == 2
            and X.flags.c_contiguous
            and X.shape[1] == self.n_features_in_
            and X.shape[0] > 0
            and not hasattr(self, "feature_names_in_")
            and not self.encoder_.levels_
            and _is_finite(X)
        ):
            return Table(X)
        return check_table(
            self,
            X,
            allow_missing=self.allow_missing_,
            categorical=self.encoder_.levels_,
            reset=False,
        )

    def _check_before_fit(self, X: Any) -> Table:
        """Refuse parameters and rows that cannot be used; return the rows."""
        self._check_parameters()
        categorical = None
        if getattr(self, "warm_start", False) and hasattr(self, "classes_"):
            self._check_columns_of_earlier_fit(X)
            categorical = self.encoder_.levels_
        return check_table(
            self,
            X,
            allow_missing=self.encoding is not None,
            allow_categories=self.encoding is not None,
            categorical=categorical,
        )

    def _check_transfer(
        self, X: Any, targets: ArrayLike | None, table: Table, n_classes: int
    ) -> Rows | None:
        """Return the checked transfer rows."""
        if X is None:
            if targets is None:
                return None
            raise ValueError(
                f"{name_of(self)}: transfer_targets without transfer_X; pass both, or "
                "neither."
            )
        transfer = self._read_transfer(X, table)
        proba = check_probabilities(
            "transfer_targets", targets, len(transfer), n_classes
        )
        return Rows(transfer, None, proba)

    def _read_transfer(self, X: Any, table: Table) -> Table:
        """Return transfer rows, with the categorical columns of the labelled ones."""
        return check_table(
            self,
            X,
            allow_missing=self.encoding is not None,
            categorical=table.categories,
            reset=False,
        )

    def _encode(self, rows: Rows, transfer: Rows | None) -> TrainingData:
        """Return the rows, and the transfer rows after them, as the net wants them."""
        from sk_distill.training import UNLABELLED, TrainingData

        positions = self.encoder_.positions(rows.table, self._dtype())
        if transfer is None:
            return TrainingData(self._inputs(positions), *rows[1:])
        more = self.encoder_.positions(transfer.table, self._dtype())
        n_more = len(more)
        codes, weight = rows.codes, rows.weight
        if codes is not None:
            codes = np.append(codes, np.full(n_more, UNLABELLED))
        if weight is not None:
            weight = np.append(weight, np.full(n_more, weight.mean()))
        return TrainingData(
            self._inputs(np.concatenate([positions, more])),
            codes,
            np.concatenate([rows.soft_targets, transfer.soft_targets]),
            weight,
        )

    def _inputs(self, positions: NDArray[Any]) -> NDArray[Any] | SlotRows:
        """Return the positions in the form that the module takes."""
        return positions

    def _check_columns_of_earlier_fit(self, X: Any) -> None:
        try:
            validate_data(self, X, reset=False, skip_check_array=True)
        except ValueError as error:
            raise ValueError(
                f"{name_of(self)}: warm_start=True goes on with the columns of the "
                f"earlier fit. {error} Set warm_start=False to start anew."
            ) from error

    def _check_targets(
        self, X: Table, y: Any, soft_targets: ArrayLike | None
    ) -> tuple[NDArray[Any], NDArray[Any] | None, NDArray[np.float64] | None]:
        """Return the classes, the label codes and the checked soft targets."""
        if soft_targets is None:
            classes, codes = encode_labels(self, X, y)
            return classes, codes, None
        if y is not None:
            classes, codes = encode_labels(self, X, y)
        else:
            classes, codes = np.arange(np.shape(soft_targets)[-1]), None
        proba = check_probabilities("soft_targets", soft_targets, len(X), len(classes))
        return classes, codes, proba

    def _starts_warm(self, classes: NDArray[Any]) -> bool:
        """Whether this fit goes on from the weights of the one before."""
        if not getattr(self, "warm_start", False) or not hasattr(self, "classes_"):
            return False
        if not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"{name_of(self)}: warm_start=True goes on with the classes of the "
                f"earlier fit, {self.classes_.tolist()}; y has {classes.tolist()}. Set "
                "warm_start=False to start anew."
            )
        return True

    def _train(
        self, data: TrainingData, objective: Objective, *, warm: bool
    ) -> tuple[int, dict[str, NDArray[np.float64]]]:
        """Train, keep the result, return the number of iterations and the curves."""
        from sk_distill.training import train_module

        n_outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        trained = train_module(
            lambda: self._build_module(n_outputs, warm),
            objective,
            data,
            self._plan(len(data.inputs), draw_seed(self.random_state)),
            owner=name_of(self),
        )
        self._keep(trained.module)
        return trained.n_iter, trained.history

    def __sklearn_tags__(self) -> Tags:
        """Say that missing values and strings are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.encoding is not None
        tags.input_tags.string = self.encoding is not None
        return tags

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise for a parameter that cannot be used."""

    def _check_module(self, table: Table, n_classes: int) -> None:
        """Raise for a module that cannot take such rows or tell so many classes."""

    @abstractmethod
    def _block_logits(self, table: Table) -> NDArray[Any]:
        """Return the logits of a block of rows; one column may do for two classes."""

    def _dtype(self) -> type:
        """Return the dtype of training."""
        return np.float32

    def _plan(self, n_rows: int, seed: int) -> TrainingPlan:
        """Return how to train."""
        raise NotImplementedError

    def _build_module(self, n_outputs: int, warm: bool) -> nn.Module:
        """Return the module, with the earlier fit's weights if ``warm``."""
        raise NotImplementedError

    def _keep(self, module: Any) -> None:
        """Store what predicting needs of the trained module."""
        raise NotImplementedError


def _is_finite(X: NDArray[Any]) -> bool:
    """Whether a quick look finds no NaN or infinity: one of them makes the sum so.

    So does an overflow, for which the caller only takes a longer way.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))
