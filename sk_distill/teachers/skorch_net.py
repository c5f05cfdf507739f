"""A skorch net as a teacher."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import validate_data

from sk_distill.validation import encode_labels


class SkorchTeacher(ClassifierMixin, BaseEstimator):
    """Fit a skorch net on float32 rows and integer labels, and ask it.

    Parameters
    ----------
    net : skorch.NeuralNetClassifier or FrozenEstimator of one
        Trained with its own criterion, optimiser and callbacks.

    Attributes
    ----------
    net_ : the fitted net.
    """

    def __init__(self, net: Any) -> None:
        self.net = net

    def fit(self, X: Any, y: Any) -> Self:
        """Fit a clone of the net."""
        X = validate_data(self, X, dtype=np.float32)
        self.classes_, codes = encode_labels(self, X, y)
        self.net_ = clone(self.net).fit(X, codes.astype(np.int64))
        return self

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the net's probabilities."""
        X = validate_data(self, X, dtype=np.float32, reset=False)
        return self.net_.predict_proba(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
