"""Weights in fewer bits, and edges in single precision."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sk_distill.compression.layers import to_float16, to_int8
from sk_distill.compression.network import narrowed
from sk_distill.encoding import Table, TableEncoder

RNG = np.random.default_rng(0)


def test_int8_scale_is_the_best_of_the_grid():
    x = RNG.normal(size=(400, 5)) * [1, 1, 1, 1, 1e-3]
    coef = RNG.normal(size=(5, 3))
    coef[4, 0] = 30  # Of no use to any row: to clip it makes the others exact.
    weights, scale = to_int8(x, coef)
    assert weights.dtype == np.int8
    assert np.abs(weights.astype(int)).max() <= 127
    for k in range(3):
        errors = {}
        for factor in np.linspace(1.0, 0.5, 11):
            step = factor * np.abs(coef[:, k]).max() / 127
            moved = np.clip(np.round(coef[:, k] / step), -127, 127) * step - coef[:, k]
            out = x @ moved
            errors[step] = ((out - out.mean()) ** 2).sum() + moved @ moved
        assert_allclose(scale[k], min(errors, key=errors.get), rtol=1e-6)
        moved = weights[:, k] * scale[k] - coef[:, k]
        out = x @ moved
        found = ((out - out.mean()) ** 2).sum() + moved @ moved
        assert_allclose(found, min(errors.values()), rtol=1e-4)


@pytest.mark.parametrize("same", [0.0, 5.0])
def test_int8_clips_what_no_row_asks_for(same):
    """Nor do rows ask for the weight of what is the same in all: the bias mends it."""
    x = np.column_stack([RNG.normal(size=(4000, 3)) * 10, np.full(4000, same)])
    coef = np.array([[0.011], [-0.009], [0.005], [0.6]])
    weights, scale = to_int8(x, coef)
    assert weights[3] == 127
    assert 127 * scale[0] < 0.6


def test_float16_keeps_large_and_small_weights():
    coef = np.array([[1e9, 1e-9, 0.0], [-3e8, 5e-10, 0.0]])
    weights, scale = to_float16(None, coef)
    assert weights.dtype == np.float16
    assert_allclose(weights.astype(float) * scale, coef, rtol=2**-11)


def test_weights_of_next_to_nothing_are_zero():
    coef = np.array([[0.0, 1e-44, 1.0], [0.0, -1e-40, 2.0]])
    for stored in (to_int8(np.ones((4, 2)), coef), to_float16(None, coef)):
        weights, scale = stored
        assert_allclose(weights.astype(float) * scale, coef, atol=2 / 127)
        assert not weights[:, :2].any()


def test_edges_are_narrowed_where_little_is_lost():
    exact = np.arange(300.0) / 4
    rough = RNG.random(300)
    far = 1e9 + np.arange(300.0) / 7
    still = np.full(300, 0.1)
    table = Table(np.column_stack([exact, rough, far, still]))
    encoder = TableEncoder().fit(table, np.ones((300, 1)), None, "quantile", 8)

    def dtypes(tolerance):
        edges = narrowed(encoder, tolerance).edges_
        return [edges[j].dtype.itemsize for j in range(4)]

    assert dtypes(0.0) == [4, 8, 8, 8]
    assert dtypes(1e-3) == [4, 4, 8, 8]
    assert all(edges.dtype == np.float64 for edges in encoder.edges_.values())
    moved = narrowed(encoder, 1e-3).positions(table, np.float64)
    assert_allclose(moved, encoder.positions(table, np.float64), atol=1e-3)
