"""Compressed students are small, and say what their students say."""

import pickle
import subprocess
import sys
from copy import deepcopy

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline

from sk_distill import (
    CompressedStudent,
    DistilledClassifier,
    DistilledClassifierCV,
    LinearStudent,
    MLPStudent,
    compress,
)
from sk_distill.compression import pruning
from sk_distill.compression.compressing import _draw_rows
from sk_distill.encoding import Table, TableEncoder

# Largest difference of a probability: float16 keeps 11 binary digits of a weight, int8
# seven and a half of the largest.
FLOAT16, INT8 = 1e-3, 0.02

RNG = np.random.default_rng(0)


def mlp(hidden=(16,), activation="relu", **params):
    params = {"max_iter": 10, "n_bins": 8, "random_state": 0} | params
    return MLPStudent(hidden, activation, **params)


@pytest.fixture(scope="module")
def tables(request):
    binary = request.getfixturevalue("binary")
    return {2: binary, 3: request.getfixturevalue("multiclass")}


STUDENTS = {
    "one": mlp(),
    "two": mlp((12, 8), activation="tanh"),
    "tanh": mlp(activation="tanh"),
    "lbfgs": mlp(
        (6,),
        "tanh",
        solver="lbfgs",
        encoding="quantile",
        alpha=1.0,
        max_iter=500,
        tol=0.01,
    ),
    "plain": mlp(encoding=None),
    "linear": LinearStudent(),
    "linear, None": LinearStudent(encoding=None),
    "linear, bins": LinearStudent(encoding="piecewise_linear", n_bins=12),
}


@pytest.fixture(scope="module")
def students(tables):
    """Fitted students by name and number of classes, each fitted when asked for."""

    class Fitted(dict):
        def __missing__(self, key):
            name, n_classes = key
            self[key] = clone(STUDENTS[name]).fit(*tables[n_classes])
            return self[key]

    return Fitted()


KINDS = ["one", "two", "plain", "linear", "linear, None", "linear, bins"]
EVERY = [(kind, n) for kind in KINDS for n in (2, 3)] + [("lbfgs", 2)]


@pytest.fixture(scope="module")
def mixed():
    """A frame of numbers and strings with missing cells, its student, new rows."""

    def make(n_rows, cities):
        frame = pd.DataFrame(
            {
                "age": RNG.normal(40, 10, n_rows),
                "city": RNG.choice(cities, n_rows),
                "spread": RNG.lognormal(0, 3, n_rows),
                "flag": RNG.random(n_rows) < 0.3,
            }
        )
        target = (frame["age"] + 20 * (frame["city"] == "Bonn") > 45).to_numpy()
        frame.loc[RNG.random(n_rows) < 0.1, "age"] = np.nan
        frame.loc[RNG.random(n_rows) < 0.1, "city"] = None
        return frame, np.where(target, "yes", "no")

    X, y = make(600, ["Bonn", "Oslo", "Rome"])
    new, _ = make(200, ["Bonn", "Oslo", "Rome", "Lima"])
    return X, mlp().fit(X, y), new


@pytest.mark.parametrize(
    "key", [("one", 2), ("one", 3), ("two", 2), ("two", 3), ("plain", 2)]
)
def test_float32_without_pruning_is_the_student_bit_for_bit(students, tables, key):
    X, _ = tables[key[1]]
    compressed = compress(students[key], X, dtype="float32")
    for rows in (X, X[:1]):
        for method in ("decision_function", "predict_proba", "predict"):
            expected = getattr(students[key], method)(rows)
            assert_array_equal(getattr(compressed, method)(rows), expected)
    assert compressed.compression_.divergence == 0
    assert compressed.compression_.agreement == 1


@pytest.mark.parametrize("key", EVERY, ids=str)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-6), ("float16", FLOAT16), ("int8", INT8)]
)
def test_probabilities_stay(students, tables, key, dtype, tolerance):
    X, _ = tables[key[1]]
    student = students[key]
    compressed = compress(student, X, dtype=dtype)
    proba = compressed.predict_proba(X)
    assert_allclose(proba, student.predict_proba(X), atol=tolerance)
    assert_allclose(compressed.predict_proba(X[:3]), proba[:3], rtol=1e-12)
    scores = compressed.decision_function(X)
    if key[1] == 2:
        assert_allclose(expit(scores), proba[:, 1])
    else:
        assert_allclose(softmax(scores, axis=1), proba)
    assert_allclose(np.exp(compressed.predict_log_proba(X)), proba)
    labels = compressed.classes_[proba.argmax(axis=1)]
    assert_array_equal(compressed.predict(X), labels)
    stored = np.dtype(dtype)
    assert all(layer.weights.dtype == stored for layer in compressed.layers_)


