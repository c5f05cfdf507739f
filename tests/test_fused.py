"""Several networks as one: averages of their weights, once units are matched."""

import pickle
from itertools import pairwise, permutations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from torch import nn

from sk_distill import DistilledClassifier, FusedTeacher, LinearStudent, MLPTeacher
from sk_distill.inference import hidden_values, mlp_logits
from sk_distill.teachers import fused
from sk_distill.teachers.alignment import Chain, fuse_chains, match_units
from sk_distill.teachers.chains import parts_of, read_chain, write_chain

FOREST = RandomForestClassifier(5, max_depth=3, random_state=0)
NAMES = np.array(["ash", "beech", "cedar"])


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
