"""Several teachers as one: averages of what they say, by weights given or learned."""

import pickle

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from classifiers import Backwards
from sk_distill import (
    DistillationWarning,
    DistilledClassifier,
    LinearStudent,
    VotingTeacher,
)
from sk_distill.teachers import averages
from sk_distill.training.objective import PROBABILITY_FLOOR

BAYES = GaussianNB()
FOREST = RandomForestClassifier(5, max_depth=3, random_state=0)
LOGISTIC = LogisticRegression()
NOISE = DummyClassifier(strategy="stratified", random_state=0)
TWO = [("bayes", BAYES), ("forest", FOREST)]
THREE = [*TWO, ("logistic", LOGISTIC)]
NAMES = np.array(["ash", "beech", "cedar"])
AVERAGES = ["probabilities", "logits"]


def probas_of(members, X, y):
    return np.stack([clone(m).fit(X, y).predict_proba(X) for _, m in members])


def out_of_fold(members, X, y, cv=5):
    return np.stack(
        [cross_val_predict(m, X, y, cv=cv, method="predict_proba") for _, m in members]
    )


def by_hand(answers, weights, average):
    weights = np.asarray(weights)[:, None, None]
    if average == "probabilities":
        return (weights * answers).sum(axis=0)
    powers = (np.clip(answers, 1e-7, None) ** weights).prod(axis=0)
    return powers / powers.sum(axis=1, keepdims=True)


def loss_of(answers, weights, y, average, row_weight=None):
    """The log loss of an average of answers without zeros."""
    proba = by_hand(np.clip(answers, 1e-7, None), weights, average)
    loss = -np.log(proba[np.arange(len(y)), y])
    return np.average(loss, weights=row_weight)


def test_equal_weights_are_the_mean(multiclass):
    X, y = multiclass
    vote = VotingTeacher(THREE).fit(X, y)
    assert_array_equal(vote.weights_, np.full(3, 1 / 3))
    proba = probas_of(THREE, X, y).mean(axis=0)
    assert_allclose(vote.predict_proba(X), proba, atol=1e-15)
    assert_array_equal(vote.predict(X), proba.argmax(axis=1))
    assert list(vote.named_estimators_) == ["bayes", "forest", "logistic"]
    assert vote.named_estimators_.forest is vote.estimators_[1]
    assert vote.n_features_in_ == 6


@pytest.mark.parametrize("average", AVERAGES)
def test_given_weights_by_hand(multiclass, average):
    X, y = multiclass
    vote = VotingTeacher(TWO, weights=[1, 3], average=average).fit(X, y)
    assert_array_equal(vote.weights_, [0.25, 0.75])
    answers = probas_of(TWO, X, y)
    proba = by_hand(answers, [0.25, 0.75], average)
    assert_allclose(vote.predict_proba(X), proba, atol=1e-12)


def test_logits_by_hand():
    """(0.5, 0.3, 0.2) and (0.1, 0.9, 0): roots of products, the zero as 1e-7."""
    answers = np.array([[[0.5, 0.3, 0.2]], [[0.1, 0.9, 0.0]]])
    proba = averages.average_answers(answers, np.array([0.5, 0.5]), "logits")
    roots = np.sqrt([0.5 * 0.1, 0.3 * 0.9, 0.2 * 1e-7])
    assert_allclose(proba, [roots / roots.sum()], rtol=1e-12)
    assert averages.PROBABILITY_FLOOR == PROBABILITY_FLOOR == 1e-7


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("weighted", [False, True])
def test_learned_weights_of_two_are_the_best_of_a_grid(
    multiclass, weight, average, weighted
):
    X, y = multiclass
    members = [("logistic", LOGISTIC), ("neighbours", KNeighborsClassifier(25))]
    row_weight = weight if weighted else None
    answers = out_of_fold(members, X, y)
    if weighted:
        members = [(name, Weightless(member)) for name, member in members]
    vote = VotingTeacher(members, weights="learned", average=average)
    vote.fit(X, y, row_weight)
    grid = np.linspace(0, 1, 2001)
    losses = [loss_of(answers, [w, 1 - w], y, average, row_weight) for w in grid]
    best = grid[np.argmin(losses)]
    assert 0.05 < best < 0.95
    assert_allclose(vote.weights_, [best, 1 - best], atol=1e-3)


