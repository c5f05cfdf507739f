"""Each distillation loss against numbers by hand, and against its plain formula."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNetClassifier
from torch import nn

from sk_distill import DistilledClassifier, LinearStudent, MLPStudent
from sk_distill.losses import (
    LOSSES,
    Decoupled,
    Dist,
    StandardizedLogits,
    kl_divergence,
    logit_mse,
    soft_cross_entropy,
)
from sk_distill.training import UNLABELLED, Objective

N_ROWS, N_CLASSES = 9, 4
RNG = np.random.default_rng(0)
Z = torch.from_numpy(RNG.normal(size=(N_ROWS, N_CLASSES)))
V = torch.from_numpy(2 * RNG.normal(size=(N_ROWS, N_CLASSES)))
CODES = torch.from_numpy(RNG.integers(N_CLASSES, size=N_ROWS))

EVERY_LOSS = [
    *LOSSES,
    Decoupled(alpha=0.5, beta=2.0),
    Dist(beta=3.0, gamma=0.5),
    StandardizedLogits(),
    StandardizedLogits("logit_mse"),
    StandardizedLogits(Decoupled(beta=2.0)),
]
every_loss = pytest.mark.parametrize("loss", EVERY_LOSS, ids=str)


def standardize(z):
    centred = z - z.mean(-1, keepdim=True)
    return centred / centred.square().mean(-1, keepdim=True).sqrt()


def prepared(loss, *logits):
    prepare = getattr(loss, "prepare_logits", lambda z: z)
    return [prepare(z) for z in logits]


def value_and_gradient(function, z):
    z = z.clone().requires_grad_()
    value = function(z)
    (gradient,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), gradient


def logits_of(*rows):
    return torch.tensor(rows, dtype=torch.float64).log()


# Numbers by hand


def test_logit_mse_by_hand():
    """Centred: (-2, -1, 3) and (-1, -1, 2); they differ by (-1, 0, 1)."""
    z, v = torch.tensor([[1.0, 2.0, 6.0]]), torch.tensor([[0.0, 0.0, 3.0]])
    assert_allclose(logit_mse(z, v), [2 / (2 * 3)], rtol=1e-6)


def test_decoupled_by_hand():
    v, z = logits_of([0.5, 0.25, 0.25]), logits_of([0.25, 0.5, 0.25])
    of_target = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    of_others = 0.5 * np.log(0.5 / (2 / 3)) + 0.5 * np.log(0.5 / (1 / 3))
    target = torch.tensor([0])
    assert_allclose(Decoupled(1, 0)(z, v, target), [of_target])
    assert_allclose(Decoupled(0, 1)(z, v, target), [of_others])
    assert_allclose(Decoupled()(z, v, target), [of_target + 8 * of_others])


def test_dist_by_hand():
    third = 1 / 3
    v = logits_of(
        [third + 0.1, third, third - 0.1],
        [third - 0.1, third, third + 0.1],
    )
    z = logits_of(
        [third + 0.1, third - 0.1, third],
        [third - 0.2, third + 0.1, third + 0.1],
    )
    # 0.01 / sqrt(0.02 * 0.02) and 0.03 / sqrt(0.02 * 0.06).
    of_rows = [1 - 1 / 2, 1 - np.sqrt(3) / 2]
    # Both columns that vary rise or fall together; the teacher's second is constant.
    of_classes = 1 - (1 + 0 + 1) / 3
    assert_allclose(Dist(1, 0)(z, v), of_rows, atol=1e-5)
    assert_allclose(Dist(0, 1)(z, v), [of_classes, of_classes], atol=1e-5)
    expected = 2 * np.array(of_rows) + 3 * of_classes
    assert_allclose(Dist(2, 3)(z, v), expected, atol=1e-5)


def test_standardized_logits_by_hand():
    standard = StandardizedLogits().prepare_logits(torch.tensor([[1.0, 2.0, 3.0]]))
    assert_allclose(standard, [[-np.sqrt(1.5), 0.0, np.sqrt(1.5)]], atol=1e-6)


# The plain formulas, for autograd


def plain_soft_cross_entropy(z, v):
    return -(v.softmax(-1) * z.softmax(-1).log()).sum(-1)


def plain_kl(z, v):
    p, q = v.softmax(-1), z.softmax(-1)
    return (p * (p / q).log()).sum(-1)


def plain_logit_mse(z, v):
    rows = []
    for one, other in zip(z, v, strict=True):
        rows.append(((one - one.mean() - other + other.mean()) ** 2).sum() / (2 * 4))
    return torch.stack(rows)


def plain_decoupled(z, v):
    rows = []
    for q, p, t in zip(z.softmax(-1), v.softmax(-1), CODES.tolist(), strict=True):
        others = [k for k in range(N_CLASSES) if k != t]
        b_p, b_q = (torch.stack([r[t], 1 - r[t]]) for r in (p, q))
        p, q = p[others] / (1 - p[t]), q[others] / (1 - q[t])
        of_target = (b_p * (b_p / b_q).log()).sum()
        rows.append(of_target + 8 * (p * (p / q).log()).sum())
    return torch.stack(rows)


def plain_dist(z, v):
    q, p = z.softmax(-1), v.softmax(-1)

    def distances(some, others):
        return torch.stack(
            [
                1 - torch.corrcoef(torch.stack(pair))[0, 1]
                for pair in zip(some, others, strict=True)
            ]
        )

    return distances(q, p) + distances(q.T, p.T).mean()


PLAIN = {
    "soft_cross_entropy": plain_soft_cross_entropy,
    "kl": plain_kl,
    "logit_mse": plain_logit_mse,
    "decoupled": plain_decoupled,
    "dist": plain_dist,
}


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_are_those_of_the_plain_formula(name):
    plain = value_and_gradient(lambda z: PLAIN[name](z, V), Z)
    value, gradient = value_and_gradient(lambda z: LOSSES[name](z, V, CODES), Z)
    # "dist" has a floor under its variances.
    tolerance = 1e-5 if name == "dist" else 1e-12
    assert_allclose(value, plain[0], rtol=tolerance)
    assert_allclose(gradient, plain[1], atol=tolerance)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("name", LOSSES)
def test_any_loss_on_standardised_logits(name, temperature):
    """T divides after standardising, and T² multiplies once."""
    proba = V.softmax(-1)
    objective = Objective(1.0, temperature, StandardizedLogits(name))
    targets = objective.make_targets(CODES.numpy(), proba.numpy(), None)
    targets = {k: torch.from_numpy(t) for k, t in targets.items()}
    value, gradient = value_and_gradient(lambda z: objective.per_row(z, targets), Z)

    def plain(z):
        s, t = standardize(z) / temperature, standardize(V) / temperature
        hard = nn.functional.cross_entropy(z, CODES, reduction="none")
        return 0.5 * hard + 0.5 * temperature**2 * PLAIN[name](s, t)

    expected = value_and_gradient(plain, Z)
    assert_allclose(value, expected[0], rtol=1e-5)
    assert_allclose(gradient, expected[1], rtol=1e-4, atol=1e-5)


def test_what_a_loss_prepares_comes_after_standardising():
    class Halves:
        def prepare_logits(self, logits):
            return logits / 2

        def __call__(self, student_logits, teacher_logits, hard_targets):
            return logit_mse(student_logits, teacher_logits)

    loss = StandardizedLogits(Halves())
    assert_allclose(loss.prepare_logits(Z), standardize(Z) / 2, atol=1e-6)


# What coincides


def test_kl_is_soft_cross_entropy_less_the_entropy():
    p = V.softmax(-1)
    entropy = -(p * p.log()).sum(-1)
    assert_allclose(kl_divergence(Z, V), soft_cross_entropy(Z, V) - entropy)


def test_decoupled_parts_make_kl():
    """KD = TCKD + (1 - p_t) NCKD: Zhao et al. 2022."""
    others = 1 - V.softmax(-1)[torch.arange(N_ROWS), CODES]
    parts = Decoupled(1, 0)(Z, V, CODES) + others * Decoupled(0, 1)(Z, V, CODES)
    assert_allclose(parts, kl_divergence(Z, V), rtol=1e-12)


def test_decoupled_keeps_what_one_minus_p_loses():
    """A target that is sure to 1e-20: 1 - p is 0, and the others still differ."""
    v = torch.tensor([[46.0, 0.0, 1.0]], dtype=torch.float64)
    z = torch.tensor([[46.0, 1.0, 0.0]], dtype=torch.float64)
    assert 1 - v.softmax(-1)[0, 0] == 0
    p = 1 / (1 + np.e)
    expected = p * np.log(p / (1 - p)) + (1 - p) * np.log((1 - p) / p)
    assert_allclose(Decoupled(0, 1)(z, v, torch.tensor([0])), [expected])


def objective_gradient(loss, temperature, z, proba):
    objective = Objective(np.inf, temperature, loss)
    targets = objective.make_targets(None, proba, None)
    targets = {k: torch.from_numpy(t) for k, t in targets.items()}
    return value_and_gradient(lambda z: objective(z, targets), z)[1]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 20.0])
def test_logit_mse_is_soft_cross_entropy_at_infinite_temperature(temperature):
    proba = V.softmax(-1).numpy()
    mine = objective_gradient("logit_mse", temperature, Z, proba)
    difference = Z - V
    centred = difference - difference.mean(-1, keepdim=True)
    assert_allclose(mine, centred / N_CLASSES / N_ROWS, atol=1e-14)
    for loss in ("soft_cross_entropy", "kl"):
        distances = [
            float((objective_gradient(loss, t, Z, proba) - mine).abs().max())
            for t in (1e2, 1e3, 1e4)
        ]
        assert distances[0] > 9 * distances[1] > 81 * distances[2] > 0


def test_dist_of_what_keeps_its_relations_is_zero():
    p = V.softmax(-1)
    flatter = (0.3 * p + 0.7 / N_CLASSES).log()
    assert_allclose(Dist()(flatter, V), 0, atol=1e-4)
    assert (kl_divergence(flatter, V) > 0.01).all()


def test_standardised_logits_do_not_depend_on_scale_and_shift():
    loss = StandardizedLogits()
    assert_allclose(loss.prepare_logits(7 * Z - 3), loss.prepare_logits(Z), atol=1e-6)


# Two classes


Z2, V2, CODES2 = Z[:, :2], V[:, :2], CODES % 2


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_decoupled_of_two_classes_is_kl(alpha):
    loss = Decoupled(alpha, 5.0)
    mine = value_and_gradient(lambda z: loss(z, V2, CODES2), Z2)
    kl = value_and_gradient(lambda z: alpha * kl_divergence(z, V2), Z2)
    for one, other in zip(mine, kl, strict=True):
        assert_allclose(one, other, atol=1e-14)


def test_dist_of_two_classes_is_about_the_rows_alone():
    value, gradient = value_and_gradient(lambda z: Dist(5.0, 1.0)(z, V2), Z2)
    rows = value_and_gradient(lambda z: Dist(0.0, 1.0)(z, V2), Z2)
    assert_allclose(value, rows[0])
    assert_allclose(gradient, rows[1])
    q, p = Z2.softmax(-1)[:, 1], V2.softmax(-1)[:, 1]
    assert_allclose(value, 1 - np.corrcoef(q, p)[0, 1], rtol=1e-5)


def test_logit_mse_of_two_classes_is_an_eighth_of_the_squared_difference():
    difference = (Z2[:, 1] - Z2[:, 0]) - (V2[:, 1] - V2[:, 0])
    assert_allclose(logit_mse(Z2, V2), difference**2 / 8)


# Rows, members, labels


@every_loss
def test_members_are_what_each_is_alone(loss):
    loss = LOSSES.get(loss, loss) if isinstance(loss, str) else loss
    members = torch.from_numpy(RNG.normal(size=(3, N_ROWS, N_CLASSES)))
    stack, v = prepared(loss, members, V)
    together = loss(stack, v, CODES)
    *members, v = prepared(loss, *members, V)
    alone = torch.stack([loss(member, v, CODES) for member in members])
    assert together.shape == (3, N_ROWS)
    assert_allclose(together, alone, rtol=1e-12)


def test_decoupled_without_a_label_takes_the_teachers_class():
    some = CODES.clone()
    some[::2] = UNLABELLED
    mixed = CODES.clone()
    mixed[::2] = V.argmax(-1)[::2]
    loss = Decoupled()
    assert not torch.equal(mixed, CODES)
    assert_array_equal(loss(Z, V, some), loss(Z, V, mixed))
    assert_array_equal(loss(Z, V, None), loss(Z, V, V.argmax(-1)))


@every_loss
def test_infinite_lambda_does_not_read_the_labels(loss):
    objective = Objective(np.inf, 2.0, loss)
    proba = V.softmax(-1).numpy()

    def gradient(codes):
        targets = objective.make_targets(codes, proba, None)
        targets = {k: torch.from_numpy(t) for k, t in targets.items()}
        return value_and_gradient(lambda z: objective(z, targets), Z)[1]

    expected = gradient(None)
    assert_array_equal(gradient(CODES.numpy()), expected)
    assert_array_equal(gradient((CODES.numpy() + 1) % N_CLASSES), expected)


EXTREMES = {
    "a constant": torch.zeros(5, 4),
    "a constant, far from zero": torch.full((5, 4), 1e4),
    "far apart": 1e4 * torch.eye(5)[:, :4],
    "one row": torch.tensor([[0.0, 1.0, 2.0, 3.0]]),
    "one constant row": torch.zeros(1, 4),
}


@pytest.mark.parametrize("name", EXTREMES)
@every_loss
def test_values_and_gradients_are_finite(loss, name):
    z = EXTREMES[name]
    certain = np.eye(4)[np.zeros(len(z), dtype=int)]
    uniform = np.full(z.shape, 0.25)
    codes = np.arange(len(z)) % 4
    for proba in (certain, uniform, z.double().softmax(-1).numpy()):
        for temperature in (0.05, 1.0, 50.0):
            objective = Objective(1.0, temperature, loss)
            targets = {
                key: torch.from_numpy(array)
                for key, array in objective.make_targets(codes, proba, None).items()
            }
            targets = {
                key: target.float() if target.is_floating_point() else target
                for key, target in targets.items()
            }
            value, gradient = value_and_gradient(lambda z: objective(z, targets), z)  # noqa: B023
            assert value.isfinite().all()
            assert gradient.isfinite().all()


# In the students


@pytest.fixture(scope="module")
def taught():
    """Rows of three classes, and a tree's probabilities, zeros among them."""
    rng = np.random.default_rng(0)
    X = StandardScaler().fit_transform(rng.normal(size=(120, 5)))
    logits = X @ rng.normal(size=(5, 3)) + rng.gumbel(size=(120, 3))
    y = logits.argmax(axis=1)
    tree = DecisionTreeClassifier(min_samples_leaf=10, random_state=0).fit(X, y)
    proba = tree.predict_proba(X)
    assert proba.min() == 0
    return X, y, proba


