"""From a table to positions, units and slots."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from sk_distill.encoding import Table, TableEncoder
from sk_distill.encoding.bins import column_edges
from sk_distill.encoding.table import Categories, read_table

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20_000, 3)) * [1, 1e-3, 1e5] + [0, 5, -7e6]
NO_TARGETS = np.ones((len(X), 1))


def encoder_of(X, encoding, n_bins=8, targets=None, weight=None):
    table = X if isinstance(X, Table) else Table(np.asarray(X, dtype=float))
    if targets is None:
        targets = np.ones((len(table), 1))
    return TableEncoder().fit(table, targets, weight, encoding, n_bins)


def units_of(encoder, X):
    table = X if isinstance(X, Table) else Table(np.asarray(X, dtype=float))
    return encoder.units(encoder.positions(table, np.float64))


# Numbers, standardised or left alone


def test_standardised_positions_are_scikit_learns():
    expected = StandardScaler().fit_transform(X)
    encoder = encoder_of(X, "standard")
    assert encoder.is_plain
    assert_allclose(encoder.positions(Table(X), np.float64), expected)


def test_weights_are_repeated_rows():
    weight = RNG.integers(1, 4, size=200)
    few, targets = X[:200], RNG.dirichlet([1, 1], size=200)
    for encoding in ("standard", "quantile", "piecewise_linear"):
        weighted = encoder_of(few, encoding, targets=targets, weight=weight * 1.0)
        repeated = encoder_of(
            np.repeat(few, weight, axis=0),
            encoding,
            targets=np.repeat(targets, weight, axis=0),
        )
        assert_allclose(units_of(weighted, few), units_of(repeated, few), atol=1e-12)


def test_float32_keeps_the_digits_of_a_column_far_from_zero():
    far = 1e9 + np.arange(100.0)[:, None]
    encoded = encoder_of(far, "standard").positions(Table(far), np.float32)
    assert encoded.dtype == np.float32
    assert_allclose(encoded, StandardScaler().fit_transform(far), rtol=1e-6)
    # Neighbours that float32 cannot tell apart in the table lie in other bins.
    encoded = encoder_of(far, "quantile", 99).positions(Table(far), np.float32)
    assert_allclose(encoded[:, 0], np.arange(100))


def test_no_encoding_is_a_copy():
    positions = encoder_of(X, None).positions(Table(X), np.float64)
    assert_array_equal(positions, X)
    assert not np.shares_memory(positions, X)


def test_values_far_outside_training_stay_finite():
    wild = Table(np.array([[1e300, -1e300, 1e-300]]))
    standard = encoder_of(X, "standard").positions(wild, np.float32)
    assert_array_equal(standard[0, :2], np.array([1e6, -1e6], dtype=np.float32))
    binned = encoder_of(X, "quantile").positions(wild, np.float32)
    assert_array_equal(binned[0, :2], [8, 0])


def test_fold_is_the_same_map_in_units_of_the_input():
    encoder = encoder_of(X, "standard")
    coef, intercept = RNG.normal(size=(2, 3)), RNG.normal(size=2)
    folded = encoder.fold(coef, intercept)
    expected = encoder.positions(Table(X), np.float64) @ coef.T + intercept
    assert_allclose(X @ folded[0].T + folded[1], expected, rtol=1e-8, atol=1e-8)
    again = encoder.unfold(*folded)
    assert_allclose(again[0], coef)
    assert_allclose(again[1], intercept, atol=1e-9)


# Bins


def test_quantile_edges_are_numpys():
    edges = column_edges(X[:, 0], None, None, 8)
    expected = np.quantile(X[:, 0], np.linspace(0, 1, 9), method="inverted_cdf")
    assert_array_equal(edges, expected)


def test_tree_edges_are_the_splits_of_a_tree_on_the_targets():
    x, step = X[:2000, 0], (X[:2000, 0] > 0.7) * 1.0
    targets = np.column_stack([step, 1 - step])
    edges = column_edges(x, targets, None, 4)
    tree = DecisionTreeRegressor(max_leaf_nodes=2).fit(x[:, None], targets)
    assert np.abs(edges - tree.tree_.threshold[0]).min() < 1e-6
    assert np.abs(column_edges(x, None, None, 4) - 0.7).min() > 0.01


def test_of_many_values_the_tree_splits_between_groups_that_weigh_alike():
    """The tree of a column of 100,000 rows took 0.1 s, most of a fit's first second."""
    x = RNG.normal(size=20_000)
    weight = RNG.uniform(0.5, 2, size=len(x))
    step = (x > 0.7) * 1.0
    targets = np.column_stack([step, 1 - step])
    edges = column_edges(x, targets, weight, 8)
    nearest = edges[np.abs(edges - 0.7).argmin()]
    between = (x > min(nearest, 0.7)) & (x < max(nearest, 0.7))
    assert weight[between].sum() < weight.sum() / 2048
    # A row of weight 2 is two rows.
    twice = RNG.integers(1, 3, size=len(x))
    assert_array_equal(
        column_edges(x, targets, twice.astype(float), 8),
        column_edges(np.repeat(x, twice), np.repeat(targets, twice, 0), None, 8),
    )


