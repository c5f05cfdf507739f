"""The way back through a network, against autograd."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sk_distill.encoding import TableEncoder
from sk_distill.encoding.table import Categories, Table
from sk_distill.networks.mlp import ACTIVATIONS, make_perceptron, make_slot_rows
from sk_distill.nn import StackedMLP, UnitLayout
from sk_distill.nn.units import UnitProduct
from sk_distill.training import UNLABELLED, Objective

RNG = np.random.default_rng(0)


def mixed_encoder(encoding):
    numbers = RNG.normal(size=(60, 4))
    numbers[RNG.random(60) < 0.2, 1] = np.nan
    # It has three bins, the other column five.
    numbers[:, 0] = np.arange(60) % 4
    categories = {
        2: Categories(["a", "b", "c"], RNG.integers(0, 3, 60)),
        3: Categories(["d", "e"], RNG.integers(0, 2, 60)),
    }
    table = Table(numbers, categories)
    encoder = TableEncoder().fit(table, np.ones((60, 1)), None, encoding, 5)
    return encoder, encoder.positions(table, np.float32)


def gradients(module, rows, gradient, *, by_autograd):
    module.zero_grad()
    if by_autograd:
        logits = module(rows)
        logits.backward(gradient)
    else:
        logits, back = module.forward_and_back(rows)
        back(gradient)
    return logits.detach(), [p.grad.clone() for p in module.parameters()]


def assert_same_way_back(module, rows, n_rows, n_out):
    shape = (n_rows, n_out)
    if module.n_members > 1:
        shape = (module.n_members, *shape)
    gradient = torch.from_numpy(RNG.normal(size=shape)).to(module.weights[0].dtype)
    expected, by_autograd = gradients(module, rows, gradient, by_autograd=True)
    logits, by_hand = gradients(module, rows, gradient, by_autograd=False)
    assert_allclose(logits, expected, atol=1e-5)
    for mine, theirs in zip(by_hand, by_autograd, strict=True):
        assert_allclose(mine, theirs, atol=1e-4)
        assert mine.shape == theirs.shape


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("widths", [[5, 3], [5, 7, 3], [5, 7, 6, 1]])
def test_the_way_back_is_autograds(widths, activation, n_members):
    module = StackedMLP(widths, activation=activation, n_members=n_members)
    rows = torch.from_numpy(RNG.normal(size=(11, 5))).float()
    assert_same_way_back(module, rows, 11, widths[-1])


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("encoding", ["standard", "quantile"])
@pytest.mark.parametrize("way", ["dense", "sparse"])
def test_the_way_back_to_the_units_of_a_table(way, encoding, n_members):
    encoder, positions = mixed_encoder(encoding)
    module = make_perceptron(encoder, [6, 2], n_members=n_members)
    chosen = getattr(module.unit_product, way)
    module.unit_product.way = lambda n_rows, device_type: chosen
    assert_same_way_back(module, torch.from_numpy(positions), 60, 2)


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("encoding", ["standard", "quantile"])
@pytest.mark.parametrize("way", ["dense", "sparse"])
def test_either_way_multiplies_the_units_that_numpy_makes(way, encoding, n_members):
    encoder, positions = mixed_encoder(encoding)
    module = make_perceptron(encoder, [6, 2], n_members=n_members)
    weight, bias = module.weights[0].detach(), module.biases[0].detach()
    units = getattr(module.unit_product, way)
    made = encoder.units(positions)
    unknown = RNG.random(len(positions)) < 0.3
    positions[unknown, 3] = 2
    expanded = units.expand(torch.from_numpy(positions))
    # A level that has no unit adds nothing.
    made[unknown, -2:] = 0
    product = units.multiply(expanded, weight, bias)
    expected = made @ weight.numpy() + bias.unsqueeze(-2).numpy()
    assert_allclose(product.mT, expected, atol=1e-5)
    gradient = torch.randn(product.shape)
    of_weight = units.weight_gradient(expanded, gradient)
    assert_allclose(of_weight, made.T @ gradient.mT.numpy(), atol=1e-4)


def test_the_way_is_chosen_by_what_it_costs():
    """Columns of two values beside one of many had a slot at each edge of that one: a
    search over λ on 200 of them took ten times as long as with dense rows."""
    counts = torch.tensor([1] * 100 + [48])
    nothing = torch.zeros(0, dtype=torch.int64)
    few = UnitProduct(UnitLayout(torch.arange(101), counts, nothing, nothing, nothing))
    assert few.sparse.n_value_slots == 100 * 2 + 49
    assert few.way(512, "cpu") is few.dense
    columns = torch.arange(30)
    many = UnitProduct(
        UnitLayout(columns, torch.full((30,), 48), nothing, nothing, nothing)
    )
    assert many.way(64, "cpu") is many.dense
    assert many.way(256, "cpu") is many.sparse
    assert many.way(256, "cuda") is many.dense


def test_the_way_back_to_the_slots_of_a_table():
    encoder, positions = mixed_encoder("quantile")
    module = make_perceptron(encoder, [6, 2], full_batch=True).double()
    rows = make_slot_rows(encoder, positions.astype(np.float64))
    assert_same_way_back(module, rows, 60, 2)


def test_units_are_dropped_in_training_and_only_there():
    module = StackedMLP([3, 2000, 2000], activation="logistic", dropout=0.25)
    with torch.no_grad():
        module.weights[1].copy_(torch.eye(2000))
        module.biases[1].zero_()
    row = torch.ones(1, 3)
    kept, _ = module.eval().forward_and_back(row)
    assert_allclose(kept, module(row).detach())
    dropped, back = module.train().forward_and_back(row)
    # The logistic function is never 0: a 0 is a unit that was dropped.
    is_dropped = (dropped == 0).numpy()[0]
    assert_allclose(is_dropped.mean(), 0.25, atol=0.03)
    assert_allclose(dropped[0, ~is_dropped], kept[0, ~is_dropped] / 0.75, rtol=1e-5)
    back(torch.ones(1, 2000))
    slope = (kept * (1 - kept)).numpy()[0] / 0.75
    assert_allclose(module.biases[0].grad, np.where(is_dropped, 0, slope), rtol=1e-5)


def targets_of(kind, n_classes, weighted):
    codes = RNG.integers(0, n_classes, 20)
    proba = RNG.dirichlet(np.ones(n_classes), size=20)
    weight = RNG.uniform(0.5, 2, size=20) if weighted else None
    if kind == "codes":
        return Objective(0.0), (codes, None, weight)
    if kind == "blend":
        codes[:5] = UNLABELLED
        return Objective(2.0), (codes, proba, weight)
    codes[:5] = UNLABELLED
    return Objective(2.0, 3.0, "kl"), (codes, proba, weight)


@pytest.mark.parametrize("n_members", [None, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n_classes", "n_outputs"), [(3, 3), (2, 1), (2, 2)])
@pytest.mark.parametrize("kind", ["codes", "blend", "loss"])
def test_the_objectives_gradient_is_autograds(
    kind, n_classes, n_outputs, weighted, n_members
):
    objective, known = targets_of(kind, n_classes, weighted)
    targets = {
        k: torch.from_numpy(v) for k, v in objective.make_targets(*known).items()
    }
    shape = (20, n_outputs) if n_members is None else (n_members, 20, n_outputs)
    logits = torch.from_numpy(RNG.normal(size=shape)).requires_grad_()
    loss = objective(logits, targets)
    (expected,) = torch.autograd.grad(loss.sum(), logits)
    value, gradient = objective.value_and_gradient(logits.detach(), targets)
    assert_allclose(value, loss.detach(), rtol=1e-12)
    assert_allclose(gradient, expected, atol=1e-14)
