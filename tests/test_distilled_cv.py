"""The search over λ and T: against GridSearchCV, and free of leaks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, log_loss, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from sk_distill import (
    DistillationWarning,
    DistilledClassifier,
    DistilledClassifierCV,
    LinearStudent,
    MLPStudent,
    Munge,
)

FOREST = RandomForestClassifier(20, min_samples_leaf=5, random_state=0)
WEIGHTS = [0.0, 0.3, 1.0, 10.0, np.inf]
SMALL = MLPStudent(8, max_iter=4, random_state=0)

# Most tables here are too small for a gain beyond doubt.
pytestmark = pytest.mark.filterwarnings("ignore:.*does not help")


def search(student="linear", teacher=FOREST, weights=WEIGHTS, **params):
    params = {"random_state": 0, "cv": StratifiedKFold(4)} | params
    return DistilledClassifierCV(
        teacher, student, distillation_weights=weights, **params
    )


def grid_search(student="linear", teacher=FOREST, temperatures=(1.0,), **params):
    model = DistilledClassifier(teacher, student, random_state=0, **params)
    grid = {"distillation_weight": WEIGHTS, "temperature": list(temperatures)}
    return GridSearchCV(
        model, grid, scoring="neg_log_loss", cv=StratifiedKFold(4), error_score="raise"
    )


@pytest.mark.parametrize("params", [{}, {"transfer_set": Munge(1)}])
@pytest.mark.parametrize("student", ["linear", SMALL], ids=["linear", "mlp"])
def test_scores_are_those_of_grid_search(multiclass, student, params):
    X, y = multiclass
    mine = search(student, **params).fit(X, y)
    theirs = grid_search(student, **params).fit(X, y)
    for i in range(4):
        name = f"split{i}_test_score"
        assert_allclose(mine.cv_results_[name], theirs.cv_results_[name], atol=1e-5)
    assert mine.distillation_weight_ == theirs.best_params_["distillation_weight"]
    assert mine.best_index_ == theirs.best_index_
    assert_allclose(mine.best_score_, theirs.best_score_, atol=1e-5)
    assert_allclose(mine.predict_proba(X), theirs.predict_proba(X), atol=1e-5)


def test_temperatures_are_searched_with_lambda(multiclass):
    X, y = multiclass
    mine = search(temperatures=[4.0, 1.0]).fit(X, y)
    theirs = grid_search(temperatures=[1.0, 4.0]).fit(X, y)
    assert_array_equal(mine.temperatures_, [1.0, 4.0])
    assert_array_equal(mine.distillation_weights_, WEIGHTS)
    expected = theirs.cv_results_["mean_test_score"].reshape(5, 2)
    assert_allclose(mine.scores_path_.mean(axis=2), expected, atol=1e-5)
    # λ = 0 has no temperature, and is one candidate.
    assert len(mine.cv_results_["params"]) == 9
    best = mine.cv_results_["params"][mine.best_index_]
    assert best == {
        "distillation_weight": mine.distillation_weight_,
        "temperature": mine.temperature_,
    }


def test_results_are_laid_out_as_those_of_grid_search(multiclass):
    mine, theirs = search().fit(*multiclass), grid_search().fit(*multiclass)
    assert mine.cv_results_.keys() == theirs.cv_results_.keys()
    for name, column in theirs.cv_results_.items():
        assert len(mine.cv_results_[name]) == len(column)
        if name != "params":
            assert mine.cv_results_[name].dtype == column.dtype, name
    assert mine.cv_results_["params"] == theirs.cv_results_["params"]
    assert_array_equal(
        mine.cv_results_["rank_test_score"], theirs.cv_results_["rank_test_score"]
    )
    frame = pd.DataFrame(mine.cv_results_)
    assert frame.loc[mine.best_index_, "rank_test_score"] == 1
    assert mine.n_splits_ == 4


def test_the_ends_are_always_among_the_candidates(multiclass):
    model = search(weights=[2.0, 2.0]).fit(*multiclass)
    assert_array_equal(model.distillation_weights_, [0, 2, np.inf])
    model = search(weights=3, refit=False).fit(*multiclass)
    assert_allclose(model.distillation_weights_, [0, 0.1, np.sqrt(3), 30, np.inf])


def test_refit_is_a_plain_fit_at_the_chosen_candidate(multiclass):
    X, y = multiclass
    model = search(SMALL, teacher_cv=3).fit(X, y)
    plain = DistilledClassifier(
        FOREST,
        SMALL,
        distillation_weight=model.distillation_weight_,
        temperature=model.temperature_,
        teacher_cv=3,
        random_state=0,
    ).fit(X, y)
    assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert_array_equal(model.teacher_.predict_proba(X), plain.teacher_.predict_proba(X))
    assert model.n_iter_ == plain.n_iter_
    assert model.refit_time_ > 0


def test_without_refit_nothing_predicts(multiclass):
    X, y = multiclass
    model = search().fit(X, y)
    model.set_params(refit=False).fit(X, y)
    assert model.best_score_ < 0
    for name in ("student_", "teacher_", "coef_", "refit_time_", "n_iter_"):
        assert not hasattr(model, name), name
    with pytest.raises(NotFittedError, match=r"refit=False.*distillation_weight="):
        model.predict(X)


# Gain and choice.


def test_gain_is_the_mean_difference_and_its_standard_error(multiclass):
    model = search().fit(*multiclass)
    scores = model.scores_path_[:, 0]
    chosen = WEIGHTS.index(model.distillation_weight_)
    difference = scores[chosen] - scores[0]
    assert_allclose(model.distillation_gain_.value, difference.mean())
    expected = difference.std(ddof=1) / 2
    assert_allclose(model.distillation_gain_.standard_error, expected)


def test_one_standard_error_takes_the_smallest_lambda_within_it(multiclass):
    X, y = multiclass
    best = search(SMALL, weights=20).fit(X, y)
    model = search(SMALL, weights=20, selection="one_standard_error").fit(X, y)
    scores = model.scores_path_[:, 0]
    assert_array_equal(scores, best.scores_path_[:, 0])
    mean = scores.mean(axis=1)
    i = mean.argmax()
    within = mean >= mean[i] - scores[i].std(ddof=1) / np.sqrt(4)
    assert model.distillation_weight_ == model.distillation_weights_[within].min()
    assert model.distillation_weight_ <= best.distillation_weight_


@pytest.mark.filterwarnings("default:.*does not help")
def test_a_teacher_that_is_no_use_is_said_to_be(multiclass):
    """GaussianNB on labels of its own that have nothing to do with the rows."""
    X, y = multiclass
    useless = np.random.default_rng(0).dirichlet(np.ones(3), size=len(y))
    with pytest.warns(DistillationWarning, match=r"does not help.*the best.*λ = 0 "):
        model = search().fit(X, y, teacher_proba=useless)
    assert model.distillation_weight_ == 0
    assert model.distillation_gain_ == (0, 0)
    # What cannot be done with probabilities from elsewhere is not advised.
    with pytest.warns(DistillationWarning, match=r"better teacher, or ship the"):
        model.fit(X, y, teacher_proba=useless)
    with pytest.warns(DistillationWarning, match=r"teacher_cv=5 or set transfer_set"):
        search(teacher=DummyClassifier()).fit(X, y)
    with pytest.warns(DistillationWarning, match=r"λ = 0 is within one standard"):
        search(selection="one_standard_error").fit(X, y, teacher_proba=useless)


@pytest.mark.filterwarnings("error:.*does not help")
def test_a_teacher_that_is_of_use_is_used(multiclass):
    """Soft targets that know the noise in the labels: more than rows can say."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    logits = 2 * X @ rng.normal(size=(5, 3))
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (proba.cumsum(axis=1) > rng.random((300, 1))).argmax(axis=1)
    model = search(SMALL, cv=5).fit(X, y, teacher_proba=proba)
    assert model.distillation_weight_ > 0
    assert model.distillation_gain_.value > model.distillation_gain_.standard_error


