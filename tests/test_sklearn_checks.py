"""scikit-learn's own checks, on every kind of estimator that the package has."""

from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_distill import (
    DistilledClassifier,
    DistilledClassifierCV,
    FusedTeacher,
    LinearStudent,
    MLPStudent,
    MLPTeacher,
    VotingTeacher,
)

# A weighted row and a repeated row fall into other batches (and, with early stopping,
# into another held-out part), so mini-batch training cannot give the same bits.
MINI_BATCHES = {
    "check_sample_weight_equivalence_on_dense_data": "mini-batches differ",
}


TREE = DecisionTreeClassifier(min_weight_fraction_leaf=0.01)

# Two splits of 15 rows are often as good as each other, and the last bits of a linear
# teacher's probabilities decide. With a tree for a teacher the check passes.
TIES = {
    "check_sample_weight_equivalence_on_dense_data": "rounding decides between splits",
}


def expected_failures(estimator: Any) -> dict[str, str]:
    parts = [
        getattr(estimator, "student", estimator),
        getattr(estimator, "teacher", estimator),
    ]
    exact = all(
        isinstance(part, LogisticRegression | GaussianNB | VotingTeacher)
        or part == "linear"
        or (isinstance(part, LinearStudent) and part.solver == "auto")
        or getattr(part, "solver", None) == "lbfgs"
        for part in parts
    )
    if isinstance(parts[0], DecisionTreeClassifier):
        return {} if isinstance(parts[1], DecisionTreeClassifier) else TIES
    return {} if exact else MINI_BATCHES


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*does not help")
@parametrize_with_checks(
    [
        DistilledClassifier(),
        DistilledClassifier(LogisticRegression(), "linear"),
        DistilledClassifier(LogisticRegression(), MLPStudent(solver="lbfgs")),
        DistilledClassifier(LogisticRegression(), MLPStudent(max_iter=30)),
        DistilledClassifier(LogisticRegression(), TREE),
        DistilledClassifier(TREE, TREE),
        DistilledClassifier(LogisticRegression(), GaussianNB()),
        DistilledClassifier(LogisticRegression(), LogisticRegression()),
        DistilledClassifierCV(
            LogisticRegression(), "linear", distillation_weights=2, cv=2
        ),
        LinearStudent(),
        LinearStudent(encoding=None),
        LinearStudent(solver="adam", max_iter=100, learning_rate_init=0.01),
        MLPStudent(max_iter=30),
        MLPStudent(solver="lbfgs"),
        MLPTeacher(max_iter=30),
        VotingTeacher([("a", LogisticRegression()), ("b", LogisticRegression(C=9))]),
        VotingTeacher(
            [("a", LogisticRegression()), ("b", LogisticRegression(C=9))],
            weights="learned",
            average="logits",
            cv=2,
        ),
        FusedTeacher(MLPTeacher(max_iter=30), n_teachers=2),
    ],
    expected_failed_checks=expected_failures,
)
def test_sklearn_checks(estimator, check):
    check(estimator)
