"""Several teachers as one: averages of what they say, and of their weights."""

import pickle
from itertools import pairwise, permutations

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
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from torch import nn

from sk_distill import (
    DistillationWarning,
    DistilledClassifier,
    FusedTeacher,
    LinearStudent,
    MLPTeacher,
    VotingTeacher,
)
from sk_distill.inference import hidden_values, mlp_logits
from sk_distill.teachers import averages, fused
from sk_distill.teachers.alignment import Chain, fuse_chains, match_units
from sk_distill.teachers.chains import parts_of, read_chain, write_chain
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


class Backwards(ClassifierMixin, BaseEstimator):
    """A classifier that lists the classes in descending order."""

    def fit(self, X, y):
        self.bayes_ = clone(BAYES).fit(X, y)
        self.classes_ = self.bayes_.classes_[::-1]
        return self

    def predict_proba(self, X):
        return self.bayes_.predict_proba(X)[:, ::-1]


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


# Averages of weights.


def make_chain(widths, seed=0):
    rng = np.random.default_rng(seed)
    shapes = list(pairwise(widths))
    return Chain(
        [rng.normal(size=shape).astype(np.float32) for shape in shapes],
        [rng.normal(size=n_out).astype(np.float32) for _, n_out in shapes],
    )


def values_of(chain, X, activation="tanh"):
    first = X @ chain.coefs[0]
    return hidden_values(first, chain.coefs[1:], chain.intercepts, activation)


@pytest.mark.parametrize("widths", [(6, 20, 3), (6, 12, 15, 3)])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_known_permutation_is_recovered(multiclass, widths, activation):
    X, _ = multiclass
    chain = make_chain(widths)
    rng = np.random.default_rng(1)
    shuffled = chain.reorder([rng.permutation(n) for n in widths[1:-1]])
    assert np.abs(shuffled.coefs[0] - chain.coefs[0]).max() > 1
    logits = [
        mlp_logits(X @ c.coefs[0], c.coefs[1:], c.intercepts, activation)
        for c in (chain, shuffled)
    ]
    assert_allclose(*logits, atol=1e-9)
    hidden = [values_of(c, X, activation) for c in (chain, shuffled)]
    mean = fuse_chains([chain, shuffled], hidden)
    for arrays, expected in zip(mean, chain, strict=True):
        for array, original in zip(arrays, expected, strict=True):
            assert array.dtype == np.float32
            assert_array_equal(array, original)


def test_units_are_matched_as_the_best_of_all_permutations():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30, 5))
    b[:, 1] *= 100  # Correlations do not know of scales.
    correlation = np.corrcoef(a, b, rowvar=False)[:5, 5:]
    best = max(
        permutations(range(5)),
        key=lambda order: correlation[range(5), list(order)].sum(),
    )
    assert_array_equal(match_units(a, b), best)


def test_units_that_never_change_are_matched_last():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(30, 4))
    a[:, 2] = 0.5
    assert_array_equal(match_units(a, a[:, [3, 2, 0, 1]]), [2, 3, 1, 0])


def test_the_mean_of_an_ensembles_members_by_hand(multiclass):
    X, y = multiclass
    settings = {"encoding": "standard", "max_iter": 5, "random_state": 3}
    teacher = MLPTeacher((4,), "tanh", n_members=3, **settings).fit(X, y)
    model = FusedTeacher(
        MLPTeacher((4,), "tanh", **settings), n_teachers=3, fine_tuning_epochs=0
    ).fit(X, y)
    (w, v), (a, b) = teacher.coefs_, teacher.intercepts_
    X = StandardScaler().fit_transform(X)
    hidden = np.tanh(X @ w + a[:, None])
    orders = [np.arange(4)]
    for m in (1, 2):
        correlation = np.corrcoef(hidden[0], hidden[m], rowvar=False)[:4, 4:]
        score = {
            order: correlation[range(4), order].sum()
            for order in permutations(range(4))
        }
        orders.append(max(score, key=score.get))
    w, v, a = (
        np.mean([part[m].T[list(orders[m])] for m in range(3)], axis=0).T
        for part in (w, v.swapaxes(1, 2), a)
    )
    logits = np.tanh(X @ w + a) @ v.T + b.mean(axis=0)
    assert_allclose(
        model.estimator_.decision_function(multiclass[0]), logits, atol=1e-5
    )
    assert_allclose(model.predict_proba(multiclass[0]), softmax(logits, 1), atol=1e-5)
    assert not hasattr(model.estimator_, "history_")


