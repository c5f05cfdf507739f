"""Frames with strings, categoricals and missing values, from end to end."""

import datetime
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sk_distill import (
    DistilledClassifier,
    LinearStudent,
    MLPStudent,
    MLPTeacher,
    Munge,
)

BOOSTING = HistGradientBoostingClassifier(
    max_iter=10, categorical_features="from_dtype", random_state=0
)


def frame_and_labels(n_rows=400):
    rng = np.random.default_rng(0)
    number = rng.normal(size=n_rows)
    color = rng.choice(["red", "green", "blue"], size=n_rows)
    chance = 1 / (1 + np.exp(-2 * np.abs(number) + 1 + 2 * (color == "red")))
    y = np.where(rng.random(n_rows) < chance, "yes", "no")
    number[rng.random(n_rows) < 0.1] = np.nan
    frame = pd.DataFrame(
        {
            "number": number,
            "color": pd.Categorical(color),
            "flag": rng.random(n_rows) < 0.5,
            "whole": rng.integers(0, 50, n_rows),
        }
    )
    return frame, y


FRAME, Y = frame_and_labels()
STUDENTS = {
    "linear": LinearStudent(),
    "additive": LinearStudent(encoding="piecewise_linear", n_bins=8),
    "quantile": LinearStudent(encoding="quantile", n_bins=8),
    "linear adam": LinearStudent(solver="adam", max_iter=5, random_state=0),
    "mlp": MLPStudent((8,), max_iter=5, random_state=0),
    "mlp standard": MLPStudent((8,), encoding="standard", max_iter=5, random_state=0),
    "mlp lbfgs": MLPStudent((4,), solver="lbfgs", alpha=5.0, random_state=0),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", STUDENTS)
def test_a_frame_in_probabilities_out(name):
    model = DistilledClassifier(BOOSTING, STUDENTS[name], random_state=0)
    model.fit(FRAME, Y)
    proba = model.predict_proba(FRAME)
    assert_allclose(proba.sum(axis=1), 1)
    assert model.score(FRAME, Y) > 0.62
    # Row by row, in another order, and after a pickle: the same.
    assert_allclose(model.predict_proba(FRAME.iloc[[7]]), proba[[7]], atol=1e-12)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(
        again.predict_proba(FRAME[::-1]), model.predict_proba(FRAME[::-1])
    )
    assert_allclose(model.predict_proba(FRAME[::-1])[::-1], proba, atol=1e-12)


def test_kinds_of_tables_do_not_matter():
    text = FRAME.assign(color=FRAME["color"].astype(str))
    objects = text.astype(object).to_numpy()
    rows = pl.DataFrame(
        {c: text[c].astype(object).where(text[c].notna(), None).tolist() for c in text}
    )
    lists = [list(row) for row in objects]
    student = MLPStudent((8,), max_iter=3, random_state=0)
    expected = student.fit(FRAME, Y).predict_proba(FRAME)
    for table in (text, rows):
        assert_array_equal(student.fit(table, Y).predict_proba(table), expected)
        assert_array_equal(student.feature_names_in_, FRAME.columns)
    for table in (objects, lists):
        assert_array_equal(student.fit(table, Y).predict_proba(table), expected)


def test_one_hot_and_scaling_by_hand_are_the_standard_encoding():
    """With categories the linear student is scikit-learn's pipeline, exactly."""
    frame = FRAME[["color", "whole"]]
    scaled = (frame["whole"] - frame["whole"].mean()) / frame["whole"].std(ddof=0)
    pipeline = make_pipeline(
        make_column_transformer(
            ("passthrough", ["whole"]), (OneHotEncoder(), ["color"])
        ),
        LogisticRegression(tol=1e-10, max_iter=1000),
    ).fit(frame.assign(whole=scaled), Y)
    student = LinearStudent(tol=1e-10).fit(frame, Y)
    assert_allclose(
        student.predict_proba(frame),
        pipeline.predict_proba(frame.assign(whole=scaled)),
        atol=1e-6,
    )
    assert not hasattr(student, "coef_")


def test_full_batch_and_mini_batches_are_the_same_network():
    """One is trained on slots, the other on units: both go to the same optimum."""
    settings = {"encoding": "piecewise_linear", "n_bins": 6, "alpha": 20.0}
    exact = LinearStudent(tol=1e-8, **settings).fit(FRAME, Y)
    steps = LinearStudent(
        solver="adam",
        learning_rate="one_cycle",
        learning_rate_init=0.05,
        batch_size=400,
        max_iter=1500,
        random_state=0,
        **settings,
    ).fit(FRAME, Y)
    assert_allclose(steps.predict_proba(FRAME), exact.predict_proba(FRAME), atol=2e-3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_warm_start_goes_on_where_it_was():
    for student in (STUDENTS["additive"], STUDENTS["mlp lbfgs"], STUDENTS["linear"]):
        student = student.__class__(**student.get_params())
        before = student.fit(FRAME, Y).predict_proba(FRAME)
        # Any gradient is small enough: it ends where it starts.
        student.set_params(warm_start=True, tol=1e6).fit(FRAME, Y)
        assert_allclose(student.predict_proba(FRAME), before, atol=1e-7)


# Additive effects


@pytest.mark.parametrize("name", ["linear", "additive", "quantile"])
def test_effects_and_intercept_add_up_to_the_logits(name):
    student = LinearStudent(**STUDENTS[name].get_params()).fit(FRAME, Y)
    effects = student.feature_effects_
    assert list(effects) == FRAME.columns.tolist()
    total = np.full(len(FRAME), student.intercept_[0])
    for column, effect in effects.items():
        values = FRAME[column]
        if column == "color":
            of_level = dict(zip(effect.grid, effect.effect[:, 0], strict=True))
            part = values.map(of_level).to_numpy(dtype=float)
        else:
            # A straight line goes on beyond its two points; bins end.
            grid, curve = effect.grid, effect.effect[:, 0]
            part = np.interp(values.to_numpy(dtype=float), grid, curve)
            if name == "linear":
                slope = np.diff(curve) / np.diff(grid)
                part = curve[0] + slope * (values.to_numpy(dtype=float) - grid[0])
            if effect.other is not None:
                part = np.where(values.isna(), effect.other[0], part)
        total += part
    assert_allclose(total, student.decision_function(FRAME), atol=1e-9)


def test_effects_are_zero_in_the_mean():
    student = LinearStudent(**STUDENTS["additive"].get_params()).fit(FRAME, Y)
    color = student.feature_effects_["color"]
    shares = FRAME["color"].value_counts(normalize=True)[color.grid].to_numpy()
    assert_allclose(shares @ color.effect[:, 0], 0, atol=1e-12)
    assert_array_equal(color.grid, ["blue", "green", "red"])
    # What the truth says: red lowers the odds, and far from zero raises them.
    assert color.effect[2, 0] < color.effect[:2, 0].min()
    curve = student.feature_effects_["number"].effect[:, 0]
    assert curve[[0, -1]].min() > curve.min()


def test_the_additive_student_finds_a_piecewise_linear_truth():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(20_000, 2))
    logits = 3 * np.abs(X[:, 0]) - 3 + np.clip(X[:, 1], 0, 1)
    proba = 1 / (1 + np.exp(-logits))
    student = LinearStudent(encoding="piecewise_linear", n_bins=40, alpha=0.01).fit(
        X, None, soft_targets=np.column_stack([1 - proba, proba])
    )
    assert_allclose(student.predict_proba(X)[:, 1], proba, atol=0.02)
    first = student.feature_effects_["x0"]
    truth = 3 * np.abs(first.grid)
    spread = first.effect[:, 0] - truth
    assert np.abs(spread - spread.mean())[1:-1].max() < 0.15


# What comes later


def test_levels_and_missing_cells_that_were_never_seen():
    student = MLPStudent((8,), max_iter=3, random_state=0).fit(FRAME, Y)
    row = FRAME.iloc[[0]].assign(color="violet", whole=np.nan)
    row.insert(2, "flag", row.pop("flag"))
    assert np.isfinite(student.predict_proba(row)).all()
    none = pd.DataFrame({c: [None] for c in FRAME}).astype(object)
    assert np.isfinite(student.predict_proba(none)).all()


def test_a_column_that_was_numeric_and_now_holds_text_is_named():
    student = LinearStudent().fit(FRAME, Y)
    wrong = FRAME.astype({"whole": object})
    wrong.loc[3, "whole"] = "many"
    with pytest.raises(ValueError, match="LinearStudent: column 'whole' holds 'many'"):
        student.predict(wrong)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pd.date_range("2020-01-01", periods=400), "holds dates or times"),
        ([datetime.timedelta(1)] * 400, "holds dates or times"),
        (pd.Series([datetime.timedelta(1)] * 400, dtype=object), "holds dates or t"),
        ([datetime.date(2020, 1, 1)] * 400, "holds dates or times"),
        (pd.period_range("2020", periods=400, freq="D"), "holds dates or times"),
        ([{"a": 1}] * 400, "argument must be a string or a number, not 'dict'"),
    ],
    ids=["dates", "durations", "objects", "days", "periods", "dicts"],
)
def test_columns_that_are_neither_numbers_nor_text_are_named(column, message):
    with pytest.raises(TypeError, match=f"MLPTeacher: column 'odd' {'.*'}{message}"):
        MLPTeacher().fit(FRAME.assign(odd=column), Y)


