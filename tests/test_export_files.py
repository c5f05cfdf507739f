import io
import json
import os
import pickle
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.callbacks import Callback

from sk_distill import (
    DistillationWarning,
    DistilledClassifier,
    LinearStudent,
    MLPStudent,
    MLPTeacher,
    VotingTeacher,
    compress,
)
from sk_distill.export import files, load, load_teacher, save

DATA = Path(__file__).parent / "data"


def mixed_table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "n": rng.normal(size=200),
            "s": rng.choice(np.array(["a", "b", None], dtype=object), 200),
            "o": rng.choice(np.array([True, 2.5, "x", 7], dtype=object), 200),
        }
    )
    X.loc[::9, "n"] = np.nan
    return X, np.where(X["n"].fillna(0) > 0, "yes", "no").astype(object)


def assert_same(loaded, student, X):
    """The same object, in all that can be seen, and the same answers to the bit."""
    assert type(loaded) is type(student)
    for n_rows in (1, 7, len(X)):
        rows = X[:n_rows]
        assert_array_equal(loaded.predict_proba(rows), student.predict_proba(rows))
        assert_array_equal(
            loaded.decision_function(rows), student.decision_function(rows)
        )
    assert_array_equal(loaded.predict(X), student.predict(X))
    assert loaded.classes_.dtype == student.classes_.dtype
    assert set(vars(loaded)) == set(vars(student))
    assert loaded.get_params() == student.get_params()


@pytest.mark.parametrize("encoding", [None, "standard", "quantile", "piecewise_linear"])
def test_numbers(encoding, binary, multiclass, tmp_path):
    for X, y in (binary, multiclass):
        for student in (
            LinearStudent(encoding=encoding),
            MLPStudent((5, 3), encoding=encoding, max_iter=2, random_state=0),
        ):
            student.fit(X, y)
            path = save(student, tmp_path / "student.skops")
            assert_same(load(path), student, X)


def test_mixed_tables_and_objects_as_labels(tmp_path):
    X, y = mixed_table()
    for student in (
        LinearStudent(encoding="quantile", class_weight={"yes": 2.0, "no": 1.0}),
        MLPStudent((4,), max_iter=2, random_state=3, tol=np.float64(1e-4)),
    ):
        student.fit(X, y)
        loaded = load(save(student, str(tmp_path / "student.skops")))
        assert_same(loaded, student, X)
        assert_array_equal(loaded.feature_names_in_, ["n", "s", "o"])
        with pytest.raises(ValueError, match="feature names"):
            loaded.predict(X[["s", "n", "o"]])
        for name, curve in student.history_.items():
            assert_array_equal(loaded.history_[name], curve)
    assert loaded.score(X, y) == student.score(X, y)


def test_a_linear_student_keeps_its_effects(tmp_path):
    X, y = mixed_table()
    student = LinearStudent(encoding="quantile").fit(X, y)
    loaded = load(save(student, tmp_path / "student.skops"))
    effects = zip(
        loaded.feature_effects_.values(), student.feature_effects_.values(), strict=True
    )
    for mine, theirs in effects:
        assert list(mine.grid) == list(theirs.grid)
        assert_array_equal(mine.effect, theirs.effect)


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32"])
def test_compressed_students(dtype, tmp_path):
    X, y = mixed_table()
    for student in (LinearStudent(), MLPStudent((4,), max_iter=2, random_state=0)):
        small = compress(student.fit(X, y), X, dtype=dtype)
        loaded = load(save(small, tmp_path / "student.skops"))
        assert_same(loaded, small, X)
        assert loaded.compression_ == small.compression_
        assert loaded.layers_[0].weights.dtype == dtype


def test_a_loaded_student_goes_on(binary, tmp_path):
    X, y = binary
    student = MLPStudent(
        (4,), encoding="standard", max_iter=2, warm_start=True, random_state=0
    ).fit(X, y)
    loaded = load(save(student, tmp_path / "student.skops"))
    assert_array_equal(
        loaded.fit(X, y).predict_proba(X), student.fit(X, y).predict_proba(X)
    )


def test_the_teacher_stays_behind(binary, tmp_path):
    X, y = binary
    model = DistilledClassifier(RandomForestClassifier(50), "linear").fit(X, y)
    path = save(model, tmp_path / "student.skops")
    assert_same(load(path), model.student_, X)
    assert path.stat().st_size < 10_000
    with pytest.raises(ValueError, match=r"holds a student alone\. Save it with"):
        load_teacher(path)