@pytest.mark.parametrize("table", ["binary", "multiclass"])
def test_the_average_of_aligned_weights_is_better(request, table):
    X, y = request.getfixturevalue(table)
    ensemble = MLPTeacher((64,), max_iter=20, random_state=0).fit(X, y)
    unaligned = clone(ensemble).set_params(n_members=1).fit(X, y)
    unaligned.encoder_ = ensemble.encoder_
    unaligned.coefs_ = [coef.mean(axis=0) for coef in ensemble.coefs_]
    unaligned.intercepts_ = [b.mean(axis=0) for b in ensemble.intercepts_]
    aligned = FusedTeacher(ensemble, fine_tuning_epochs=0).fit(X, y)
    losses = [log_loss(y, t.predict_proba(X)) for t in (aligned, unaligned)]
    assert losses[0] < losses[1] - 0.02


class Net(nn.Sequential):
    def __init__(self, n_features, n_classes):
        super().__init__(
            nn.Sequential(nn.Linear(n_features, 16), nn.Tanh()),
            nn.Dropout(0.2),
            nn.Linear(16, 8, bias=False),
            nn.ReLU(),
            nn.Linear(8, n_classes),
        )


def test_modules_are_read_and_written(multiclass):
    """Nested, with dropout and without a bias; the fused net is the original."""
    X = multiclass[0].astype(np.float32)
    torch.manual_seed(0)
    net, other = Net(6, 3).eval(), Net(6, 3).eval()
    chain, hidden = read_chain(parts_of("net", net), X)
    assert [values.shape for values in hidden] == [(240, 16), (240, 8)]
    assert_array_equal(hidden[0], net[0](torch.tensor(X)).detach())
    rng = np.random.default_rng(0)
    shuffled = chain.reorder([rng.permutation(16), rng.permutation(8)])
    write_chain(parts_of("other", other), shuffled)
    rows = torch.tensor(X)
    assert_allclose(other(rows).detach(), net(rows).detach(), atol=1e-6)
    chains, hidden = zip(
        *[read_chain(parts_of("net", m), X) for m in (net, other)], strict=True
    )
    mean = fuse_chains(chains, hidden)
    with torch.no_grad():
        for part in other.parameters():
            part.zero_()
    write_chain(parts_of("other", other), mean)
    for name, weight in net.state_dict().items():
        assert_array_equal(other.state_dict()[name], weight)


@pytest.mark.parametrize("kind", [Net, MLPTeacher((16, 8), max_iter=5)])
def test_fine_tuning_goes_on_from_the_average(multiclass, kind, monkeypatch):
    X, y = multiclass[0][:60], multiclass[1][:60]
    settings = {"n_teachers": 2, "random_state": 0}
    average = FusedTeacher(kind, fine_tuning_epochs=0, **settings).fit(X, y)
    tuned = FusedTeacher(kind, fine_tuning_epochs=2, **settings).fit(X, y)
    assert tuned.estimator_.n_iter_ == 2
    assert np.abs(tuned.predict_proba(X) - average.predict_proba(X)).max() > 1e-3
    monkeypatch.setattr(fused, "_FINE_TUNING_RATE", 1e-12)
    still = clone(tuned).fit(X, y)
    assert_allclose(still.predict_proba(X), average.predict_proba(X), atol=1e-5)
    # What it is trained with is no parameter of the network that it is.
    assert still.estimator_.get_params() == average.estimator_.get_params()


def test_a_fused_teacher_is_decided_by_its_seed(multiclass):
    X, y = multiclass[0][:50], multiclass[1][:50]
    before = torch.get_rng_state()
    first, again, other = (
        FusedTeacher(Net, n_teachers=2, random_state=seed).fit(X, y).predict_proba(X)
        for seed in (0, 0, 1)
    )
    assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4
    assert torch.equal(torch.get_rng_state(), before)


