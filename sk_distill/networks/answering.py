"""Answering with numpy: from rows to logits, probabilities and classes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sk_distill.encoding import Table, TableEncoder, check_table, looks_finite
from sk_distill.inference import (
    BLOCK_ROWS,
    MostProbableMixin,
    one_score_a_class,
    probabilities,
)
from sk_distill.validation import name_of


class AnsweringClassifier(MostProbableMixin, ClassifierMixin, BaseEstimator):
    """A fitted classifier that says by :meth:`_block_logits` what it thinks of rows."""

    classes_: NDArray[Any]
    encoder_: TableEncoder
    allow_missing_: bool
    n_features_in_: int

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
            and looks_finite(X)
        ):
            return Table(X)
        return check_table(
            self,
            X,
            allow_missing=self.allow_missing_,
            categorical=self.encoder_.levels_,
            reset=False,
        )

    @abstractmethod
    def _block_logits(self, table: Table) -> NDArray[Any]:
        """Return the logits of a block of rows; one column may do for two classes."""
