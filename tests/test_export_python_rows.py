import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from python_files import assert_same_answers, cells_of, exported, mixed_table
from sk_distill import LinearStudent, MLPStudent
from sk_distill.networks.mlp import ACTIVATIONS


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("offset", [0.0, 1e9])
@pytest.mark.parametrize("hidden", [(8,), (7, 5)])
def test_a_row_of_which_one_cell_is_far_from_all_others(
    activation, offset, hidden, multiclass, tmp_path
):
    """Units that rectify hide it: that a row has such a cell is told by the layers."""
    X, y = multiclass
    # Beside columns of other units, and of means that are to be subtracted first.
    X = X[:, :4] * [1e-6, 1.0, 1e6, 1.0] + [0.0, 0.0, 0.0, offset]
    student = MLPStudent(
        hidden, activation, encoding="standard", max_iter=2, random_state=0
    ).fit(X, y)
    rows = [X[:20]]
    for j in range(4):
        for distance in (1e5, 1e6, 1e7, 1e100, -1e5, -1e6, -1e7, -1e100, np.nan):
            row = X[:1].copy()
            row[0, j] += distance * X[:, j].std()
            rows.append(row)
    rows = np.vstack(rows)
    assert_same_answers(exported(student, tmp_path), student, rows)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_logits_far_from_zero(n_classes, tmp_path):
    """Of powers that overflow, vanish or have few digits left there is no sum."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 30))
    y = np.clip(np.round(X[:, 0] + n_classes / 2), 0, n_classes - 1).astype(int)
    student = LinearStudent(encoding=None).fit(X, y)
    assert student.coef_.size > 32 or n_classes == 2
    file = exported(student, tmp_path)
    for scale in (1.0, 10.0, 100.0, 1e3, 1e6, 1e200):
        assert_same_answers(file, student, X * scale)
    shifted = student.fit(X[1:], y[1:])
    shifted.intercept_ = shifted.intercept_ - 720.0
    assert_same_answers(exported(shifted, tmp_path), shifted, X[1:])


@pytest.mark.parametrize("encoding", [None, "standard", "piecewise_linear"])
def test_a_row_alone_may_be_of_any_kind_of_sequence(encoding, multiclass, tmp_path):
    X, y = multiclass
    X = np.round(X * 4)
    student = MLPStudent((8,), encoding=encoding, max_iter=2, random_state=0).fit(X, y)
    predict_proba = exported(student, tmp_path)["predict_proba"]
    for i in range(3):
        row, expected = X[i], student.predict_proba(X[i : i + 1])
        for same in (
            row,
            row.astype(np.float32),
            row.astype(int),
            row.astype(object),
            row.astype(str),
            tuple(row),
            row.astype(int).tolist(),
            [str(cell) for cell in row],
            pd.Series(row, index=list("abcdef")),
        ):
            assert_allclose(predict_proba([same]), expected, rtol=0, atol=1e-9)
        assert_allclose(predict_proba(X[i : i + 1]), expected, rtol=0, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Casting complex values")
@pytest.mark.parametrize(
    "student",
    [
        LinearStudent(),
        LinearStudent(encoding="quantile"),
        MLPStudent((4,), encoding="standard", max_iter=1, random_state=0),
        MLPStudent((4,), encoding=None, max_iter=1, random_state=0),
    ],
    ids=["no numpy", "linear", "standard", "numbers"],
)
def test_what_numpy_turns_into_numbers_is_none(student, binary, tmp_path):
    """Dates were answered as their days since 1970, complex numbers by a part."""
    X, y = binary
    frame = pd.DataFrame(X, columns=list("abcdef"))
    predict_proba = exported(student.fit(frame, y), tmp_path)["predict_proba"]
    dates = frame.assign(**dict.fromkeys("abcdef", pd.Timestamp("2020")))
    row = frame.iloc[0].tolist()
    for some in (
        dates,
        dates.to_numpy(),
        dates.to_numpy().astype("M8[D]"),
        dates[:1],
        [dates.iloc[0]],
        [dates.to_numpy()[0]],
        frame.assign(a=pd.Timestamp("2020")),
        [[np.datetime64("2020-01-01"), *row[1:]]],
        [[np.datetime64("2020-01-01"), *row[1:]], row],
        [[np.timedelta64(1, "s"), *row[1:]], row],
        [[1j, *row[1:]], row],
        X + 1j,
    ):
        with pytest.raises(TypeError, match=r"'a' holds .*; expected a number"):
            predict_proba(some)
    for some in ([b"sixsix"], [row, b"sixsix"]):
        with pytest.raises(TypeError, match=r"got b.* for a row; expected a sequence"):
            predict_proba(some)
    if student.encoding is not None:
        absent = [[np.datetime64("NaT"), *row[1:]]]
        expected = student.predict_proba(
            pd.DataFrame([[np.nan, *row[1:]]], columns=frame.columns)
        )
        assert_allclose(predict_proba(absent), expected, atol=1e-9)
        assert_allclose(predict_proba(absent * 2)[:1], expected, atol=1e-9)


def test_a_row_of_a_frame_of_text_and_numbers(tmp_path):
    """By its labels it was not to be had by place: KeyError: 0."""
    X, y = mixed_table()
    student = MLPStudent((4,), max_iter=1, random_state=0).fit(X, y)
    predict_proba = exported(student, tmp_path)["predict_proba"]
    expected = student.predict_proba(X[:3])
    rows = [X.iloc[i] for i in range(3)]
    assert_allclose(predict_proba(rows), expected, rtol=0, atol=1e-9)
    assert_allclose([predict_proba([r])[0] for r in rows], expected, rtol=0, atol=1e-9)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("n_columns", [3, 70])
def test_a_logit_that_is_infinite(n_columns, tmp_path):
    """Of two infinite logits the difference is no number: neither was the answer."""
    X = np.random.default_rng(0).normal(size=(200, n_columns))
    student = LinearStudent(encoding=None).fit(X, X[:, 0] > 0)
    student.coef_ = student.coef_ * 10
    rows = np.tile(X[:2], (1, 1))
    rows[:, 0] = [1e308, -1e308]
    assert_same_answers(exported(student, tmp_path), student, rows)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_a_logit_after_the_first_that_is_infinite(tmp_path):
    """Only the first one was looked at: of a row alone all probabilities were NaN."""
    X = np.random.default_rng(0).normal(size=(300, 30))
    student = LinearStudent().fit(X, np.arange(300) % 3)
    student.coef_ = np.zeros((3, 30))
    student.coef_[1, 0], student.coef_[2, :2] = 0.01, (10, -10)
    student.intercept_ = np.zeros(3)
    rows = np.array([[1e308, 1e308, *X[0, 2:]], [1e308, 1e300, *X[0, 2:]]])
    assert_same_answers(exported(student, tmp_path), student, rows)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize(
    "student", [LinearStudent(), MLPStudent((4,), max_iter=1, random_state=0)]
)
def test_rows_that_cannot_be_used_are_refused(student, binary, tmp_path):
    predict_proba = exported(student.fit(*binary), tmp_path)["predict_proba"]
    row = [0.0] * 6
    for rows in ([row[:5]], [row, row[:5]], [[[0.0]] * 5]):
        with pytest.raises(ValueError, match="a row has 5 cells; expected 6"):
            predict_proba(rows)
    # Six numbers, but not in a row.
    for rows in (np.zeros((1, 2, 3)), [np.zeros((2, 3))]):
        with pytest.raises(ValueError, match="a row has 2 cells; expected 6"):
            predict_proba(rows)
    for rows in (row, ["sixsix"], [row, 3.0]):
        with pytest.raises(TypeError, match=r"for a row; expected .* 6 cells. Pass"):
            predict_proba(rows)
    for rows in ([["a", *row[1:]]], [row, ["a", *row[1:]]]):
        with pytest.raises(ValueError, match="'x0' holds 'a'; expected a number"):
            predict_proba(rows)
    for bad in (np.inf, -np.inf):
        for rows in ([[*row[:5], bad]], [row, [*row[:5], bad]]):
            with pytest.raises(ValueError, match="'x5' holds infinity"):
                predict_proba(rows)
    assert predict_proba([]) == []


@pytest.mark.parametrize(
    "student", [LinearStudent(), MLPStudent((4,), max_iter=1, random_state=0)]
)
def test_what_are_no_rows_is_named(student, binary, tmp_path):
    """A dict for a row gave a KeyError, an iterator for rows said it has no len()."""
    X, y = binary
    predict_proba = exported(student.fit(X, y), tmp_path)["predict_proba"]
    rows = X[:2].tolist()
    named = dict(zip([f"x{j}" for j in range(6)], rows[0], strict=True))
    numbered = dict(enumerate(rows[0]))
    for some in ([named], [rows[0], named], [numbered], [numbered, numbered]):
        with pytest.raises(TypeError, match=r"got the dict .* for name in COLUMNS\]"):
            predict_proba(some)
    for nothing in (None, iter(rows), 3.0, {"x0": [1.0]}, np.array(3.0)):
        with pytest.raises(
            TypeError, match=r"got .* for rows; expected a list .* Pass"
        ):
            predict_proba(nothing)
    for some in ([set(rows[0])], [rows[0], set(rows[0])], [frozenset(rows[0])]):
        with pytest.raises(TypeError, match=r"got .* for a row; expected a sequence"):
            predict_proba(some)
    for some in ([None], [rows[0], None]):
        with pytest.raises(TypeError, match="got None for a row; expected a sequence"):
            predict_proba(some)
    for cell in ([1.0], np.ones(2), {}):
        for some in ([[cell, *rows[0][1:]]], [rows[1], [cell, *rows[0][1:]]]):
            with pytest.raises(TypeError, match=r"'x0' holds .*; expected a number"):
                predict_proba(some)


def test_cells_and_rows_of_a_mixed_table_are_named(tmp_path):
    """A list in the place of a level was an unhashable type of no column."""
    X, y = mixed_table()
    predict_proba = exported(LinearStudent().fit(X, y), tmp_path)["predict_proba"]
    row = cells_of(X)[10]
    for cell in (["a"], {"a": 1}, np.array(["a", "b"])):
        bad = [row[0], cell, *row[2:]]
        for rows in ([bad], [row, bad]):
            with pytest.raises(TypeError, match=r"column 'kind' holds .* a level, or"):
                predict_proba(rows)
    named = dict(zip(X, row, strict=True))
    for rows in ([named], [row, named]):
        with pytest.raises(TypeError, match=r"got the dict .* for name in COLUMNS\]"):
            predict_proba(rows)


def test_missing_cells_are_refused_where_the_student_refuses_them(binary, tmp_path):
    X, y = binary
    for student in (
        LinearStudent(encoding=None),
        MLPStudent((4,), encoding=None, max_iter=1),
    ):
        predict_proba = exported(student.fit(X, y), tmp_path)["predict_proba"]
        for cell in (None, np.nan):
            rows = [[cell, *X[0, 1:]]]
            for some in (rows, rows * 2):
                with pytest.raises(ValueError, match=r"'x0' holds a missing .*=None"):
                    predict_proba(some)


STUDENTS_OF_ARRAYS = [
    MLPStudent((8,), encoding="standard", max_iter=2, random_state=0),
    MLPStudent((8, 4), "tanh", encoding=None, max_iter=2, random_state=0),
    MLPStudent((8,), encoding="quantile", max_iter=2, random_state=0),
]


@pytest.fixture
def switching_threads_often():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("switching_threads_often")
@pytest.mark.parametrize("student", STUDENTS_OF_ARRAYS)
def test_threads_that_ask_at_a_time(student, multiclass, tmp_path):
    """A row is answered in arrays that are kept: no two rows may share them."""
    X, y = multiclass
    student.fit(X, y)
    predict_proba = exported(student, tmp_path)["predict_proba"]
    rows = X.tolist()
    expected = student.predict_proba(X)

    def ask(start):
        order = [(start + i) % len(rows) for i in range(2 * len(rows))]
        answers = [predict_proba([rows[i]])[0] for i in order]
        return np.abs(np.array(answers) - expected[order]).max()

    with ThreadPoolExecutor(8) as pool:
        differences = list(pool.map(ask, range(0, 80, 10)))
    assert max(differences) < 1e-9


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("student", STUDENTS_OF_ARRAYS)
def test_rows_after_one_that_is_refused_or_odd(student, multiclass, tmp_path):
    X, y = multiclass
    student.fit(X, y)
    predict_proba = exported(student, tmp_path)["predict_proba"]
    row, expected = X[0], student.predict_proba(X[:1])
    for cells in (
        row[:5].tolist(),
        [*row[:5], "a"],
        [*row[:5], np.inf],
        [*row[:5], object()],
        row[:1],
        row[:, None],
        np.float64(3.0),
        np.full(6, np.inf),
    ):
        with pytest.raises((ValueError, TypeError), match=r"for a row|cells|holds"):
            predict_proba([cells])
        assert_allclose(predict_proba([row]), expected, rtol=0, atol=1e-9)
        assert_allclose(predict_proba([row.tolist()]), expected, rtol=0, atol=1e-9)
    both = np.repeat(row, 2)
    for same in (both[::2], row[::-1].copy()[::-1], row.astype(">f8"), row[None]):
        alone = same if same.ndim == 2 else [same]
        assert_allclose(predict_proba(alone), expected, rtol=0, atol=1e-9)
