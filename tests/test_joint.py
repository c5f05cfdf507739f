"""Teacher and student in one loop: whose gradient goes where."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from torch import nn
from torch.nn.functional import log_softmax

from sk_distill import (
    DistilledClassifier,
    LinearStudent,
    MLPStudent,
    MLPTeacher,
)
from sk_distill.nn import StackedMLP
from sk_distill.training import UNLABELLED, Objective
from sk_distill.training.joint import JointModule, JointObjective

RNG = np.random.default_rng(0)
X, Y = load_iris(return_X_y=True)
SMALL = {"max_iter": 5, "early_stopping": False, "batch_size": 32}
TEACHER = MLPTeacher(8, n_members=2, **SMALL)


class Net(nn.Sequential):
    def __init__(self, n_features, n_classes):
        super().__init__(nn.Linear(n_features, 8), nn.ReLU(), nn.Linear(8, n_classes))


def two_columns(logits):
    if logits.shape[-1] > 1:
        return logits
    return torch.cat([torch.zeros_like(logits), logits], dim=-1)


def hand_losses(student, teacher, codes, weights, lam, t, *, mutual):
    """Return all losses by their formulas, with gradients where they belong."""
    z, v = two_columns(student), two_columns(teacher)
    if v.ndim == 2:
        v = v.unsqueeze(0)
    proba = v.softmax(-1).mean(0).detach()
    said = z.softmax(-1).detach()
    known = torch.from_numpy(codes != UNLABELLED)
    labels = torch.from_numpy(np.maximum(codes, 0))

    def loss(logits, target, weight, share):
        hard = -log_softmax(logits, -1).gather(-1, labels[:, None])[:, 0] * known
        softened = (target.log() / t).softmax(-1)
        soft = -(softened * log_softmax(logits / t, -1)).sum(-1) * t * t
        rows = (hard + share * soft) / (1 + share)
        return (rows * weight).sum() / weight.sum()

    own = loss(z, proba, weights[0], lam)
    others = [loss(m, said, weights[1], lam if mutual else 0.0) for m in v]
    # Labels alone are learnt from, and judged by, rows that have one.
    share = known.double().mean()
    if not mutual:
        others = [other / share for other in others]
    return own, torch.stack(others), loss(z, proba, weights[0], 0.0) / share


@pytest.mark.parametrize("mutual", [False, True])
@pytest.mark.parametrize("t", [1.0, 2.0])
@pytest.mark.parametrize(("n_outputs", "n_members"), [(3, 1), (1, 1), (3, 2), (1, 2)])
def test_each_loss_has_a_gradient_for_its_own_net_alone(
    n_outputs, n_members, t, mutual
):
    n_classes = max(2, n_outputs)
    codes = RNG.integers(0, n_classes, 14)
    codes[0] = n_classes - 1
    codes[9:] = UNLABELLED
    weights = RNG.uniform(0.5, 2, size=(2, 14))
    shape = (14, n_outputs) if n_members == 1 else (n_members, 14, n_outputs)
    student = torch.from_numpy(RNG.normal(size=(14, n_outputs))).requires_grad_()
    teacher = torch.from_numpy(RNG.normal(size=shape)).requires_grad_()
    own, others, judged = hand_losses(
        student, teacher, codes, torch.from_numpy(weights), 2.0, t, mutual=mutual
    )
    expected = torch.autograd.grad(own + others.sum(), (student, teacher))

    joint = JointObjective(
        Objective(2.0, t),
        mutual=mutual,
        n_classes=n_classes,
        teacher_weight=weights[1],
    )
    targets = {
        k: torch.from_numpy(v)
        for k, v in joint.make_targets(codes, None, weights[0]).items()
    }
    logits = (student.detach(), teacher.detach())
    values, gradients = joint.value_and_gradient(logits, targets)
    by_hand = [own.item(), others.mean().item(), judged.item()]
    assert_allclose(values, by_hand, rtol=1e-10)
    for mine, theirs in zip(gradients, expected, strict=True):
        assert_allclose(mine, theirs, atol=1e-12)
    assert_allclose(joint(logits, targets), values, rtol=1e-10)


def test_a_loss_of_ones_own_gets_the_logits_that_it_gets_after_the_teacher():
    """Centred log-probabilities; those that ship do not tell them from others."""

    def distance(student, teacher, labels):
        return (student - teacher).square().sum(-1)

    objective = Objective(3.0, 2.0, distance)
    codes = RNG.integers(0, 3, 9)
    student, teacher = (torch.from_numpy(RNG.normal(size=(9, 3))) for _ in range(2))
    joint = JointObjective(objective, mutual=False, n_classes=3)
    proba = teacher.softmax(-1).numpy()
    mine, theirs = (
        {name: torch.from_numpy(array) for name, array in targets.items()}
        for targets in (
            joint.make_targets(codes, None, None),
            objective.make_targets(codes, proba, None),
        )
    )
    found, expected = joint((student, teacher), mine)[0], objective(student, theirs)
    assert_allclose(found, expected, rtol=1e-12)


def test_the_way_back_of_both_is_that_of_each():
    torch.manual_seed(0)
    teacher, student = StackedMLP([3, 5, 2], n_members=2), StackedMLP([2, 4, 2])
    rows = torch.randn(9, 5)
    both = JointModule(teacher, student, 3)
    (of_student, of_teacher), back = both.forward_and_back(rows)
    assert_allclose(of_student, student(rows[:, 3:]).detach())
    assert_allclose(of_teacher, teacher(rows[:, :3]).detach())
    gradients = torch.randn_like(of_student), torch.randn_like(of_teacher)
    back(gradients)
    by_hand = [p.grad.clone() for p in both.parameters()]
    both.zero_grad()
    for logits, gradient in zip(both(rows), gradients, strict=True):
        logits.backward(gradient)
    for mine, p in zip(by_hand, both.parameters(), strict=True):
        assert_allclose(mine, p.grad, atol=1e-6)


def fit(schedule, *, X=X, y=Y, fit_params=None, **params):
    params = {"teacher": TEACHER, "student": MLPStudent(8, **SMALL)} | params
    model = DistilledClassifier(schedule=schedule, random_state=0, **params)
    return model.fit(X, y, **(fit_params or {}))


def weights_of(network):
    return [*network.coefs_, *network.intercepts_]


def test_a_joint_teacher_learns_from_the_labels_alone():
    """What its student makes of it, it does not know."""
    one, other = fit("joint"), fit("joint", distillation_weight=9.0, temperature=3.0)
    for a, b in zip(weights_of(one.teacher_), weights_of(other.teacher_), strict=True):
        assert_array_equal(a, b)
    assert np.abs(one.predict_proba(X) - other.predict_proba(X)).max() > 1e-3
    mutual, again = fit("mutual"), fit("mutual", distillation_weight=9.0)
    assert np.abs(mutual.teacher_.coefs_[0] - again.teacher_.coefs_[0]).max() > 1e-3


def test_each_network_has_its_own_weight_decay():
    """25 steps that do nothing else take the teacher's weights to 0.9 of themselves."""
    settings = {"learning_rate": "constant", "learning_rate_init": 1e-9}
    student = MLPStudent(8, weight_decay=0.0, **SMALL, **settings)
    free, decayed = (
        fit("joint", teacher=clone(TEACHER).set_params(weight_decay=w), student=student)
        for w in (0.0, 1e8)
    )
    pairs = zip(free.teacher_.coefs_, decayed.teacher_.coefs_, strict=True)
    for before, after in pairs:
        assert_allclose(after, 0.9**25 * before, rtol=1e-4, atol=1e-6)
    for before, after in zip(
        *(m.student_.coefs_ for m in (free, decayed)), strict=True
    ):
        assert_allclose(after, before, atol=1e-6)


