"""The identities of the objective (L = L_student + λ T² L_distillation)."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn.functional import cross_entropy, log_softmax, softmax

from sk_distill.losses import LOSSES
from sk_distill.training import UNLABELLED, Objective
from sk_distill.training.objective import PROBABILITY_FLOOR, both_columns

N_ROWS, N_CLASSES = 7, 4
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(N_ROWS, N_CLASSES))
CODES = RNG.integers(N_CLASSES, size=N_ROWS)
PROBA = RNG.dirichlet(np.ones(N_CLASSES), size=N_ROWS)
WEIGHT = RNG.uniform(0.5, 2.0, size=N_ROWS)


def gradient(objective, codes=CODES, proba=PROBA, weight=None, logits=LOGITS):
    z = torch.tensor(logits, requires_grad=True)
    targets = objective.make_targets(codes, proba, weight)
    objective(z, {k: torch.from_numpy(v) for k, v in targets.items()}).backward()
    return z.grad.numpy()


def value(objective, codes=CODES, proba=PROBA, weight=None):
    targets = objective.make_targets(codes, proba, weight)
    tensors = {k: torch.from_numpy(v) for k, v in targets.items()}
    return float(objective(torch.from_numpy(LOGITS), tensors))


def plain_formula(distillation_weight, temperature):
    """The formula of the article, written out in numpy, one row at a time."""
    total = 0.0
    for z, code, p in zip(LOGITS, CODES, PROBA, strict=True):
        q = np.exp(z) / np.exp(z).sum()
        softened = p ** (1 / temperature) / (p ** (1 / temperature)).sum()
        q_t = np.exp(z / temperature) / np.exp(z / temperature).sum()
        distillation = -sum(softened * np.log(q_t))
        total += -np.log(q[code])
        total += distillation_weight * temperature**2 * distillation
    return total / N_ROWS / (1 + distillation_weight)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("distillation_weight", [0.0, 0.3, 1.0, 20.0])
def test_objective_is_the_plain_formula_over_one_plus_lambda(
    distillation_weight, temperature
):
    objective = Objective(distillation_weight, temperature)
    expected = plain_formula(distillation_weight, temperature)
    assert_allclose(value(objective), expected, rtol=1e-12)


@pytest.mark.parametrize("distillation_weight", [0.0, 0.7, 5.0, np.inf])
def test_gradient_is_that_of_cross_entropy_with_the_blend(distillation_weight):
    hard = 1 / (1 + distillation_weight)
    blend = hard * np.eye(N_CLASSES)[CODES] + (1 - hard) * PROBA
    z = torch.tensor(LOGITS, requires_grad=True)
    cross_entropy(z, torch.from_numpy(blend)).backward()
    expected = z.grad.numpy()
    assert_allclose(gradient(Objective(distillation_weight)), expected, atol=1e-15)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_blended_and_general_way_agree(temperature):
    """Both ways through the objective, at a loss that both can compute."""

    def same_loss(student_logits, teacher_logits, hard_targets):
        return LOSSES["soft_cross_entropy"](student_logits, teacher_logits)

    named = Objective(2.0, temperature)
    general = Objective(2.0, temperature, same_loss)
    assert named.blends == (temperature == 1.0)
    assert not general.blends
    assert_allclose(value(named), value(general), rtol=1e-12)
    assert_allclose(gradient(named), gradient(general), atol=1e-14)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("distillation_weight", [0.5, np.inf])
def test_kl_and_soft_cross_entropy_have_the_same_gradient(
    distillation_weight, temperature
):
    soft = Objective(distillation_weight, temperature, "soft_cross_entropy")
    kl = Objective(distillation_weight, temperature, "kl")
    assert_allclose(gradient(soft), gradient(kl), atol=1e-14)


def test_kl_is_zero_where_the_student_is_the_teacher():
    logits = torch.log(torch.from_numpy(PROBA))
    assert_allclose(LOSSES["kl"](logits + 3.0, logits, None), 0, atol=1e-15)


def test_high_temperature_matches_centred_logits():
    """As T grows, T² times the gradient tends to (z - v) / K, both centred.

    Hinton, Vinyals & Dean 2015, arXiv:1503.02531, section 2.1, equation 4.
    """
    v = np.log(PROBA)
    v -= v.mean(axis=1, keepdims=True)
    z = LOGITS - LOGITS.mean(axis=1, keepdims=True)
    limit = (z - v) / N_CLASSES / N_ROWS
    distances = [
        np.abs(gradient(Objective(np.inf, t)) - limit).max() for t in (1e1, 1e2, 1e3)
    ]
    assert distances[0] > 5 * distances[1] > 25 * distances[2]
    assert_allclose(gradient(Objective(np.inf, 1e3)), limit, atol=1e-3 / N_ROWS)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_infinite_lambda_ignores_labels(temperature):
    objective = Objective(np.inf, temperature)
    other = (CODES + 1) % N_CLASSES
    assert (gradient(objective) == gradient(objective, codes=other)).all()
    assert (gradient(objective) == gradient(objective, codes=None)).all()


def test_zero_lambda_ignores_the_teacher_bit_for_bit():
    objective = Objective(0.0)
    assert (gradient(objective) == gradient(objective, proba=None)).all()


@pytest.mark.parametrize("objective", [Objective(1.0), Objective(1.0, 2.0)])
def test_weights_count_rows(objective):
    whole = np.array([1, 2, 3, 1, 2, 1, 4])
    repeated = np.repeat(np.arange(N_ROWS), whole)
    expected = gradient(
        objective, CODES[repeated], PROBA[repeated], logits=LOGITS[repeated]
    )
    sums = np.zeros_like(LOGITS)
    np.add.at(sums, repeated, expected)
    weighted = gradient(objective, weight=whole.astype(float))
    assert_allclose(weighted, sums, atol=1e-15)


def test_only_relative_weights_matter():
    objective = Objective(1.0)
    assert_allclose(
        gradient(objective, weight=WEIGHT),
        gradient(objective, weight=1000 * WEIGHT),
        atol=1e-16,
    )


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_one_logit_is_two_logits_with_the_first_at_zero(temperature):
    objective = Objective(1.0, temperature)
    codes, proba = CODES % 2, PROBA[:, :2] / PROBA[:, :2].sum(1, keepdims=True)
    one = LOGITS[:, :1]
    two = np.hstack([np.zeros_like(one), one])
    g_one = gradient(objective, codes, proba, logits=one)
    g_two = gradient(objective, codes, proba, logits=two)
    assert_allclose(g_one[:, 0], g_two[:, 1], atol=1e-15)


def test_both_columns_is_the_logistic_function():
    z = torch.linspace(-4, 4, 5, dtype=torch.float64).unsqueeze(-1)
    assert_allclose(softmax(both_columns(z), -1)[:, 1], torch.sigmoid(z)[:, 0])


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_stacked_members_have_a_value_each(temperature):
    objective = Objective(1.0, temperature)
    targets = {
        k: torch.from_numpy(v)
        for k, v in objective.make_targets(CODES, PROBA, WEIGHT).items()
    }
    members = RNG.normal(size=(3, N_ROWS, N_CLASSES))
    stacked = objective(torch.from_numpy(members), targets)
    singles = [objective(torch.from_numpy(member), targets) for member in members]
    assert_allclose(stacked, torch.stack(singles), rtol=1e-14)


def test_callable_gets_tempered_logits_and_codes_and_is_scaled_once():
    seen = {}

    def loss(student_logits, teacher_logits, hard_targets):
        seen.update(student=student_logits, teacher=teacher_logits, hard=hard_targets)
        return (student_logits - teacher_logits).pow(2).sum(-1)

    objective = Objective(1.0, 2.0, loss)
    v = np.log(PROBA)
    v -= v.mean(axis=1, keepdims=True)
    soft = 4.0 * ((LOGITS - v) ** 2 / 4.0).sum(axis=1).mean()
    hard = value(Objective(0.0))
    assert_allclose(value(objective), (hard + soft) / 2)
    assert_allclose(seen["student"], LOGITS / 2)
    assert_allclose(seen["teacher"], v / 2)
    assert_allclose(seen["hard"], CODES)


def test_callable_sees_no_label_at_infinite_lambda():
    seen = []

    def loss(student_logits, teacher_logits, hard_targets):
        seen.append(hard_targets)
        return (student_logits - teacher_logits).pow(2).sum(-1)

    value(Objective(np.inf, 1.0, loss))
    value(Objective(np.inf, 1.0, loss), codes=None)
    assert_allclose(seen[0], np.full(N_ROWS, UNLABELLED))
    assert seen[1] is None


def test_teacher_logits_of_a_certain_teacher_stop_at_the_floor():
    certain = np.eye(N_CLASSES)[CODES]
    logits = Objective(1.0, 2.0).make_targets(CODES, certain, None)["teacher_logits"]
    assert_allclose(np.ptp(logits, axis=1), -np.log(PROBABILITY_FLOOR))


def test_soft_targets_are_not_written_to():
    proba = PROBA.copy()
    gradient(Objective(1.0), proba=proba)
    gradient(Objective(1.0, 3.0), proba=proba)
    assert (proba == PROBA).all()


def test_loss_of_the_article():
    """L_distillation = -Σ P log Q, in the article's letters."""
    z, p = torch.from_numpy(LOGITS), torch.from_numpy(PROBA)
    expected = -(p * log_softmax(z, -1)).sum(-1)
    assert_allclose(LOSSES["soft_cross_entropy"](z, torch.log(p), None), expected)
