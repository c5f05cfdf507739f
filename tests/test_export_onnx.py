"""Students as ONNX files, asked by onnxruntime."""

import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
from numpy.testing import assert_allclose
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import clone
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    SplineTransformer,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from onnx_sessions import ask, assert_same, session_of, student_of
from sk_distill import (
    DistillationWarning,
    DistilledClassifier,
    DistilledClassifierCV,
    LinearStudent,
    MLPStudent,
    compress,
)
from sk_distill.export import to_onnx

ENCODINGS = ("piecewise_linear", "quantile", "standard")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "student.onnx"


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)], ids=str)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_frame_in_labels_and_probabilities_out(
    encoding, hidden, n_classes, mixed_frame, mixed_labels, strange_rows, path
):
    y = mixed_labels if n_classes == 3 else np.where(mixed_labels == "low", 7, 3)
    student = student_of(encoding, hidden).fit(mixed_frame, y)
    session = session_of(student, path)
    assert_same(session, student, mixed_frame, strange_rows)
    assert [value.name for value in session.get_inputs()] == list(mixed_frame.columns)
    outputs = {value.name: value.type for value in session.get_outputs()}
    kind = "tensor(string)" if n_classes == 3 else "tensor(int64)"
    assert outputs == {"label": kind, "probabilities": "tensor(float)"}


@pytest.mark.parametrize("text", ["", "nan", "None", "<NA>"])
def test_what_stands_for_missing_text(
    text, mixed_frame, mixed_labels, strange_rows, path
):
    student = student_of("standard", ()).fit(mixed_frame, mixed_labels)
    rows = strange_rows.assign(**{"eye color": text})
    _, proba = ask(session_of(student, path), rows)
    expected = student.predict_proba(strange_rows.assign(**{"eye color": None}))
    assert_allclose(proba, expected, atol=2e-6)


def test_a_level_of_nothing_is_no_missing_cell(mixed_frame, mixed_labels, path):
    cells = mixed_frame["eye color"].replace("green", "")
    frame = mixed_frame.assign(**{"eye color": cells})
    student = student_of("standard", ()).fit(frame, mixed_labels)
    assert_same(session_of(student, path), student, frame)


@pytest.mark.parametrize("activation", ["identity", "logistic", "relu", "tanh"])
def test_every_activation(activation, multiclass, path):
    X = multiclass[0].astype(np.float32)
    student = student_of("standard", (4,), activation).fit(X, multiclass[1])
    assert_same(session_of(student, path), student, X)


@pytest.mark.parametrize("hidden", [(), (4,)], ids=str)
@pytest.mark.parametrize("encoding", [*ENCODINGS, None])
def test_arrays_of_numbers(encoding, hidden, binary, path):
    X = binary[0].astype(np.float32)
    student = student_of(encoding, hidden).fit(X, binary[1])
    session = session_of(student, path)
    (value,) = session.get_inputs()
    assert (value.name, value.type, value.shape) == ("X", "tensor(float)", [None, 6])
    assert_same(session, student, X, X[:1], 50 * X)
    if encoding is not None:
        gaps = np.where(np.arange(6) == np.arange(len(X))[:, None] % 9, np.nan, X)
        assert_same(session, student, gaps)


@pytest.mark.filterwarnings("ignore:to_onnx. columns .0, 1. lose digits")
def test_columns_far_from_zero_keep_their_digits(path):
    rng = np.random.default_rng(0)
    X = rng.normal(1e5, 1.0, size=(200, 2)).astype(np.float32)
    student = LinearStudent().fit(X, X[:, 0] > 1e5)
    assert_same(session_of(student, path), student, X)