def test_classes_are_weighted_for_the_student_only():
    plain = fit("joint", fit_params={"sample_weight": np.ones(len(X))})
    weighted = fit("joint", class_weight={0: 5, 1: 1, 2: 1})
    assert_allclose(
        plain.teacher_.predict_proba(X), weighted.teacher_.predict_proba(X), atol=1e-5
    )
    assert np.abs(plain.predict_proba(X) - weighted.predict_proba(X)).max() > 1e-2


def test_a_row_without_weight_is_not_there():
    weight = np.ones(len(X))
    weight[::3] = 0
    one = fit("mutual", fit_params={"sample_weight": weight})
    other = fit("mutual", X=X[weight > 0], y=Y[weight > 0])
    assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("schedule", ["joint", "mutual"])
def test_a_class_without_weight_is_still_a_class(schedule):
    """Its rows were dropped before anyone had seen its label."""
    weight = (Y != 2).astype(float)
    model = fit(schedule, fit_params={"sample_weight": weight})
    assert model.classes_.tolist() == [0, 1, 2]
    for part in (model, model.student_, model.teacher_):
        assert part.predict_proba(X).shape == (len(X), 3)
    assert model.predict_proba(X)[:, 2].max() < 0.5


@pytest.mark.parametrize("loss", ["kl", "soft_cross_entropy", "decoupled"])
def test_training_does_not_end_where_both_know_nothing(loss):
    """A loss that is zero where student and teacher agree is least at the start.

    The best epoch was the first one, of both networks.
    """
    model = fit(
        "joint",
        loss=loss,
        distillation_weight=10.0,
        student=MLPStudent(16, max_iter=30),
    )
    for network in (model, model.teacher_):
        assert log_loss(Y, network.predict_proba(X)) < 0.75 * np.log(3)


