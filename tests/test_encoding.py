import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from sk_distill.encoding import PassThrough, Standardizer, fit_encoder

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20_000, 3)) * [1, 1e-3, 1e5] + [0, 5, -7e6]


def test_standardizer_is_scikit_learns():
    expected = StandardScaler().fit_transform(X)
    assert_allclose(Standardizer().fit(X).transform(X, np.float64), expected)


def test_standardizer_weights_rows():
    weight = RNG.integers(1, 4, size=len(X))
    weighted = Standardizer().fit(X, weight.astype(float))
    repeated = Standardizer().fit(np.repeat(X, weight, axis=0))
    assert_allclose(weighted.mean_, repeated.mean_)
    assert_allclose(weighted.scale_, repeated.scale_)


def test_float32_keeps_the_digits_of_a_column_far_from_zero():
    far = 1e9 + np.arange(100.0)[:, None]
    expected = StandardScaler().fit_transform(far)
    encoded = Standardizer().fit(far).transform(far, np.float32)
    assert encoded.dtype == np.float32
    assert_allclose(encoded, expected, rtol=1e-6)


def test_constant_column_becomes_zero():
    constant = np.full((10, 1), 7.25)
    assert_array_equal(Standardizer().fit(constant).transform(constant, float), 0)


def test_values_far_outside_training_stay_finite():
    encoder = Standardizer().fit(X)
    wild = encoder.transform(np.array([[1e300, -1e300, 1e-300]]), np.float32)
    assert_array_equal(wild[0, :2], np.array([1e6, -1e6], dtype=np.float32))


@pytest.mark.parametrize("encoder", [Standardizer(), PassThrough()])
def test_fold_is_the_same_map_in_units_of_the_input(encoder):
    encoder.fit(X)
    coef, intercept = RNG.normal(size=(2, 3)), RNG.normal(size=2)
    folded = encoder.fold(coef, intercept)
    expected = encoder.transform(X, np.float64) @ coef.T + intercept
    assert_allclose(X @ folded[0].T + folded[1], expected, rtol=1e-8, atol=1e-8)
    again = encoder.unfold(*folded)
    assert_allclose(again[0], coef)
    assert_allclose(again[1], intercept, atol=1e-9)


def test_names_choose_encoders():
    assert isinstance(fit_encoder("standard", X, None), Standardizer)
    passed = fit_encoder(None, X, None)
    assert_array_equal(passed.transform(X, np.float64), X)