@pytest.mark.parametrize("key", EVERY, ids=str)
def test_int8_is_the_network_of_its_dequantised_weights(students, tables, key):
    X, _ = tables[key[1]]
    compressed = compress(students[key], X)
    encoder = compressed.encoder_
    positions = encoder.positions(Table(X), np.float64)
    x = positions if encoder.is_plain else encoder.slots(positions).toarray()
    for i, layer in enumerate(compressed.layers_):
        if i > 0:
            x = np.tanh(x) if key[0] in ("two", "lbfgs") else np.maximum(x, 0)
        weights = np.array(
            [
                [int(w) * float(s) for w, s in zip(row, layer.scale, strict=True)]
                for row in layer.weights
            ]
        )
        x = x @ weights + layer.bias
    scores = compressed.decision_function(X)
    assert_allclose(scores.reshape(x.shape), x, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("key", EVERY, ids=str)
def test_biases_mend_the_mean(students, tables, key, dtype):
    X, _ = tables[key[1]]
    scores = students[key].decision_function(X)
    compressed = compress(students[key], X, dtype=dtype).decision_function(X)
    # Edges in single precision are not the weights' to mend.
    assert_allclose(compressed.mean(axis=0), scores.mean(axis=0), atol=1e-5)
    assert not np.array_equal(compressed, scores)


def test_report_is_what_one_measures(students, tables):
    X, _ = tables[3]
    student = students["two", 3]
    compressed = compress(student, X, prune=0.5, fine_tune=False)
    report = compressed.compression_
    p, q = student.predict_proba(X), compressed.predict_proba(X)
    rows = np.arange(len(X))
    soft = np.mean([log_loss(np.eye(3), q[[i] * 3], sample_weight=p[i]) for i in rows])
    least = np.mean([log_loss(np.eye(3), p[[i] * 3], sample_weight=p[i]) for i in rows])
    assert_allclose(report.divergence, soft - least, rtol=1e-6)
    assert report.agreement == (p.argmax(axis=1) == q.argmax(axis=1)).mean() < 1
    assert report.n_bytes == len(pickle.dumps(compressed))
    assert report.n_bytes_before == len(pickle.dumps(student))
    assert (report.n_units, report.n_units_before) == ((6, 4), (12, 8))
    assert [layer.weights.shape[1] for layer in compressed.layers_] == [6, 4, 3]
    text = str(report)
    assert text.startswith("int8, 6 of 12 and 4 of 8 units: ")
    assert f"{report.n_bytes:,} bytes" in text
    assert f"agreement {report.agreement:.2%}" in text


def test_report_of_a_linear_student_has_no_units(students, tables):
    report = compress(students["linear", 2], tables[2][0]).compression_
    assert report.n_units == report.n_units_before == ()
    assert str(report).startswith("int8: ")


def test_sizes(binary):
    X, y = binary
    student = mlp((64,), n_bins=48).fit(X, y)
    n_weights = sum(coef.size for coef in student.coefs_)
    bytes_a_weight = {"float32": 4, "float16": 2, "int8": 1}
    for dtype, n_bytes in bytes_a_weight.items():
        compressed = compress(student, X, dtype=dtype)
        kept = sum(layer.weights.nbytes for layer in compressed.layers_)
        assert kept == n_bytes * n_weights
        assert compressed.compression_.n_bytes - kept < 8_000
    assert compressed.compression_.n_bytes < 0.3 * len(pickle.dumps(student))


def test_mixed_frames(mixed):
    X, student, new = mixed
    for dtype, tolerance in (("float16", FLOAT16), ("int8", INT8)):
        compressed = compress(student, X, dtype=dtype)
        assert_allclose(
            compressed.predict_proba(new),
            student.predict_proba(new),
            atol=tolerance,
        )
        assert_array_equal(compressed.classes_, ["no", "yes"])
        assert_array_equal(compressed.feature_names_in_, X.columns)
        assert compressed.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names"):
        compressed.predict(new[new.columns[::-1]])


def test_columns_in_units_of_their_own_do_not_share_a_scale(binary):
    X, y = binary
    X = X * [1e-6, 1, 1e6, 1, 1, 1] + [0, 0, 1e7, 0, 0, 0]
    fitted = LinearStudent(encoding="standard").fit(X, y)
    student = LinearStudent(encoding=None).fit(X[:, :2], y)
    student.coef_, student.intercept_ = fitted.coef_, fitted.intercept_
    student.encoder_ = TableEncoder().fit(Table(X), np.eye(2)[y], None, None, 1)
    student.n_features_in_ = 6
    proba = student.predict_proba(X)
    assert_allclose(proba, fitted.predict_proba(X))
    for dtype, tolerance in (("float16", FLOAT16), ("int8", INT8)):
        compressed = compress(student, X, dtype=dtype)
        assert_allclose(compressed.predict_proba(X), proba, atol=tolerance)


@pytest.mark.filterwarnings("ignore:.*does not help")
def test_distilled_classifiers_are_compressed_by_their_student(binary):
    X, y = binary
    labels = np.array(["a", "b"])[y]
    teacher = LogisticRegression()
    for model in (
        DistilledClassifier(teacher, mlp()),
        DistilledClassifierCV(teacher, "linear", distillation_weights=2, cv=2),
    ):
        model.set_params(random_state=0).fit(X, labels)
        compressed = compress(model, X)
        expected = compress(model.student_, X).predict_proba(X)
        assert_array_equal(compressed.predict_proba(X), expected)
        assert compressed.score(X, labels) > 0.8


@pytest.mark.parametrize("key", [("two", 3), ("lbfgs", 2), ("linear, None", 2)])
def test_the_student_is_not_changed(students, tables, key):
    X, _ = tables[key[1]]
    student = students[key]
    before = joblib.hash(student)
    prune = 0.0 if "linear" in key[0] else 0.5
    compressed = compress(student, X, prune=prune, random_state=0)
    assert joblib.hash(student) == before
    for layer in compressed.layers_:
        for kept in (getattr(student, "coefs_", []), [student.encoder_.mean_]):
            assert not any(np.shares_memory(layer.weights, array) for array in kept)


# Pruning.


def silent(student, units):
    """Return a copy whose units say nothing to the next layer."""
    student = deepcopy(student)
    student.coefs_[1][units] = 0
    return student


@pytest.mark.parametrize("key", [("tanh", 2), ("tanh", 3)])
def test_units_that_say_nothing_go_first_and_change_nothing(students, tables, key):
    X, _ = tables[key[1]]
    units = [1, 4, 9, 15]
    student = silent(students[key], units)
    compressed = compress(student, X, dtype="float32", prune=0.25, fine_tune=False)
    kept = np.setdiff1d(np.arange(16), units)
    assert_array_equal(compressed.layers_[0].weights, student.coefs_[0][:, kept])
    assert_allclose(compressed.layers_[1].weights, student.coefs_[1][kept], rtol=1e-6)
    assert_allclose(compressed.predict_proba(X), student.predict_proba(X), atol=1e-7)


def test_the_value_of_a_unit_that_never_varies_becomes_bias(students, tables):
    X, _ = tables[2]
    student = silent(students["tanh", 2], [])
    student.coefs_[0][:, 3] = 0
    student.intercepts_[0][3] = 5
    student.coefs_[1][3] = 1
    compressed = compress(student, X, dtype="float32", prune=1 / 16, fine_tune=False)
    assert_allclose(
        compressed.layers_[1].bias, student.intercepts_[1] + np.tanh(5), rtol=1e-5
    )
    assert_allclose(compressed.predict_proba(X), student.predict_proba(X), atol=1e-6)


def test_a_unit_takes_the_part_of_its_twin(students, tables):
    X, _ = tables[2]
    student = silent(students["tanh", 2], [])
    for array in (student.coefs_[0].T, student.intercepts_[0]):
        array[5] = array[6]
    student.coefs_[1][5], student.coefs_[1][6] = 0.1, 2.0
    student.coefs_[1][np.abs(student.coefs_[1][:, 0]) < 0.1] = 0.5
    compressed = compress(student, X, dtype="float32", prune=1 / 16, fine_tune=False)
    kept = np.delete(student.coefs_[1], 5, axis=0)
    kept[5] += 0.1
    assert_allclose(compressed.layers_[1].weights, kept, atol=0.02)
    assert_allclose(compressed.predict_proba(X), student.predict_proba(X), atol=5e-3)


@pytest.mark.parametrize("key", [("one", 2), ("two", 3)])
def test_contribution_tells_which_units_matter(students, tables, key, monkeypatch):
    X, _ = tables[key[1]]
    settings = {"dtype": "float32", "prune": 0.5, "fine_tune": False}
    by_contribution = compress(students[key], X, **settings).compression_
    contributions = pruning.contributions
    monkeypatch.setattr(pruning, "contributions", lambda *a: -contributions(*a))
    opposite = compress(students[key], X, **settings).compression_
    assert by_contribution.n_units == opposite.n_units
    assert by_contribution.divergence < 0.5 * opposite.divergence


def test_contributions_by_hand():
    units = np.array([[0.0, 1.0], [2.0, 1.0]])
    outgoing = np.array([[3.0, 4.0], [10.0, 10.0]])
    assert_allclose(pruning.contributions(units, outgoing), [1 * 5, 0])
    assert_array_equal(pruning.largest(np.array([1.0, 3.0, 0.0, 2.0]), 2), [1, 3])


def test_least_squares_is_a_slight_ridge():
    x = RNG.normal(size=(50, 4)) * [1, 2, 3, 4] + 7
    y = x @ RNG.normal(size=(4, 2)) + RNG.normal(size=(50, 2)) + 3
    weights, bias = pruning.least_squares(x, y)
    one_row = ((x - x.mean(axis=0)) ** 2).mean()
    ridge = Ridge(alpha=one_row).fit(x, y)
    assert_allclose(weights, ridge.coef_.T, rtol=1e-8)
    assert_allclose(bias, ridge.intercept_, rtol=1e-8)
    weights, bias = pruning.least_squares(np.ones((5, 3)), np.full((5, 1), 2.0))
    assert_allclose(weights, np.zeros((3, 1)))
    assert_allclose(bias, [2])


@pytest.mark.parametrize(
    ("prune", "kept"), [(0.0, (12, 8)), (0.25, (9, 6)), (1.0, (1, 1))]
)
def test_share_of_units(students, tables, prune, kept):
    X, _ = tables[3]
    compressed = compress(students["two", 3], X, prune=prune, fine_tune=False)
    assert compressed.compression_.n_units == kept
    assert np.isfinite(compressed.predict_proba(X)).all()


@pytest.mark.parametrize("key", [("two", 3), ("lbfgs", 2)])
def test_fine_tuning_brings_a_pruned_network_back(students, tables, key):
    X, _ = tables[key[1]]
    rough, tuned, again = (
        compress(students[key], X, prune=0.5, fine_tune=tunes, random_state=0)
        for tunes in (False, True, True)
    )
    assert tuned.compression_.n_units == rough.compression_.n_units
    assert tuned.compression_.divergence < 0.7 * rough.compression_.divergence
    assert_array_equal(tuned.predict_proba(X), again.predict_proba(X))


def test_fine_tuning_learns_mixed_frames(mixed):
    X, student, new = mixed
    rough, tuned = (
        compress(student, X, prune=0.75, fine_tune=tunes, random_state=0)
        for tunes in (False, True)
    )
    assert tuned.compression_.divergence < rough.compression_.divergence
    assert np.isfinite(tuned.predict_proba(new)).all()


def test_nothing_is_trained_where_no_unit_goes(students, tables, monkeypatch):
    X, _ = tables[2]
    monkeypatch.setattr("sk_distill.training.train_module", None)
    for prune in (0.0, 0.01):
        compress(students["one", 2], X, prune=prune)


def test_generators_are_left_alone(students, tables):
    X, _ = tables[2]
    np.random.seed(0)  # noqa: NPY002
    before = joblib.hash(np.random.get_state())  # noqa: NPY002
    compress(students["one", 2], X, prune=0.9)
    assert joblib.hash(np.random.get_state()) == before  # noqa: NPY002


# Rounding.


def test_weights_of_a_column_share_their_range_around_zero(students, tables):
    X, _ = tables[2]
    for name in ("one", "linear, bins"):
        compressed = compress(students[name, 2], X)
        layer = compressed.layers_[0]
        step = layer.scale
        for slots in compressed.encoder_.slots_of_columns().values():
            values = layer.weights[slots] * step
            middle = (values.max(axis=0) + values.min(axis=0)) / 2
            assert (np.abs(middle) <= step).all()


@pytest.mark.parametrize("key", [("one", 2), ("two", 3), ("plain", 2)])
def test_one_row_calibrates_badly_but_soundly(students, tables, key):
    X, _ = tables[key[1]]
    settings = {"prune": 0.5, "random_state": 0}
    compressed = compress(students[key], X[:1], **settings)
    assert_allclose(
        compressed.predict_proba(X[:1]), students[key].predict_proba(X[:1]), atol=INT8
    )
    assert np.isfinite(compressed.predict_proba(X)).all()


def test_many_rows_are_drawn_from():
    X = np.arange(25_000.0)[:, None]
    drawn = _draw_rows(Table(X), 0).numbers.ravel()
    assert len(drawn) == len(np.unique(drawn)) == 20_000
    assert (np.diff(drawn) > 0).all()
    assert not np.array_equal(drawn, _draw_rows(Table(X), 1).numbers.ravel())


# Serving.


SERVE = """
import pickle, sys
with open("students.pickle", "rb") as file:
    students, X = pickle.load(file)
answers = [(s.predict_proba(X), s.decision_function(X), s.predict(X)) for s in students]
heavy = {"torch", "skorch"} & set(sys.modules)
with open("answers.pickle", "wb") as file:
    pickle.dump((answers, heavy), file)
"""


def test_it_is_served_without_torch(students, tables, tmp_path):
    X, _ = tables[3]
    served = [
        compress(students["two", 3], X, prune=0.5, random_state=0),
        compress(students["one", 3], X, dtype="float16"),
        compress(students["linear", 3], X),
    ]
    (tmp_path / "students.pickle").write_bytes(pickle.dumps((served, X)))
    subprocess.run([sys.executable, "-c", SERVE], cwd=tmp_path, check=True)
    answers, heavy = pickle.loads((tmp_path / "answers.pickle").read_bytes())
    assert not heavy
    for student, (proba, scores, labels) in zip(served, answers, strict=True):
        assert_array_equal(proba, student.predict_proba(X))
        assert_array_equal(scores, student.decision_function(X))
        assert_array_equal(labels, student.predict(X))


def test_it_lives_inside_other_estimators(students, tables):
    X, y = tables[2]
    compressed = compress(students["one", 2], X)
    pipeline = make_pipeline(FrozenEstimator(compressed)).fit(X, y)
    assert_array_equal(pipeline.predict_proba(X), compressed.predict_proba(X))


# What is refused.


def test_it_is_not_fitted(students, tables):
    X, y = tables[2]
    compressed = compress(students["one", 2], X)
    with pytest.raises(NotImplementedError, match=r"pass it to sk_distill\.compress"):
        compressed.fit(X, y)
    with pytest.raises(NotFittedError, match="CompressedStudent"):
        clone(compressed).predict(X)
    assert isinstance(compressed, CompressedStudent)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"dtype": "int4"}, ValueError, "dtype='int4' is not valid; .*Did you mean"),
        ({"dtype": np.int8}, ValueError, "choose one of 'float32', 'float16', 'int8'"),
        ({"prune": 1.1}, ValueError, "prune=1.1 must be a number >= 0 and <= 1"),
        ({"prune": -0.1}, ValueError, "prune=-0.1 must be"),
        ({"prune": "half"}, TypeError, "prune='half' must be .* got a str"),
        ({"fine_tune": "no"}, TypeError, "fine_tune='no' must be True or False"),
        ({"random_state": "x"}, ValueError, "random_state='x' must be None, an int"),
    ],
)
def test_parameters_that_are_refused(students, tables, params, error, message):
    with pytest.raises(error, match=f"^compress: .*{message}"):
        compress(students["one", 2], tables[2][0], **params)


