"""What a fitted student must equal, whatever is rewritten inside."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sk_distill import DistilledClassifier, LinearStudent, MLPStudent


@pytest.fixture(scope="module", params=[2, 4], ids=["binary", "multiclass"])
def table(request):
    """Rows, labels and a teacher's probabilities."""
    X, y = make_classification(
        300,
        8,
        n_informative=5,
        n_classes=request.param,
        class_sep=0.7,
        random_state=0,
    )
    X = X * np.logspace(-2, 2, X.shape[1]) + 3.0
    forest = RandomForestClassifier(50, min_samples_leaf=5, random_state=0)
    return X, y, forest.fit(X, y).predict_proba(X)


def expanded_regression(X, y, proba, distillation_weight, C=1.0, sample_weight=None):
    """LogisticRegression on each row once per class, weighted by the blend."""
    n_rows, n_classes = proba.shape
    hard = 1 / (1 + distillation_weight)
    blend = hard * np.eye(n_classes)[y] + (1 - hard) * proba
    if sample_weight is not None:
        blend = blend * sample_weight[:, None]
    model = LogisticRegression(C=C, tol=1e-10, max_iter=10_000)
    return model.fit(
        np.repeat(X, n_classes, axis=0),
        np.tile(np.arange(n_classes), n_rows),
        blend.ravel(),
    )


@pytest.mark.parametrize("alpha", [0.1, 1.0, 30.0])
def test_linear_student_on_labels_is_logistic_regression(table, alpha):
    X, y, _ = table
    X = StandardScaler().fit_transform(X)
    expected = LogisticRegression(C=1 / alpha, tol=1e-10, max_iter=10_000).fit(X, y)
    student = LinearStudent(alpha=alpha, encoding=None, tol=1e-9).fit(X, y)
    assert_allclose(student.coef_, expected.coef_, atol=1e-6)
    assert_allclose(student.intercept_, expected.intercept_, atol=1e-6)
    assert_allclose(student.predict_proba(X), expected.predict_proba(X), atol=1e-6)
    assert_allclose(
        student.decision_function(X), expected.decision_function(X), atol=1e-5
    )


@pytest.mark.parametrize("distillation_weight", [0.0, 0.5, 4.0, np.inf])
def test_linear_student_is_regression_on_the_expanded_table(table, distillation_weight):
    X, y, proba = table
    X = StandardScaler().fit_transform(X)
    expected = expanded_regression(X, y, proba, distillation_weight)
    student = LinearStudent(encoding=None, tol=1e-8).fit(
        X, y, soft_targets=proba, distillation_weight=distillation_weight
    )
    assert_allclose(student.predict_proba(X), expected.predict_proba(X), atol=1e-5)


def test_default_tolerance_reaches_the_optimum(table):
    X, y, proba = table
    scaled = StandardScaler().fit_transform(X)
    expected = expanded_regression(scaled, y, proba, 1.0)
    student = LinearStudent().fit(X, y, soft_targets=proba)
    assert_allclose(student.predict_proba(X), expected.predict_proba(scaled), atol=1e-3)


def test_standardising_inside_is_standardising_outside(table):
    X, y, proba = table
    inside = LinearStudent(tol=1e-8).fit(X, y, soft_targets=proba)
    scaled = StandardScaler().fit_transform(X)
    outside = LinearStudent(encoding=None, tol=1e-8).fit(scaled, y, soft_targets=proba)
    assert_allclose(inside.predict_proba(X), outside.predict_proba(scaled), atol=1e-8)


def test_coefficients_are_in_units_of_the_input(table):
    X, y, proba = table
    student = LinearStudent().fit(X, y, soft_targets=proba)
    assert_allclose(
        X @ student.coef_.T + student.intercept_,
        student.decision_function(X).reshape(len(X), -1),
        rtol=1e-10,
    )
    n_rows = 1 if len(np.unique(y)) == 2 else len(np.unique(y))
    assert student.coef_.shape == (n_rows, X.shape[1])