class Weightless(ClassifierMixin, BaseEstimator):
    """A classifier that takes weights, and does not use them."""

    def __init__(self, classifier):
        self.classifier = classifier

    def fit(self, X, y, sample_weight=None):
        self.fitted_ = clone(self.classifier).fit(X, y)
        self.classes_ = self.fitted_.classes_
        return self

    def predict_proba(self, X):
        return self.fitted_.predict_proba(X)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("table", ["binary", "multiclass"])
def test_learned_weights_are_nowhere_beaten_on_the_simplex(request, table, average):
    X, y = request.getfixturevalue(table)
    members = [*THREE, ("noise", NOISE), ("neighbours", KNeighborsClassifier(9))]
    weights = VotingTeacher(members, weights="learned", average=average).fit(X, y)
    weights = weights.weights_
    assert weights.min() >= 0
    assert_allclose(weights.sum(), 1, rtol=1e-12)
    answers = out_of_fold(members, X, y)
    drawn = np.random.default_rng(0).dirichlet(np.full(5, 0.5), size=300)
    nearby = 0.99 * weights + 0.01 * drawn
    others = [*np.eye(5), np.full(5, 0.2), *drawn, *nearby]
    least = min(loss_of(answers, other, y, average) for other in others)
    assert loss_of(answers, weights, y, average) <= least + 1e-9


@pytest.mark.parametrize("average", AVERAGES)
def test_noise_gets_no_weight(multiclass, average):
    X, y = multiclass
    members = [("noise", NOISE), ("logistic", LOGISTIC)]
    vote = VotingTeacher(members, weights="learned", average=average).fit(X, y)
    assert vote.weights_[1] > 0.95