def test_a_linear_student_has_no_units_to_leave_out(students, tables):
    with pytest.raises(ValueError, match=r"prune=0\.5 .* a LinearStudent has none"):
        compress(students["linear", 2], tables[2][0], prune=0.5)


@pytest.mark.parametrize(
    ("student", "error", "message"),
    [
        (mlp(), NotFittedError, "MLPStudent instance is not fitted"),
        (DistilledClassifier(), NotFittedError, "DistilledClassifier instance is not"),
        ("mlp", TypeError, "student='mlp' cannot be compressed; expected a fitted"),
        (LogisticRegression(), TypeError, r"student=LogisticRegression\(\) cannot be"),
        (make_pipeline(mlp()), TypeError, "Of a Pipeline or a search pass the part"),
    ],
)
def test_students_that_are_refused(binary, student, error, message):
    with pytest.raises(error, match=message):
        compress(student, binary[0])


def test_rows_that_are_refused(students, tables):
    X, _ = tables[2]
    student = students["one", 2]
    with pytest.raises(ValueError, match="X has 2 features, but MLPStudent"):
        compress(student, X[:, :2])
    with pytest.raises(ValueError, match="infinity"):
        compress(student, np.full((3, 6), np.inf))


def test_a_student_whose_size_cannot_be_told(binary):
    X, y = binary

    class Local:
        pass

    student = mlp().fit(X, y)
    student.net_params = {"module__x": Local()}
    with pytest.raises(ValueError, match=r"MLPStudent: its size .* net_params=None"):
        compress(student, X)