def test_no_type_in_the_file_has_to_be_trusted(binary, tmp_path):
    path = save(LinearStudent().fit(*binary), tmp_path / "student.skops")
    body = path.read_bytes().split(b"\n", 1)[1]
    assert skops.io.get_untrusted_types(data=body) == []
    # Nor does it name a class of this package or of scikit-learn.
    content = skops.io.loads(body)
    assert type(content) is dict
    assert b"sklearn" not in body
    assert b"sk_distill" not in body.replace(b"sk_distill ", b"")


@pytest.mark.parametrize(
    "teacher",
    [
        GaussianNB(),
        FrozenEstimator(GaussianNB()),
        make_pipeline(StandardScaler(), LogisticRegression()),
        MLPTeacher((4,), n_members=2, max_iter=2, random_state=0),
    ],
    ids=lambda teacher: type(teacher).__name__,
)
def test_the_teacher_on_request(teacher, binary, tmp_path):
    X, y = binary
    if isinstance(teacher, FrozenEstimator):
        teacher.estimator.fit(X, y)
    model = DistilledClassifier(teacher, "linear").fit(X, y)
    path = save(model, tmp_path / "student.skops", with_teacher=True)
    assert_same(load(path), model.student_, X)
    loaded = load_teacher(path)
    assert_array_equal(loaded.predict_proba(X), model.teacher_.predict_proba(X))


def test_trees_have_to_be_trusted(binary, tmp_path):
    """A tree of a file made to do harm may read beyond its own memory."""
    X, y = binary
    teacher = RandomForestClassifier(3, random_state=0)
    model = DistilledClassifier(teacher, "linear").fit(X, y)
    path = save(model, tmp_path / "student.skops", with_teacher=True)
    assert_same(load(path), model.student_, X)
    tree = "sklearn.tree._tree.Tree"
    if tree not in skops.io.get_untrusted_types(data=skops.io.dumps(model.teacher_)):
        pytest.skip("this release of skops trusts trees")
    with pytest.raises(
        ValueError, match=r"needs sklearn\.tree\._tree\.Tree, .*trusted="
    ):
        load_teacher(path)
    # More than is needed does no harm.
    loaded = load_teacher(path, trusted=[tree, "sklearn.tree._tree.TreeBuilder"])
    assert_array_equal(loaded.predict_proba(X), model.teacher_.predict_proba(X))


def test_functions_of_scikit_learns_may_be_trusted(binary, tmp_path):
    X, y = binary
    teacher = make_pipeline(SelectKBest(f_classif, k=2), LogisticRegression())
    model = DistilledClassifier(teacher, "linear").fit(X, y)
    path = save(model, tmp_path / "student.skops", with_teacher=True)
    needed = skops.io.get_untrusted_types(data=skops.io.dumps(model.teacher_))
    loaded = load_teacher(path, trusted=needed)
    assert_array_equal(loaded.predict_proba(X), model.teacher_.predict_proba(X))


@pytest.mark.parametrize("function", [os.system, subprocess.check_output])
def test_a_teacher_that_runs_commands_is_refused(function, content, tmp_path):
    """One loaded with trusted=["posix.system"], and ran its rows as commands.

    A module of scikit-learn's imports check_output, which a file may take from there.
    """
    teacher = make_pipeline(FunctionTransformer(function), LogisticRegression())
    body = skops.io.dumps(teacher.set_params(functiontransformer__validate=False))
    own = f"{function.__module__}.{function.__name__}"
    (name,) = skops.io.get_untrusted_types(data=body)
    assert name == own
    whole = skops.io.loads(content.split(b"\n", 1)[1])
    whole["teacher"] = {"skops": np.frombuffer(body, dtype=np.uint8)}
    path = tmp_path / "harmful.skops"
    path.write_bytes(with_first_line(skops.io.dumps(whole)))
    with pytest.raises(ValueError, match=rf"needs {own}, nothing of scikit-learn"):
        load_teacher(path)
    for trusted in ([own], ["sklearn.utils._testing.check_output"]):
        with pytest.raises(ValueError, match=r"trusted names .*any command.* Leave it"):
            load_teacher(path, trusted=trusted)


@pytest.mark.parametrize("trusted", [True, "sklearn.tree._tree.Tree", [3]])
def test_trusted_is_a_list_of_names(trusted, content, tmp_path):
    path = tmp_path / "student.skops"
    path.write_bytes(content)
    with pytest.raises(TypeError, match=r"^load_teacher: trusted=.*a list of names\."):
        load_teacher(path, trusted=trusted)


