"""What the report says is what scikit-learn and plain loops say."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_distill import (
    DistilledClassifier,
)
from sk_distill.metrics import agreement_score, kl_divergence
from sk_distill.report.measures import Measurer


def calibration_error(y, proba, classes):
    """Guo et al. (2017), equation 3, bin by bin."""
    confidence = proba.max(axis=1)
    right = classes[proba.argmax(axis=1)] == y
    error = 0
    for i in range(15):
        inside = (confidence > i / 15) & (confidence <= (i + 1) / 15)
        if inside.any():
            error += abs(right[inside].mean() - confidence[inside].mean()) * (
                inside.mean()
            )
    return error


def expected_measures(y, proba, classes, teacher):
    """Return every measure by other means."""
    truth = (y[:, None] == classes).astype(float)
    if len(classes) == 2:
        area = roc_auc_score(y, proba[:, 1])
        brier = np.mean((proba[:, 1] - truth[:, 1]) ** 2)
    else:
        area = roc_auc_score(y, proba, multi_class="ovr", labels=classes)
        brier = np.mean(((proba - truth) ** 2).sum(axis=1))
    return {
        "accuracy": accuracy_score(y, classes[proba.argmax(axis=1)]),
        "log loss": log_loss(y, proba, labels=classes),
        "ROC AUC": area,
        "Brier score": brier,
        "calibration error": calibration_error(y, proba, classes),
        "agreement": agreement_score(
            classes[teacher.argmax(axis=1)], classes[proba.argmax(axis=1)]
        ),
        "KL divergence": kl_divergence(teacher, proba),
    }


@pytest.mark.parametrize("name", ["two", "three"])
def test_measures_are_scikit_learns(name, request, report):
    model, X, y = request.getfixturevalue(name)
    plain = LogisticRegression().fit(X, y)
    measures = report(model, X, y, plain_student=plain, n_bootstraps=0).measures
    teacher = model.teacher_.predict_proba(X)
    for who, proba in {
        "teacher": teacher,
        "student": model.predict_proba(X),
        "plain student": plain.predict_proba(X),
    }.items():
        expected = expected_measures(y, proba, model.classes_, teacher)
        assert set(measures[who]) == set(expected)
        for measure, value in expected.items():
            assert_allclose(measures[who][measure].value, value, err_msg=measure)
            assert np.isnan(measures[who][measure].low)


def test_measures_of_tied_scores_and_certain_rows():
    proba = np.array([[1, 0], [0.5, 0.5], [0.5, 0.5], [0, 1], [0.5, 0.5]], dtype=float)
    codes = np.array([0, 1, 0, 0, 1])
    measured = Measurer(proba, codes, None).measure(np.ones(5))
    # Half a pair for a tie.
    pairs = [(proba[i, 1], proba[j, 1]) for i in (1, 4) for j in (0, 2, 3)]
    area = np.mean([(a > b) + (a == b) / 2 for a, b in pairs])
    assert_allclose(measured["ROC AUC"], area)
    assert_allclose(measured["ROC AUC"], roc_auc_score(codes, proba[:, 1]))
    assert_allclose(measured["log loss"], log_loss(codes, proba))
    # Certain and half right; a half and, as argmax takes the first, a third right.
    assert_allclose(
        measured["calibration error"], 2 / 5 * 0.5 + 3 / 5 * (1 / 2 - 1 / 3)
    )


@pytest.mark.parametrize("name", ["two", "three"])
def test_intervals_are_those_of_a_brute_force_bootstrap(name, request, report):
    model, X, y = request.getfixturevalue(name)
    plain = LogisticRegression().fit(X, y)
    result = report(model, X, y, plain_student=plain, n_bootstraps=25, random_state=3)
    teacher = model.teacher_.predict_proba(X)
    probas = {
        "teacher": teacher,
        "student": model.predict_proba(X),
        "plain student": plain.predict_proba(X),
    }
    rng = np.random.default_rng(3)
    drawn = []
    for _ in range(25):
        rows = rng.integers(len(y), size=len(y))
        drawn.append(
            {
                who: expected_measures(
                    y[rows], proba[rows], model.classes_, teacher[rows]
                )
                for who, proba in probas.items()
            }
        )
    for who, measures in result.measures.items():
        for measure, interval in measures.items():
            values = [draw[who][measure] for draw in drawn]
            assert_allclose(interval[1:], np.quantile(values, [0.025, 0.975]))
    for (first, second), measures in result.differences.items():
        assert first == "student"
        for measure, interval in measures.items():
            values = [draw[first][measure] - draw[second][measure] for draw in drawn]
            assert_allclose(
                interval[1:], np.quantile(values, [0.025, 0.975]), atol=1e-12
            )
            assert_allclose(
                interval.value,
                result.measures[first][measure].value
                - result.measures[second][measure].value,
            )


def test_the_seed_decides(two, report):
    first, second, third = (
        report(*two, random_state=seed).measures["student"]["log loss"]
        for seed in (0, 0, 1)
    )
    assert first == second
    assert first.value == third.value
    assert first.low != third.low


def test_the_plain_student_is_the_student_at_lambda_zero(binary, report, distilled):
    X, y = binary
    model = distilled(class_weight={0: 1, 1: 3}).fit(X, y)
    zero = distilled(class_weight={0: 1, 1: 3}, distillation_weight=0).fit(X, y)
    measures = report(model, X, y, X_train=X, y_train=y).measures["plain student"]
    expected = report(zero, X, y).measures["student"]
    for measure in ("accuracy", "log loss", "ROC AUC", "Brier score"):
        assert_allclose(measures[measure].value, expected[measure].value, rtol=1e-12)


def test_a_plain_pipeline_gets_its_class_weights(binary, report, forest):
    X, y = binary
    student = make_pipeline(StandardScaler(), LogisticRegression())
    model = DistilledClassifier(
        forest, student, class_weight={0: 1, 1: 3}, teacher_cv=3, random_state=0
    ).fit(X, y)
    expected = student.fit(
        X, y, logisticregression__sample_weight=np.where(y == 1, 3, 1)
    )
    said = report(model, X, y, X_train=X, y_train=y).measures["plain student"]
    assert_allclose(said["log loss"].value, log_loss(y, expected.predict_proba(X)))


def test_the_plain_students_columns_are_put_in_order(two, report):
    class Reversed:
        classes_ = np.array([1, 0])

        def predict_proba(self, X):
            return np.tile([0.9, 0.1], (len(X), 1))

    model, X, y = two
    measures = report(model, X, y, plain_student=Reversed()).measures["plain student"]
    assert_allclose(measures["accuracy"].value, np.mean(y == 1))


def test_what_is_retained_is_named(two, report):
    model, X, y = two
    plain = GaussianNB(var_smoothing=1e6).fit(X, y)
    result = report(model, X, y, plain_student=plain)
    for measure, share in result.retained.items():
        teacher, student, worst = (
            result.measures[who][measure].value
            for who in ("teacher", "student", "plain student")
        )
        assert_allclose(share, (student - worst) / (teacher - worst))
    assert "log loss" in result.retained
    shown = f"{result.retained['log loss']:.0%} in log loss"
    assert shown in " ".join(str(result).split())
    assert "the student keeps" not in str(report(model, X, y))


def test_nothing_is_retained_of_an_improvement_within_chance(two, report):
    model, X, y = two
    teacher = model.teacher_.predict_proba(X)
    # The teacher, but for one row: a little worse, or a little better.
    proba = teacher.copy()
    proba[0] = np.where(np.arange(2) == y[0], 0.2, 0.8)
    plain = SimpleNamespace(classes_=model.classes_, predict_proba=lambda X: proba)
    unsure = report(model, X, y, plain_student=plain, n_bootstraps=50, random_state=0)
    assert "log loss" not in unsure.retained
    certain = report(model, X, y, plain_student=plain, n_bootstraps=0)
    assert "log loss" in certain.retained
    assert list(unsure.differences) == [
        ("student", "teacher"),
        ("student", "plain student"),
    ]