@pytest.mark.parametrize("average", AVERAGES)
def test_what_a_minimiser_leaves_of_nothing_is_nothing(average):
    """It leaves 1e-17, and a member of any weight at all is asked."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, 60)
        answers = rng.dirichlet(np.ones(2), size=(6, 60))
        answers[:2] = answers[:2] / 2 + np.eye(2)[y] / 2
        weights = averages.learn_weights(answers, y, None, average)
        assert (weights == 0).sum() == (weights < 1e-6).sum() > 0


def test_a_member_of_no_weight_is_not_asked(multiclass):
    X, y = multiclass
    vote = VotingTeacher(TWO, weights=[0, 2]).fit(X, y)
    vote.estimators_[0].predict_proba = None
    forest = vote.estimators_[1].predict_proba(X)
    assert_allclose(vote.predict_proba(X), forest, rtol=1e-12)


@pytest.mark.parametrize("average", AVERAGES)
def test_weight_two_is_the_row_twice(multiclass, average):
    X, y = multiclass
    times = 1 + np.arange(len(y)) % 3 % 2
    rows = np.repeat(np.arange(len(y)), times)
    members = [("bayes", BAYES), ("logistic", LogisticRegression(tol=1e-8))]

    def folds(index):
        return [(np.flatnonzero(index % 3 != k), index % 3 == k) for k in range(3)]

    settings = {"weights": "learned", "average": average}
    vote = VotingTeacher(members, cv=folds(np.arange(len(y))), **settings)
    vote.fit(X, y, times.astype(float))
    twice = VotingTeacher(members, cv=folds(rows), **settings).fit(X[rows], y[rows])
    assert 0.01 < vote.weights_[0] < 0.99
    assert_allclose(vote.weights_, twice.weights_, atol=1e-4)
    assert_allclose(vote.predict_proba(X), twice.predict_proba(X), atol=1e-4)


def test_a_member_that_takes_no_weights_goes_without(multiclass, weight):
    vote = VotingTeacher([("a", BAYES), ("b", KNeighborsClassifier())])
    with pytest.warns(DistillationWarning, match="KNeighborsClassifier takes no samp"):
        vote.fit(*multiclass, weight)


@pytest.mark.parametrize("weights", [None, "learned"])
def test_names_of_classes_permute_the_columns_and_nothing_else(multiclass, weights):
    X, y = multiclass
    order = np.array([2, 0, 1])
    vote, renamed = (
        VotingTeacher(TWO, weights=weights).fit(X, labels)
        for labels in (y, NAMES[order][y])
    )
    assert_array_equal(renamed.classes_, NAMES)
    assert_allclose(renamed.weights_, vote.weights_, atol=1e-3)
    # A forest breaks ties by the order of the classes; these rows have none.
    assert_allclose(
        renamed.predict_proba(X)[:, order], vote.predict_proba(X), atol=2e-3
    )
    assert set(renamed.predict(X)) <= set(NAMES)


@pytest.mark.parametrize("weights", [None, "learned"])
def test_columns_are_put_in_order(multiclass, weights):
    X, y = multiclass
    votes = [
        VotingTeacher([("bayes", m), ("forest", FOREST)], weights=weights)
        for m in (BAYES, Backwards())
    ]
    one, other = (vote.fit(X, NAMES[y]).predict_proba(X) for vote in votes)
    assert_allclose(other, one, atol=1e-12)


def test_members_are_whatever_a_teacher_may_be(multiclass):
    """A vote, a trained module, a class of modules, and frozen ones."""
    X, y = multiclass
    frozen = FrozenEstimator(clone(FOREST).fit(X[:100], y[:100]))
    torch.manual_seed(0)
    members = [("list", TWO), ("net", nn.Linear(6, 3)), ("frozen", frozen)]
    vote = VotingTeacher(members).fit(X, y)
    logits = members[1][1](torch.tensor(X, dtype=torch.float32)).detach().numpy()
    parts = [
        VotingTeacher(TWO).fit(X, y).predict_proba(X),
        softmax(logits, axis=1),
        frozen.predict_proba(X),
    ]
    assert_allclose(vote.predict_proba(X), np.mean(parts, axis=0), atol=1e-6)
    assert vote.estimators_[2] is frozen


def test_frozen_members_are_weighted_on_rows_that_they_have_not_seen(multiclass):
    X, y = multiclass
    members = [
        (name, FrozenEstimator(clone(member).fit(X[:120], y[:120])))
        for name, member in TWO
    ]
    X, y = X[120:], y[120:]
    with pytest.raises(ValueError, match=r"frozen.*\['bayes', 'forest'\].*cv=None"):
        VotingTeacher(members, weights="learned").fit(X, y)
    vote = VotingTeacher(members, weights="learned", cv=None).fit(X, y)
    answers = np.stack([member.predict_proba(X) for _, member in members])
    grid = np.linspace(0, 1, 2001)
    losses = [loss_of(answers, [w, 1 - w], y, "probabilities") for w in grid]
    assert_allclose(vote.weights_[0], grid[np.argmin(losses)], atol=1e-3)


def test_a_fold_without_a_class(multiclass):
    """It has probability zero there; the members learned from two classes."""
    X, y = multiclass
    third = y == 2
    folds = [(np.flatnonzero(~third), third), (np.flatnonzero(y > 0), y == 0)]
    vote = VotingTeacher(TWO, weights="learned", cv=folds).fit(X, y)
    assert vote.predict_proba(X).shape == (len(y), 3)
    assert_allclose(vote.weights_.sum(), 1)


def test_nothing_is_drawn_from_the_global_generators(multiclass):
    members = [("a", RandomForestClassifier(3)), ("b", RandomForestClassifier(3))]
    cv = StratifiedKFold(3, shuffle=True)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first, again, other = (
        VotingTeacher(members, weights="learned", cv=cv, random_state=seed).fit(
            *multiclass
        )
        for seed in (0, 0, 1)
    )
    assert_array_equal(first.weights_, again.weights_)
    assert np.abs(first.weights_ - other.weights_).max() > 1e-6
    assert len({forest.random_state for forest in first.estimators_}) == 2
    assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


def test_members_fitted_at_once_are_the_same(multiclass):
    X, y = multiclass
    with joblib.parallel_config("threading"):
        one, two = (
            VotingTeacher(THREE, weights="learned", n_jobs=n).fit(X, y) for n in (1, 2)
        )
    assert_array_equal(one.predict_proba(X), two.predict_proba(X))


def test_a_vote_can_be_cloned_and_pickled(multiclass):
    X, y = multiclass
    vote = VotingTeacher(TWO, weights=[1, 2], average="logits", cv=3)
    before = joblib.hash(vote.get_params())
    vote.fit(X, y)
    assert joblib.hash(vote.get_params()) == before
    copy = pickle.loads(pickle.dumps(vote))
    assert_array_equal(copy.predict_proba(X), vote.predict_proba(X))
    assert not hasattr(clone(vote), "weights_")
    assert clone(vote).set_params(forest__max_depth=9).estimators[1][1].max_depth == 9


# Votes as teachers of a student.


@pytest.mark.parametrize("weights", [None, [1, 3], "learned"])
@pytest.mark.parametrize("teacher_cv", [None, 3])
def test_a_student_learns_what_the_vote_says(multiclass, weights, teacher_cv):
    X, y = multiclass
    vote = VotingTeacher(TWO, weights=weights)
    model = DistilledClassifier(vote, "linear", teacher_cv=teacher_cv)
    model.fit(X, NAMES[y])
    if teacher_cv is None:
        proba = clone(vote).fit(X, y).predict_proba(X)
    else:
        proba = cross_val_predict(vote, X, y, cv=3, method="predict_proba")
    student = LinearStudent().fit(X, y, soft_targets=proba)
    assert_allclose(model.coef_, student.coef_, atol=1e-5)
    assert isinstance(model.teacher_, VotingTeacher)
    assert not hasattr(vote, "weights_")


def test_search_over_weights_by_way_of_the_cache(multiclass, tmp_path):
    X, y = multiclass
    vote = VotingTeacher(TWO)
    model = DistilledClassifier(
        vote, "linear", memory=str(tmp_path), distillation_weight=3.0, random_state=0
    )
    grid = {
        "teacher__weights": [None, "learned", [1, 0]],
        "teacher__forest__max_depth": [1, 3],
    }
    search = GridSearchCV(model, grid, cv=2, scoring="neg_log_loss", refit=False)
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    # Of the cache, as of no cache.
    cached, plain = (
        clone(model).set_params(teacher__weights="learned", memory=memory).fit(X, y)
        for memory in (str(tmp_path), None)
    )
    again = clone(cached).fit(X, y)
    assert_array_equal(again.coef_, cached.coef_)
    assert_array_equal(cached.coef_, plain.coef_)
    assert_array_equal(again.teacher_.weights_, plain.teacher_.weights_)


def test_the_students_seed_reaches_the_folds(multiclass):
    cv = StratifiedKFold(3, shuffle=True)
    vote = VotingTeacher(TWO, weights="learned", cv=cv)
    first, again = (
        DistilledClassifier(vote, "linear", random_state=0).fit(*multiclass)
        for _ in range(2)
    )
    assert_array_equal(first.teacher_.weights_, again.teacher_.weights_)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"estimators": []}, TypeError, r"VotingTeacher: estimators=\[\] must be a no"),
        ({"estimators": [BAYES]}, TypeError, r"estimators=\[GaussianNB\(\)\] must be"),
        ({"estimators": [(1, BAYES)]}, TypeError, "non-empty list of .name, classif"),
        ({"estimators": TWO[:1] * 2}, ValueError, r"one name: \['bayes', 'bayes'\]"),
        ({"estimators": [("cv", BAYES)]}, ValueError, "member named 'cv'.*Rename"),
        ({"estimators": [("a__b", BAYES)]}, ValueError, "member named 'a__b'.*Rename"),
        ({"weights": "learnt"}, ValueError, "weights='learnt'.*Did you mean 'learned'"),
        ({"weights": [1, 2, 3]}, ValueError, r"weights=\[1, 2, 3\].*bayes, forest"),
        ({"weights": [1, -1]}, ValueError, r"weights=\[1, -1\].*>= 0"),
        ({"weights": [0, 0]}, ValueError, r"weights=\[0, 0\].*not all of them 0"),
        ({"weights": [1, np.nan]}, ValueError, r"weights=\[1, nan\]"),
        ({"weights": {"a": 1}}, TypeError, "weights={'a': 1} must be None, 'learned'"),
        ({"average": "logit"}, ValueError, "average='logit'.*Did you mean 'logits'"),
        ({"weights": "learned", "cv": 1}, ValueError, "VotingTeacher: cv=1 must be"),
        ({"weights": "learned", "cv": 99}, ValueError, "cv=99 makes more folds"),
        ({"weights": "learned", "cv": []}, ValueError, r"VotingTeacher: cv=\[\] holds"),
        ({"n_jobs": 0}, ValueError, "VotingTeacher: n_jobs=0"),
        ({"random_state": "a"}, ValueError, "VotingTeacher: random_state='a'"),
    ],
)
def test_votes_that_cannot_be(multiclass, params, error, message):
    vote = VotingTeacher(**{"estimators": TWO} | params)
    with pytest.raises(error, match=message):
        vote.fit(*multiclass)
    assert not hasattr(vote, "classes_")