def test_other_teachers_are_refused(binary, tmp_path):
    X, y = binary
    path = tmp_path / "student.skops"
    pair = VotingTeacher([("a", GaussianNB()), ("b", LogisticRegression())])
    for teacher in (pair, make_pipeline(StandardScaler(), MLPTeacher(max_iter=1))):
        model = DistilledClassifier(teacher, "linear").fit(X, y)
        with pytest.raises(TypeError, match=r"the teacher .* cannot be saved: .* Set"):
            save(model, path, with_teacher=True)
    model = DistilledClassifier(student="linear").fit(X, y, teacher_proba=np.eye(2)[y])
    for each in (model, model.student_):
        with pytest.raises(ValueError, match=r"holds no fitted teacher: .* Set with_"):
            save(each, path, with_teacher=True)
    with pytest.raises(TypeError, match="with_teacher='no' must be True or False"):
        save(model, path, with_teacher="no")
    assert not path.exists()


class Watch(Callback):
    pass


def test_what_is_no_plain_value_is_left_out_with_a_warning(binary, tmp_path):
    X, y = binary
    student = MLPStudent((4,), max_iter=1, callbacks=[Watch()], random_state=0)
    student.fit(X, y)
    path = tmp_path / "student.skops"
    with pytest.warns(
        DistillationWarning, match=r"parameters callbacks hold .*set_par"
    ):
        save(student, path)
    loaded = load(path)
    assert loaded.callbacks is None
    assert_array_equal(loaded.predict_proba(X), student.predict_proba(X))


def test_levels_that_are_no_plain_values_are_refused(tmp_path):
    X = pd.DataFrame({"s": pd.cut(np.linspace(0, 1, 90), 3)})
    student = LinearStudent().fit(X, np.tile([0, 1], 45))
    with pytest.raises(
        TypeError,
        match=r"saved: Interval.* level of column 's'; .* column\.astype\(str\)\.",
    ):
        save(student, tmp_path / "student.skops")
    assert not (tmp_path / "student.skops").exists()


def test_only_fitted_built_in_students_are_saved(binary, tmp_path):
    path = tmp_path / "student.skops"
    with pytest.raises(NotFittedError):
        save(LinearStudent(), path)
    with pytest.raises(TypeError, match="save: cannot export a LogisticRegression"):
        save(LogisticRegression().fit(*binary), path)
    assert not path.exists()


@pytest.fixture
def content(binary, tmp_path):
    path = save(LinearStudent().fit(*binary), tmp_path / "student.skops")
    return path.read_bytes()