def loss_on(loss, student, X, proba):
    """The mean distillation loss of a student's logits, as the objective has it."""
    objective = Objective(np.inf, 1.0, loss)
    targets = objective.make_targets(None, proba, None)
    z = torch.from_numpy(student.decision_function(X))
    z = z if z.ndim == 2 else z[:, None]
    return float(objective(z, {k: torch.from_numpy(t) for k, t in targets.items()}))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_student_is_the_best_one_in_its_own_loss(taught, n_classes):
    X, y, proba = taught
    if n_classes == 2:
        y, proba = y > 0, np.column_stack([proba[:, 0], 1 - proba[:, 0]])
    losses = ["soft_cross_entropy", "logit_mse", "dist"]
    if n_classes == 3:
        losses += ["decoupled", StandardizedLogits()]
    students = [
        LinearStudent(alpha=1e-3, encoding=None, max_iter=300).fit(
            X, y, soft_targets=proba, distillation_weight=np.inf, loss=loss
        )
        for loss in losses
    ]
    for i, loss in enumerate(losses):
        values = [loss_on(loss, student, X, proba) for student in students]
        assert np.argmin(values) == i, loss


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_kl_and_soft_cross_entropy_make_one_student(taught, temperature):
    X, y, proba = taught
    known = {"soft_targets": proba, "temperature": temperature}
    one = LinearStudent().fit(X, y, loss="kl", **known)
    other = LinearStudent().fit(X, y, loss="soft_cross_entropy", **known)
    assert_allclose(one.coef_, other.coef_, atol=1e-5)


