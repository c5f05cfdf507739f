"""A skorch net as a teacher."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import validate_data

from sk_distill.inference import MostProbableMixin
from sk_distill.progress import WatchedMixin, fit_task, running_step
from sk_distill.seeding import isolated_seed
from sk_distill.validation import (
    draw_seed,
    encode_labels,
    name_of,
    unchanged_on_failure,
)


class SkorchTeacher(WatchedMixin, MostProbableMixin, ClassifierMixin, BaseEstimator):
    """Fit a skorch net on float32 rows and integer labels, and ask it.

    Parameters
    ----------
    net : skorch.NeuralNetClassifier or FrozenEstimator of one
        Trained with its own criterion, optimiser and callbacks. An estimator around
        a net, such as a search for its parameters, is fitted in its own way.
    random_state : int, RandomState or None, default=None
        Seed of the initial weights and the batches.

    Attributes
    ----------
    net_ : the fitted net.
    """

    _wraps = "net"

    def __init__(self, net: Any, *, random_state: Any = None) -> None:
        self.net = net
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Fit a clone of the net; a frozen one stays as it is."""
        from sk_distill.training.own_net import fit_net, most_epochs

        with unchanged_on_failure(self):
            rows = validate_data(self, X, dtype=np.float32)
            self.classes_, codes = encode_labels(self, rows, y)
            net, seed = clone(self.net), draw_seed(self.random_state)
            with fit_task(self, X, y, None, most_epochs(net), self._as_fitted):
                fit_net(net, rows, codes, seed, running_step(), owner=name_of(self))
                self.net_ = net
        return self

    def _as_fitted(self, net: Any) -> dict[str, Any]:
        """Return the attributes that the teacher would have with a net kept."""
        from sk_distill.training.own_net import trained_so_far

        return vars(self) | {"net_": trained_so_far(net)}

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the net's probabilities."""
        X = validate_data(self, X, dtype=np.float32, reset=False)
        # A DataLoader draws from the global generator for its workers.
        with isolated_seed(0, "cpu"):
            return self.net_.predict_proba(X)

    def _module_and_rows(self, X: Any) -> tuple[Any, NDArray[Any]]:
        """Return the net's module, and what it gets for rows."""
        module = _module_of(self.net_)
        return module, validate_data(self, X, dtype=np.float32, reset=False)

    def _known_module(self) -> Any:
        """Return the module of a frozen net; another one has none before ``fit``."""
        is_frozen = isinstance(self.net, FrozenEstimator)
        return _module_of(self.net) if is_frozen else None


def _module_of(net: Any) -> Any:
    """Return the module of a net, a frozen one, or a search's best one.

    None of a net that is not fitted.
    """
    while net is not None and not hasattr(net, "module_"):
        best = getattr(net, "best_estimator_", None)
        net = getattr(net, "estimator", None) if best is None else best
    return getattr(net, "module_", None)
