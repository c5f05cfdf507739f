"""What a report says that classifiers cost."""

import pickle
import re
from inspect import signature

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    StackingClassifier,
)
from sklearn.feature_selection import RFE, RFECV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators
from sklearn.utils.fixes import parse_version

from sk_distill import (
    DistilledClassifier,
    MLPStudent,
    MLPTeacher,
    VotingTeacher,
)
from sk_distill.report.costs import n_parameters

TEMPERATURE = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.8"),
    reason="scikit-learn 1.8 calibrates by a temperature",
)


def logistic():
    return LogisticRegression(C=0.5)


def meta_classifiers():
    """Yield every classifier of scikit-learn that is made of others.

    By this seed a column of a code book is constant.
    """
    for name, kind in all_estimators("classifier"):
        params = signature(kind).parameters
        if "estimators" in params:
            yield name, kind([("a", logistic()), ("b", logistic())])
        elif "estimator" in params:
            seeded = {"random_state": 0} if "random_state" in params else {}
            yield name, kind(logistic(), **seeded)


def rows_for(name, X, y):
    """Return labels of the kind that a meta-classifier wants."""
    if name in ("ClassifierChain", "MultiOutputClassifier"):
        return np.column_stack([y > 0, y > 1]).astype(int)
    if name == "SelfTrainingClassifier":
        return np.where(np.arange(len(y)) % 5 == 0, -1, y)
    return (y > 0).astype(int) if "Threshold" in name else y


def count_by_walking(part, seen):
    """Sum up the numbers of all that is reachable and known, each once."""
    if id(part) in seen:
        return 0
    seen.add(id(part))
    sizes = {
        "LogisticRegression": ("coef_", "intercept_"),
        "_SigmoidCalibration": ("a_", "b_"),
        "IsotonicRegression": ("X_thresholds_", "y_thresholds_"),
        "_TemperatureScaling": ("beta_",),
        "_ConstantPredictor": ("y_",),
    }.get(type(part).__name__)
    if sizes is not None:
        return sum(np.size(getattr(part, name, [])) for name in sizes)
    if isinstance(part, list | tuple):
        return sum(count_by_walking(inner, seen) for inner in part)
    if isinstance(part, dict):
        return sum(count_by_walking(inner, seen) for inner in part.values())
    if type(part).__module__.split(".")[0] in ("sklearn", "sk_distill"):
        return count_by_walking(vars(part), seen) if hasattr(part, "__dict__") else 0
    return 0


@pytest.mark.parametrize(
    ("name", "model"),
    [
        *meta_classifiers(),
        ("isotonic", CalibratedClassifierCV(logistic(), method="isotonic")),
        ("calibrated alone", CalibratedClassifierCV(logistic(), ensemble=False)),
        pytest.param(
            "temperature",
            CalibratedClassifierCV(logistic(), method="temperature"),
            marks=TEMPERATURE,
        ),
        ("passthrough", StackingClassifier([("a", logistic())], passthrough=True)),
        ("grid", GridSearchCV(logistic(), {})),
        ("random", RandomizedSearchCV(logistic(), {"C": [1]}, n_iter=1)),
        ("rfe", RFE(logistic())),
        ("rfecv", RFECV(logistic())),
        ("pipeline", make_pipeline(StandardScaler(), logistic())),
        ("vote", VotingTeacher([("a", logistic()), ("b", logistic())])),
    ],
)
def test_parameters_of_what_is_made_of_others(multiclass, name, model):
    """A stack was counted without the classifier on its top, a calibrated one not."""
    X, y = multiclass
    model = clone(model).fit(X, rows_for(name, X, y))
    expected = count_by_walking(model, set())
    assert expected > 0
    assert n_parameters(model) == expected
    assert n_parameters(FrozenEstimator(model)) == expected


@pytest.mark.parametrize(
    ("init", "below"), [(None, 3), ("zero", 0), (logistic(), 3 * 7)]
)
def test_parameters_of_boosting_are_those_of_its_beginning_too(multiclass, init, below):
    model = GradientBoostingClassifier(n_estimators=2, init=init).fit(*multiclass)
    nodes = sum(tree.tree_.node_count for tree in model.estimators_.ravel())
    assert n_parameters(model) == nodes + below


def test_a_part_that_is_not_known_leaves_the_whole_unknown(binary):
    """What is not fitted, as the template of a bag, is no part."""
    X, y = binary

    class Unknown(LogisticRegression):
        def fit(self, X, y):
            super().fit(X, y)
            self.hidden_ = self.__dict__.pop("coef_")
            return self

        def predict_proba(self, X):
            return np.full((len(X), 2), 0.5)

    stack = StackingClassifier(
        [("a", Unknown()), ("b", DecisionTreeClassifier())], cv="prefit"
    )
    stack.set_params(a=Unknown().fit(X, y), b=DecisionTreeClassifier().fit(X, y))
    assert n_parameters(stack.fit(X, y)) is None


def test_costs(two, binary, report):
    model, X, y = two
    found = report(model, X, y, X_train=binary[0], y_train=binary[1]).costs
    assert list(found) == ["teacher", "student", "plain student"]
    assert found["student"].n_bytes == len(pickle.dumps(model.student_))
    assert found["student"].n_parameters == model.coef_.size + model.intercept_.size
    nodes = sum(tree.tree_.node_count for tree in model.teacher_.estimators_)
    assert found["teacher"].n_parameters == nodes
    assert all(cost.microseconds > 0 for cost in found.values())


def test_parameters_are_counted(binary, multiclass):
    X, y = multiclass
    assert n_parameters(MLPStudent(4, max_iter=2, encoding=None).fit(X, y)) == (
        6 * 4 + 4 + 4 * 3 + 3
    )
    teacher = MLPTeacher(4, n_members=3, max_iter=2, encoding=None).fit(X, y)
    assert n_parameters(teacher) == 3 * (6 * 4 + 4 + 4 * 3 + 3)
    assert n_parameters(LogisticRegression().fit(X, y)) == 3 * 7
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    assert n_parameters(FrozenEstimator(scaled)) == 3 * 7
    tree = DecisionTreeClassifier(max_depth=1).fit(*binary)
    assert n_parameters(tree) == 3
    boosted = HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4).fit(*binary)
    assert n_parameters(boosted) == 2 * 7
    machine = SVC().fit(*binary)
    n_vectors = len(machine.support_)
    assert n_parameters(machine) == n_vectors * 6 + n_vectors + 1
    assert n_parameters(GaussianNB().fit(X, y)) is None
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Linear(4, 3))
    model = DistilledClassifier(net, net, random_state=0).fit(np.float32(X), y)
    for part in (model.teacher_, model.student_):
        assert n_parameters(part) == 6 * 4 + 4 + 4 * 3 + 3


def test_what_cannot_be_pickled_has_no_bytes(two, monkeypatch, report):
    model, X, y = two
    monkeypatch.setattr(model.student_, "in_the_way", lambda: None, raising=False)
    result = report(model, X, y)
    assert result.costs["student"].n_bytes is None
    assert re.search(r"bytes, pickled +[\d,]+ +–", str(result))
