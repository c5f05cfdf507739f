"""Where student and teacher disagree most."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sk_distill.report.slices import _slices_of_numbers, worst_slices


def test_slices_are_the_worst(mixed):
    model, X, _ = mixed
    rng = np.random.default_rng(1)
    teacher, student, truth = rng.integers(0, 2, size=(3, 300))
    student[(X["level"] == "b").to_numpy()] = teacher[(X["level"] == "b").to_numpy()]
    student[:41] = 1 - teacher[:41]
    slices = worst_slices(model, X, teacher, student, truth, 3)
    worst = slices[0]
    assert worst.feature == "<b>number</b> & more"
    assert (worst.values, worst.n_rows, worst.disagreement) == ("missing", 41, 1.0)
    assert_allclose(worst.teacher_accuracy, np.mean(teacher[:41] == truth[:41]))
    assert_allclose(worst.student_accuracy, np.mean(student[:41] == truth[:41]))

    def lower_end(part):
        # Wilson's interval is where (p - q)^2 = z^2 q (1 - q) / n.
        p, n, z2 = part.disagreement, part.n_rows, 1.96**2
        return min(np.roots([1 + z2 / n, -2 * p - z2 / n, p * p]))

    ends = [lower_end(part) for part in slices]
    assert ends == sorted(ends, reverse=True)
    levels = X["level"].astype(object).where(X["level"].notna(), "missing")
    apart = teacher != student
    named = next(part for part in slices if part.feature == "level")
    rows = (levels == named.values).to_numpy()
    assert named.n_rows == rows.sum()
    assert_allclose(named.disagreement, apart[rows].mean())
    for level in ("b", "c", "<script>alert(1)</script>", "missing"):
        rows = (levels == level).to_numpy()
        part = named._replace(n_rows=rows.sum(), disagreement=apart[rows].mean())
        assert lower_end(part) <= lower_end(named)


def test_slices_of_numbers_are_fifths(two):
    model, _, _ = two
    X = np.zeros((500, 6))
    X[:, 0] = np.random.default_rng(0).permutation(500)
    X[:, 1] = np.arange(500) % 2
    teacher = np.zeros(500, dtype=int)
    student = ((X[:, 0] >= 100) & (X[:, 0] < 200)).astype(int)
    first, *_ = worst_slices(model, X, teacher, student, teacher, 6)
    assert (first.feature, first.n_rows, first.disagreement) == ("x0", 100, 1.0)
    assert first.values == "99.8 to 199.6"
    student = (X[:, 1] == 1).astype(int)
    first, *_ = worst_slices(model, X, teacher, student, teacher, 6)
    assert (first.feature, first.values, first.n_rows) == ("x1", "1", 250)


@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        (20230101 + np.arange(101) * 10, ["20230301", "20230501", "20230701"]),
        (1.7e9 + np.arange(101) * 10, ["1700000200", "1700000400", "1700000600"]),
        (1 + np.arange(101) * 1e-7, ["1.000002", "1.000004", "1.000006"]),
        (np.arange(101) * 1e5, ["2e+06", "4e+06", "6e+06"]),
    ],
)
def test_slices_of_a_column_have_names_of_their_own(numbers, names):
    """By four digits all days of a year were 2.023e+07."""
    missing, lowest, *between, highest = (
        name for name, _ in _slices_of_numbers(numbers)
    )
    low, middle, high = names
    assert missing == "missing"
    assert lowest == f"≤ {low}"
    assert between[:2] == [f"{low} to {middle}", f"{middle} to {high}"]
    assert highest.startswith("> ")


def test_few_numbers_have_names_of_their_own():
    numbers = np.array([20230101.0, 20230102, 20230102])
    assert [name for name, _ in _slices_of_numbers(numbers)] == [
        "missing",
        "20230101",
        "20230102",
    ]


def test_all_rows_are_no_slice(two):
    """A column that never varies was listed, with the disagreement of all rows."""
    model, _, _ = two
    X = np.zeros((100, 6))
    X[:, 0] = np.arange(100)
    X[:, 1] = np.nan
    teacher = np.zeros(100, dtype=int)
    student = (X[:, 0] < 20).astype(int)
    slices = worst_slices(model, X, teacher, student, teacher, 6)
    assert [part.feature for part in slices] == ["x0"]


def test_few_rows_make_no_slice(two, report):
    model, X, _ = two
    apart = np.ones(19, dtype=int)
    assert worst_slices(model, X[:19], apart, 1 - apart, apart, 5) == []
    assert "disagree nowhere among 20 rows" in str(report(model, X[:19], two[2][:19]))
