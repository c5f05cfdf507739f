import runpy
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from python_files import assert_same_answers, cells_of, exported, mixed_table
from sk_distill import (
    DistilledClassifier,
    DistilledClassifierCV,
    LinearStudent,
    MLPStudent,
    compress,
)
from sk_distill.export import to_python
from sk_distill.networks.mlp import ACTIVATIONS

NASTY = [
    'a"""b',
    "'quote' \\",
    "line\nbreak\r\t\0",
    '");import os;os._exit(3);("',
    "{x} %s {{",
    "\ud800 lone",
    "é😀\u2028",
    "__import__('os')._exit(3)",
]


@pytest.mark.parametrize(
    "student",
    [
        LinearStudent(),
        LinearStudent(encoding=None),
        LinearStudent(encoding="quantile", n_bins=7),
        MLPStudent((8,), encoding=None, max_iter=2, random_state=0),
        MLPStudent((8,), encoding="standard", max_iter=2, random_state=0),
        MLPStudent((8, 5), max_iter=2, random_state=0),
    ],
    ids=lambda student: f"{type(student).__name__}-{student.encoding}",
)
def test_numbers_are_answered_as_the_student_does(
    student, binary, multiclass, tmp_path
):
    for X, y in (binary, multiclass):
        student = student.fit(X, y)
        beyond = np.vstack([X, X[:20] * 100, -X[:20] * 100])
        file = exported(student, tmp_path)
        assert_same_answers(file, student, beyond)
        assert_allclose(
            file["predict_proba"](beyond.astype(np.float32)),
            student.predict_proba(beyond.astype(np.float32)),
            atol=1e-9,
        )


def test_python_alone_does_for_a_small_linear_student(binary, multiclass, tmp_path):
    X, y = binary
    assert "np" not in exported(LinearStudent().fit(X, y), tmp_path)
    X, y = multiclass
    assert "np" not in exported(LinearStudent().fit(X, y), tmp_path)
    # Three outputs of 11 columns are 33 products; four are many for lists.
    for rows, labels in (
        (np.hstack([X, X[:, :5]]), y),
        (X[:, :2], np.arange(len(X)) % 4),
    ):
        student = LinearStudent().fit(rows, labels)
        file = exported(student, tmp_path)
        assert "np" in file
        assert_same_answers(file, student, rows)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation, multiclass, tmp_path):
    X, y = multiclass
    student = MLPStudent((6, 4), activation, max_iter=2, random_state=0).fit(X, y)
    assert_same_answers(exported(student, tmp_path), student, np.vstack([X, X * 1e3]))


@pytest.mark.parametrize(
    "student",
    [
        LinearStudent(),
        LinearStudent(encoding="piecewise_linear"),
        MLPStudent((8,), encoding="standard", max_iter=2, random_state=0),
        MLPStudent((8,), max_iter=2, random_state=0),
    ],
    ids=lambda student: f"{type(student).__name__}-{student.encoding}",
)
def test_mixed_tables(student, tmp_path):
    X, y = mixed_table()
    student.fit(X, y)
    unseen, _ = mixed_table(seed=1)
    unseen.loc[:5, "kind"] = "never seen"
    unseen.loc[6:9, "code"] = 7
    # In columns where none was missing in the fit, too.
    unseen.loc[10:12, "spent"] = np.nan
    unseen.loc[12:14, "code"] = None
    unseen.loc[15:17, "amount"] = [1e9, -1e9, 1e100]
    unseen.loc[18:19, "spent"] = [1e9, -1e15]
    file = exported(student, tmp_path)
    assert file["COLUMNS"] == ["amount", "kind", "flag", "code", "spent"]
    assert file["CLASSES"] == ["no", "yes"]
    assert_same_answers(file, student, unseen, cells_of(unseen))
    expected = student.predict_proba(unseen)
    assert_allclose(file["predict_proba"](unseen), expected, atol=1e-9)


def test_a_frame_of_polars_is_taken_by_its_columns(tmp_path):
    X = pl.DataFrame({"n": [1.0, None, 3.0] * 40, "s": ["u", "v", None] * 40})
    y = np.tile([0, 1, 1], 40)
    student = LinearStudent(encoding="quantile").fit(X, y)
    file = exported(student, tmp_path)
    assert_allclose(file["predict_proba"](X), student.predict_proba(X), atol=1e-9)