def test_decoupled_of_two_classes_makes_the_student_of_kl(binary):
    X, y = binary
    tree = DecisionTreeClassifier(min_samples_leaf=10, random_state=0).fit(X, y)
    known = {"soft_targets": tree.predict_proba(X), "temperature": 2.0}
    one = LinearStudent().fit(X, y, loss="kl", **known)
    other = LinearStudent().fit(X, y, loss="decoupled", **known)
    assert_allclose(one.coef_, other.coef_, atol=1e-5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@every_loss
def test_transfer_rows_are_rows_without_a_label(taught, loss):
    """At λ = inf no row has one: more rows, or transfer rows, are the same."""
    X, y, proba = taught
    student = LinearStudent(encoding=None, max_iter=50)
    known = {"distillation_weight": np.inf, "temperature": 2.0, "loss": loss}
    whole = student.fit(X, y, soft_targets=proba, **known).coef_
    parts = student.fit(
        X[:90],
        y[:90],
        soft_targets=proba[:90],
        transfer_X=X[90:],
        transfer_targets=proba[90:],
        **known,
    ).coef_
    assert_allclose(parts, whole, atol=1e-8)


@pytest.mark.parametrize(
    "loss",
    ["kl", "logit_mse", "decoupled", StandardizedLogits(), Dist(gamma=0)],
    ids=str,
)
def test_weight_two_is_the_row_twice_and_zero_is_no_row(taught, loss):
    """Not so for the second term of "dist", which is one of a batch."""
    X, y, proba = taught
    counts = np.random.default_rng(0).integers(0, 3, size=len(X))
    rows = np.repeat(np.arange(len(X)), counts)
    student = LinearStudent(encoding=None, tol=1e-8)
    known = {"temperature": 2.0, "loss": loss}
    weighted = student.fit(X, y, counts.astype(float), soft_targets=proba, **known)
    weighted = weighted.predict_proba(X)
    student.fit(X[rows], y[rows], soft_targets=proba[rows], **known)
    assert_allclose(weighted, student.predict_proba(X), atol=1e-4)


CANDIDATES = [(0.0, 1.0), (0.5, 1.0), (4.0, 3.0), (np.inf, 1.0)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "student",
    [
        LinearStudent(max_iter=30),
        MLPStudent(8, max_iter=4, random_state=0),
    ],
    ids=["linear", "mlp"],
)
@every_loss
def test_a_row_of_the_path_is_a_single_fit(taught, weight, student, loss):
    X, y, proba = taught
    known = {
        "soft_targets": proba[:90],
        "transfer_X": X[90:],
        "transfer_targets": proba[90:],
        "loss": loss,
    }
    path = student.fit_path(X[:90], y[:90], weight[:90], candidates=CANDIDATES, **known)
    for mine, (distillation_weight, temperature) in zip(path, CANDIDATES, strict=True):
        single = clone(student).fit(
            X[:90],
            y[:90],
            weight[:90],
            distillation_weight=distillation_weight,
            temperature=temperature,
            **known,
        )
        expected = single.predict_proba(X)
        # Adam divides by gradients, which are the same but for float32's rounding.
        assert_allclose(mine.predict_proba(X), expected, atol=1e-3)


def one_hidden_layer(n_classes):
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, n_classes))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["mlp", "module", "skorch"])
@pytest.mark.parametrize("loss", ["logit_mse", "decoupled", "dist"])
def test_other_students_learn_in_their_own_loss(taught, loss, kind, n_classes):
    X, y, proba = taught
    if n_classes == 2:
        y, proba = y > 0, np.column_stack([proba[:, 0], 1 - proba[:, 0]])
    if kind == "mlp":
        student = MLPStudent(8, max_iter=100)
    elif kind == "module":
        torch.manual_seed(0)
        student = one_hidden_layer(n_classes)
    else:
        student = NeuralNetClassifier(
            nn.Linear(5, n_classes),
            criterion=nn.CrossEntropyLoss,
            lr=0.1,
            max_epochs=60,
            train_split=None,
            verbose=0,
        )
    model = DistilledClassifier(
        student=student, loss=loss, distillation_weight=np.inf, random_state=0
    ).fit(X, y, teacher_proba=proba)

    class Constant:
        def decision_function(self, X):
            return np.tile(np.log(proba.mean(axis=0)), (len(X), 1))

    mine, constant = (loss_on(loss, m, X, proba) for m in (model, Constant()))
    assert mine < 0.9 * constant


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_a_linear_student_of_standardised_logits_does_not_stay_at_zero(solver):
    """Where all logits are almost equal is a bad optimum, and zero is beside it."""
    X, y = make_classification(
        240, 8, n_informative=5, n_classes=3, class_sep=0.7, random_state=0
    )
    forest = RandomForestClassifier(10, random_state=0).fit(X, y)
    student = LinearStudent(solver=solver, max_iter=200, random_state=0)
    plain = clone(student).fit(X, y)
    student.fit(X, y, soft_targets=forest.predict_proba(X), loss=StandardizedLogits())
    assert np.abs(student.coef_).max() > 0.5 * np.abs(plain.coef_).max()
