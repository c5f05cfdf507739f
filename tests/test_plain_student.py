"""The warning of a teacher that predicts worse than a student without one."""

import re
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ShuffleSplit,
    TimeSeriesSplit,
)
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.class_weight import compute_sample_weight
from skorch.callbacks import Callback
from torch import nn

from sk_distill import DistilledClassifier, LinearStudent, MLPStudent
from sk_distill import plain_student as module
from sk_distill.exceptions import DistillationWarning, TrainingDivergedError

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
    split = ShuffleSplit(1, test_size=0.2, random_state=0)
    fitted_on, judged_on = next(split.split(X))
    truth = y[judged_on, None] == np.arange(3)
    plain = LinearStudent().fit(X[fitted_on], y[fitted_on])
    teacher = DummyClassifier().fit(X, y)
    scores = [
        ((c.predict_proba(X[judged_on]) - truth) ** 2).sum(axis=1).mean()
        for c in (teacher, plain)
    ]
    shown = re.search(r"Brier scores (\S+) and (\S+)", message).groups()
    assert [float(s) for s in shown] == pytest.approx(scores, abs=6e-5)


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


def test_a_class_that_the_plain_student_does_not_see_has_probability_zero():
    rare = y.copy()
    rare[0] = 3
    model = DistilledClassifier(DummyClassifier(), "linear", random_state=0)
    (message,) = fit_warnings(model, X, rare)
    assert WORSE in message


def asked(monkeypatch):
    """Return the list to which every question will add what it is about."""
    questions = []
    ask = module._fit_and_answer

    def recorded(student, X, y, sample_weight, X_judged):
        questions.append((student, X, y, sample_weight, X_judged))
        return ask(student, X, y, sample_weight, X_judged)

    monkeypatch.setattr(module, "_fit_and_answer", recorded)
    return questions


def test_the_question_is_a_small_one(monkeypatch):
    questions = asked(monkeypatch)
    rows = np.tile(X, (20, 1))
    model = DistilledClassifier(student=LinearStudent(max_iter=5), random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, np.tile(y, 20), teacher_proba=np.full((len(rows), 3), 1 / 3))
    ((_, fitted_on, labels, weight, judged_on),) = questions
    assert len(fitted_on) == len(labels) == len(judged_on) == 3_000
    assert weight is None
    assert module._plain(MLPStudent(), 0).max_iter == 40
    assert module._plain(MLPStudent(max_iter=7), 0).max_iter == 7


def test_the_plain_student_is_the_one_of_lambda_zero(monkeypatch):
    """A good teacher of weighted classes was judged without the weights."""
    questions = asked(monkeypatch)
    rare = (y == 0) & (np.arange(len(y)) % 4 == 0)
    teacher = ExtraTreesClassifier(
        100, min_samples_leaf=5, class_weight="balanced", random_state=0
    )
    for student, class_weight in (
        (LinearStudent(), "balanced"),
        (LinearStudent(class_weight="balanced"), None),
    ):
        model = DistilledClassifier(
            teacher, student, class_weight=class_weight, teacher_cv=5, random_state=0
        )
        assert fit_warnings(model, X, rare) == []
        model.set_params(teacher=DummyClassifier())
        (message,) = fit_warnings(model, X, rare)
        assert "Brier scores 0.8" in message
    labels, weight = questions[0][2:4]
    expected = compute_sample_weight("balanced", rare)
    assert weight[labels].max() == pytest.approx(expected[rare].max())


def test_nobody_watches_the_plain_student(capsys):
    seen = []

    class Watch(Callback):
        def on_train_begin(self, net, **kwargs):
            seen.append(net)

    student = MLPStudent(max_iter=1, callbacks=[Watch()], verbose=1)
    proba = np.full((len(y), 3), 1 / 3)
    model = DistilledClassifier(student=student, random_state=0)
    fit_warnings(model, X, y, teacher_proba=proba)
    assert len(seen) == 1
    assert capsys.readouterr().out.count("train_loss") == 1


def test_a_net_of_the_users_is_not_asked(monkeypatch):
    questions = asked(monkeypatch)
    net = nn.Linear(10, 3)
    model = DistilledClassifier(student=net, random_state=0)
    assert fit_warnings(model, X, y, teacher_proba=np.full((len(y), 3), 1 / 3)) == []
    assert questions == []


def test_a_plain_student_that_diverges_says_nothing(monkeypatch):
    def diverges(self, *args, **kwargs):
        if not kwargs:
            raise TrainingDivergedError
        return fit(self, *args, **kwargs)

    fit = LinearStudent.fit
    monkeypatch.setattr(LinearStudent, "fit", diverges)
    model = DistilledClassifier(DummyClassifier(), "linear", random_state=0)
    assert fit_warnings(model, X, y) == []


def test_small_folds_are_judged_on_together():
    model = DistilledClassifier(
        DummyClassifier(), "linear", teacher_cv=40, random_state=0
    )
    (message,) = fit_warnings(model, X, y)
    assert "on 120 rows" in message


def test_the_future_and_the_group_stay_unseen(monkeypatch):
    questions = asked(monkeypatch)
    order = np.arange(len(y))
    rows = np.column_stack([X, order])
    model = DistilledClassifier(
        DummyClassifier(), "linear", teacher_cv=TimeSeriesSplit(5), random_state=0
    )
    fit_warnings(model, rows, y)
    _, fitted_on, _, _, judged_on = questions.pop()
    assert fitted_on[:, -1].max() < judged_on[:, -1].min()

    # Folds count for probabilities from elsewhere too: near copies of a row flatter a
    # student that has seen them, and an honest teacher looked worse than it.
    groups = order // 4
    folds = list(GroupKFold(5).split(X, y, groups))
    model.set_params(teacher_cv=folds)
    fit_warnings(model, rows, y, teacher_proba=np.full((len(y), 3), 1 / 3))
    _, fitted_on, _, _, judged_on = questions.pop()
    assert not set(fitted_on[:, -1] // 4) & set(judged_on[:, -1] // 4)


def test_generators_of_the_users_stay_where_they_are():
    """The question split anew, by numpy's own generator."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    model = DistilledClassifier(
        DummyClassifier(), "linear", teacher_cv=KFold(3, shuffle=True), random_state=0
    )
    assert fit_warnings(model, X, y) == fit_warnings(model, X, y)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_student_that_no_cache_can_tell_is_asked_all_the_same(tmp_path):
    """It ended the fit with a PicklingError."""
    student = MLPStudent(
        max_iter=1,
        net_params={"optimizer": lambda p, lr: torch.optim.SGD(p, lr=lr)},
    )
    model = DistilledClassifier(
        DummyClassifier(), student, memory=str(tmp_path), random_state=0
    )
    assert isinstance(fit_warnings(model, X, y), list)
    assert model.predict(X).shape == y.shape


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
