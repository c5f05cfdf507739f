"""A torch module that is already trained, as a teacher."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import validate_data

from sk_distill.inference import BLOCK_ROWS, MostProbableMixin, probabilities
from sk_distill.networks.module import check_module, module_logits
from sk_distill.validation import encode_labels, name_of


class ModuleTeacher(MostProbableMixin, ClassifierMixin, BaseEstimator):
    """Ask a trained ``nn.Module`` as it is; ``fit`` only learns the labels.

    Parameters
    ----------
    module : nn.Module
        Maps float32 rows to logits, a column for each class in the order of
        ``np.unique(y)``, or one column for two classes.
    """

    _wraps = "module"

    def __init__(self, module: Any) -> None:
        self.module = module

    def fit(self, X: Any, y: Any) -> Self:
        """Check that the module answers for the classes in ``y``."""
        X = validate_data(self, X, dtype=np.float32)
        classes, _ = encode_labels(self, X, y)
        check_module(name_of(self), self.module, X.shape[1], len(classes))
        self.classes_ = classes
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return softmax of the module's logits."""
        X = validate_data(self, X, dtype=np.float32, reset=False)
        blocks = [
            probabilities(module_logits(self.module, X[start : start + BLOCK_ROWS]))
            for start in range(0, len(X), BLOCK_ROWS)
        ]
        return np.concatenate(blocks)

    def _module_and_rows(self, X: Any) -> tuple[Any, NDArray[Any]]:
        """Return the module, and what it gets for rows."""
        return self.module, validate_data(self, X, dtype=np.float32, reset=False)

    def _known_module(self) -> Any:
        """Return the module, which there is before ``fit``."""
        return self.module