# No leaks.


class Diary(ExtraTreesClassifier):
    """Notes the rows of each fit, which it knows by their first column."""

    def __init__(self, path, n_estimators=5, random_state=0):
        super().__init__(n_estimators=n_estimators, random_state=random_state)
        self.path = path

    def fit(self, X, y, sample_weight=None):
        rows = ",".join(str(int(i)) for i in X[:, 0])
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(rows + "\n")
        return super().fit(X, y, sample_weight)


def diary(path):
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [frozenset(map(int, line.split(","))) for line in lines]


@pytest.mark.parametrize("transfer_set", [None, Munge(1)])
def test_k_folds_take_a_teacher_for_each_pair(tmp_path, transfer_set):
    """And for each fold, and for all rows: K (K - 1) / 2 + K + 1."""
    X = np.c_[np.arange(100.0), np.random.default_rng(0).normal(size=(100, 2))]
    y = np.arange(100) % 2
    teacher = Diary(tmp_path / "diary")
    search(
        teacher=teacher, cv=5, teacher_cv=5, transfer_set=transfer_set, refit=True
    ).fit(X, y)
    fits = diary(teacher.path)
    folds = [frozenset(test) for _, test in StratifiedKFold(5).split(X, y)]
    every = frozenset(range(100))
    expected = [every]
    for i in range(5):
        expected.append(every - folds[i])
        expected += [every - folds[i] - folds[j] for j in range(i)]
    assert len(fits) == 16
    assert set(fits) == set(expected)


