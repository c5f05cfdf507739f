"""Students of many λ and T at once, against fits one by one."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from skorch.callbacks import EpochTimer
from torch import nn

from sk_distill import DistillationWarning, LinearStudent, MLPStudent
from sk_distill.nn import StackedMLP
from sk_distill.students.skorch_net import SkorchStudent
from sk_distill.training import UNLABELLED, Objective
from sk_distill.training.stacked_objective import StackedObjective

CANDIDATES = [(0.0, 1.0), (0.1, 1.0), (1.0, 1.0), (30.0, 1.0), (np.inf, 1.0)]
WITH_TEMPERATURES = [*CANDIDATES, (1.0, 3.0), (np.inf, 0.5)]

MLP = MLPStudent(16, max_iter=8, random_state=0)
STUDENTS = {
    "as it comes": MLP,
    "two layers": clone(MLP).set_params(hidden_layer_sizes=(8, 8), activation="tanh"),
    "logistic": clone(MLP).set_params(activation="logistic", encoding="standard"),
    "L2": clone(MLP).set_params(alpha=10.0, weight_decay=0.0, encoding=None),
    "no dropout, nothing held out": clone(MLP).set_params(
        dropout=0.0, early_stopping=False, encoding="quantile"
    ),
}


def soft_targets(y, seed=0):
    n_classes = y.max() + 1
    noise = np.random.default_rng(seed).dirichlet(np.ones(n_classes), size=len(y))
    return 0.4 * noise + 0.6 * np.eye(n_classes)[y]


def one_by_one(student, X, y, candidates, weight=None, **params):
    return [
        clone(student).fit(
            X, y, weight, distillation_weight=weight_, temperature=temperature, **params
        )
        for weight_, temperature in candidates
    ]


def assert_same(path, singles, X, atol):
    assert len(path) == len(singles)
    for mine, single in zip(path, singles, strict=True):
        assert_allclose(mine.predict_proba(X), single.predict_proba(X), atol=atol)
        assert mine.n_iter_ == single.n_iter_
        assert mine.history_.keys() == single.history_.keys()
        for name, curve in single.history_.items():
            assert_allclose(mine.history_[name], curve, atol=atol)
        assert_array_equal(mine.loss_curve_, mine.history_["train_loss"])


@pytest.mark.parametrize("candidates", [CANDIDATES, WITH_TEMPERATURES])
@pytest.mark.parametrize("name", STUDENTS)
def test_a_row_of_the_path_is_a_single_fit(multiclass, name, candidates):
    X, y = multiclass
    student, proba = STUDENTS[name], soft_targets(y)
    path = student.fit_path(X, y, soft_targets=proba, candidates=candidates)
    singles = one_by_one(student, X, y, candidates, soft_targets=proba)
    assert_same(path, singles, X, atol=2e-5)
    assert not np.allclose(path[1].predict_proba(X), path[3].predict_proba(X))


@pytest.mark.parametrize("candidates", [CANDIDATES, WITH_TEMPERATURES])
def test_two_classes_weights_and_transfer_rows(binary, weight, candidates):
    X, y = binary
    more = np.random.default_rng(1).normal(size=(90, 6))
    known = {
        "soft_targets": soft_targets(y),
        "transfer_X": more,
        "transfer_targets": soft_targets(np.resize([0, 1], 90), seed=1),
    }
    student = clone(MLP).set_params(class_weight="balanced")
    path = student.fit_path(X, y, weight, candidates=candidates, **known)
    singles = one_by_one(student, X, y, candidates, weight, **known)
    assert_same(path, singles, X, atol=2e-5)


@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_member_that_has_stopped_no_longer_changes(multiclass, early_stopping):
    X, y = multiclass
    student = MLPStudent(
        16,
        learning_rate="constant",
        learning_rate_init=0.02,
        max_iter=60,
        tol=1e-2,
        n_iter_no_change=2,
        early_stopping=early_stopping,
        encoding="standard",
        random_state=0,
    )
    proba = soft_targets(y)
    path = student.fit_path(X, y, soft_targets=proba, candidates=CANDIDATES)
    n_iter = [fitted.n_iter_ for fitted in path[1:]]
    assert len(set(n_iter)) > 1, "members must stop at different times"
    assert max(n_iter) < 60
    singles = one_by_one(student, X, y, CANDIDATES, soft_targets=proba)
    assert_same(path, singles, X, atol=1e-4)


def test_what_memory_cannot_hold_at_once_is_trained_in_parts(multiclass, monkeypatch):
    X, y = multiclass
    proba = soft_targets(y)
    whole = MLP.fit_path(X, y, soft_targets=proba, candidates=CANDIDATES)
    monkeypatch.setattr("sk_distill.students.side_by_side._MOST_VALUES", 5_000)
    parts = MLP.fit_path(X, y, soft_targets=proba, candidates=CANDIDATES)
    assert_same(parts, whole, X, atol=1e-6)


@pytest.mark.parametrize(
    "student",
    [
        LinearStudent(),
        LinearStudent(encoding="piecewise_linear", n_bins=6),
        LinearStudent(solver="adam", max_iter=5, random_state=0),
        MLPStudent(8, solver="lbfgs", alpha=100.0, tol=1e-3, random_state=0),
        clone(MLP).set_params(callbacks=[EpochTimer()]),
        clone(MLP).set_params(net_params={"optimizer": torch.optim.SGD}),
    ],
    ids=lambda student: type(student).__name__,
)
def test_what_is_not_stacked_is_fitted_all_the_same(multiclass, student):
    X, y = multiclass
    proba = soft_targets(y)
    path = student.fit_path(X, y, soft_targets=proba, candidates=WITH_TEMPERATURES)
    singles = one_by_one(student, X, y, WITH_TEMPERATURES, soft_targets=proba)
    for mine, single in zip(path, singles, strict=True):
        assert_allclose(mine.predict_proba(X), single.predict_proba(X), atol=1e-5)


def test_a_net_of_the_users_own(multiclass):
    from skorch import NeuralNetClassifier

    X, y = multiclass
    net = NeuralNetClassifier(
        nn.Linear(6, 3), criterion=nn.CrossEntropyLoss, max_epochs=3, verbose=0
    )
    student = SkorchStudent(net, random_state=0)
    proba = soft_targets(y)
    path = student.fit_path(X, y, soft_targets=proba, candidates=CANDIDATES)
    singles = one_by_one(student, X, y, CANDIDATES, soft_targets=proba)
    for mine, single in zip(path, singles, strict=True):
        assert_allclose(mine.predict_proba(X), single.predict_proba(X), atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_row_of_the_path_is_a_single_fit_on_a_gpu(multiclass):
    X, y = multiclass
    student, proba = clone(MLP).set_params(device="cuda"), soft_targets(y)
    path = student.fit_path(X, y, soft_targets=proba, candidates=CANDIDATES)
    singles = one_by_one(student, X, y, CANDIDATES, soft_targets=proba)
    assert_same(path, singles, X, atol=1e-3)


def test_where_lambda_0_sees_the_same_rows_it_joins_the_others(multiclass):
    """And is the student without a teacher all the same."""
    X, y = multiclass
    student = clone(MLP).set_params(encoding="standard", early_stopping=False)
    proba = soft_targets(y)
    path = student.fit_path(X, y, soft_targets=proba, candidates=CANDIDATES)
    alone = clone(student).fit(X, y)
    assert_allclose(path[0].predict_proba(X), alone.predict_proba(X), atol=2e-5)
    only = student.fit_path(X, y, soft_targets=proba, candidates=[(0.0, 1.0)])
    assert_array_equal(only[0].predict_proba(X), alone.predict_proba(X))


@pytest.mark.parametrize("encoding", ["standard", "quantile"])
def test_weights_that_solutions_point_to_are_a_start_and_no_more(binary, encoding):
    """A parabola through three solutions, far apart or very close, is where the next
    one begins; it ends at its own optimum."""
    X, y = binary
    student, proba = LinearStudent(encoding=encoding, n_bins=5), soft_targets(y)
    weights = [0.0, 1e-6, 2e-6, 3.0, 3.0001, 3.0002, 50.0, np.inf]
    candidates = [(weight, 1.0) for weight in weights]
    path = student.fit_path(X, y, soft_targets=proba, candidates=candidates)
    singles = one_by_one(student, X, y, candidates, soft_targets=proba)
    for mine, single in zip(path, singles, strict=True):
        assert_allclose(mine.predict_proba(X), single.predict_proba(X), atol=1e-5)


def test_a_path_needs_labels(multiclass):
    X, y = multiclass
    with pytest.raises(ValueError, match=r"MLPStudent: a path over λ needs labels"):
        MLP.fit_path(X, None, soft_targets=soft_targets(y), candidates=CANDIDATES)


def test_the_student_itself_stays_unfitted(multiclass):
    X, y = multiclass
    student = clone(MLP)
    before = vars(student).copy()
    student.fit_path(X, y, soft_targets=soft_targets(y), candidates=CANDIDATES)
    assert vars(student) == before


def test_without_a_seed_candidates_begin_alike(multiclass):
    X, y = multiclass
    student = clone(MLP).set_params(random_state=None)
    twice = [(1.0, 1.0), (1.0, 1.0)]
    first, second = student.fit_path(
        X, y, soft_targets=soft_targets(y), candidates=twice
    )
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_no_temperature_drowns_in_silence(multiclass):
    X, y = multiclass
    with pytest.warns(DistillationWarning, match=r"temperature=5000 .* single prec"):
        MLP.fit_path(X, y, soft_targets=soft_targets(y), candidates=[(1.0, 5e3)])


def test_global_generators_are_left_alone(multiclass):
    X, y = multiclass
    state = torch.get_rng_state()
    MLP.fit_path(X, y, soft_targets=soft_targets(y), candidates=CANDIDATES)
    assert torch.equal(torch.get_rng_state(), state)


def test_members_that_are_alike_are_the_single_member():
    torch.manual_seed(0)
    single = StackedMLP([5, 7, 3], dropout=0.5)
    drawn = single(torch.ones(4, 5))
    torch.manual_seed(0)
    stack = StackedMLP([5, 7, 3], dropout=0.5, n_members=3, alike=True)
    assert_allclose(stack(torch.ones(4, 5)).detach(), drawn.detach().expand(3, 4, 3))
    for mine, theirs in zip(stack.parameters(), single.parameters(), strict=True):
        assert_array_equal(mine.detach(), theirs.detach().expand_as(mine))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("temperatures", [(1.0, 1.0, 1.0), (1.0, 0.5, 4.0)])
@pytest.mark.parametrize(("n_classes", "n_outputs"), [(3, 3), (2, 1)])
def test_the_stacked_objective_is_each_members_own(
    n_classes, n_outputs, temperatures, weighted
):
    rng = np.random.default_rng(0)
    objectives = [
        Objective(weight, temperature)
        for weight, temperature in zip((0.3, 2.0, np.inf), temperatures, strict=True)
    ]
    codes = rng.integers(0, n_classes, 20)
    codes[:5] = UNLABELLED
    known = (
        codes,
        rng.dirichlet(np.ones(n_classes), size=20),
        rng.uniform(0.5, 2, size=20) if weighted else None,
    )
    logits = torch.from_numpy(rng.normal(size=(3, 20, n_outputs)))

    def outcome(objective, logits):
        targets = objective.make_targets(*known)
        tensors = {k: torch.from_numpy(v) for k, v in targets.items()}
        value, gradient = objective.value_and_gradient(logits, tensors)
        assert_allclose(objective(logits, tensors), value)
        return value, gradient

    values, gradients = outcome(StackedObjective(objectives), logits)
    for i, objective in enumerate(objectives):
        value, gradient = outcome(objective, logits[i])
        assert_allclose(values[i], value, rtol=1e-6)
        assert_allclose(gradients[i], gradient, atol=1e-7)
