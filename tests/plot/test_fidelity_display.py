"""What is drawn of student and teacher is what they say."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sk_distill import DistilledClassifier
from sk_distill.metrics import agreement_score
from sk_distill.plot import FidelityDisplay

plt = pytest.importorskip("matplotlib.pyplot")


def test_fidelity_draws_what_teacher_and_student_say(search, binary):
    X, _ = binary
    _, ax = plt.subplots()
    display = FidelityDisplay.from_estimator(search, X, ax=ax)
    teacher, student = search.teacher_.predict_proba(X), search.predict_proba(X)
    assert display.ax_ is ax
    assert_allclose(display.teacher_proba, teacher[:, 1])
    assert_allclose(display.student_proba, student[:, 1])
    apart = teacher.argmax(axis=1) != student.argmax(axis=1)
    assert apart.any()
    assert_allclose(
        display.points_.get_offsets(),
        np.column_stack([teacher[apart, 1], student[apart, 1]]),
    )
    assert display.density_.get_array().sum() == (~apart).sum()
    agreement = agreement_score(search.teacher_.predict(X), search.predict(X))
    shown = f"disagree: {apart.sum()} of 240 ({1 - agreement:.1%})"
    assert display.points_.get_label() == shown


def test_fidelity_of_three_classes():
    rng = np.random.default_rng(0)
    teacher, student = rng.dirichlet(np.ones(3), size=(2, 40))
    names = ["a", "b", "c"]
    display = FidelityDisplay.from_predictions(
        teacher, student, classes=names, class_label="b"
    )
    assert_allclose(display.teacher_proba, teacher[:, 1])
    assert display.ax_.get_ylabel() == "student's probability of b"
    display = FidelityDisplay.from_predictions(teacher, student, classes=names)
    rows = np.arange(40)
    assert_allclose(display.teacher_proba, teacher.max(axis=1))
    assert_allclose(display.student_proba, student[rows, teacher.argmax(axis=1)])
    with pytest.raises(
        ValueError, match=r"class_label='d' is none of .*\['a', 'b', 'c'"
    ):
        FidelityDisplay.from_predictions(
            teacher, student, classes=names, class_label="d"
        )


def test_fidelity_of_the_second_of_two_classes():
    """One number a row, which the metrics take, was refused."""
    second, student = np.random.default_rng(0).random((2, 40))
    tables = [np.column_stack([1 - p, p]) for p in (second, student)]
    expected = FidelityDisplay.from_predictions(*tables)
    for pair in ((second, student), (second, tables[1]), (tables[0], student.tolist())):
        display = FidelityDisplay.from_predictions(*pair)
        assert_allclose(display.teacher_proba, second)
        assert_allclose(display.student_proba, student)
        assert_array_equal(display.agrees, expected.agrees)


def test_fidelity_where_nothing_or_everything_agrees():
    proba = np.array([[0.1, 0.9], [0.8, 0.2]])
    display = FidelityDisplay.from_predictions(proba, proba[::-1])
    assert display.density_ is display.colorbar_ is None
    assert len(display.points_.get_offsets()) == 2
    display = FidelityDisplay.from_predictions(proba, proba)
    assert display.points_.get_label() == "disagree: 0 of 2 (0.0%)"


def test_fidelity_of_nothing_is_refused(search, binary):
    none = np.zeros((0, 2))
    with pytest.raises(
        ValueError, match=r"teacher_proba has shape \(0, 2\); .*one row"
    ):
        FidelityDisplay.from_predictions(none, none)
    with pytest.raises(
        ValueError, match="FidelityDisplay: X has no rows; expected one"
    ):
        FidelityDisplay.from_estimator(search, binary[0][:0])
    for nothing in ("a", 3, None):
        with pytest.raises(
            TypeError, match=r"X=.* must be an array or a frame of rows"
        ):
            FidelityDisplay.from_estimator(search, nothing)
    with pytest.raises(ValueError, match=r"shapes \(0,\), \(0,\) and \(0,\); expected"):
        FidelityDisplay(teacher_proba=[], student_proba=[], agrees=[]).plot()


@pytest.mark.parametrize("classes", [["a"], ["a", "b", "c"], "ab"])
def test_fidelity_has_a_class_for_each_column(classes):
    proba = [[0.1, 0.9], [0.8, 0.2]]
    with pytest.raises(ValueError, match=r"classes=.* but teacher_proba has 2 columns"):
        FidelityDisplay.from_predictions(proba, proba, classes=classes)


def test_fidelity_without_a_teacher(binary, forest):
    X, y = binary
    proba = clone(forest).fit(X, y).predict_proba(X)
    model = DistilledClassifier(student="linear", random_state=0)
    model.fit(X, y, teacher_proba=proba)
    with pytest.raises(AttributeError, match=r"no teacher_\. Pass the teacher's proba"):
        FidelityDisplay.from_estimator(model, X)
    display = FidelityDisplay.from_estimator(model, X, teacher_proba=proba)
    assert_allclose(display.teacher_proba, proba[:, 1])
    with pytest.raises(ValueError, match="FidelityDisplay: teacher_proba has shape"):
        FidelityDisplay.from_estimator(model, X, teacher_proba=proba[:3])


def test_fidelity_puts_the_teachers_columns_in_order(binary):
    X, _ = binary

    class Reversed:
        classes_ = np.array([1, 0])

        def predict_proba(self, X):
            return np.tile([0.9, 0.1], (len(X), 1))

    student = SimpleNamespace(
        teacher_=Reversed(),
        classes_=np.array([0, 1]),
        predict_proba=lambda X: np.tile([0.2, 0.8], (len(X), 1)),
    )
    display = FidelityDisplay.from_estimator(student, X)
    assert_array_equal(display.teacher_proba, 0.9)
    assert display.agrees.all()


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
@pytest.mark.parametrize(("n_axes", "size"), [(2, (6.4, 4.8)), (3, (12, 4))])
def test_a_colour_bar_takes_its_room_from_its_own_axes(layout, n_axes, size):
    """It lay on the axes to the right, as nothing was taken away for it."""
    rng = np.random.default_rng(0)
    teacher, student = rng.dirichlet(np.ones(2), size=(2, 200))
    figure, axes = plt.subplots(1, n_axes, figsize=size, layout=layout)
    axes[1].set(ylabel="a neighbour", ylim=(-0.2, -0.1))
    display = FidelityDisplay.from_predictions(teacher, student, ax=axes[0])
    figure.canvas.draw()
    bar, square = display.colorbar_.ax.bbox, axes[0].bbox
    assert_allclose([bar.y0, bar.y1], [square.y0, square.y1])
    assert square.x1 < bar.x0
    right = display.colorbar_.ax.get_tightbbox().x1
    assert right < axes[1].get_tightbbox().x0
    assert_allclose(square.width, square.height)
