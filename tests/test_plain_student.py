"""The warning of a teacher that predicts worse than a student without one."""

import re
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, StratifiedShuffleSplit
from sklearn.tree import DecisionTreeClassifier

from sk_distill import DistilledClassifier, LinearStudent, MLPStudent
from sk_distill.exceptions import DistillationWarning

X, y = make_classification(
    1600, 10, n_informative=6, n_classes=3, flip_y=0.05, random_state=0
)
WORSE = "the teacher predicts worse than LinearStudent does from labels alone"


def fit_warnings(model, *args, **kwargs):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*args, **kwargs)
    return [str(w.message) for w in caught if w.category is DistillationWarning]


def test_the_warning_says_what_was_measured_and_what_to_do():
    model = DistilledClassifier(DummyClassifier(), "linear", random_state=0)
    with pytest.warns(DistillationWarning) as caught:
        model.fit(X, y)
    message = str(caught[0].message)
    assert message.startswith(f"DistilledClassifier: {WORSE}")
    assert "on 320 rows whose labels the student had not seen" in message
    assert "Compare with distillation_weight=0, or choose another" in message
    # It points at the line that fitted.
    assert caught[0].filename == __file__

    # The figures are those of the split that the seed makes, by hand.
    split = StratifiedShuffleSplit(1, test_size=0.2, random_state=model_seed(model))
    fitted_on, judged_on = next(split.split(X, y))
    truth = y[judged_on, None] == np.arange(3)
    plain = LinearStudent().fit(X[fitted_on], y[fitted_on])
    teacher = DummyClassifier().fit(X, y)
    scores = [
        ((c.predict_proba(X[judged_on]) - truth) ** 2).sum(axis=1).mean()
        for c in (teacher, plain)
    ]
    shown = re.search(r"Brier scores (\S+) and (\S+)", message).groups()
    assert [float(s) for s in shown] == pytest.approx(scores, abs=6e-5)


def model_seed(model):
    return model.student_.random_state


@pytest.mark.parametrize("teacher_cv", [None, 5])
def test_a_good_teacher_is_none_to_warn_of(teacher_cv):
    forest = RandomForestClassifier(50, random_state=0)
    model = DistilledClassifier(forest, "linear", teacher_cv=teacher_cv, random_state=0)
    assert fit_warnings(model, X, y) == []


def test_a_teacher_as_good_as_the_student_is_none_to_warn_of():
    teacher = LogisticRegression()
    model = DistilledClassifier(teacher, "linear", teacher_cv=5, random_state=0)
    assert fit_warnings(model, X, y) == []


def test_out_of_fold_targets_unmask_a_teacher_that_knows_its_rows_by_heart():
    tree = DecisionTreeClassifier(random_state=0)
    model = DistilledClassifier(tree, "linear", random_state=0)
    assert fit_warnings(model, X, y) == []
    model.set_params(teacher_cv=5)
    (message,) = fit_warnings(model, X, y)
    assert WORSE in message


def test_an_mlp_student_beats_a_linear_teacher():
    model = DistilledClassifier(LogisticRegression(), MLPStudent(), random_state=0)
    (message,) = fit_warnings(model, X, y)
    assert "worse than MLPStudent does" in message


def test_probabilities_from_elsewhere_are_judged_too():
    model = DistilledClassifier(student="linear", random_state=0)
    (message,) = fit_warnings(model, X, y, teacher_proba=np.full((len(y), 3), 1 / 3))
    assert WORSE in message


def test_a_row_of_weight_zero_is_none_to_judge_on():
    """A teacher that is right where rows count is right."""
    rng = np.random.default_rng(0)
    counts = rng.random(len(y)) < 0.5
    wrong = rng.permutation(y)
    proba = np.eye(3)[np.where(counts, y, wrong)]
    model = DistilledClassifier(student="linear", random_state=0)
    weight = counts.astype(float)
    assert fit_warnings(model, X, y, weight, teacher_proba=proba) == []
    (message,) = fit_warnings(model, X, y, 1 - weight, teacher_proba=proba)
    assert WORSE in message


def test_the_first_fold_of_the_user_decides_who_judges():
    """In groups or in order of time the plain student sees no more than the teacher."""
    folds = list(KFold(4).split(X))
    model = DistilledClassifier(
        DummyClassifier(), "linear", teacher_cv=folds, random_state=0
    )
    (message,) = fit_warnings(model, X, y)
    assert "on 400 rows" in message


@pytest.mark.parametrize(
    ("model", "n_rows"),
    [
        (DistilledClassifier(DummyClassifier(), "linear"), 199),
        (DistilledClassifier(DummyClassifier(), "linear", distillation_weight=0), 1000),
    ],
    ids=["too few rows", "no teacher to warn of"],
)
def test_nobody_is_asked(model, n_rows):
    assert fit_warnings(clone(model), X[:n_rows], y[:n_rows]) == []


def test_a_class_that_the_plain_student_cannot_see_ends_the_question():
    rare = y.copy()
    rare[0] = 3
    model = DistilledClassifier(DummyClassifier(), "linear", random_state=0)
    assert fit_warnings(model, X, rare) == []


def test_the_question_changes_nothing_about_the_student():
    """It has generators of its own: the student is that of soft targets by hand."""
    proba = np.full((len(y), 3), 1 / 3)
    model = DistilledClassifier(student=MLPStudent(max_iter=2), random_state=0)
    assert len(fit_warnings(model, X, y, teacher_proba=proba)) == 1
    alone = clone(model.student_).fit(X, y, soft_targets=proba)
    assert np.array_equal(model.predict_proba(X), alone.predict_proba(X))


def test_a_search_over_lambda_asks_once_a_fold(tmp_path, monkeypatch):
    fits = []
    fit = LinearStudent.fit

    def counted(self, *args, **kwargs):
        fits.append(kwargs)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(LinearStudent, "fit", counted)
    model = DistilledClassifier(
        LogisticRegression(), "linear", memory=str(tmp_path), random_state=0
    )
    grid = {"distillation_weight": [0.5, 1.0, 2.0]}
    GridSearchCV(model, grid, cv=2, refit=False).fit(X, y)
    plain = [kwargs for kwargs in fits if not kwargs]
    assert len(plain) == 2
    assert len(fits) == 2 + 2 * 3
