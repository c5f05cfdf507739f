"""A grid over λ fits one teacher a fold, and none where it was told the answers."""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from skorch import NeuralNetClassifier
from torch import nn

from sk_distill import DistilledClassifier, LinearStudent, MLPStudent, MLPTeacher, Munge

LAMBDAS = [0.0, 0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, np.inf]
FAST = LinearStudent(solver="adam", max_iter=3, learning_rate_init=0.05)


class Counted(GaussianNB):
    """Writes a byte to a file at each fit."""

    def __init__(self, path, var_smoothing=1e-9):
        super().__init__(var_smoothing=var_smoothing)
        self.path = path

    def fit(self, X, y, sample_weight=None):
        with open(self.path, "ab") as file:
            file.write(b".")
        return super().fit(X, y, sample_weight)


@pytest.fixture
def teacher(tmp_path):
    return Counted(str(tmp_path / "fits"))


@pytest.fixture
def n_fits(teacher):
    path = Path(teacher.path)
    path.touch()
    return lambda: path.stat().st_size


@pytest.fixture
def memory(tmp_path):
    return str(tmp_path / "memory")


def n_cached(memory):
    # By the files: joblib 1.3's own list counts a function's source as an item.
    return len(list(Path(memory).rglob("output.pkl")))


def distilled(teacher, memory=None, student=FAST, random_state=0, **params):
    return DistilledClassifier(
        teacher, student, memory=memory, random_state=random_state, **params
    )


def search(model, lambdas=LAMBDAS, n_splits=5, **params):
    cv = StratifiedKFold(n_splits)
    grid = {"distillation_weight": lambdas}
    return GridSearchCV(model, grid, scoring="neg_log_loss", cv=cv, **params)


def test_grid_over_lambda_fits_one_teacher_a_fold(multiclass, teacher, memory, n_fits):
    cached = search(distilled(teacher, memory)).fit(*multiclass)
    assert n_fits() == 5 + 1
    plain = search(distilled(teacher)).fit(*multiclass)
    assert n_fits() == 6 + 10 * 5 + 1
    scores = cached.cv_results_["mean_test_score"]
    assert_array_equal(scores, plain.cv_results_["mean_test_score"])
    assert len(set(scores)) == 10, "λ must make a difference"
    assert_array_equal(cached.best_estimator_.coef_, plain.best_estimator_.coef_)


def test_later_grid_over_the_student_fits_no_teacher_again(
    multiclass, teacher, memory, n_fits
):
    model = distilled(teacher, memory)
    search(model, [1.0]).fit(*multiclass)
    assert n_fits() == 6
    students = [LinearStudent(alpha=5.0), MLPStudent((4,), max_iter=1)]
    grid = {"temperature": [1.0, 3.0], "loss": ["kl"], "student": students}
    GridSearchCV(model, grid, cv=5).fit(*multiclass)
    assert n_fits() == 6


def test_two_workers_share_the_cache(multiclass, memory):
    """Two may fit the same teacher at once; the cache has it once all the same."""
    model, lambdas = distilled(GaussianNB(), memory), [0.0, 1.0, 9.0]
    parallel = search(model, lambdas, 3, n_jobs=2).fit(*multiclass)
    assert n_cached(memory) == 3 + 1
    serial = search(model, lambdas, 3).fit(*multiclass)
    assert n_cached(memory) == 3 + 1
    plain = search(distilled(GaussianNB()), lambdas, 3).fit(*multiclass)
    for other in (parallel, serial):
        assert_array_equal(
            other.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
        )


@pytest.mark.parametrize("teacher_cv", [None, 3])
@pytest.mark.parametrize(
    "teacher",
    [
        RandomForestClassifier(3),
        [("a", GaussianNB()), ("b", MLPTeacher((4,), max_iter=2))],
    ],
    ids=["forest", "list"],
)
def test_cached_is_uncached_bit_for_bit(multiclass, memory, teacher, teacher_cv):
    X, y = multiclass[0], np.array(["ash", "beech", "cedar"])[multiclass[1]]
    plain = distilled(teacher, teacher_cv=teacher_cv).fit(X, y)
    cached = distilled(teacher, memory, teacher_cv=teacher_cv)
    for _ in range(2):
        cached.fit(X, y)
        assert n_cached(memory) == 1
        assert_array_equal(cached.coef_, plain.coef_)
        proba = cached.teacher_.predict_proba(X)
        assert_array_equal(proba, plain.teacher_.predict_proba(X))


def test_memory_object_is_the_path(multiclass, teacher, memory, n_fits):
    distilled(teacher, memory).fit(*multiclass)
    distilled(teacher, joblib.Memory(memory, verbose=0)).fit(*multiclass)
    assert n_fits() == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"distillation_weight": 5.0},
        {"temperature": 2.0},
        {"loss": "kl"},
        {"student": "linear"},
        {"class_weight": "balanced"},
        {"n_jobs": 1},
        {"verbose": 1},
        # Naive Bayes has no seed: one for the student is none of its business.
        {"random_state": 3},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_the_teacher_does_not_see_fits_none(
    multiclass, teacher, memory, n_fits, changed
):
    model = distilled(teacher, memory).fit(*multiclass)
    model.set_params(**changed).fit(*multiclass)
    assert n_fits() == 1


