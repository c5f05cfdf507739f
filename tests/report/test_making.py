"""What a report is made of, of whatever there is, and what it refuses."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from sk_distill import (
    DistilledClassifier,
    DistilledClassifierCV,
    LinearStudent,
    distillation_report,
)
from sk_distill.metrics import agreement_score


def test_without_a_teacher_to_ask(binary, report, forest):
    X, y = binary
    proba = clone(forest).fit(X, y).predict_proba(X)
    model = DistilledClassifier(student="linear", random_state=0)
    model.fit(X, y, teacher_proba=proba)
    result = report(model, X, y)
    assert list(result.measures) == list(result.costs) == ["student"]
    assert "agreement" not in result.measures["student"]
    assert result.differences == {}
    assert result.slices == []
    assert "There is no teacher to compare with" in str(result)
    assert str(result).startswith("teacher_proba → LinearStudent")
    result = report(model, X, y, teacher_proba=proba)
    assert list(result.measures) == ["teacher", "student"]
    assert list(result.costs) == ["student"]
    agreement = agreement_score(proba.argmax(axis=1), model.predict(X))
    assert result.measures["student"]["agreement"].value == agreement


def test_a_class_without_rows(three, report):
    model, X, y = three
    kept = y != "spam"
    result = report(model, X[kept], y[kept])
    proba = model.predict_proba(X[kept])
    areas = [
        roc_auc_score(y[kept] == label, proba[:, k])
        for k, label in enumerate(model.classes_)
        if label != "spam"
    ]
    measured = result.measures["student"]["ROC AUC"].value
    assert_allclose(measured, np.mean(areas))
    assert "No row is of class spam: the ROC AUC is the mean" in str(result)


def test_one_row(three, report):
    model, X, y = three
    result = report(model, X[:1], y[:1])
    assert str(result).splitlines()[0].endswith(": 1 row, 3 classes")
    assert np.isnan(result.measures["student"]["ROC AUC"].value)
    assert re.search(r"ROC AUC ↑ +– +–\n", str(result))
    accuracy = result.measures["student"]["accuracy"]
    assert accuracy.low == accuracy.value == accuracy.high


@pytest.mark.parametrize(
    "kind", [list, pd.Series, lambda y: pd.Series(y, dtype="category")]
)
def test_labels_of_any_kind(three, kind, report):
    model, X, y = three
    expected = report(model, X, y, random_state=0).measures
    assert report(model, X, kind(y), random_state=0).measures == expected


def test_a_search_and_a_tree(binary, report, forest):
    X, y = binary
    search = DistilledClassifierCV(
        forest,
        LinearStudent(alpha=100.0),
        distillation_weights=[0.5, 2],
        temperatures=(1, 3),
        cv=4,
        teacher_cv=3,
        random_state=0,
    ).fit(X, y)
    result = report(search, X, y)
    weight = search.distillation_weight_
    shown = "∞" if np.isinf(weight) else f"{weight:.3g}"
    assert f"λ = {shown}, T = {search.temperature_:g}" in result.title
    assert "How much to trust the teacher" in result.displays
    tree = DistilledClassifier(
        forest, DecisionTreeClassifier(max_depth=2), teacher_cv=3, random_state=0
    ).fit(X, y)
    result = report(tree, X, y, X_train=X, y_train=y)
    assert list(result.displays) == ["Student against teacher"]
    assert result.costs["student"].n_parameters == tree.student_.tree_.node_count


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"X_train": [[0]]}, ValueError, "y_train is missing; pass X_train and y"),
        ({"y_train": [0]}, ValueError, "X_train is missing"),
        (
            {"plain_student": GaussianNB(), "X_train": [[0]], "y_train": [0]},
            ValueError,
            "plain_student is fitted already, so that X_train and y_train",
        ),
        ({"plain_student": GaussianNB()}, NotFittedError, "this GaussianNB instance"),
        (
            {"X_train": [[0], [1]], "y_train": [0]},
            ValueError,
            "X_train has 2 rows and y_train 1; expected one label a row",
        ),
        ({"random_state": "a"}, ValueError, "report: random_state='a' must be None"),
        ({"n_bootstraps": -1}, ValueError, "n_bootstraps=-1 must be an integer >= 0"),
        ({"n_bootstraps": 2.5}, TypeError, "integer >= 0, got a float"),
        ({"n_bootstraps": True}, TypeError, "integer >= 0, got a bool"),
        ({"teacher_proba": [[1.0]]}, ValueError, r"teacher_proba has shape \(1, 1\)"),
    ],
)
def test_arguments_are_refused(two, params, error, match):
    with pytest.raises(error, match=match):
        distillation_report(*two, **params)


def test_rows_and_estimators_are_refused(two, report, distilled):
    model, X, y = two
    with pytest.raises(
        ValueError, match=r"y holds labels .* never seen, \['2'\]; it knows \[0, 1\]"
    ):
        report(model, X, y + 1)
    with pytest.raises(
        ValueError, match="report: X has 120 rows and y 3; expected one"
    ):
        report(model, X, y[:3])
    with pytest.raises(ValueError, match=r"X has 0 rows and y 0; .* one row at least"):
        report(model, X[:0], y[:0])
    with pytest.raises(ValueError, match=r"y has shape \(120, 2\); expected one label"):
        report(model, X, np.column_stack([y, y]))
    with pytest.raises(TypeError, match="y=None must be an array or a frame of rows"):
        report(model, X, None)
    with pytest.raises(
        ValueError, match=r"X_train has other columns .*, 1 in the place of \d+\. Pass"
    ):
        report(model, X, y, X_train=X[:, :1], y_train=y)
    for nothing in ("a", None, DistilledClassifier):
        with pytest.raises(TypeError, match=r"distillation_report: .* is no estimator"):
            report(nothing, X, y)
    with pytest.raises(NotFittedError, match="distillation_report: this Distilled"):
        report(distilled(), X, y)
    with pytest.raises(
        AttributeError, match=r"LogisticRegression has no student_\. Pass a Distilled"
    ):
        report(LogisticRegression().fit(X, y), X, y)
    other = LogisticRegression().fit(X, y + 1)
    with pytest.raises(
        ValueError,
        match=r"plain_student LogisticRegression knows the classes \[1, 2\]; expected",
    ):
        report(model, X, y, plain_student=other)


def test_the_plain_student_is_fitted_to_columns_of_the_same_names(two, report):
    """LinearStudent's message said which names it expected, of whom nothing."""
    _, X, y = two
    X = pd.DataFrame(X).add_prefix("x")
    model = DistilledClassifier(GaussianNB(), "linear").fit(X, y)
    backwards = X.iloc[:, ::-1]
    match = rf"X_train has other columns .*, \['x{X.shape[1] - 1}', .* place of \['x0'"
    with pytest.raises(ValueError, match=match):
        report(model, X, y, X_train=backwards, y_train=y)


def test_rows_stay_as_they_are(three, report):
    model, X, y = three
    before = X.copy(), y.copy(), pickle.dumps(model)
    report(model, X, y)
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])
    assert pickle.dumps(model) == before[2]