@pytest.mark.parametrize(
    "student",
    [LinearStudent(), MLPStudent(max_iter=3), MLPStudent(solver="lbfgs", max_iter=20)],
    ids=["linear", "mlp-adam", "mlp-lbfgs"],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_zero_lambda_is_the_student_without_a_teacher_bit_for_bit(table, student):
    X, y, proba = table
    student.set_params(random_state=7)
    alone = student.fit(X, y).predict_proba(X)
    with_targets = student.fit(X, y, soft_targets=proba, distillation_weight=0)
    assert_array_equal(with_targets.predict_proba(X), alone)
    model = DistilledClassifier(
        LogisticRegression(max_iter=1000),
        student.set_params(random_state=None),
        distillation_weight=0,
        random_state=7,
    )
    scaled = StandardScaler().fit_transform(X)
    student.set_params(random_state=7)
    assert_array_equal(
        model.fit(scaled, y).predict_proba(scaled),
        student.fit(scaled, y).predict_proba(scaled),
    )


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("student", ["linear", MLPStudent(max_iter=3)])
def test_infinite_lambda_reads_the_classes_and_not_the_labels(
    table, student, temperature
):
    X, y, proba = table
    model = DistilledClassifier(
        student=student,
        distillation_weight=np.inf,
        temperature=temperature,
        random_state=0,
    )
    if student != "linear":
        # A stratified held-out part would follow the labels.
        student.set_params(early_stopping=False)
    expected = model.fit(X, y, teacher_proba=proba).predict_proba(X)
    shuffled = np.random.default_rng(0).permutation(y)
    again = model.fit(X, shuffled, teacher_proba=proba).predict_proba(X)
    assert_array_equal(again, expected)


@pytest.mark.parametrize("encoding", ["standard", None])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_weight_two_is_the_row_twice_and_zero_is_no_row(table, encoding, temperature):
    X, y, proba = table
    X = StandardScaler().fit_transform(X) if encoding is None else X
    counts = np.random.default_rng(0).integers(0, 4, size=len(X))
    rows = np.repeat(np.arange(len(X)), counts)
    student = LinearStudent(encoding=encoding, tol=1e-8)
    kwargs = {"distillation_weight": 2.0, "temperature": temperature}
    weighted = student.fit(
        X, y, counts.astype(float), soft_targets=proba, **kwargs
    ).predict_proba(X)
    student.fit(X[rows], y[rows], soft_targets=proba[rows], **kwargs)
    assert_allclose(weighted, student.predict_proba(X), atol=1e-6)


def test_class_weight_is_the_weight_of_its_rows(table):
    X, y, proba = table
    per_class = dict(enumerate(np.linspace(0.5, 3.0, proba.shape[1]).tolist()))
    row_weight = np.array([per_class[label] for label in y])
    by_class = LinearStudent(class_weight=per_class).fit(X, y, soft_targets=proba)
    by_row = LinearStudent().fit(X, y, row_weight, soft_targets=proba)
    assert_array_equal(by_class.coef_, by_row.coef_)
    outer = DistilledClassifier(student="linear", class_weight=per_class)
    outer.fit(X, y, teacher_proba=proba)
    assert_allclose(outer.coef_, by_row.coef_, rtol=1e-9)


def test_balanced_class_weight_gives_classes_equal_weight(table):
    X, y, _ = table
    uneven = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y != 0)[:20]]
    scaled = StandardScaler().fit_transform(X[uneven])
    expected = LogisticRegression(class_weight="balanced", tol=1e-10, max_iter=10_000)
    expected.fit(scaled, y[uneven])
    student = LinearStudent(class_weight="balanced", encoding=None, tol=1e-8)
    student.fit(scaled, y[uneven])
    assert_allclose(student.coef_, expected.coef_, atol=1e-5)


@pytest.mark.parametrize("student", ["linear", MLPStudent(max_iter=3)])
def test_renaming_classes_changes_nothing(table, student):
    X, y, proba = table
    names = np.array(["a", "b", "c", "d"])
    model = DistilledClassifier(student=student, random_state=0)
    expected = model.fit(X, y, teacher_proba=proba).predict_proba(X)
    renamed = model.fit(X, names[y], teacher_proba=proba)
    assert_array_equal(renamed.predict_proba(X), expected)
    assert_array_equal(renamed.predict(X), names[expected.argmax(axis=1)])


def test_permuting_classes_permutes_columns(table):
    X, y, proba = table
    order = np.arange(proba.shape[1])[::-1]
    model = DistilledClassifier(student=LinearStudent(tol=1e-9))
    expected = model.fit(X, y, teacher_proba=proba).predict_proba(X)
    permuted = model.fit(X, order[y], teacher_proba=proba[:, order])
    assert_allclose(permuted.predict_proba(X)[:, order], expected, atol=1e-6)


class Reordered(ClassifierMixin, BaseEstimator):
    """Lists the classes of a fitted classifier backwards."""

    def __init__(self, model):
        self.model = model

    def fit(self, X, y):
        self.classes_ = self.model.classes_[::-1]
        return self

    def predict_proba(self, X):
        return self.model.predict_proba(X)[:, ::-1]


def test_order_of_the_teachers_classes_does_not_matter(table):
    X, y, _ = table
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    model = DistilledClassifier(FrozenEstimator(forest), "linear")
    expected = model.fit(X, y).coef_
    model.set_params(teacher=Reordered(FrozenEstimator(forest)))
    assert_allclose(model.fit(X, y).coef_, expected, rtol=1e-6)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_both_solvers_go_to_the_same_optimum(table, solver):
    X, y, proba = table
    expected = LinearStudent(tol=1e-9).fit(X, y, soft_targets=proba)
    student = LinearStudent(
        solver=solver,
        learning_rate_init=0.01,
        batch_size=300,
        max_iter=1500,
        tol=0,
        n_iter_no_change=1500,
    ).fit(X, y, soft_targets=proba)
    assert_allclose(student.predict_proba(X), expected.predict_proba(X), atol=2e-3)


def test_adam_penalty_is_that_of_lbfgs(table):
    """A strong penalty: a wrong scale of alpha in either solver would show."""
    X, y, _ = table
    expected = LinearStudent(alpha=100.0, tol=1e-9).fit(X, y)
    student = LinearStudent(
        alpha=100.0,
        solver="adam",
        learning_rate_init=0.01,
        batch_size=300,
        max_iter=1500,
        tol=0,
        n_iter_no_change=1500,
    ).fit(X, y)
    assert_allclose(student.predict_proba(X), expected.predict_proba(X), atol=2e-3)


def test_unlabelled_rows_learn_from_the_teacher_alone(table):
    X, y, proba = table
    expected = LinearStudent().fit(X, y, soft_targets=proba, distillation_weight=np.inf)
    student = LinearStudent().fit(X, None, soft_targets=proba)
    assert_array_equal(student.coef_, expected.coef_)
    assert_array_equal(student.classes_, np.arange(proba.shape[1]))