def test_a_column_of_few_values_gets_an_edge_at_each():
    x = np.array([3.0, 0, 1, 0, 3, 3, 1] * 10)
    targets = np.eye(2)[(x > 0).astype(int)]
    for t in (None, targets):
        assert_array_equal(column_edges(x, t, None, 16), [0, 1, 3])


def test_a_column_that_is_mostly_one_value_has_bins_in_its_tail():
    """Quantiles alone gave ``capital_gain`` of the adult table, mostly 0, two bins."""
    x = np.where(np.arange(5000) % 12 == 0, RNG.lognormal(8, 1, size=5000), 0.0)
    high = (x > np.quantile(x[x > 0], 0.8)) * 1.0
    edges = column_edges(x, np.column_stack([high, 1 - high]), None, 16)
    assert len(edges) == len(np.unique(edges))
    split = x[high == 0].max() / 2 + x[high == 1].min() / 2
    assert np.isclose(edges, split).any()


def test_numbers_too_small_for_a_bin_of_their_own():
    """Probabilities of naive Bayes fall to 5e-324: the slope of a bin between two of
    them was infinite, and the fit ended with a loss that was no number."""
    x = np.exp(-RNG.uniform(0, 745, size=500))
    targets = np.eye(2)[(x > 1e-200).astype(int)]
    for t in (None, targets):
        edges = column_edges(x, t, None, 16)
        assert np.diff(edges).min() >= np.finfo(float).tiny / 2
        with np.errstate(all="raise"):
            positions = np.interp(x, edges, np.arange(len(edges)))
        assert np.isfinite(positions).all()
    one_number = np.array([0, 5e-324, 1e-323])
    assert_array_equal(column_edges(one_number, None, None, 4), [0, np.inf])


@pytest.mark.parametrize("encoding", ["quantile", "piecewise_linear", "standard"])
def test_a_constant_or_empty_column_says_nothing(encoding):
    constant = np.column_stack([np.full(50, 7.25), np.full(50, np.nan)])
    encoder = encoder_of(constant, encoding)
    seen = units_of(encoder, constant)
    assert_array_equal(seen[:, :-1], 0)
    assert_array_equal(seen[:, -1], 1)  # The second column is missing.
    if encoding != "standard":
        assert_array_equal(units_of(encoder, [[9.0, 3.0]])[:, :-1], 0)


NUMBERS = st.one_of(
    st.floats(-10, 10),
    st.sampled_from([0.0, 1e-300, -1e-300, 5e-324, 1e12, -1e30, 1.7e308, -1.7e308]),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    arrays(np.float64, st.integers(1, 40), elements=NUMBERS),
    st.integers(1, 9),
    st.lists(NUMBERS, min_size=2, max_size=6),
)
def test_piecewise_linear_units_are_monotone_and_between_0_and_1(x, n_bins, asked):
    encoder = encoder_of(x[:, None], "piecewise_linear", n_bins)
    units = units_of(encoder, np.sort(asked)[:, None])
    assert np.isfinite(units).all()
    assert units.min() >= -1e-12
    assert units.max() <= 1 + 1e-12
    assert (np.diff(units, axis=0) >= -1e-12).all()
    # Filled from the left: a unit is empty until the one before is full.
    assert ((units[:, 1:] < 1e-12) | (units[:, :-1] > 1 - 1e-12)).all()


def test_piecewise_linear_units_are_exact_at_the_edges_and_continuous():
    encoder = encoder_of(X[:, :1], "quantile", 6)
    edges = encoder.edges_[0]
    expected = np.tril(np.ones((7, 6)), k=-1)
    assert_allclose(units_of(encoder, edges[:, None]), expected, atol=1e-12)
    below, above = edges[1:-1, None] - 1e-9, edges[1:-1, None] + 1e-9
    assert_allclose(units_of(encoder, below), units_of(encoder, above), atol=1e-6)
    # Equation 1 of Gorishniy et al. in between.
    x = RNG.uniform(edges[0], edges[-1], size=(100, 1))
    by_hand = np.clip((x - edges[:-1]) / np.diff(edges), 0, 1)
    assert_allclose(units_of(encoder, x), by_hand, atol=1e-12)


def test_slots_are_linear_b_splines_at_the_edges():
    encoder = encoder_of(X[:, :1], "quantile", 6)
    spline = SplineTransformer(
        degree=1, knots=encoder.edges_[0][:, None], extrapolation="constant"
    ).fit(X[:, :1])
    asked = np.vstack([X[:300, :1], [[-9.0], [9.0]]])
    slots = encoder.slots(encoder.positions(Table(asked), np.float64))
    assert_allclose(slots.toarray(), spline.transform(asked), atol=1e-9)


def test_units_fit_what_is_piecewise_linear():
    """Knots at the truth's: least squares finds it to the last digit."""
    x = RNG.uniform(-1, 1, size=(500, 1))
    knots = np.array([-1, -0.5, 0.1, 0.4, 1])
    truth = np.interp(x[:, 0], knots, [0, 2, -1, 3, 3])
    encoder = encoder_of(knots[:, None], "quantile", 4)
    units = units_of(encoder, x)
    fit = LinearRegression().fit(units, truth)
    assert_allclose(fit.predict(units), truth, atol=1e-10)