def test_the_teachers_loss_is_the_mean_over_rows_with_a_label():
    """Rows of a transfer set counted as rows without any loss: a tenth was shown."""
    model = fit("joint", transfer_set="munge", student=MLPStudent(8, max_iter=40))
    loss = log_loss(Y, model.teacher_.predict_proba(X))
    assert_allclose(model.history_["teacher_train_loss"][-1], loss, rtol=0.35)


@pytest.mark.parametrize("schedule", ["joint", "mutual"])
def test_at_lambda_zero_the_loop_is_that_of_a_student_alone(schedule):
    """Identity 4, bit for bit."""
    one = fit(schedule, distillation_weight=0.0)
    other = fit("teacher_first", distillation_weight=0.0)
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_both_loss_curves_are_in_the_history():
    model = fit("joint", student=MLPStudent(8, max_iter=7))
    names = {f"{w}{p}_loss" for w in ("", "teacher_") for p in ("train", "valid")}
    assert set(model.history_) == names
    assert {len(curve) for curve in model.history_.values()} == {7}
    assert_array_equal(
        model.teacher_.history_["train_loss"], model.history_["teacher_train_loss"]
    )
    assert (
        model.history_["teacher_train_loss"][-1]
        < model.history_["teacher_train_loss"][0]
    )
    assert_array_equal(model.loss_curve_, model.history_["train_loss"])


@pytest.mark.parametrize("schedule", ["joint", "mutual"])
@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        (TEACHER, MLPStudent(16, max_iter=40)),
        (Net, MLPStudent(16, max_iter=40)),
        (TEACHER, Net),
        (TEACHER, LinearStudent(solver="adam", learning_rate_init=0.05, max_iter=60)),
    ],
)
def test_it_learns_with_strings_and_missing_values(schedule, teacher, student):
    names = np.array(["setosa", "versicolor", "virginica"])[Y]
    rows = X.copy()
    if not isinstance(student, type) and teacher is TEACHER:
        rows[::10, 1] = np.nan
    model = fit(schedule, teacher=teacher, student=student, X=rows, y=names)
    assert model.score(rows, names) > 0.9
    assert model.teacher_.predict_proba(rows).shape == (150, 3)
    again = fit(schedule, teacher=teacher, student=student, X=rows, y=names)
    assert_array_equal(model.predict_proba(rows), again.predict_proba(rows))


def test_two_classes_and_transfer_rows():
    XB, YB = load_breast_cancer(return_X_y=True)
    model = fit(
        "joint",
        student=MLPStudent(16, max_iter=10),
        X=XB,
        y=YB,
        transfer_set=XB[:200] + 0.01,
    )
    assert model.score(XB, YB) > 0.95
    munged = fit(
        "mutual", student=MLPStudent(16, max_iter=5), transfer_set="munge", X=XB, y=YB
    )
    assert munged.score(XB, YB) > 0.9


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            {"schedule": "together"},
            ValueError,
            "schedule='together' is not valid; choose one of 'teacher_first'",
        ),
        (
            {"teacher": LogisticRegression()},
            TypeError,
            "schedule='joint' trains the teacher batch by batch .* LogisticRegression "
            "does not let it do. Choose an MLPTeacher or an nn.Module class",
        ),
        (
            {"student": "linear"},
            TypeError,
            r"trains the student on batches.* LinearStudent\(solver='adam'\)",
        ),
        (
            {"teacher_cv": 3},
            ValueError,
            "knows no teacher_cv=3. Leave it out, or set schedule='teacher_first'",
        ),
        (
            {"knowledge": "features"},
            ValueError,
            "knows no knowledge='features'. Leave it out",
        ),
        (
            {"schedule": "mutual", "distillation_weight": np.inf},
            ValueError,
            "at distillation_weight=inf neither sees a label. Choose a finite",
        ),
        (
            {"teacher": MLPTeacher(net_params={"lr": 0.1})},
            ValueError,
            "knows nothing of the teacher's own callbacks and net_params. Give them to",
        ),
        (
            {"class_weight": {0: 1, 1: 1, 2: 0}},
            ValueError,
            "a class_weight of 0 leaves some out for one of them. Give every class",
        ),
    ],
)
def test_what_has_no_place_in_one_loop_is_refused(params, error, message):
    params = {"teacher": TEACHER, "schedule": "joint"} | params
    with pytest.raises(error, match=message):
        DistilledClassifier(**params).fit(X, Y)


def test_probabilities_from_elsewhere_have_no_teacher_to_train():
    with pytest.raises(ValueError, match="but teacher_proba took its place"):
        fit("joint", fit_params={"teacher_proba": np.full((150, 3), 1 / 3)})