def test_fused_rows_of_weight_zero_are_absent(multiclass):
    X, y = multiclass[0][:80], multiclass[1][:80]
    weight = np.arange(len(y)) % 4 / 2.0
    present = weight > 0
    teacher = MLPTeacher((16,), max_iter=5)
    model = FusedTeacher(teacher, n_teachers=2, random_state=0)
    all_rows = clone(model).fit(X, y, weight).predict_proba(X)
    fewer = model.fit(X[present], y[present], weight[present]).predict_proba(X)
    assert_allclose(all_rows, fewer, atol=1e-6)
    unweighted = clone(model).fit(X, y).predict_proba(X)
    assert np.abs(all_rows - unweighted).max() > 1e-3


@pytest.mark.parametrize("kind", [Net, MLPTeacher((16,), max_iter=30)])
@pytest.mark.parametrize("teacher_cv", [None, 2])
def test_a_student_learns_what_one_network_says(multiclass, kind, teacher_cv):
    X, y = multiclass
    teacher = FusedTeacher(kind, n_teachers=2)
    X, y = X[:90], y[:90]
    model = DistilledClassifier(
        teacher, "linear", teacher_cv=teacher_cv, random_state=0
    ).fit(X, NAMES[y])
    net = model.teacher_.estimator_
    if isinstance(kind, MLPTeacher):
        assert [coef.ndim for coef in net.coefs_] == [2, 2]
        assert net.n_members == 1
    else:
        assert type(net.module_) is Net
    assert_array_equal(model.teacher_.classes_, NAMES)
    assert model.teacher_.score(X, NAMES[y]) > 0.6
    if teacher_cv is None:
        proba = model.teacher_.predict_proba(X)
        student = LinearStudent().fit(X, y, soft_targets=proba)
        assert_allclose(model.coef_, student.coef_, atol=1e-5)


def test_a_fused_teacher_takes_missing_values(multiclass):
    X, y = multiclass
    X = np.where(np.arange(6) == np.arange(len(X))[:, None] % 17, np.nan, X)
    model = FusedTeacher(MLPTeacher((16,), max_iter=5), n_teachers=2, random_state=0)
    copy = pickle.loads(pickle.dumps(clone(model).fit(X, y)))
    assert_array_equal(copy.predict_proba(X), model.fit(X, y).predict_proba(X))


class Normed(nn.Sequential):
    def __init__(self, n_features, n_classes):
        norm = nn.LayerNorm(n_features)
        super().__init__(norm, nn.Linear(n_features, n_classes))


class Residual(Net):
    def forward(self, x):
        return super().forward(x) + x[:, :1]


class Tied(nn.Sequential):
    def __init__(self, n_features, n_classes):
        layer = nn.Linear(8, 8)
        first, last = nn.Linear(n_features, 8), nn.Linear(8, n_classes)
        super().__init__(first, layer, nn.ReLU(), layer, last)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"estimator": FOREST}, TypeError, "FusedTeacher: estimator=RandomF.*Voting"),
        ({"estimator": nn.Linear(6, 3)}, TypeError, "estimator=Linear.*Module class"),
        ({"estimator": Normed}, TypeError, "FusedTeacher: the hidden units of LayerNo"),
        ({"estimator": Residual}, TypeError, "units of Residual .*nn.Sequential of"),
        ({"estimator": Tied}, TypeError, "units of Tied .*share no weight.*VotingTea"),
        ({"n_teachers": 1}, ValueError, "n_teachers=1 must be an integer >= 2"),
        ({"n_teachers": 2.5}, TypeError, "n_teachers=2.5 must be an integer >= 2"),
        ({"fine_tuning_epochs": -1}, ValueError, "fine_tuning_epochs=-1 must be an"),
        ({"random_state": "a"}, ValueError, "FusedTeacher: random_state='a'"),
    ],
)
def test_networks_that_cannot_be_fused(multiclass, params, error, message):
    model = FusedTeacher(**params)
    with pytest.raises(error, match=message):
        model.fit(*multiclass)
    assert not hasattr(model, "classes_")