# Missing cells and categories


def mixed(n_rows=400):
    rng = np.random.default_rng(1)
    color = rng.choice(
        ["red", "green", "blue", None], p=[0.5, 0.3, 0.1, 0.1], size=n_rows
    )
    color[:3] = "rare"
    number = rng.normal(size=n_rows)
    number[rng.random(n_rows) < 0.2] = np.nan
    return pd.DataFrame(
        {"number": number, "color": color, "whole": rng.integers(0, 9, n_rows)}
    )


@pytest.mark.parametrize("encoding", ["standard", "quantile", "piecewise_linear"])
def test_units_and_slots_are_the_same_map(encoding):
    table = read_table(None, mixed())
    targets = np.eye(2)[RNG.integers(0, 2, len(table))]
    encoder = encoder_of(table, encoding, targets=targets)
    positions = encoder.positions(table, np.float64)
    weights = RNG.normal(size=(encoder.n_units, 4))
    expected = encoder.units(positions) @ weights
    on_slots = encoder.slot_map() @ weights
    assert_allclose(encoder.product(positions, on_slots), expected, atol=1e-12)
    # A few rows take another way to the same numbers.
    assert_allclose(encoder.product(positions[:2], on_slots), expected[:2], atol=1e-12)
    stacked = encoder.product(positions, np.stack([on_slots, 2 * on_slots]))
    assert_allclose(stacked, np.stack([expected, 2 * expected]), atol=1e-12)
    assert_allclose(encoder.unit_map() @ on_slots, weights, atol=1e-12)


def test_standard_encoding_is_scikit_learns_with_indicators():
    frame = mixed()
    encoder = encoder_of(read_table(None, frame), "standard")
    units = units_of(encoder, read_table(None, frame))
    numbers = frame[["number", "whole"]].to_numpy()
    imputed = SimpleImputer().fit_transform(numbers)
    seen = StandardScaler().fit(numbers).transform(imputed)
    one_hot = OneHotEncoder(
        categories=[["blue", "green", "red", None, "rare"]], sparse_output=False
    ).fit_transform(
        frame[["color"]].astype(object).where(frame[["color"]].notna(), None)
    )
    expected = np.hstack([seen, np.isnan(numbers[:, :1]), one_hot])
    assert_allclose(units, expected, atol=1e-12)


def test_an_unknown_level_is_a_rare_one_or_the_mean_level():
    def colors(*names):
        return Table(
            np.zeros((len(names), 1)),
            {
                0: Categories(
                    list(dict.fromkeys(names)),
                    np.array([list(dict.fromkeys(names)).index(n) for n in names]),
                )
            },
        )

    rare = encoder_of(colors(*["a"] * 30, *["b"] * 10, "c"), "standard")
    assert_array_equal(units_of(rare, colors("a", "zebra")), [[1, 0, 0], [0, 0, 1]])
    none_rare = encoder_of(colors(*["a"] * 30, *["b"] * 10), "standard")
    assert_allclose(units_of(none_rare, colors("b", "zebra")), [[0, 1], [0.75, 0.25]])


def test_missing_cells_where_none_was_are_the_mean_or_the_middle_bin():
    symmetric = np.vstack([X[:, :1], -X[:, :1]])
    for encoding in ("standard", "quantile"):
        encoder = encoder_of(symmetric, encoding)
        assert_allclose(
            units_of(encoder, [[np.nan]]), units_of(encoder, [[0.0]]), atol=0.01
        )


def test_thousands_of_levels_are_stored_as_one_number_a_row():
    levels = [f"level {i}" for i in range(5000)]
    codes = np.repeat(np.arange(5000), 20)
    table = Table(np.zeros((100_000, 1)), {0: Categories(levels, codes)})
    encoder = encoder_of(table, "piecewise_linear")
    positions = encoder.positions(table, np.float32)
    assert positions.nbytes == 400_000
    assert encoder.slots(positions).nnz == 100_000
    assert encoder.slot_map().nnz < 20_000


@pytest.mark.parametrize("size", [1e155, 1e300])
def test_numbers_whose_squares_overflow_are_standardised(size):
    """Their variance was infinite, which was taken for that of a constant column."""
    numbers = np.column_stack([np.arange(4.0), size * np.arange(4.0)])
    encoder = TableEncoder().fit(
        Table(numbers), np.eye(2)[[0, 1, 0, 1]], None, "standard", 0
    )
    positions = encoder.positions(Table(numbers), np.float64)
    assert_allclose(positions[:, 1], positions[:, 0], rtol=1e-12)
    assert_allclose(positions.std(axis=0), 1)


def test_single_precision_is_standardised_without_a_warning():
    """No number in it is as large as the bound that it is compared with."""
    numbers = np.arange(8, dtype=np.float32).reshape(4, 2)
    encoder = TableEncoder().fit(
        Table(numbers), np.eye(2)[[0, 1, 0, 1]], None, "standard", 0
    )
    assert_allclose(encoder.mean_, [3, 4])