@pytest.mark.parametrize("to_frame", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("columns", [["a", "b"], ["a", "b", "s"]])
def test_the_columns_of_a_frame_are_found_by_name(columns, to_frame, tmp_path):
    """A frame with its columns in another order was answered by their places."""
    rng = np.random.default_rng(0)
    cells = {"a": rng.normal(size=90), "b": rng.normal(size=90), "s": ["u", "v"] * 45}
    X = to_frame({name: cells[name] for name in columns})
    student = LinearStudent().fit(X, (cells["a"] > cells["b"]).astype(int))
    predict_proba = exported(student, tmp_path)["predict_proba"]
    expected = student.predict_proba(X)
    others = to_frame({"more": ["x"] * 90, **{name: X[name] for name in columns[::-1]}})
    for rows in (X, X[columns[::-1]], others):
        assert_allclose(predict_proba(rows), expected, rtol=0, atol=1e-9)
        assert_allclose(predict_proba(rows[:1]), expected[:1], rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match=r"no column 'b'; it has .*'a'.* as COLUMNS"):
        predict_proba(X[[name for name in columns if name != "b"]])
    renamed = to_frame({name.upper(): X[name] for name in columns})
    with pytest.raises(ValueError, match=r"no column 'a', 'b'.*; it has 'A', 'B'"):
        predict_proba(renamed)


def test_a_frame_is_taken_by_place_where_no_names_were_learnt(binary, tmp_path):
    X, y = binary
    student = LinearStudent().fit(X, y)
    predict_proba = exported(student, tmp_path)["predict_proba"]
    frame = pd.DataFrame(X, columns=list("fedcba"))
    assert_allclose(predict_proba(frame), student.predict_proba(X), atol=1e-9)


@pytest.mark.parametrize("to_frame", [pd.DataFrame, pl.DataFrame])
def test_whole_numbers_that_are_levels_stay_whole_beside_floats(to_frame, tmp_path):
    """As floats two of them were one: answers were wrong by 0.13."""
    ids = [2**60 + i for i in (0, 1, 2)] * 40
    frame = pd.DataFrame({"id": pd.Categorical(ids), "x": np.linspace(-1, 1, 120)})
    student = LinearStudent().fit(frame, np.tile([0, 1, 0], 40))
    predict_proba = exported(student, tmp_path)["predict_proba"]
    X = to_frame({"id": ids, "x": frame["x"].tolist()})
    expected = student.predict_proba(frame)
    assert_allclose(predict_proba(X), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", [LinearStudent, MLPStudent])
@pytest.mark.parametrize("encoding", ["standard", "piecewise_linear"])
def test_a_cell_that_was_never_missing(kind, encoding, multiclass, tmp_path):
    X, y = multiclass
    student = kind(encoding=encoding, n_bins=5, max_iter=50).fit(X, y)
    X = X[:30].copy()
    X[::3, 0] = np.nan
    X[::4, 2:5] = np.nan
    # Beyond what is taken for a number's distance from the mean.
    X[::5, 1] = 1e12
    X[1, 3] = 1e100
    file = exported(student, tmp_path)
    assert_allclose(file["predict_proba"](X), student.predict_proba(X), atol=1e-9)
    absent = [[None if np.isnan(cell) else cell for cell in row] for row in X.tolist()]
    assert_same_answers(file, student, X, absent)


def test_columns_of_one_value_and_of_tiny_steps(tmp_path):
    rng = np.random.default_rng(0)
    X = np.column_stack(
        [np.full(200, 3.0), rng.normal(size=200), rng.integers(0, 9, 200) * 1e-300]
    )
    y = (X[:, 1] > 0).astype(int)
    student = LinearStudent(encoding="piecewise_linear").fit(X, y)
    unseen = np.vstack([X, [[2.0, 0.1, 1e-302], [1e100, 0.1, 1.0]]])
    assert_same_answers(exported(student, tmp_path), student, unseen)


@pytest.mark.parametrize("offset", [0.0, 1e9])
@pytest.mark.parametrize("most_rise", ["1e5", "0"])
def test_both_ways_to_look_a_bin_up(most_rise, offset, multiclass, tmp_path):
    """Numbers as they are lose digits where bins are narrow and far from zero."""
    X, y = multiclass
    X = X + offset
    for student in (
        LinearStudent(encoding="quantile"),
        MLPStudent((8,), max_iter=2, random_state=0),
    ):
        path = to_python(student.fit(X, y), tmp_path / "student.py")
        text = path.read_text()
        assert "MOST_RISE = 1e5" in text
        path.write_text(text.replace("MOST_RISE = 1e5", f"MOST_RISE = {most_rise}"))
        rows = np.vstack([X, 100 * X, -X])
        rows[::7, 2] = np.nan
        cells = [[None if np.isnan(c) else c for c in row] for row in rows.tolist()]
        assert_same_answers(runpy.run_path(str(path)), student, rows, cells)


def test_a_table_too_wide_to_look_all_bins_up_at_once(multiclass, tmp_path):
    X, y = multiclass
    student = LinearStudent(encoding="quantile").fit(X, y)
    path = to_python(student, tmp_path / "student.py")
    text = path.read_text()
    assert "MOST_RANKS = 4_000_000" in text
    path.write_text(text.replace("MOST_RANKS = 4_000_000", "MOST_RANKS = 0"))
    assert_same_answers(runpy.run_path(str(path)), student, X)


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32"])
@pytest.mark.parametrize("encoding", [None, "standard", "piecewise_linear"])
def test_compressed_students(dtype, encoding, binary, tmp_path):
    X, y = binary
    student = MLPStudent((8,), encoding=encoding, max_iter=2, random_state=0).fit(X, y)
    for whole in (student, LinearStudent(encoding=encoding).fit(X, y)):
        small = compress(whole, X, dtype=dtype)
        assert_same_answers(exported(small, tmp_path), small, X * 2)


@pytest.mark.filterwarnings("ignore:.*distilling does not help")
def test_the_student_of_an_estimator_is_written(binary, tmp_path):
    X, y = binary
    for model in (
        DistilledClassifier(GaussianNB(), "linear"),
        DistilledClassifierCV(GaussianNB(), "linear", cv=2),
    ):
        model.fit(X, y)
        assert_same_answers(exported(model, tmp_path), model, X)


def test_nasty_texts_are_data(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({name: rng.normal(size=160) for name in NASTY})
    X["levels"] = NASTY * 20
    y = np.array(NASTY * 20, dtype=object)
    student = LinearStudent().fit(X, y)
    path = to_python(student, tmp_path / "student.py")
    assert path.read_bytes().isascii()
    file = runpy.run_path(str(path))
    assert file["CLASSES"] == sorted(NASTY)
    assert file["COLUMNS"] == [*NASTY, "levels"]
    assert_same_answers(file, student, X, cells_of(X))
    assert "passed" in run_alone(path)


class Shouting(str):
    __slots__ = ()

    def __repr__(self):
        return "exit(3)"


def test_a_text_that_writes_itself_otherwise_is_not_asked(tmp_path):
    X = pd.DataFrame({"s": pd.Series([Shouting("a"), "b"] * 50, dtype=object)})
    student = LinearStudent().fit(X, np.tile([0, 1], 50))
    file = exported(student, tmp_path)
    assert_same_answers(file, student, X, cells_of(X))


def test_labels_keep_their_types(binary, tmp_path):
    X, y = binary
    for labels in (
        y.astype(bool),
        y.astype(float),
        y.astype(np.int8),
        np.array(["é", "b"])[y],
    ):
        student = LinearStudent().fit(X, labels)
        classes = exported(student, tmp_path)["CLASSES"]
        assert classes == student.classes_.tolist()
        assert [type(label) for label in classes] == [
            type(label) for label in student.classes_.tolist()
        ]


def test_levels_that_have_no_literal_are_refused(tmp_path):
    X = pd.DataFrame({"s": pd.Series([(1, 2), "b"] * 50, dtype=object)})
    student = LinearStudent().fit(X, np.tile([0, 1], 50))
    with pytest.raises(
        TypeError,
        match=r"level of column 's' is \(1, 2\), of type tuple; .* column\.astype\(str",
    ):
        to_python(student, tmp_path / "student.py")
    assert not (tmp_path / "student.py").exists()


def run_alone(path):
    """Run the file where neither this package nor torch nor scikit-learn is."""
    blocked = ("sk_distill", "torch", "sklearn", "scipy", "skorch")
    code = (
        "import runpy, sys\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        f"runpy.run_path({str(path)!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=path.parent,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_file_runs_by_itself(tmp_path):
    X, y = mixed_table()
    student = MLPStudent((8,), max_iter=2, random_state=0).fit(X, y)
    path = to_python(student, tmp_path / "student.py")
    assert "self-check passed: 20 rows" in run_alone(path)


def test_a_file_without_numpy_runs_where_there_is_none(binary, tmp_path):
    X, y = binary
    path = to_python(LinearStudent().fit(X, y), str(tmp_path / "student.py"))
    done = subprocess.run(
        [sys.executable, "-I", "-S", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "self-check passed" in done.stdout


@pytest.mark.parametrize(
    "student", [LinearStudent(), MLPStudent((4,), max_iter=1, random_state=0)]
)
def test_an_altered_file_fails_its_check(student, binary, tmp_path):
    X, y = binary
    path = to_python(student.fit(X, y), tmp_path / "student.py")
    text = path.read_text()
    begin = '"check_probabilities": ['
    # The weights of this student, the answers of another.
    other = to_python(student.fit(X, 1 - y), tmp_path / "other.py").read_text()
    answers = other[other.index(begin) : other.index("\n    ],", other.index(begin))]
    rest = text[text.index("\n    ],", text.index(begin)) :]
    path.write_text(text[: text.index(begin)] + answers + rest)
    with pytest.raises(RuntimeError, match=r"self-check failed: .* differ by up to"):
        runpy.run_path(str(path))["self_check"]()


def test_only_fitted_built_in_students_are_taken(binary, tmp_path):
    X, y = binary
    path = tmp_path / "student.py"
    with pytest.raises(NotFittedError):
        to_python(MLPStudent(), path)
    with pytest.raises(NotFittedError):
        to_python(DistilledClassifier(), path)
    with pytest.raises(TypeError, match="cannot export a LogisticRegression"):
        to_python(LogisticRegression().fit(X, y), path)
    model = DistilledClassifier(GaussianNB(), DecisionTreeClassifier()).fit(X, y)
    with pytest.raises(TypeError, match="Ship it by its own package's means"):
        to_python(model, path)
    assert not path.exists()
