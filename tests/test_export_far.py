"""All exports on rows far from what a fit has seen: they answer as the student does."""

import runpy

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_distill import LinearStudent, MLPStudent
from sk_distill.export import load, save, to_onnx, to_python, to_sklearn


@pytest.fixture(scope="module")
def table():
    """300 rows of two columns, one a hundred times as wide as the other, and labels."""
    X = np.random.default_rng(0).normal(0, [1, 100], size=(300, 2)).astype(np.float32)
    return X, (X[:, 0] > X[:, 1] / 50).astype(int)


def far_rows(most):
    """Return rows of up to so many powers of ten, of either sign, also half missing."""
    ladder = 10.0 ** np.arange(2, most, 3)
    far = np.concatenate([ladder, -ladder])
    pairs = [(a, b) for a in (0.0, 1.0, *far) for b in (0.0, *far)]
    gaps = [(np.nan, a) for a in far] + [(a, np.nan) for a in far]
    # What two columns say of the same number, where one of them decides.
    alike = [(9.0 * a, 9.0 * a) for a in far]
    # As float32 has them, so that nothing but the export differs.
    return np.array(pairs + gaps + alike).astype(np.float32)


def answers_of_exports(student, rows, folder):
    to_onnx(student, folder / "student.onnx")
    session = onnxruntime.InferenceSession(
        folder / "student.onnx", providers=["CPUExecutionProvider"]
    )
    predict_proba = runpy.run_path(str(to_python(student, folder / "student.py")))[
        "predict_proba"
    ]
    return {
        "to_sklearn": to_sklearn(student).predict_proba(rows),
        "to_onnx": session.run(None, {"X": rows})[1],
        "to_python": predict_proba(rows),
        "to_python, one by one": [predict_proba([row])[0] for row in rows.tolist()],
    }


@pytest.mark.parametrize(
    "student",
    [
        LinearStudent(),
        LinearStudent(alpha=1e6),
        LinearStudent(encoding="piecewise_linear"),
        MLPStudent((4,), encoding="standard", max_iter=2, random_state=0),
        MLPStudent((4,), max_iter=2, random_state=0),
    ],
    ids=["linear", "penalised", "linear-bins", "mlp", "mlp-bins"],
)
def test_rows_of_many_orders_of_magnitude(student, table, tmp_path):
    """Numbers were kept within 1e6 deviations where a linear student takes any.

    On columns of scale 1 and 100 two exports answered 999999999, 999999999 with the
    other class than the student.
    """
    student.fit(*table)
    rows = far_rows(36)
    expected = student.predict_proba(rows)
    for name, proba in answers_of_exports(student, rows, tmp_path).items():
        # A graph is in float32: of numbers by the million six digits are left.
        atol = 1e-4 if name == "to_onnx" else 1e-6
        assert_allclose(proba, expected, rtol=0, atol=atol, err_msg=name)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_wide_linear_student_takes_numbers_whose_squares_overflow(tmp_path):
    """to_python took 1e160 for 1e6 deviations as soon as the file had arrays."""
    rng = np.random.default_rng(0)
    X = rng.normal(0, 10.0 ** (np.arange(70) % 3), size=(300, 70))
    student = LinearStudent().fit(X, (X[:, 0] > X[:, 1] / 10).astype(int))
    rows = np.zeros((3, 70))
    rows[:, :2] = [[9e160, 9e160], [-9e160, -9e160], [np.nan, 9e160]]
    expected = np.vstack([student.predict_proba(row[None]) for row in rows])
    path = to_python(student, tmp_path / "student.py")
    predict_proba = runpy.run_path(str(path))["predict_proba"]
    assert_allclose(predict_proba(rows), expected, rtol=0, atol=1e-12)
    alone = [predict_proba([row])[0] for row in rows.tolist()]
    assert_allclose(alone, expected, rtol=0, atol=1e-12)
    assert_allclose(to_sklearn(student).predict_proba(rows), expected, atol=1e-12)


@pytest.mark.parametrize("scale", [100, 1e9])
def test_columns_far_from_zero_keep_their_digits(scale, tmp_path):
    """Of 1e15 ± 100 a linear student lost four digits, and its exports four others.

    What to_python wrote failed its own check.
    """
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(300, 3))
    X = noise * [scale, scale, 1] + [1e15, 1e15, 0]
    # Both columns count, and in units of their own they cancel each other.
    student = LinearStudent().fit(X, noise[:, 0] > noise[:, 1])
    moved = X + np.array([10 * scale, 0, 0])
    rows = np.vstack([X, moved, [[1e15, np.nan, 1]]])
    expected = student.predict_proba(rows)
    standardised = (rows - student.encoder_.mean_) / student.encoder_.scale_
    coef, intercept = student.encoder_.unfold(student.coef_, student.intercept_)
    z = np.nan_to_num(standardised) @ coef[0] + intercept[0]
    assert_allclose(expected[:, 1], 1 / (1 + np.exp(-z)), rtol=0, atol=1e-6)
    path = to_python(student, tmp_path / "student.py")
    file = runpy.run_path(str(path))
    assert file["self_check"]() < 1e-6
    assert_allclose(file["predict_proba"](rows), expected, rtol=0, atol=1e-6)
    assert_allclose(to_sklearn(student).predict_proba(rows), expected, atol=1e-6)
    loaded = load(save(student, tmp_path / "student.skops"))
    assert_array_equal(loaded.predict_proba(rows), expected)