@pytest.mark.parametrize(
    ("changed", "new_fits"),
    [
        ({"X": lambda X: 2 * X}, 1),
        ({"X": lambda X: pd.DataFrame(X, columns=list("abcdef"))}, 1),
        ({"y": lambda y: (y + 1) % 3}, 1),
        ({"y": lambda y: np.array(["ash", "beech", "cedar"])[y]}, 1),
        ({"sample_weight": lambda weight: weight}, 1),
        ({"teacher__var_smoothing": 0.1}, 1),
        ({"teacher_cv": 3}, 4),
        ({"teacher_cv": StratifiedKFold(4)}, 5),
    ],
)
def test_what_the_teacher_sees_fits_it_again(
    multiclass, weight, teacher, memory, n_fits, changed, new_fits
):
    model = distilled(teacher, memory).fit(*multiclass)
    assert n_fits() == 1
    rows = {"X": multiclass[0], "y": multiclass[1], "sample_weight": weight}
    data = {
        name: change(rows[name]) for name, change in changed.items() if name in rows
    }
    data = {"X": multiclass[0], "y": multiclass[1]} | data
    model.set_params(**{k: v for k, v in changed.items() if k not in rows})
    for _ in range(2):
        model.fit(**data)
        assert n_fits() == 1 + new_fits
    plain = clone(model).set_params(memory=None).fit(**data)
    assert_array_equal(model.coef_, plain.coef_)


def test_other_seed_fits_a_random_teacher_again(multiclass, memory):
    forest = RandomForestClassifier(3)
    for seed, expected in [(0, 1), (1, 2), (0, 2)]:
        model = distilled(forest, memory, random_state=seed).fit(*multiclass)
        assert n_cached(memory) == expected
        plain = distilled(forest, random_state=seed).fit(*multiclass)
        assert_array_equal(model.coef_, plain.coef_)


def test_trained_module_is_asked_again_when_its_weights_change(multiclass, memory):
    module = nn.Linear(6, 3)
    model = distilled(module, memory)
    first = model.fit(*multiclass).coef_
    assert_array_equal(model.fit(*multiclass).coef_, first)
    assert n_cached(memory) == 1
    with torch.no_grad():
        module.weight.mul_(-1)
    second = model.fit(*multiclass).coef_
    assert n_cached(memory) == 2
    assert_array_equal(second, distilled(module).fit(*multiclass).coef_)
    assert np.abs(second - first).max() > 0.01


def test_frozen_teacher_is_still_the_users_own(multiclass, memory):
    frozen = FrozenEstimator(GaussianNB().fit(*multiclass))
    model = distilled(frozen, memory)
    coefs = [model.fit(*multiclass).coef_ for _ in range(2)]
    assert model.teacher_ is frozen
    assert_array_equal(*coefs)
    assert n_cached(memory) == 1


def test_one_cached_teacher_is_not_the_other(multiclass, memory):
    model = distilled(RandomForestClassifier(3), memory)
    first, second, third = (clone(model).fit(*multiclass) for _ in range(3))
    proba = first.teacher_.predict_proba(multiclass[0])
    second.teacher_.estimators_.clear()
    assert_array_equal(third.teacher_.predict_proba(multiclass[0]), proba)
    assert len(first.teacher_.estimators_) == 3


def test_teacher_proba_is_cut_into_the_folds_and_fits_no_teacher(
    multiclass, teacher, memory, n_fits
):
    X, y = multiclass
    proba = RandomForestClassifier(20, max_depth=4, random_state=0).fit(X, y)
    proba = proba.predict_proba(X)
    lambdas = [0.0, 1.0, np.inf]
    grid = search(distilled(teacher, memory, student="linear"), lambdas, 3)
    grid.fit(X, y, teacher_proba=proba)
    assert n_fits() == 0
    assert n_cached(memory) == 0
    assert not hasattr(grid.best_estimator_, "teacher_")
    expected = np.zeros(3)
    for i, distillation_weight in enumerate(lambdas):
        for train, test in StratifiedKFold(3).split(X, y):
            student = LinearStudent().fit(
                X[train],
                y[train],
                soft_targets=proba[train],
                distillation_weight=distillation_weight,
            )
            expected[i] -= log_loss(y[test], student.predict_proba(X[test])) / 3
    assert_allclose(grid.cv_results_["mean_test_score"], expected, rtol=1e-9)
    assert len(set(np.round(expected, 6))) == 3


@pytest.mark.parametrize("kind", ["module", "skorch"])
def test_trained_net_answers_also_where_the_cache_did(multiclass, memory, kind):
    """The wrapper of the net was kept as it was before the cache answered: unfitted."""
    X, y = multiclass
    teacher = nn.Linear(6, 3)
    if kind == "skorch":
        net = NeuralNetClassifier(teacher, max_epochs=1, verbose=0)
        net.set_params(criterion=nn.CrossEntropyLoss)
        teacher = FrozenEstimator(net.fit(X.astype("f4"), y))
    # The net's first answer switches it to evaluation, and so changes its key.
    models = [distilled(teacher, memory).fit(X, y) for _ in range(3)]
    first, *_, last = (model.teacher_.predict(X) for model in models)
    assert_array_equal(last, first)


def test_lambda_zero_finds_the_teacher_of_the_others(
    multiclass, teacher, memory, n_fits
):
    """It has no use of a transfer set, and so asked the cache for another teacher."""
    model = distilled(teacher, memory, transfer_set=Munge(1), student="linear")
    search(model, [0.0, 1.0, np.inf]).fit(*multiclass)
    assert n_fits() == 5 + 1


def test_a_teacher_that_cannot_be_hashed_is_told_what_to_do(multiclass, memory):
    class Local(torch.nn.Linear):
        pass

    message = "memory=.* cannot tell this teacher from another"
    with pytest.raises(ValueError, match=message):
        distilled(Local, memory).fit(*multiclass)
