"""The mean of several teachers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import process_routing

from sk_distill.soft_targets import label_rows, weight_params


class SoftVote(VotingClassifier):
    """Average the probabilities of several classifiers, class by class.

    scikit-learn's own vote hands its members the numbers of the labels, and takes it
    that all of them list the classes in the same order. Here a member gets the labels
    as they are, and its columns are put in order by its ``classes_``.

    Parameters
    ----------
    estimators : list of (str, classifier)
        The members.
    """

    def __init__(self, estimators: list[tuple[str, Any]]) -> None:
        super().__init__(estimators, voting="soft")

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit a clone of each member."""
        self.classes_ = np.unique(y)
        params: dict[str, dict[str, Any]] = {name: {} for name, _ in self.estimators}
        if sample_weight is None:
            pass
        elif get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=sample_weight)
            params = {name: routed[name].fit for name, _ in self.estimators}
        else:
            params = {
                name: weight_params(member, sample_weight)
                for name, member in self.estimators
            }
        self.estimators_ = [
            clone(member).fit(X, y, **params[name]) for name, member in self.estimators
        ]
        names = [name for name, _ in self.estimators]
        self.named_estimators_ = Bunch(
            **dict(zip(names, self.estimators_, strict=True))
        )
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the mean of the members' probabilities, in the order of classes_."""
        answers = [label_rows(member, X, self.classes_) for member in self.estimators_]
        return np.mean(answers, axis=0)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
