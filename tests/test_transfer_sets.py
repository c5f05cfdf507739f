"""MUNGE against a slow, obvious implementation; and rows of the user's own."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances
from sklearn.model_selection import cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

from sk_distill import (
    DistilledClassifier,
    LinearStudent,
    MLPStudent,
    Munge,
    soft_targets,
)
from sk_distill import transfer_sets as module
from sk_distill.encoding.table import Table, read_table
from sk_distill.transfer_sets import disjoint_pairs, nearest_neighbours

RNG = np.random.default_rng(0)


def mixed(n_rows=300):
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "real": rng.normal(size=n_rows),
            "single": rng.normal(size=n_rows).astype(np.float32),
            "whole": rng.integers(-5, 90, n_rows),
            "maybe": pd.array(
                [None if r < 0.2 else int(9 * r) for r in rng.random(n_rows)], "Int64"
            ),
            "flag": rng.random(n_rows) < 0.5,
            "text": rng.choice(["a", "b", "c"], n_rows),
            "kind": pd.Categorical(
                rng.choice(["x", "y"], n_rows), categories=["z", "y", "x"]
            ),
        },
        index=np.arange(n_rows) + 1000,
    )


def brute_force_neighbours(X):
    distance = pairwise_distances(StandardScaler().fit_transform(X))
    np.fill_diagonal(distance, np.inf)
    return distance.argmin(axis=1)


# Neighbours


@pytest.mark.parametrize("n_columns", [2, 20])
def test_neighbours_are_the_nearest_other_rows(n_columns):
    X = RNG.normal(size=(200, n_columns)) * np.logspace(-3, 3, n_columns)
    nearest = nearest_neighbours(Table(X), np.random.default_rng(0))
    assert_array_equal(nearest, brute_force_neighbours(X))


def test_a_differing_category_is_a_distance_of_one():
    frame = pd.DataFrame({"x": [0.0, 0.8, 1.0, -1.8], "c": ["a", "b", "a", "b"]})
    deviation = frame["x"].std(ddof=0)
    # Rows 0 and 1 differ in the category, rows 0 and 2 by 1 / deviation < sqrt(1 + …).
    assert 1 / deviation < np.sqrt(1 + (0.8 / deviation) ** 2)
    nearest = nearest_neighbours(read_table(None, frame), np.random.default_rng(0))
    assert nearest[0] == 2


def test_large_tables_look_within_blocks(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_ROWS", 50)
    X = RNG.normal(size=(400, 2))
    nearest = nearest_neighbours(Table(X), np.random.default_rng(0))
    blocks = np.array_split(np.random.default_rng(0).permutation(400), 8)
    scaled = StandardScaler().fit_transform(X)
    for block in blocks:
        distance = pairwise_distances(scaled[block])
        np.fill_diagonal(distance, np.inf)
        assert_array_equal(nearest[block], block[distance.argmin(axis=1)])


def test_groups_of_pairs_are_the_rows_one_by_one():
    """Swapping by groups gives what a plain loop over the same order gives."""
    neighbour = RNG.integers(0, 60, size=60)
    neighbour = np.where(neighbour == np.arange(60), (neighbour + 1) % 60, neighbour)
    values = np.arange(60)
    for rows, others in disjoint_pairs(neighbour, np.random.default_rng(7)):
        assert len(np.unique([rows, others])) == 2 * len(rows)
        values[rows], values[others] = values[others], values[rows]
    one_by_one = np.arange(60)
    for row in np.random.default_rng(7).permutation(60):
        other = neighbour[row]
        one_by_one[[row, other]] = one_by_one[[other, row]]
    assert_array_equal(values, one_by_one)


# Algorithm 1


def slow_munge(X, probability, local_variance, rng):
    """Bucilă et al., algorithm 1, as it is printed."""
    nearest, made = brute_force_neighbours(X), X.copy()
    for row in rng.permutation(len(X)):
        other = nearest[row]
        for a in range(X.shape[1]):
            if rng.random() < probability:
                e, e_other = made[row, a], made[other, a]
                sd = abs(e - e_other) / local_variance
                made[row, a] = rng.normal(e_other, sd)
                made[other, a] = rng.normal(e, sd)
    return np.clip(made, X.min(axis=0), X.max(axis=0))


@pytest.mark.parametrize("probability", [0.2, 1.0])
@pytest.mark.parametrize("local_variance", [0.5, 4.0])
def test_munge_has_the_distribution_of_the_slow_one(probability, local_variance):
    X = np.random.default_rng(3).normal(size=(60, 3))
    rng = np.random.default_rng(4)
    slow = np.stack(
        [slow_munge(X, probability, local_variance, rng) for _ in range(300)]
    )
    munge = Munge(
        300, swap_probability=probability, local_variance=local_variance, random_state=0
    )
    fast = munge.sample(X).reshape(300, 60, 3)
    error = slow.std(axis=0) * np.sqrt(2 / 300) + 1e-9
    assert (np.abs(fast.mean(axis=0) - slow.mean(axis=0)) / error).max() < 5
    changed = (slow != X).mean(), (fast != X).mean()
    assert_allclose(*changed, atol=0.01)
    spread = (table.std(axis=0).mean() for table in (slow, fast))
    assert_allclose(*spread, rtol=0.05)


def test_without_noise_all_values_come_from_the_neighbour():
    X = np.random.default_rng(3).normal(size=(60, 3))
    munge = Munge(5, swap_probability=1.0, local_variance=np.inf, random_state=0)
    made = munge.sample(X).reshape(5, 60, 3)
    for table in made:
        # A permutation of rows, each value still in its column.
        assert_array_equal(np.sort(table, axis=0), np.sort(X, axis=0))
    nearest = brute_force_neighbours(X)
    mutual = np.flatnonzero(nearest[nearest] == np.arange(60))
    lonely = [
        i for i in mutual if (nearest == i).sum() == (nearest == nearest[i]).sum() == 1
    ]
    # Each other's neighbours and nobody else's: swapped twice, and back again.
    assert len(lonely) > 2
    assert_array_equal(made[0][lonely], X[lonely])
    munge = Munge(40, swap_probability=0.5, local_variance=np.inf, random_state=0)
    half = munge.sample(X).reshape(40, 60, 3)
    for i in lonely:
        from_self, from_neighbour = half[:, i] == X[i], half[:, i] == X[nearest[i]]
        assert (from_self | from_neighbour).all()
        assert 0.3 < from_neighbour.mean() < 0.7


def test_probability_zero_is_a_copy():
    frame = mixed()
    made = Munge(2, swap_probability=0.0).sample(frame)
    expected = pd.concat([frame, frame], ignore_index=True)
    pd.testing.assert_frame_equal(made, expected)


# Tables


def as_polars(frame):
    columns = {
        name: frame[name].astype(object).where(frame[name].notna(), None).tolist()
        for name in frame
    }
    kinds = {"kind": pl.Enum(["z", "y", "x"]), "single": pl.Float32}
    return pl.DataFrame(columns).with_columns(
        pl.col(c).cast(t) for c, t in kinds.items()
    )


def test_frames_keep_columns_dtypes_and_categories():
    frame = mixed()
    made = Munge(3, random_state=0).sample(frame)
    assert made.shape == (900, 7)
    assert (made.dtypes == frame.dtypes).all()
    assert_array_equal(made.index, np.arange(900))
    assert set(made["text"]) == {"a", "b", "c"}
    assert made["kind"].cat.categories.tolist() == ["z", "y", "x"]
    for name in ("real", "single", "whole", "maybe"):
        assert frame[name].min() <= made[name].min()
        assert made[name].max() <= frame[name].max()
        assert (
            not made[name]
            .iloc[:300]
            .reset_index(drop=True)
            .equals(frame[name].reset_index(drop=True))
        )
    assert 0.1 < made["maybe"].isna().mean() < 0.3


def test_polars_gives_what_pandas_gives():
    frame = mixed()
    rows = as_polars(frame)
    made = Munge(2, random_state=0).sample(rows)
    assert made.schema == rows.schema
    expected = Munge(2, random_state=0).sample(frame)
    for name in frame:
        values = expected[name].astype(object).where(expected[name].notna(), None)
        assert made[name].to_list() == pytest.approx(values.tolist())


def test_arrays_keep_their_dtype():
    for dtype in (np.float32, np.float64, np.int16):
        X = (RNG.normal(size=(50, 3)) * 10).astype(dtype)
        made = Munge(2, random_state=0).sample(X)
        assert made.dtype == dtype
        assert made.shape == (100, 3)
    objects = mixed().astype(object).to_numpy()
    made = Munge(1, random_state=0).sample(objects)
    assert made.dtype == object
    assert {type(cell) for cell in made[:, 5]} == {str}
    assert all(float(cell).is_integer() for cell in made[:, 2])


def test_the_seed_decides():
    X = RNG.normal(size=(50, 3))
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second, other = (Munge(1, random_state=s).sample(X) for s in (0, 0, 1))
    assert_array_equal(first, second)
    assert np.abs(first - other).max() > 0.01
    assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize(
    ("n_rows", "expected"), [(100, 9), (16_000, 9), (50_000, 3), (400_000, 1)]
)
def test_auto_makes_fewer_multiples_of_large_tables(n_rows, expected):
    assert Munge()._count(n_rows) == expected


# Distilling with a transfer set


MOONS, LABELS = make_moons(150, noise=0.3, random_state=0)
FOREST = RandomForestClassifier(30, min_samples_leaf=5, random_state=0)


def test_munge_rows_are_labelled_by_the_teacher_fitted_on_all_rows():
    model = DistilledClassifier(
        FOREST, "linear", teacher_cv=3, transfer_set=Munge(4, random_state=5)
    ).fit(MOONS, LABELS)
    made = Munge(4, random_state=5).sample(MOONS)
    teacher = clone(FOREST).fit(MOONS, LABELS)
    proba = cross_val_predict(FOREST, MOONS, LABELS, cv=3, method="predict_proba")
    by_hand = LinearStudent().fit(
        MOONS,
        LABELS,
        soft_targets=proba,
        transfer_X=made,
        transfer_targets=teacher.predict_proba(made),
    )
    assert_allclose(model.coef_, by_hand.coef_, rtol=1e-6)


@pytest.mark.parametrize("distillation_weight", [0.5, 3.0, np.inf])
def test_a_transfer_row_weighs_as_the_mean_labelled_row(distillation_weight):
    """Against LogisticRegression on each row once per class, weights written out."""
    rng = np.random.default_rng(0)
    extra = rng.normal(size=(80, 2))
    proba, more = (rng.dirichlet([1, 1], size=n) for n in (150, 80))
    weight = rng.uniform(0.5, 2, size=150)
    student = LinearStudent(encoding=None, tol=1e-10).fit(
        MOONS,
        LABELS,
        weight,
        soft_targets=proba,
        transfer_X=extra,
        transfer_targets=more,
        distillation_weight=distillation_weight,
    )
    hard = 1 / (1 + distillation_weight)
    labelled = weight[:, None] * (hard * np.eye(2)[LABELS] + (1 - hard) * proba)
    transfer = weight.mean() * (1 - hard) * more
    blend = np.vstack([labelled, transfer])
    expected = LogisticRegression(C=1.0, tol=1e-12, max_iter=10_000).fit(
        np.repeat(np.vstack([MOONS, extra]), 2, axis=0),
        np.tile([0, 1], 230),
        blend.ravel(),
    )
    assert_allclose(
        student.predict_proba(MOONS), expected.predict_proba(MOONS), atol=1e-5
    )


@pytest.mark.parametrize("student", ["linear", MLPStudent((8,), max_iter=3)])
def test_without_weight_on_the_teacher_there_is_no_transfer_set(student):
    settings = {"distillation_weight": 0, "random_state": 0}
    plain = DistilledClassifier(GaussianNB(), student, **settings).fit(MOONS, LABELS)
    with_rows = DistilledClassifier(
        GaussianNB(), student, transfer_set="munge", **settings
    ).fit(MOONS, LABELS)
    assert_array_equal(with_rows.predict_proba(MOONS), plain.predict_proba(MOONS))


def test_rows_of_the_users_own():
    extra = RNG.normal(size=(60, 2))
    model = DistilledClassifier(FOREST, "linear", transfer_set=extra).fit(MOONS, LABELS)
    teacher = clone(FOREST).fit(MOONS, LABELS)
    by_hand = LinearStudent().fit(
        MOONS,
        LABELS,
        soft_targets=teacher.predict_proba(MOONS),
        transfer_X=extra,
        transfer_targets=teacher.predict_proba(extra),
    )
    assert_allclose(model.coef_, by_hand.coef_, rtol=1e-6)
    assert_array_equal(clone(model).transfer_set, extra)


def test_rows_are_labelled_in_chunks_and_progress_is_said(monkeypatch, capsys):
    monkeypatch.setattr(soft_targets, "_CHUNK_ROWS", 100)
    extra = RNG.normal(size=(250, 2))
    frozen = FrozenEstimator(GaussianNB().fit(MOONS, LABELS))
    model = DistilledClassifier(
        frozen, LinearStudent(), transfer_set=extra, verbose=1
    ).fit(MOONS, LABELS)
    said = capsys.readouterr().out.splitlines()
    assert said == [f"teacher: {n} of 250 rows labelled" for n in (100, 200, 250)]
    monkeypatch.undo()
    whole = clone(model).set_params(verbose=0).fit(MOONS, LABELS)
    assert_allclose(model.coef_, whole.coef_, rtol=1e-9)


# What cannot be used


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_multiples": 0}, "Munge: n_multiples=0 must be an integer >= 1"),
        ({"n_multiples": "many"}, "Munge: n_multiples='many' is not valid"),
        (
            {"swap_probability": 1.5},
            "Munge: swap_probability=1.5 must be a number >= 0",
        ),
        ({"local_variance": 0}, "Munge: local_variance=0 must be a number > 0"),
    ],
)
def test_parameters_are_checked_before_the_teacher_works(params, message):
    with pytest.raises(ValueError, match=message):
        DistilledClassifier(None, transfer_set=Munge(**params)).fit(MOONS, LABELS)


def test_an_unknown_transfer_set_names_the_nearest():
    with pytest.raises(ValueError, match=r"transfer_set='mung'.*Did you mean 'munge'"):
        DistilledClassifier(transfer_set="mung").fit(MOONS, LABELS)


def test_rows_with_other_columns_are_refused_before_the_teacher_works():
    with pytest.raises(ValueError, match="X has 3 features, but DistilledClassifier"):
        DistilledClassifier(None, transfer_set=np.ones((5, 3))).fit(MOONS, LABELS)


def test_no_teacher_labels_no_rows():
    proba = np.eye(2)[LABELS]
    with pytest.raises(ValueError, match="transfer_set='munge' needs a teacher"):
        DistilledClassifier(transfer_set="munge").fit(
            MOONS, LABELS, teacher_proba=proba
        )


def test_one_row_has_no_neighbour():
    with pytest.raises(ValueError, match="Munge needs at least two rows"):
        Munge().sample(np.ones((1, 3)))


def test_half_a_transfer_set_is_refused():
    proba = np.eye(2)[LABELS]
    with pytest.raises(ValueError, match="transfer_targets without transfer_X"):
        LinearStudent().fit(MOONS, LABELS, soft_targets=proba, transfer_targets=proba)


def test_no_rows_are_no_transfer_set():
    with pytest.raises(ValueError, match="transfer_set has no rows"):
        DistilledClassifier(transfer_set=np.ones((0, 2))).fit(MOONS, LABELS)


def test_a_weight_that_vanishes_beside_1_is_zero():
    """Rows without a label were asked for one: 1e-17 is not 0, but 1 + 1e-17 is 1."""
    settings = {"transfer_set": "munge", "random_state": 0}
    tiny, zero = (
        DistilledClassifier(
            GaussianNB(), "linear", distillation_weight=weight, **settings
        ).fit(MOONS, LABELS)
        for weight in (1e-17, 0)
    )
    assert_array_equal(tiny.coef_, zero.coef_)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@pytest.mark.parametrize("width", [1, 8])
def test_booleans_with_missing_cells_are_swapped(kind, width):
    """A missing cell counted as a third value: booleans were drawn like numbers."""
    rng = np.random.default_rng(0)
    flags = rng.choice(np.array([True, False, None]), 200, p=[0.45, 0.45, 0.1])
    columns = {f"x{j}": rng.normal(size=200) for j in range(width)}
    if kind == "pandas":
        frame = pd.DataFrame(columns)
        frame["flag"] = pd.array(flags, dtype="boolean")
        frame["digit"] = pd.array([None if x is None else int(x) for x in flags])
    else:
        frame = pl.DataFrame(columns).with_columns(
            flag=pl.Series(flags.tolist()), digit=pl.Series(flags.tolist(), dtype=int)
        )
    made = Munge(2, random_state=0).sample(frame)
    assert list(made.dtypes) == list(frame.dtypes)
    missing = pd.isna(made["flag"]) if kind == "pandas" else made["flag"].is_null()
    assert 0.05 < missing.mean() < 0.2
    assert set(made["digit"].to_list()) - {0, 1, None, pd.NA} == set()


def test_objects_that_are_no_floats_are_swapped():
    """They came back as floats in between, on which a one-hot teacher failed."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=100)})
    frame["code"] = pd.Series(rng.integers(0, 5, 100).tolist(), dtype=object)
    frame["yes"] = pd.Series(rng.choice([True, False], 100).tolist(), dtype=object)
    frame["float"] = pd.Series(rng.normal(size=100).tolist(), dtype=object)
    made = Munge(2, random_state=0).sample(frame)
    assert {type(x) for x in made["code"]} == {int}
    assert set(made["code"]) <= set(range(5))
    assert {type(x) for x in made["yes"]} == {bool}
    assert not set(made["float"]) <= set(frame["float"])

    array = Munge(2, random_state=0).sample(frame.to_numpy())
    assert {type(x) for x in array[:, 1]} == {int}
    assert not set(array[:, 3]) <= set(frame["float"])


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_integers_beyond_floating_point_are_swapped(dtype):
    """The largest one became the smallest."""
    rng = np.random.default_rng(0)
    ids = np.iinfo(dtype).max - rng.integers(0, 50, 100).astype(dtype)
    X = np.column_stack([ids, ids[::-1]])
    assert set(Munge(2, random_state=0).sample(X).ravel()) <= set(ids)
    frame = pd.DataFrame(X)
    made = Munge(2, random_state=0).sample(frame)
    assert set(made.to_numpy().ravel()) <= set(ids)


@pytest.mark.parametrize(
    ("rows", "error", "expected"),
    [
        (np.full((3, 2), np.inf), ValueError, "infinity"),
        (np.array([["a", "b"]]), ValueError, "column 0 holds 'a'"),
    ],
    ids=["infinite", "text"],
)
def test_unusable_rows_are_refused_before_the_teacher_is_fitted(rows, error, expected):
    """The teacher was fitted first, and the message did not say where the rows were."""

    class NeverFitted(GaussianNB):
        def fit(self, X, y):
            raise AssertionError("the teacher was fitted")

    model = DistilledClassifier(NeverFitted(), "linear", transfer_set=rows)
    with pytest.raises(error, match=f"transfer_set cannot be learned from.*{expected}"):
        model.fit(MOONS, LABELS)


@pytest.mark.parametrize(
    ("value", "hint"), [(Munge, r" Call the class: Munge\(\)\."), (5, "")], ids=repr
)
def test_what_is_no_transfer_set(value, hint):
    model = DistilledClassifier(FOREST, "linear", transfer_set=value)
    with pytest.raises(TypeError, match=f"or a frame of rows, or None.{hint}"):
        model.fit(MOONS, LABELS)