def test_infinity_is_refused():
    with pytest.raises(ValueError, match="LinearStudent: Input X contains infinity"):
        LinearStudent().fit(FRAME.assign(number=np.inf), Y)


def test_no_encoding_takes_no_categories():
    with pytest.raises(ValueError, match=r"takes numbers as they are, but columns \[1"):
        LinearStudent(encoding=None).fit(FRAME, Y)


def test_a_module_gets_the_table_one_hot():
    from torch import nn

    widths = []

    class Net(nn.Linear):
        def __init__(self, n_features, n_classes):
            widths.append(n_features)
            super().__init__(n_features, n_classes)

    DistilledClassifier(BOOSTING, Net, random_state=0).fit(FRAME, Y)
    # Three numbers, three colours, and whether the one that has gaps is missing.
    assert set(widths) == {7}


@pytest.mark.parametrize("names", ["numbers", "tuples"])
def test_columns_are_taken_by_their_place(names):
    """A column named 6 was looked for among the rows."""
    frame = FRAME.copy()
    frame.columns = (
        [3, 6, 0, 1]
        if names == "numbers"
        else pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1), ("b", 2)])
    )
    expected = LinearStudent().fit(FRAME, Y).predict_proba(FRAME)
    got = LinearStudent().fit(frame, Y).predict_proba(frame)
    assert_array_equal(got, expected)
    assert Munge(1, random_state=0).sample(frame).columns.tolist() == list(frame)


def test_an_array_of_dates_is_refused():
    dates = np.full((400, 2), "2020-01-01", dtype="datetime64[D]")
    with pytest.raises(TypeError, match="LinearStudent: X holds dates or times"):
        LinearStudent().fit(dates, Y)