@pytest.mark.parametrize("cv", [KFold(4), StratifiedKFold(3, shuffle=True)])
@pytest.mark.parametrize("teacher_cv", [None, 3, KFold(5, shuffle=True)])
def test_shuffled_labels_score_at_chance(cv, teacher_cv):
    """A leak would show: the teacher knows by heart what it has seen."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(240, 4)), rng.permutation(np.arange(240) % 2)
    teacher = ExtraTreesClassifier(30, random_state=0)
    model = search(
        MLPStudent(32, max_iter=30, random_state=0),
        teacher=teacher,
        cv=cv,
        teacher_cv=teacher_cv,
        transfer_set=Munge(1),
        scoring="accuracy",
        refit=False,
    ).fit(X, y)
    assert model.scores_path_.mean(axis=2).max() < 0.58
    chance = -np.log(2)
    model.set_params(scoring="neg_log_loss").fit(X, y)
    assert model.best_score_ < chance + 0.01


def test_the_teacher_of_a_row_saw_neither_it_nor_the_scored_fold(tmp_path):
    """Teachers answer with the rows that they saw; no student may hear of a label
    that it should not know."""
    X = np.c_[np.arange(60.0), np.random.default_rng(0).normal(size=(60, 2))]
    y = np.arange(60) % 2
    from sk_distill.knowledge import ONLY_PROBABILITIES
    from sk_distill.teaching import teach

    cv = list(KFold(3, shuffle=True, random_state=0).split(X))
    teacher_cv = list(KFold(4, shuffle=True, random_state=1).split(X))
    seen = []

    class Spy(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            self.rows_ = set(X[:, 0].astype(int))
            return super().fit(X, y)

        def predict_proba(self, X):
            seen.append((self.rows_, set(X[:, 0].astype(int))))
            return super().predict_proba(X)

    subsets = [train for train, _ in cv]
    asked = ONLY_PROBABILITIES
    classes, cv = np.array([0, 1]), teacher_cv
    teach(Spy(), X, y, classes, {}, subsets, cv, None, asked, None, None, 0)
    assert len(seen) == 12
    for rows, asked in seen:
        assert not rows & asked
        assert any(rows | asked <= set(train) for train in subsets)


def test_groups_stay_together(multiclass):
    X, y = multiclass
    groups = np.arange(240) // 8
    split = list(GroupKFold(4).split(X, y, groups))
    model = search(cv=split).fit(X, y)
    student = LinearStudent()
    for i, (train, test) in enumerate(split):
        teacher = clone(FOREST).fit(X[train], y[train])
        student.fit(X[train], y[train], soft_targets=teacher.predict_proba(X[train]))
        expected = -log_loss(y[test], student.predict_proba(X[test]))
        assert_allclose(model.scores_path_[2, 0, i], expected, atol=1e-6)


def test_balanced_weights_are_those_of_the_rows_of_a_fold(multiclass):
    """They were those of all rows, and told of the labels of the fold that scores."""
    X, y = multiclass
    X, y = X[:150], y[:150]
    seen = []

    def note(estimator, X, y):
        seen.append(estimator.predict_proba(X))
        return 0.0

    cv = list(KFold(3).split(X))
    other = y.copy()
    other[cv[0][1]] = 0
    for labels in (y, other):
        search(class_weight="balanced", scoring=note, cv=cv, refit=False).fit(X, labels)
    half = len(seen) // 2
    for before, after in zip(seen[:5], seen[half : half + 5], strict=True):
        assert_array_equal(before, after)


@pytest.mark.parametrize("cv", [None, KFold(5)])
def test_in_order_of_time_the_first_rows_have_their_labels(multiclass, cv):
    """Where the fold that scores is all that came before, no teacher has any rows: it
    answered with zeros."""
    model = search(cv=cv, teacher_cv=TimeSeriesSplit(10)).fit(*multiclass)
    assert np.isfinite(model.scores_path_).all()


# Teachers of all kinds.


def test_a_fitted_teacher_is_asked_once_for_each_row(multiclass):
    X, y = multiclass
    asked = []

    class Slow(GaussianNB):
        def predict_proba(self, X):
            asked.append(len(X))
            return super().predict_proba(X)

    teacher = Slow().fit(X, y)
    model = search(teacher=FrozenEstimator(teacher)).fit(X, y)
    assert asked == [240]
    given = search().fit(X, y, teacher_proba=teacher.predict_proba(X))
    assert_array_equal(model.scores_path_, given.scores_path_)
    assert model.teacher_.estimator is teacher
    assert not hasattr(given, "teacher_")


def test_a_cache_serves_another_search(multiclass, tmp_path):
    X, y = multiclass
    teacher = Diary(tmp_path / "diary")
    memory = str(tmp_path / "memory")
    X = np.c_[np.arange(240.0), X]
    search(teacher=teacher, memory=memory).fit(X, y)
    assert len(diary(teacher.path)) == 5
    search(teacher=teacher, memory=memory, weights=[7.0], scoring="accuracy").fit(X, y)
    assert len(diary(teacher.path)) == 5


def test_folds_in_parallel_say_the_same(multiclass):
    X, y = multiclass
    one = search(SMALL, teacher_cv=3).fit(X, y)
    two = search(SMALL, teacher_cv=3, n_jobs=2).fit(X, y)
    assert_allclose(one.scores_path_, two.scores_path_, atol=1e-6)


def test_frames_of_mixed_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=300),
            "colour": pd.Categorical(rng.choice(["red", "blue"], 300)),
        }
    )
    frame.loc[::7, "size"] = np.nan
    y = np.where(frame["colour"] == "red", "a", "b")
    y[::10] = "a"
    teacher = GridSearchCV(
        DecisionTreeClassifier(random_state=0), {"max_depth": [2, 3]}, cv=3
    )
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    pipe = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough"),
        teacher,
    )
    model = search(SMALL, teacher=pipe, transfer_set="munge").fit(frame, y)
    assert list(model.feature_names_in_) == ["size", "colour"]
    assert model.score(frame, y) > 0.85


# Weights and scores.


def test_weights_weigh_the_scores(multiclass, weight):
    X, y = multiclass
    model = search(weights=[1.0], cv=3, scoring="accuracy").fit(X, y, weight)
    for i, (train, test) in enumerate(StratifiedKFold(3).split(X, y)):
        student = LinearStudent().fit(X[train], y[train], weight[train])
        expected = accuracy_score(
            y[test], student.predict(X[test]), sample_weight=weight[test]
        )
        assert_allclose(model.scores_path_[0, 0, i], expected)


def test_classes_that_weigh_more_weigh_more_in_the_scores(multiclass):
    """Unweighted, the score favoured students of a teacher that is not weighted."""
    X, y = multiclass
    class_weight = {0: 1000, 1: 1e-4, 2: 1e-4}
    model = search(class_weight=class_weight).fit(X, y)
    assert (model.predict(X) == 0).all()


def test_a_callable_gets_weights_only_if_it_takes_them(multiclass, weight):
    def plain(estimator, X, y):
        return -log_loss(y, estimator.predict_proba(X))

    X, y = multiclass
    model = search(scoring=plain, weights=[1.0], cv=3).fit(X, y, weight)
    train, test = next(StratifiedKFold(3).split(X, y))
    student = LinearStudent().fit(X[train], y[train], weight[train])
    assert_allclose(model.scores_path_[0, 0, 0], plain(student, X[test], y[test]))


@pytest.mark.parametrize(
    "scoring",
    ["adjusted_rand_score", make_scorer(lambda y, z: float((y == z).mean()))],
)
def test_a_metric_gets_weights_only_if_it_takes_them(multiclass, weight, scoring):
    X, y = multiclass
    model = search(scoring=scoring, cv=3).fit(X, y, weight)
    assert model.best_score_ > 0.3


def test_a_callable_scores(multiclass):
    X, y = multiclass

    def loss(estimator, X, y):
        return -log_loss(y, estimator.predict_proba(X))

    mine = search(scoring=loss).fit(X, y)
    named = search().fit(X, y)
    assert_allclose(mine.scores_path_, named.scores_path_, atol=1e-12)


def test_a_fold_to_score_on_may_lack_a_class(multiclass):
    X, y = multiclass
    order = np.argsort(y, kind="stable")
    last = order[-20:]
    split = [(np.setdiff1d(np.arange(240), last), last)]
    model = search(cv=split).fit(X, y)
    assert np.isfinite(model.scores_path_).all()
    assert np.isnan(model.distillation_gain_.standard_error)


# Errors.


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"weights": 1}, r"distillation_weights=1 must be an integer >= 2"),
        ({"weights": "many"}, r"'many' must be an integer >= 2, or a sequence"),
        ({"weights": 0.5}, r"distillation_weights=0.5 must be .* a sequence"),
        ({"weights": [-1.0]}, r"distillation_weights=-1.0 must be a number >= 0"),
        ({"weights": [np.nan]}, r"distillation_weights=nan must be a number"),
        ({"temperatures": 2.0}, r"temperatures=2.0 must be a sequence of numbers"),
        ({"temperatures": []}, r"temperatures=\[\] must not be empty"),
        ({"temperatures": [0.0]}, r"temperatures=0.0 must be a number > 0"),
        ({"scoring": "neg_logloss"}, r"scoring='neg_logloss'.*mean 'neg_log_loss'"),
        ({"scoring": None}, r"scoring=None must be a name"),
        ({"selection": "worst"}, r"selection='worst' is not valid; choose .*'best'"),
        ({"refit": "no"}, r"refit='no' must be True or False"),
        ({"cv": 1}, r"cv=1 must be None, a number of folds >= 2"),
        ({"cv": 200}, r"cv=200 makes more folds than the most frequent class"),
        ({"cv": []}, r"cv=\[\] makes no folds"),
        ({"cv": GroupKFold(3)}, r"CV: cv=GroupKFold.*For groups pass their splits"),
        ({"cv": [([0, 1], [500])]}, r"CV: cv=.* cannot split 240 rows: index 500"),
        ({"weights": np.array(5.0)}, r"distillation_weights=array\(5.\) must be"),
        ({"teacher_cv": 0}, r"teacher_cv=0 must be None"),
        ({"loss": "klein"}, r"loss='klein' is not valid"),
    ],
)
def test_parameters_that_cannot_be_used(multiclass, params, message, tmp_path):
    teacher = Diary(tmp_path / "diary")
    with pytest.raises((ValueError, TypeError), match=message):
        search(teacher=teacher, **params).fit(*multiclass)
    assert not Path(teacher.path).exists(), "refused before work starts"


def test_folds_that_lack_a_class_to_train_on(multiclass):
    X, y = multiclass
    order = np.argsort(y, kind="stable")
    with pytest.raises(ValueError, match=r"trains fold 2 on no row of the classes \[2"):
        search(cv=[(order[60:], order[:60])] * 2 + [(order[:80], order[80:])]).fit(X, y)
    with pytest.raises(ValueError, match=r"scores fold 0 on no row"):
        search(cv=[(order, [])]).fit(X, y)
    with pytest.raises(ValueError, match=r"fold 0 on no row that weighs anything"):
        search(cv=KFold(4)).fit(X, y, np.arange(240) >= 60)


def test_scores_that_are_no_numbers(multiclass):
    def nothing(estimator, X, y):
        return np.nan

    with pytest.raises(ValueError, match=r"gave no finite number on fold 0"):
        search(scoring=nothing).fit(*multiclass)


def test_a_failed_fit_leaves_the_earlier_one(multiclass):
    X, y = multiclass
    model = search().fit(X, y)
    before = vars(model).copy()
    model.scoring = lambda estimator, X, y: np.nan
    with pytest.raises(ValueError, match="finite"):
        model.fit(X[:, :4], y)
    del before["scoring"], model.scoring
    assert vars(model) == before


def test_a_seed_decides_all(multiclass):
    X, y = multiclass
    student = clone(SMALL).set_params(random_state=None)
    params = {"teacher": RandomForestClassifier(5), "cv": ShuffleSplit(2)}
    first, second = (
        search(student, **params, random_state=3).fit(X, y) for _ in range(2)
    )
    assert_array_equal(first.scores_path_, second.scores_path_)
    other = search(student, **params, random_state=4).fit(X, y)
    assert not np.array_equal(first.scores_path_, other.scores_path_)
