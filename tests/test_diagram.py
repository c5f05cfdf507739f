"""What a notebook shows of an estimator that distils."""

import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sk_distill import DistilledClassifier, DistilledClassifierCV, LinearStudent


def shown(estimator):
    """Return what stands in the boxes of a diagram, from top to bottom."""
    page = estimator._repr_html_()
    labels = re.findall(r"<label[^>]*>(.*?)</label>", page)
    return [
        re.sub(r"<span>.*?</span>|<[^>]+>", " ", label).split() for label in labels
    ], "Fitted" in re.findall(r"<span>(Fitted|Not fitted)</span>", page)


def joined(estimator):
    labels, is_fitted = shown(estimator)
    return [" ".join(words).removesuffix(" i").strip("? ") for words in labels], (
        is_fitted
    )


def test_unfitted():
    labels, is_fitted = joined(DistilledClassifier(distillation_weight=0.5))
    assert not is_fitted
    assert labels == [
        "DistilledClassifier",
        "teacher",
        "MLPTeacher",
        "λ = 0.5, T = 1 teacher's weight, temperature".replace("'", "&#x27;"),
        "student",
        "MLPStudent",
    ]


def test_fitted(binary):
    X, y = binary
    model = DistilledClassifier(
        RandomForestClassifier(5, random_state=0),
        DecisionTreeClassifier(max_depth=2),
        distillation_weight=np.inf,
        random_state=0,
    )
    unfitted = joined(clone(model))
    labels, is_fitted = joined(model.fit(X, y))
    assert is_fitted
    assert not unfitted[1]
    assert labels == unfitted[0]
    assert labels[2] == "RandomForestClassifier"
    assert labels[3].startswith("λ = ∞, T = 1")
    assert labels[5] == "DecisionTreeClassifier"


def test_without_a_teacher(binary):
    X, y = binary
    model = DistilledClassifier(student="linear", random_state=0)
    proba = GaussianNB().fit(X, y).predict_proba(X)
    labels, _ = joined(model.fit(X, y, teacher_proba=proba))
    assert labels[1] == "teacher_proba probabilities that fit was given"
    assert "MLPTeacher" not in labels


@pytest.mark.parametrize("refit", [True, False])
def test_search(binary, refit):
    X, y = binary
    search = DistilledClassifierCV(
        GaussianNB(),
        LinearStudent(alpha=100.0),
        distillation_weights=[1],
        cv=2,
        refit=refit,
        random_state=0,
    )
    labels, _ = joined(search)
    assert "λ and T by cross-validation" in labels
    labels, is_fitted = joined(search.fit(X, y))
    assert is_fitted
    weight = search.distillation_weight_
    chosen = "∞" if np.isinf(weight) else f"{weight:.3g}"
    assert f"λ = {chosen}, T = 1 chosen by cross-validation" in labels
    assert labels[-1] == "LinearStudent"


def test_within_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), DistilledClassifier(GaussianNB()))
    labels, _ = joined(pipeline)
    assert labels[:5] == [
        "Pipeline",
        "StandardScaler",
        "distilledclassifier: DistilledClassifier",
        "teacher",
        "GaussianNB",
    ]


def test_what_fit_would_refuse_is_shown():
    labels, is_fitted = joined(DistilledClassifier(student="nonsense"))
    assert labels == ["DistilledClassifier"]
    assert not is_fitted
    labels, _ = joined(DistilledClassifier(teacher=GaussianNB))
    assert labels == ["DistilledClassifier"]