@pytest.mark.parametrize("in_pipeline", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_columns_that_float32_has_too_few_digits_for(encoding, in_pipeline, path):
    """Of whole numbers around 1e9 answers were wrong by 0.27, and nothing was said."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=300)
    frame = pd.DataFrame(
        {
            "plain": noise,
            "far": 1e5 + 300 * noise,
            "too far": 1e9 + 300 * noise,
            "tiny": 1e-60 * noise,
            "huge": 1e300 * noise,
            "year": rng.integers(1990, 2030, 300),
            "constant": 123456,
            "flag": noise > 0,
            "gaps": np.where(noise > 1, np.nan, noise),
            "empty": np.nan,
            "text": rng.choice([*"ab"], 300),
        }
    )
    student = student_of(encoding, ()).fit(frame, noise > 0.1)
    model = Pipeline([("all", "passthrough"), ("student", student)])
    message = r"columns \['too far', 'tiny', 'huge'\] lose digits in .* Before fitting"
    with pytest.warns(DistillationWarning, match=message) as record:
        to_onnx(model if in_pipeline else student, path)
    assert record[0].filename == __file__
    nameless = clone(student).fit(frame[["flag", "too far"]].to_numpy(float), noise > 0)
    with pytest.warns(DistillationWarning, match=r"columns \[1\] lose digits"):
        to_onnx(nameless, path)


def test_of_numbers_taken_as_they_are_no_spread_is_known(path):
    X = 1e9 + np.arange(20.0)[:, None]
    to_onnx(LinearStudent(encoding=None).fit(X - 1e9, X[:, 0] > 1e9 + 9), path)


@pytest.mark.parametrize("dtype", ["float16", "int8", "float32"])
@pytest.mark.parametrize("hidden", [(), (6,)], ids=str)
@pytest.mark.parametrize("encoding", ["piecewise_linear", "standard"])
def test_compressed_students(
    dtype, hidden, encoding, mixed_frame, mixed_labels, strange_rows, path
):
    student = student_of(encoding, hidden).fit(mixed_frame, mixed_labels)
    compressed = compress(
        student,
        mixed_frame,
        dtype=dtype,
        prune=0.5 if hidden else 0.0,
        fine_tune=False,
        random_state=0,
    )
    assert_same(session_of(compressed, path), compressed, mixed_frame, strange_rows)


def test_weights_take_the_room_that_they_took(multiclass, path):
    student = student_of("standard", (64, 64)).fit(*multiclass)
    sizes = []
    for dtype in ("float32", "float16", "int8"):
        to_onnx(compress(student, multiclass[0], dtype=dtype), path)
        sizes.append(path.stat().st_size)
    n_weights = 6 * 64 + 64 * 64 + 64 * 3
    assert sizes[0] - sizes[1] > 1.8 * n_weights
    assert sizes[1] - sizes[2] > 0.8 * n_weights


@pytest.mark.parametrize("with_missing", [False, True])
@pytest.mark.parametrize("kind", [int, bool])
def test_categories_that_are_numbers(
    kind, with_missing, mixed_frame, mixed_labels, path
):
    codes = pd.Series(pd.Categorical((mixed_frame["whole"] % 2).astype(kind)))
    if with_missing:
        codes[:30] = None
    frame = mixed_frame.assign(whole=codes)
    student = student_of("standard", ()).fit(frame, mixed_labels)
    session = session_of(student, path)
    assert session.get_inputs()[3].type == "tensor(float)"
    assert_same(session, student, frame)


def test_categories_that_float32_cannot_tell_apart(mixed_frame, mixed_labels, path):
    codes = pd.Categorical(mixed_frame["whole"] % 2 + 2**24)
    frame = mixed_frame.assign(whole=codes)
    student = student_of("standard", ()).fit(frame, mixed_labels)
    with pytest.raises(ValueError, match=r"'whole' has levels .* of 2 only 1 are left"):
        to_onnx(student, path)


def test_an_array_with_text_has_an_input_for_each_column(
    mixed_frame, mixed_labels, path
):
    objects = mixed_frame.astype(object).to_numpy()
    student = student_of("standard", (4,)).fit(objects, mixed_labels)
    session = session_of(student, path)
    names = ["x0", "x1", "x2", "x3", "x4"]
    assert [value.name for value in session.get_inputs()] == names
    _, proba = ask(session, mixed_frame.set_axis(names, axis=1))
    assert_allclose(proba, student.predict_proba(objects), atol=2e-6)


def test_columns_of_any_name(mixed_frame, mixed_labels, path):
    names = ["a b", "ä/ö", "a_b", "variable", "constant"]
    frame = mixed_frame.set_axis(names, axis=1)
    student = student_of("piecewise_linear", (4,)).fit(frame, mixed_labels)
    session = session_of(student, path)
    assert [value.name for value in session.get_inputs()] == names
    assert_same(session, student, frame)


def test_columns_of_which_nothing_is_known(mixed_labels, path):
    names = pd.DataFrame({"id": [f"u{i}" for i in range(len(mixed_labels))]})
    student = student_of("standard", ()).fit(names, mixed_labels)
    assert_same(session_of(student, path), student, names)


@pytest.mark.parametrize("kind", [int, float, bool, object, str])
def test_labels(kind, binary, path):
    X = binary[0].astype(np.float32)
    y = binary[1].astype("U1").astype(object) if kind is object else binary[1]
    student = LinearStudent().fit(X, y.astype(kind))
    session = session_of(student, path)
    assert_same(session, student, X)
    is_text = kind in (object, str)
    expected = "tensor(string)" if is_text else "tensor(int64)"
    assert session.get_outputs()[0].type == expected


@pytest.mark.filterwarnings("ignore::sk_distill.DistillationWarning")
def test_distilled_classifiers(binary, path):
    X = binary[0].astype(np.float32)
    search = DistilledClassifierCV(
        GaussianNB(), "linear", distillation_weights=[0.5, 1.0], cv=2
    )
    tree = DistilledClassifier(GaussianNB(), DecisionTreeClassifier(max_depth=3))
    steps = make_pipeline(StandardScaler(), LogisticRegression())
    for model in (
        DistilledClassifier(GaussianNB(), "linear"),
        search,
        tree,
        DistilledClassifier(GaussianNB(), steps),
    ):
        model.fit(X, binary[1])
        assert_same(session_of(model, path), model, X)


def test_students_of_which_there_is_no_valid_graph(binary, path):
    student = make_pipeline(StandardScaler(), LogisticRegression())
    model = DistilledClassifier(GaussianNB(), student).fit(*binary)
    model.student_.steps.insert(1, ("spline", SplineTransformer().fit(binary[0])))
    with pytest.raises(ValueError, match=r"the student, a Pipeline .* classifier"):
        to_onnx(model, path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        (GaussianProcessClassifier(), "Fail: .* is not a registered function/op"),
        (
            QuadraticDiscriminantAnalysis(),
            r"ValueError: 'label' has shape \(1, 1\), which has to be \(1,\)",
        ),
    ],
    ids=["not loaded", "wrong shape"],
)
def test_students_whose_graphs_do_not_answer(student, reason, binary, path):
    """The file was written: of one no runtime knew a node, one had labels in a row."""
    model = DistilledClassifier(GaussianNB(), "linear").fit(*binary)
    model.student_ = student.fit(*binary)
    name = type(student).__name__
    with pytest.raises(ValueError, match=rf"the student, a {name} \({reason}\); exp"):
        to_onnx(model, path)
    assert not path.exists()


def test_text_that_comes_as_numbers_is_refused(mixed_frame, mixed_labels, path):
    student = student_of("standard", ()).fit(mixed_frame, mixed_labels)
    numbers = [(name, FloatTensorType([None, 1])) for name in mixed_frame]
    with pytest.raises(
        ValueError,
        match=r"'eye color' of .* such as 'blue', .* \(FloatTensorType\); .* OneHot",
    ):
        skl2onnx.to_onnx(student, initial_types=numbers)


def test_the_file_is_for_older_runtimes_too(binary, path):
    assert to_onnx(LinearStudent().fit(*binary), str(path)) == path
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {entry.domain: entry.version for entry in model.opset_import}[""] <= 17


def test_converters_are_known_to_skl2onnx_itself(multiclass, path):
    X = multiclass[0].astype(np.float32)
    model = DistilledClassifier(GaussianNB(), "linear").fit(X, multiclass[1])
    to_onnx(model, path)
    # As the user's own call has it, who may set skl2onnx's options.
    pipeline = make_pipeline(StandardScaler(), model).fit(X, multiclass[1])
    graph = skl2onnx.to_onnx(pipeline, X[:1], options={"zipmap": False})
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    assert_same(session, pipeline, X)


def test_what_is_not_exported(binary, path):
    X, y = binary
    with pytest.raises(
        TypeError, match="to_onnx: cannot export a GaussianNB; expected"
    ):
        to_onnx(GaussianNB().fit(X, y), path)
    with pytest.raises(
        TypeError, match="to_onnx: cannot export a GaussianNB; expected"
    ):
        to_onnx(make_pipeline(StandardScaler(), GaussianNB()).fit(X, y), path)
    with pytest.raises(NotFittedError, match="MLPStudent"):
        to_onnx(MLPStudent(), path)
    with pytest.raises(NotFittedError, match="Pipeline"):
        to_onnx(make_pipeline(StandardScaler(), DistilledClassifier()), path)
    assert not path.exists()


def test_names_and_labels_that_cannot_be_written(
    binary, mixed_frame, mixed_labels, path
):
    for name, what in [("label", "as an output is"), ("", "which is no name of an i")]:
        frame = mixed_frame[["flag", "whole"]].set_axis(["flag", name], axis=1)
        student = LinearStudent().fit(frame, mixed_labels)
        with pytest.raises(ValueError, match=f"a column is named '{name}', {what}"):
            to_onnx(student, path)
    student = LinearStudent().fit(*binary)
    student.classes_ = np.array([("a",), 1], dtype=object)
    with pytest.raises(ValueError, match="expected strings or whole numbers"):
        to_onnx(student, path)
    assert not path.exists()


@pytest.mark.parametrize("module", ["skl2onnx", "onnxruntime"])
def test_without_the_extra(module, binary, path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    message = rf'to_onnx needs {module}, .* pip install "sk-distill\[onnx\]"'
    with pytest.raises(ImportError, match=message):
        to_onnx(LinearStudent().fit(*binary), path)


def test_nothing_heavy_is_imported_before_it_is_needed():
    script = (
        "import sys, sk_distill, sk_distill.export; "
        "print({'torch', 'onnx', 'skl2onnx', 'onnxruntime'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
