"""Rows that to_onnx compares a graph's answers on with those of the estimator."""

import re

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Normalizer,
    OneHotEncoder,
    PowerTransformer,
    StandardScaler,
)

from onnx_sessions import ask, session_of, student_of
from sk_distill import DistillationWarning, DistilledClassifier, LinearStudent
from sk_distill.export import to_onnx
from sk_distill.export.onnx_comparison import Answers, warn_of_differences
from sk_distill.export.onnx_rows import feed_of


@pytest.fixture
def path(tmp_path):
    return tmp_path / "student.onnx"


def years():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(2010, 10, 300), rng.normal(size=300)])
    return X, X[:, 0] + 5 * X[:, 1] > 2010


def time_stamps():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(1.7e9, 1.7e9 + 1e5, 300), rng.normal(size=300)])
    return X, X[:, 0] > 1.7e9 + 5e4


def signed():
    X = np.random.default_rng(0).normal(size=(300, 4))
    return X, X[:, 0] > X[:, 1]


@pytest.mark.parametrize(
    ("model", "table", "remedy"),
    [
        (
            make_pipeline(PowerTransformer(), LinearStudent()),
            years,
            r"constant .* choose other steps, or export the student alone, to_python",
        ),
        (
            make_pipeline(StandardScaler(), LinearStudent()),
            time_stamps,
            r"constant .* choose other steps, or export the student alone, to_python",
        ),
        (
            DistilledClassifier(
                GaussianNB(), make_pipeline(Normalizer(norm="max"), GaussianNB())
            ),
            signed,
            r"large numbers, or distil into student='linear' or 'mlp'\.",
        ),
        (
            LinearStudent(),
            time_stamps,
            r"columns \[0\], or use to_python, which",
        ),
    ],
    ids=["power", "scaler", "student from elsewhere", "student"],
)
def test_how_far_answers_are_from_the_estimators(model, table, remedy, path):
    """Of a PowerTransformer of years they were wrong by 0.09, and nothing was said."""
    X, y = table()
    model.fit(X, y)
    with pytest.warns(DistillationWarning, match=remedy) as record:
        to_onnx(model, path, X)
    assert record[0].filename == __file__
    label, proba = ask(onnxruntime.InferenceSession(path), X)
    difference = np.abs(proba - model.predict_proba(X)).max(axis=1)
    told = re.search(
        r"of the (\w+) by up to (\S+), by more than 0.0001 in (\d+) of the (\d+) rows "
        r"of X; labels differ in (\d+)\.",
        str(record[0].message),
    )
    assert told[1] == type(model).__name__
    assert float(told[2]) == pytest.approx(difference.max(), rel=0.06)
    assert int(told[3]) == (difference > 1e-4).sum() > 0
    assert int(told[4]) == len(X)
    assert int(told[5]) == (label != model.predict(X)).sum()


@pytest.mark.parametrize("kind", ["pandas", "polars", "objects"])
def test_nothing_is_said_of_rows_that_are_answered_alike(
    kind, mixed_frame, mixed_labels, strange_rows, path
):
    model = student_of("standard", (4,)).fit(mixed_frame, mixed_labels)
    rows = pd.concat([mixed_frame, strange_rows], ignore_index=True)
    if kind == "polars":
        rows["eye color"] = rows["eye color"].astype(object)
        rows = rows.where(rows.notna(), None)
        rows = pl.DataFrame({name: cells.tolist() for name, cells in rows.items()})
    if kind == "objects":
        model.fit(mixed_frame.astype(object).to_numpy(), mixed_labels)
        rows = rows.astype(object).to_numpy()
    assert to_onnx(model, path, X=rows) == path


def test_tables_of_numbers_of_every_kind(binary, path):
    X, y = binary
    student = LinearStudent().fit(X, y)
    for rows in (X, X.tolist(), X.astype(object), X.astype(str), X[:1]):
        to_onnx(student, path, rows)
    # As scikit-learn has it, but for this package's own students.
    model = make_pipeline(StandardScaler(with_mean=False), TruncatedSVD(2))
    model = make_pipeline(*model, LinearStudent()).fit(csr_array(X), y)
    to_onnx(model, path, csr_array(X))


def test_a_column_that_may_be_far_is_not_told_of_where_the_answers_are_right(path):
    X = time_stamps()[0] * [0, 1] + [1.7e9, 0]
    X[0, 0] += 1e5
    model = LinearStudent().fit(X, X[:, 1] > 0)
    with pytest.warns(DistillationWarning, match=r"columns \[0\] lose digits"):
        to_onnx(model, path)
    to_onnx(model, path, X)