def test_a_file_that_was_cut_short(content, tmp_path):
    path = tmp_path / "cut.skops"
    whole = content.index(b"\n") + 1
    for size in [
        0,
        5,
        20,
        30,
        whole - 1,
        whole,
        whole + 1,
        *range(200, len(content), 97),
    ]:
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=r"cut short|its beginning was altered"):
            load(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(
        ValueError, match=r"cut short or was altered: it has \d+ of \d+"
    ):
        load(path)


def test_a_file_of_which_a_bit_was_altered(content, tmp_path):
    path = tmp_path / "altered.skops"
    first = content.index(b"\n") + 1
    for place in [*range(first + 1), *range(first, len(content), 53)]:
        altered = bytearray(content)
        altered[place] ^= 1
        path.write_bytes(altered)
        for function in (load, load_teacher):
            name = function.__name__
            with pytest.raises(ValueError, match=rf"^{name}: .*altered\.skops"):
                function(path)
    altered = bytearray(content)
    altered[-30] ^= 1
    path.write_bytes(altered)
    with pytest.raises(ValueError, match=r"was altered: its checksum .* Copy it anew"):
        load(path)


def with_first_line(body, version="1.0"):
    checksum = sha256(body).hexdigest()
    return f"sk_distill student {version} {len(body)} {checksum}\n".encode() + body


@pytest.mark.parametrize(
    ("version", "way_out"),
    [
        ("1.99", "Install a newer release"),
        ("2.0", "Install a newer release"),
        ("0.9", "Load and save it anew with an older release"),
    ],
)
def test_files_of_other_versions_say_what_reads_them(
    version, way_out, content, tmp_path
):
    path = tmp_path / "other.skops"
    path.write_bytes(with_first_line(content.split(b"\n", 1)[1], version))
    with pytest.raises(ValueError, match=rf"has version {version} .*reads .*{way_out}"):
        load(path)


@pytest.mark.parametrize("own", [(1, 2), (2, 1), (10, 0)])
def test_a_later_release_reads_its_earlier_minor_versions(
    own, content, tmp_path, monkeypatch
):
    monkeypatch.setattr(files, "_VERSION", own)
    path, body = tmp_path / "student.skops", content.split(b"\n", 1)[1]
    major, minor = own
    for earlier in range(minor + 1):
        path.write_bytes(with_first_line(body, f"{major}.{earlier}"))
        student = load(path)
        save(student, path)
        assert path.read_bytes().startswith(f"sk_distill student {own[0]}.".encode())
        assert load(path).predict([[0.0] * 6]) == student.predict([[0.0] * 6])
    reads = rf"reads versions {major}\.0 to {major}\.{minor}\. "
    for version, way_out in (
        (f"{major}.{minor + 1}", "Install a newer release"),
        (f"{major + 1}.0", "Install a newer release"),
        (f"{major - 1}.0", "Load and save it anew with an older release"),
    ):
        path.write_bytes(with_first_line(body, version))
        for function in (load, load_teacher):
            with pytest.raises(ValueError, match=reads + way_out):
                function(path)


@pytest.mark.parametrize(
    "line",
    [
        b"sk_distill student\t1.0 %d %s",
        b"sk_distill student 1.0  %d %s",
        b"sk_distill student 01.0 %d %s",
        b"sk_distill student 1.00 %d %s",
        b"sk_distill student +1.0 %d %s",
        b"sk_distill student 1.0 0%d %s",
        b"sk_distill student 1.0 %d %s ",
        b"sk_distill student1.0 %d %s",
    ],
)
def test_a_first_line_is_read_to_the_letter(line, content, tmp_path):
    """Files whose version or spaces had been altered were loaded."""
    path, body = tmp_path / "altered.skops", content.split(b"\n", 1)[1]
    checksum = sha256(body).hexdigest().encode()
    path.write_bytes(line % (len(body), checksum) + b"\n" + body)
    with pytest.raises(ValueError, match=r"was altered: its first line is"):
        load(path)


class Harmful:
    def __reduce__(self):
        return (sys.exit, ("code of the file was run",))


def test_code_in_a_file_is_not_run(tmp_path):
    path = tmp_path / "harmful.skops"
    classifier = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    stream = io.BytesIO()
    np.save(stream, np.array([Harmful()], dtype=object), allow_pickle=True)
    for body in (
        pickle.dumps(Harmful()),
        stream.getvalue(),
        skops.io.dumps({"student": Harmful()}),
        skops.io.dumps({"student": np.exp}),
        # Trusted by skops, but no part of a student.
        skops.io.dumps({"student": classifier}),
        skops.io.dumps({"student": {"kind": "LinearStudent", "params": (1, 2)}}),
        skops.io.dumps([1, 2]),
    ):
        path.write_bytes(with_first_line(body))
        for function in (load, load_teacher):
            with pytest.raises(ValueError, match="holds more than the plain values"):
                function(path)


def test_plain_values_that_make_no_student(content, tmp_path):
    path = tmp_path / "odd.skops"
    whole = skops.io.loads(content.split(b"\n", 1)[1])
    for odd in (
        {},
        {"student": 3},
        {"student": {**whole["student"], "kind": "system"}},
        {"student": {**whole["student"], "encoder": {}}},
        {"student": {**whole["student"], "params": []}},
    ):
        path.write_bytes(with_first_line(skops.io.dumps(odd)))
        with pytest.raises(ValueError, match="no student that this release can build"):
            load(path)
    # A name that is not one that a fit sets goes nowhere.
    student = {**whole["student"]}
    student["fitted"] = {**student["fitted"], "predict_proba": 1, "__class__": "x"}
    path.write_bytes(with_first_line(skops.io.dumps({"student": student})))
    assert callable(load(path).predict_proba)


def test_a_file_of_another_kind(tmp_path):
    path = tmp_path / "other.skops"
    path.write_bytes(skops.io.dumps([1]))
    with pytest.raises(
        ValueError, match="is no file that sk_distill's save has written"
    ):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere.skops")


def test_without_skops_the_extra_is_named(binary, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(ImportError, match=r'pip install "sk-distill\[skops\]"'):
        save(LinearStudent().fit(*binary), tmp_path / "student.skops")
    with pytest.raises(ImportError, match="load needs skops"):
        load(tmp_path / "student.skops")


@pytest.mark.parametrize("version", ["1_0"])
@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_files_of_earlier_releases_are_read(name, version):
    answers = json.loads((DATA / f"answers_{version}.json").read_text())
    student = load(DATA / f"{name}_{version}.skops")
    rows = np.array(answers["rows"], dtype=object)
    assert student.classes_.tolist() == answers["classes"]
    expected = answers["probabilities"][name]
    assert_allclose(student.predict_proba(rows), expected, rtol=0, atol=1e-12)
