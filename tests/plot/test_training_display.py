"""What is drawn of a training is its history."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.tree import DecisionTreeClassifier

from sk_distill import DistilledClassifier, LinearStudent, MLPStudent, MLPTeacher
from sk_distill.plot import TrainingCurveDisplay


def test_training_curves(multiclass):
    student = MLPStudent(8, max_iter=6, early_stopping=True, random_state=0)
    display = TrainingCurveDisplay.from_estimator(student.fit(*multiclass))
    assert list(display.lines_) == ["train_loss", "valid_loss"]
    for name, line in display.lines_.items():
        assert_array_equal(line.get_xdata(), np.arange(1, student.n_iter_ + 1))
        assert_array_equal(line.get_ydata(), student.history_[name])
    best = student.history_["valid_loss"].argmin() + 1
    assert display.best_.get_xdata() == [best]
    assert display.best_.get_label() == f"best epoch: {best}"
    assert display.ax_.get_xlabel() == "epoch"


def test_training_curves_of_both(multiclass):
    model = DistilledClassifier(
        MLPTeacher(8, n_members=1),
        MLPStudent(4, max_iter=3, early_stopping=False),
        schedule="joint",
        random_state=0,
    ).fit(*multiclass)
    display = TrainingCurveDisplay.from_estimator(model)
    assert set(display.lines_) == set(model.history_)
    labels = {name: line.get_label() for name, line in display.lines_.items()}
    assert labels["train_loss"] == "student, training rows"
    assert labels["teacher_train_loss"] == "teacher, training rows"
    assert display.best_ is None


def test_training_curves_of_lbfgs_count_iterations(binary):
    display = TrainingCurveDisplay.from_estimator(LinearStudent().fit(*binary))
    assert display.ax_.get_xlabel() == "iteration"
    assert display.ax_.get_legend() is None


@pytest.mark.parametrize(
    ("last", "scale"), [(0.01, "log"), (0.5, "linear"), (0, "linear")]
)
def test_losses_that_fall_far_are_on_a_logarithmic_axis(last, scale):
    display = TrainingCurveDisplay(history={"train_loss": [1, last]}).plot()
    assert display.ax_.get_yscale() == scale


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_loss_that_is_no_number_is_not_the_best(odd):
    """The epoch of the NaN was the best, and an axis with one was linear."""
    history = {"train_loss": [1, 0.5, 0.02, odd], "valid_loss": [1, odd, 0.5, 0.6]}
    display = TrainingCurveDisplay(history=history).plot()
    assert display.best_.get_label() == "best epoch: 3"
    assert display.best_.get_ydata() == [0.5]
    assert display.ax_.get_yscale() == "log"


def test_training_needs_a_history(binary, forest):
    X, y = binary
    model = DistilledClassifier(
        forest, DecisionTreeClassifier(max_depth=2), random_state=0
    )
    with pytest.raises(AttributeError, match=r"no history_\. Built-in students"):
        TrainingCurveDisplay.from_estimator(model.fit(X, y))
    with pytest.raises(ValueError, match=r"history has \['loss'\]; expected some of"):
        TrainingCurveDisplay(history={"loss": [1]}).plot()
    with pytest.raises(TypeError, match="history=None must be a dict of losses"):
        TrainingCurveDisplay(history=None).plot()


@pytest.mark.parametrize("losses", [[], 1.0, [[1.0]], ["a"], [np.nan, np.nan]])
def test_a_curve_has_a_loss_for_each_epoch(losses):
    with pytest.raises(
        ValueError, match=r"history\['valid_loss'\]=.* one for each epoch and one of"
    ):
        TrainingCurveDisplay(history={"valid_loss": losses}).plot()