def test_cells_are_fed_as_the_docstring_says(mixed_frame, mixed_labels, path):
    frame = mixed_frame.assign(unused=pd.Timestamp("2020-01-01"))
    encode = ColumnTransformer(
        [
            ("numbers", "passthrough", ["number", "flag"]),
            ("color", OneHotEncoder(handle_unknown="ignore"), ["eye color"]),
        ]
    )
    model = make_pipeline(encode, LinearStudent()).fit(frame, mixed_labels)
    to_onnx(model, path)
    rows = frame.iloc[:4][frame.columns[::-1]].assign(
        number=[1, 0.1, np.nan, 1e39], flag=[True, False, True, False]
    )
    rows["eye color"] = ["red", None, np.nan, 1]
    feed = feed_of(onnx.load(path), rows, model)
    assert sorted(feed) == ["eye color", "flag", "number"]
    assert feed["eye color"].tolist() == [["red"], ["None"], ["nan"], ["1"]]
    expected = np.float32([[1], [0.1], [np.nan], [np.inf]])
    np.testing.assert_array_equal(feed["number"], expected, strict=True)
    np.testing.assert_array_equal(
        feed["flag"], np.float32([[1], [0], [1], [0]]), strict=True
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda X: X[:, :3], "has 3 features, but LinearStudent is expecting 6"),
        (lambda X: X[:0], r"0 sample\(s\)"),
        (lambda X: X.astype(str)[:, :1], "has 1 features, but LinearStudent"),
    ],
    ids=["columns", "no rows", "text"],
)
def test_rows_that_are_no_use(rows, message, binary, path):
    path.write_text("what was there")
    with pytest.raises(ValueError, match=message):
        to_onnx(LinearStudent().fit(*binary), path, rows(binary[0]))
    assert path.read_text() == "what was there"


def test_rows_that_the_graph_does_not_answer(path):
    """Made-up rows are answered: what is unknown is the rounded level of these."""
    codes = np.array([[1], [2**24 + 1]] * 20)
    encode = OneHotEncoder(sparse_output=False)
    model = make_pipeline(encode, LinearStudent()).fit(codes, codes[:, 0] > 1)
    path.write_text("what was there")
    message = (
        r"to_onnx: the rows of X are not answered by what skl2onnx makes of step "
        r"'onehotencoder', a OneHotEncoder \(.*Unknown Category"
    )
    with pytest.raises(ValueError, match=message):
        to_onnx(model, path, codes)
    assert path.read_text() == "what was there"
    to_onnx(model, path, codes[::2])


def test_what_answers_no_rows_answers_none_of_the_users(binary, path):
    X = np.where(np.arange(len(binary[0]))[:, None] % 9 == 0, np.nan, binary[0])
    model = make_pipeline(SimpleImputer(add_indicator=True), LinearStudent())
    model.fit(X, binary[1])
    with pytest.raises(ValueError, match=r"rows of X are .* 'simpleimputer', a Simple"):
        to_onnx(model, path, X)


def test_which_rows_differ():
    """Labels may where two classes are alike; NaN is no answer."""
    student = LinearStudent()
    half = np.array([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]])
    expected = Answers(np.array([0, 0, 1]), half)
    for labels in ([0, 0, 1], [1, 0, 1]):
        answers = Answers(np.array(labels), half + 9e-5)
        warn_of_differences(student, student, expected, answers, [])
    for labels, moved, message in [
        ([0, 1, 1], 0, "up to 0, .* in 0 of the 3 rows of X; labels differ in 1"),
        (
            [0, 0, 1],
            2e-4,
            "up to 0.0002, .* in 3 of the 3 rows .* in 0",
        ),
        ([0, 0, 1], np.nan, "up to 1, .* in 3 of the 3 rows"),
    ]:
        answers = Answers(np.array(labels), half + moved)
        with pytest.warns(DistillationWarning, match=message):
            warn_of_differences(student, student, expected, answers, [])


def test_names_are_found_in_any_order_that_the_estimator_takes(path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=[*"abc"])
    scale = ColumnTransformer([("scale", StandardScaler(), ["a", "c"])])
    model = make_pipeline(scale, LinearStudent()).fit(frame, frame["a"] > frame["c"])
    to_onnx(model, path, frame[[*"cba"]].assign(other="text"))
    with pytest.raises(ValueError, match="columns are missing"):
        to_onnx(model, path, frame[["a"]])
    assert session_of(model, path).get_inputs()[0].name == "a"
