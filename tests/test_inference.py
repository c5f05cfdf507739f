import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import softmax

from sk_distill.encoding import Table, TableEncoder
from sk_distill.inference import BLOCK_ROWS, mlp_logits, probabilities
from sk_distill.networks.mlp import ACTIVATIONS, read_weights
from sk_distill.nn import StackedMLP
from sk_distill.students import MLPStudent

RNG = np.random.default_rng(0)


def test_probabilities_are_softmax():
    logits = RNG.normal(size=(50, 4)) * 30
    assert_allclose(probabilities(logits), softmax(logits, axis=1), rtol=1e-12)


def test_one_logit_is_softmax_with_zero():
    logits = RNG.normal(size=(50, 1)) * 30
    expected = softmax(np.hstack([np.zeros_like(logits), logits]), axis=1)
    assert_allclose(probabilities(logits), expected, atol=1e-15)


@pytest.mark.parametrize("scale", [1e3, 1e30])
def test_huge_logits_stay_finite(scale):
    logits = np.array([[1.0, -1.0, 0.5], [0.0, 0.0, -1.0]]) * scale
    assert_allclose(probabilities(logits), [[1, 0, 0], [0.5, 0.5, 0]], atol=1e-12)


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_numpy_forward_is_torchs(activation, n_members):
    module = StackedMLP([5, 7, 6, 3], activation=activation, n_members=n_members)
    x = RNG.normal(size=(11, 5)).astype(np.float32)
    before = x.copy()
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    encoder = TableEncoder().fit(Table(x), np.ones((11, 1)), None, None, 1)
    coefs, intercepts = read_weights(module, encoder)
    first = encoder.product(x, coefs[0])
    logits = mlp_logits(first, coefs[1:], intercepts, activation)
    assert_allclose(logits, expected, atol=1e-5)
    assert (x == before).all()


def test_stacked_members_are_independent_networks():
    module = StackedMLP([4, 6, 2], n_members=3)
    x = torch.from_numpy(RNG.normal(size=(9, 4)).astype(np.float32))
    outputs = module(x)
    for member in range(3):
        alone = StackedMLP([4, 6, 2])
        for mine, stacked in zip(alone.parameters(), module.parameters(), strict=True):
            mine.data = stacked.data[member]
        assert_allclose(outputs[member].detach(), alone(x).detach(), atol=1e-6)


def test_blocks_of_rows_do_not_change_the_answer():
    X = RNG.normal(size=(2 * BLOCK_ROWS + 17, 4))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    student = MLPStudent((8,), max_iter=2, random_state=0).fit(X, y)
    whole = student.predict_proba(X)
    parts = np.vstack([student.predict_proba(part) for part in np.array_split(X, 7)])
    assert_allclose(whole, parts, atol=1e-6)
