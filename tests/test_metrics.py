"""The metrics against brute force and scikit-learn's own."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, make_scorer
from sklearn.model_selection import cross_val_score

from sk_distill.exceptions import DistillationWarning
from sk_distill.metrics import (
    agreement_score,
    kl_divergence,
    retained_improvement,
    soft_log_loss,
)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    teacher = rng.dirichlet(np.ones(3), size=50)
    teacher[:5] = np.eye(3)[[0, 1, 2, 0, 1]]
    return teacher, rng.dirichlet(np.ones(3), size=50), rng.uniform(0, 2, size=50)


def brute_force(term, teacher, student, weight):
    total = 0.0
    for p_row, q_row, w in zip(teacher, student, weight, strict=True):
        total += w * sum(term(p, q) for p, q in zip(p_row, q_row, strict=True) if p > 0)
    return total / sum(weight)


@pytest.mark.parametrize(
    ("metric", "term"),
    [
        (kl_divergence, lambda p, q: p * np.log(p / q)),
        (soft_log_loss, lambda p, q: -p * np.log(q)),
    ],
)
def test_probabilities_row_by_row(pair, metric, term):
    teacher, student, weight = pair
    assert_allclose(
        metric(teacher, student, sample_weight=weight),
        brute_force(term, teacher, student, weight),
    )
    assert_allclose(
        metric(teacher.tolist(), student.tolist()),
        brute_force(term, teacher, student, np.ones(50)),
    )


def test_one_hot_targets_make_the_log_loss(pair):
    _, student, weight = pair
    y = np.arange(50) % 3
    student[0] = [0, 0.5, 0.5]  # A zero for the class of the row: clipped alike.
    assert_allclose(
        soft_log_loss(np.eye(3)[y], student, sample_weight=weight),
        log_loss(y, student, sample_weight=weight),
    )


def test_divergence_is_zero_for_the_same_and_positive_else(pair):
    teacher, student, _ = pair
    assert_allclose(kl_divergence(teacher, teacher), 0, atol=1e-15)
    assert kl_divergence(teacher, student) > 0
    entropy = soft_log_loss(teacher, teacher)
    assert_allclose(
        soft_log_loss(teacher, student) - entropy, kl_divergence(teacher, student)
    )


@pytest.mark.parametrize("metric", [kl_divergence, soft_log_loss])
def test_one_number_a_row_is_the_second_class(metric):
    p, q = np.array([0.1, 0.8]), np.array([0.4, 0.7])
    both = metric(np.column_stack([1 - p, p]), np.column_stack([1 - q, q]))
    assert_allclose(metric(p, q), both)
    assert_allclose(metric(np.column_stack([1 - p, p]), q), both)


def test_agreement_is_the_accuracy_on_the_teachers_classes():
    rng = np.random.default_rng(0)
    teacher, student = rng.choice(["a", "b", "c"], size=(2, 60))
    weight = rng.uniform(size=60)
    assert agreement_score(teacher, student) == accuracy_score(teacher, student)
    assert_allclose(
        agreement_score(teacher, student, sample_weight=weight),
        accuracy_score(teacher, student, sample_weight=weight),
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scorers(n_classes, binary, multiclass):
    X, y = binary if n_classes == 2 else multiclass
    model = LogisticRegression().fit(X, y)
    targets = np.random.default_rng(0).dirichlet(np.ones(n_classes), size=len(y))
    for metric in (kl_divergence, soft_log_loss):
        scorer = make_scorer(
            metric, response_method="predict_proba", greater_is_better=False
        )
        assert_allclose(
            scorer(model, X, targets), -metric(targets, model.predict_proba(X))
        )
    scores = cross_val_score(model, X, y, scoring=make_scorer(agreement_score))
    assert_allclose(scores, cross_val_score(model, X, y))


def test_retained_improvement():
    assert_allclose(retained_improvement(0.8, 0.85, 0.9), 0.5)
    assert_allclose(retained_improvement(-0.5, -0.2, -0.3), 1.5)
    assert_allclose(retained_improvement(0.8, 0.75, 0.9), -0.5)
    assert retained_improvement(0.8, 0.8, 0.9) == 0


@pytest.mark.parametrize("teacher", [0.8, 0.7])
def test_without_an_improvement_nothing_is_retained(teacher):
    with pytest.warns(
        DistillationWarning, match=f"score {teacher} is no better .* student's 0.8,"
    ):
        assert np.isnan(retained_improvement(0.8, 0.85, teacher))


@pytest.mark.parametrize("score", [np.nan, [0.8, 0.9], "0.8", None, 1j])
def test_scores_are_numbers(score):
    with pytest.raises(ValueError, match=r"student_score=.* must be one finite number"):
        retained_improvement(0.7, score, 0.9)


def test_what_is_no_probability_is_refused():
    good = [[0.4, 0.6], [0.5, 0.5]]
    with pytest.raises(ValueError, match="kl_divergence: teacher_proba does not sum"):
        kl_divergence([[0.4, 0.5], [0.5, 0.5]], good)
    with pytest.raises(
        ValueError, match="student_proba has shape \\(1, 2\\); expected"
    ):
        soft_log_loss(good, good[:1])
    with pytest.raises(ValueError, match="student_proba holds negative values"):
        soft_log_loss(good, [[1.5, -0.5], [0.5, 0.5]])
    with pytest.raises(ValueError, match="teacher_proba has shape \\(1, 2, 2\\)"):
        soft_log_loss([good], good)
    with pytest.raises(ValueError, match="sample_weight has shape \\(3,\\); expected"):
        kl_divergence(good, good, sample_weight=[1, 2, 3])
    for weight in ("a", ["a", "b"], [1, np.nan]):
        with pytest.raises(
            ValueError, match="kl_divergence: sample_weight must be finite numbers, one"
        ):
            kl_divergence(good, good, sample_weight=weight)
    with pytest.raises(ValueError, match="smallest is -1 and their sum 0"):
        kl_divergence(good, good, sample_weight=[1, -1])


@pytest.mark.parametrize("metric", [kl_divergence, soft_log_loss])
@pytest.mark.parametrize(
    ("labels", "odd"), [(["a", "b"], "'a'"), ([0, 2], "2"), ([0.5, -0.5], "-0.5")]
)
def test_labels_in_place_of_probabilities(metric, labels, odd):
    """Of text the shape was to blame, and of [0, 2] a probability of -1."""
    good = [[0.4, 0.6], [0.5, 0.5]]
    message = f"proba has one value a row, {odd} among them; .* pass predict_proba"
    for pair, name in (((labels, good), "teacher"), ((good, labels), "student")):
        with pytest.raises(ValueError, match=f"{metric.__name__}: {name}_{message}"):
            metric(*pair)
    with pytest.raises(ValueError, match="teacher_proba holds NaN"):
        metric([0.5, np.nan], good)


def test_classes_of_two_kinds_never_agree():
    """The score of what cannot be compared was 0."""
    message = "of y_teacher are strings, those of y_student no strings; .* astype"
    with pytest.raises(ValueError, match=message):
        agreement_score(["0", "1"], [0, 1])
    mixed = np.array(["0", 1], dtype=object)
    assert agreement_score(mixed, [0, 1]) == 0.5
    assert agreement_score(np.array(["a", "b"], dtype=object), ["a", "c"]) == 0.5


def test_agreement_is_of_classes():
    with pytest.raises(ValueError, match=r"y_student has shape \(2, 2\).*argmax"):
        agreement_score([0, 1], [[0.4, 0.6], [0.5, 0.5]])
    with pytest.raises(ValueError, match="y_teacher has 2 rows and y_student 3; exp"):
        agreement_score([0, 1], [0, 1, 1])
    with pytest.raises(ValueError, match=r"y_teacher has shape \(\); expected one"):
        agreement_score(0, 0)


@pytest.mark.parametrize("metric", [agreement_score, kl_divergence, soft_log_loss])
def test_no_rows_have_no_measure(metric):
    """The mean of none was NaN."""
    with pytest.raises(ValueError, match=f"{metric.__name__}: .*one row at least"):
        metric([], [])
