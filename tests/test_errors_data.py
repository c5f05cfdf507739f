"""Rows, labels, weights and probabilities that cannot be used; nothing is lost."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from skorch import NeuralNetClassifier
from torch import nn

from nets import says
from sk_distill import (
    DistillationWarning,
    DistilledClassifier,
    LinearStudent,
    MLPStudent,
    MLPTeacher,
    TrainingDivergedError,
)

X, Y = (array[::2] for array in load_iris(return_X_y=True))
PROBA = GaussianNB().fit(X, Y).predict_proba(X)
N = len(X)


def distilled(**params):
    return DistilledClassifier(
        **{"teacher": GaussianNB(), "student": "linear"} | params
    )


ALL = {
    "DistilledClassifier": distilled,
    "LinearStudent": LinearStudent,
    "MLPStudent": lambda: MLPStudent((8,), max_iter=2),
    "MLPTeacher": lambda: MLPTeacher((8,), n_members=2, max_iter=2),
}


def changed(array, index, value):
    copy = np.array(array, dtype=float)
    copy[index] = value
    return copy


# Rows


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", [LinearStudent, MLPStudent])
def test_rows_that_are_not_finite(kind, value):
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        kind(encoding=None).fit(changed(X, (3, 1), value), Y)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("text", [False, True])
def test_two_columns_of_one_name(name, text):
    """The error was of another package's, and named no estimator."""
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    if text:
        frame["d"] = np.where(frame["d"] > 1, "wide", "narrow")
    twice = frame.set_axis(["a", "b", "a", "b"], axis=1)
    message = says(f"{name}: X has more than one", "['a', 'b']", "X.columns = ")
    with pytest.raises(ValueError, match=message):
        ALL[name]().fit(twice, Y)
    if text:
        return
    model = ALL[name]().fit(frame, Y)
    student = name if name != "DistilledClassifier" else "LinearStudent"
    with pytest.raises(ValueError, match=f"{student}: X has more than one column of"):
        model.predict(twice)


@pytest.mark.parametrize("name", ALL)
def test_a_lazy_frame(name):
    """Numpy said that it cannot set an element with a sequence."""
    frame = pl.DataFrame(X, schema=["a", "b", "c", "d"])
    message = rf"{name}: X is a LazyFrame.* Pass X\.collect\(\)"
    with pytest.raises(TypeError, match=message):
        ALL[name]().fit(frame.lazy(), Y)
    model = ALL[name]().fit(frame, Y)
    with pytest.raises(TypeError, match=r"X is a LazyFrame.* Pass X\.collect\(\)"):
        model.predict(frame.lazy())


def test_rows_that_the_student_refuses_fit_no_teacher():
    class Teacher(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            raise AssertionError("the teacher was fitted")

    student = LinearStudent(encoding=None)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        distilled(teacher=Teacher(), student=student).fit(changed(X, 0, np.nan), Y)


@pytest.mark.parametrize(("names", "column"), [(None, "2"), ([*"abcd"], "'c'")])
@pytest.mark.parametrize(
    "model",
    [
        LinearStudent(),
        MLPStudent((2,), encoding="standard"),
        MLPTeacher(max_iter=1),
        DistilledClassifier(GaussianNB()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_column_with_infinity_is_named(model, names, column):
    """fit left it to scikit-learn's check, which names neither object nor column."""
    rows = changed(X, (3, 2), np.inf)
    if names is not None:
        rows = pd.DataFrame(rows, columns=names)
    with pytest.raises(
        ValueError,
        match=rf"(Student|Teacher): .* infinity, first in column {column}. Clip or dro",
    ):
        model.fit(rows, Y)


def test_missing_numbers_without_an_encoding_are_named():
    with pytest.raises(
        ValueError, match=r"LinearStudent: .* NaN, first in column 1\. .* than None"
    ):
        LinearStudent(encoding=None).fit(changed(X, (0, 1), np.nan), Y)


@pytest.mark.parametrize("cell", [10**400, np.timedelta64(1, "s")])
def test_an_object_that_is_no_number_is_named(cell):
    """OverflowError: int too large to convert to float, of no column."""
    rows = X.astype(object)
    student = LinearStudent().fit(rows.astype(float), Y)
    rows[2, 1] = cell
    with pytest.raises(
        (TypeError, OverflowError), match=r"LinearStudent: column 1 holds .* Mend the"
    ):
        student.predict(rows)


@pytest.mark.parametrize("name", ALL)
class TestRows:
    def test_of_one_dimension(self, name):
        with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
            ALL[name]().fit(X[:, 0], Y)

    def test_that_are_sparse(self, name):
        with pytest.raises(TypeError, match="Sparse data was passed for X"):
            ALL[name]().fit(csr_array(X), Y)

    def test_of_another_number_than_labels(self, name):
        with pytest.raises(ValueError, match=says("inconsistent", f"[{N}, {N - 1}]")):
            ALL[name]().fit(X, Y[:-1])

    def test_of_another_number_of_columns_than_in_fit(self, name):
        message = r"X has 3 features, but \w+ is expecting 4 features as input"
        with pytest.raises(ValueError, match=message):
            ALL[name]().fit(X, Y).predict(X[:, :3])

    def test_before_fit(self, name):
        for method in ("predict", "predict_proba", "predict_log_proba"):
            message = says(f"This {name} instance is not fitted yet")
            with pytest.raises(NotFittedError, match=message):
                getattr(ALL[name](), method)(X)


# Labels


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(N), "needs at least two classes in y; got one class, 0.0"),
        (np.linspace(0, 1, N), "Unknown label type: continuous"),
        (changed(Y, 3, np.nan), "Input y contains NaN or infinity. Drop the rows"),
        (np.eye(3)[Y], "y should be a 1d array"),
        (None, "requires y to be passed, but the target y is None"),
        (
            np.array([1, "a"] * (N // 2) + [1], dtype=object),
            "y mixes labels that cannot be sorted (int, str)",
        ),
    ],
    ids=["one class", "continuous", "NaN", "matrix", "None", "mixed"],
)
def test_labels(name, y, message):
    with pytest.raises(ValueError, match=says(message)):
        ALL[name]().fit(X, y)


# Weights


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (changed(np.ones(N), 3, -2), "has negative values (the smallest is -2)"),
        (np.zeros(N), "is zero for every row; at least one row must weigh something"),
        (np.ones(N - 1), f"has shape ({N - 1},); expected one weight a row, ({N},)"),
        (np.ones((N, 1)), f"has shape ({N}, 1); expected one weight a row"),
        (changed(np.ones(N), 3, np.nan), "sample_weight contains NaN"),
        (np.full(N, 1e-300), "sample_weight sums to 7.5e-299, too far from 1"),
    ],
    ids=["negative", "zero", "too few", "column", "NaN", "tiny"],
)
def test_weights(name, weight, message):
    with pytest.raises(ValueError, match=says("sample_weight", message[13:])):
        ALL[name]().fit(X, Y, sample_weight=weight)


# Probabilities

WRONG_PROBA = {
    "negative": (
        changed(PROBA, (3, 0), -0.5),
        "holds negative values, first in row 3 (the smallest is -0.5); expected "
        "probabilities. Turn logits into probabilities",
    ),
    "NaN": (changed(PROBA, (3, 0), np.nan), "holds NaN or infinity, first in row 3"),
    "sum": (
        changed(PROBA, 3, [0.5, 0.5, 0.5]),
        f"does not sum to 1 in 1 of {N} rows, first in row 3 (sum 1.5); divide",
    ),
    "columns": (PROBA[:, :2], f"has shape ({N}, 2); expected ({N}, 3): one row"),
    "rows": (PROBA[:-1], f"has shape ({N - 1}, 3); expected ({N}, 3)"),
    "vector": (PROBA[:, 0], f"has shape ({N},); expected ({N}, 3)"),
}


class Answers(ClassifierMixin, BaseEstimator):
    """A teacher that says what it was told to say."""

    def __init__(self, proba):
        self.proba = proba

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return self.proba


@pytest.mark.parametrize("kind", WRONG_PROBA)
class TestProbabilities:
    def test_from_elsewhere(self, kind):
        proba, message = WRONG_PROBA[kind]
        message = says(f"DistilledClassifier: teacher_proba {message}")
        with pytest.raises(ValueError, match=message):
            distilled().fit(X, Y, teacher_proba=proba)

    def test_for_a_student(self, kind):
        proba, message = WRONG_PROBA[kind]
        with pytest.raises(ValueError, match=says(f"soft_targets {message}")):
            LinearStudent().fit(X, Y, soft_targets=proba)

    def test_of_a_teacher(self, kind):
        proba, message = WRONG_PROBA[kind]
        with pytest.raises(ValueError, match=says("teacher Answers", message[:20])):
            distilled(teacher=Answers(proba)).fit(X, Y)


def test_class_that_the_teacher_has_never_seen():
    teacher = FrozenEstimator(GaussianNB().fit(X[Y > 0], Y[Y > 0]))
    message = says(
        "has never seen the classes [0] of y; it knows [1, 2]. Fit it on all classes"
    )
    with pytest.raises(ValueError, match=message):
        distilled(teacher=teacher).fit(X, Y)


def test_class_that_only_the_teacher_knows():
    teacher = FrozenEstimator(GaussianNB().fit(X, Y))
    message = says(
        "knows the classes [0] that y has not; y has [1, 2]", "teacher_proba"
    )
    with pytest.raises(ValueError, match=message):
        distilled(teacher=teacher).fit(X[Y > 0], Y[Y > 0])


# Modules


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_module_of_a_wrong_width(role):
    message = says(
        "the module returned shape (2, 5) for 2 rows; expected 3 logits a row for 3 "
        "classes. Change the width of its last layer."
    )
    with pytest.raises(ValueError, match=message):
        distilled(**{role: nn.Linear(4, 5)}).fit(X, Y)


def test_module_that_takes_other_columns():
    with pytest.raises(ValueError, match=says("cannot take rows of 4 columns")):
        distilled(student=nn.Linear(7, 3)).fit(X, Y)


def test_module_class_that_makes_no_module():
    class Odd(nn.Module):
        def __new__(cls, n_features, n_classes):
            return "net"

    with pytest.raises(TypeError, match=says("returned 'net'; expected an nn.Module")):
        distilled(student=Odd).fit(X, Y)


def test_net_of_a_wrong_width():
    net = NeuralNetClassifier(nn.Linear(4, 5), criterion=nn.CrossEntropyLoss)
    message = says(
        "NeuralNetClassifier: the module returned shape (2, 5)", "expected 3 logits"
    )
    with pytest.raises(ValueError, match=message):
        distilled(student=net).fit(X, Y)


@pytest.mark.parametrize("width", ["input", "output"])
@pytest.mark.parametrize("kind", ["module", "net"])
def test_student_of_a_wrong_width_is_refused_before_the_teacher_works(kind, width):
    class Teacher(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            raise AssertionError("the teacher was fitted")

    student = nn.Linear(7, 3) if width == "input" else nn.Linear(4, 5)
    if kind == "net":
        student = NeuralNetClassifier(student, criterion=nn.CrossEntropyLoss)
    with pytest.raises(ValueError, match=r"the width of its (first|last) layer"):
        distilled(teacher=Teacher(), student=student).fit(X, Y)


# Fits that fail, and what they leave


def state(estimator):
    return {name: id(value) for name, value in vars(estimator).items()}


@pytest.mark.parametrize("kind", [LinearStudent, MLPStudent, MLPTeacher])
def test_fit_that_diverges_says_what_to_lower_and_changes_nothing(kind):
    params = {"solver": "adam"} if kind is LinearStudent else {}
    model = kind(max_iter=3, random_state=0, **params).fit(X, Y)
    before, proba = state(model), model.predict_proba(X)
    model.set_params(learning_rate_init=1e38)
    after = state(model)
    message = says(
        f"{kind.__name__} diverged: the train loss is",
        "Lower learning_rate_init (it is 1e+38)",
        "Nothing of this fit was kept",
    )
    with pytest.raises(TrainingDivergedError, match=message):
        model.fit(X, Y)
    assert state(model) == after
    assert {k for k in after if after[k] != before[k]} == {"learning_rate_init"}
    assert_array_equal(model.predict_proba(X), proba)


def test_net_that_diverges():
    net = NeuralNetClassifier(
        nn.Linear(4, 3),
        criterion=nn.CrossEntropyLoss,
        lr=1e38,
        train_split=None,
        verbose=0,
    )
    with pytest.raises(TrainingDivergedError, match=says("Lower the net's lr (it is")):
        distilled(student=net).fit(X, Y)


class InterruptedNet(nn.Linear):
    def forward(self, x):
        if self.training:
            raise KeyboardInterrupt
        return super().forward(x)


@pytest.mark.parametrize("fitted_before", [False, True])
def test_ctrl_c_is_raised_and_leaves_no_half_trained_estimator(fitted_before):
    model = distilled()
    if fitted_before:
        model.fit(X, Y)
    model.set_params(student=InterruptedNet(4, 3))
    before = state(model)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert state(model) == before
    assert hasattr(model, "student_") is fitted_before


@pytest.mark.parametrize("name", ALL)
def test_refused_input_leaves_the_earlier_fit(name):
    model = ALL[name]().fit(X, Y)
    before, proba = state(model), model.predict_proba(X)
    with pytest.raises(ValueError, match="one class"):
        model.fit(X[:, :2], np.zeros(N))
    assert state(model) == before
    assert_array_equal(model.predict_proba(X), proba)


# Warnings


def test_teacher_without_weights_is_a_warning():
    message = says("teacher KNeighborsClassifier takes no sample_weight", "Choose a")
    with pytest.warns(DistillationWarning, match=message):
        distilled(teacher=KNeighborsClassifier()).fit(X, Y, np.ones(N))


def test_linear_student_that_stops_early_is_a_warning():
    message = says("LinearStudent: lbfgs stopped at max_iter=2", "Increase max_iter")
    with pytest.warns(DistillationWarning, match=message) as record:
        LinearStudent(max_iter=2).fit(X, Y)
    assert issubclass(record[0].category, ConvergenceWarning)


def test_a_temperature_that_drowns_in_single_precision_is_a_warning():
    """Students of three classes got worse from 1e4 on, and nobody was told."""
    student = MLPStudent((8,), max_iter=2)
    message = says("MLPStudent: temperature=10000 in single", "100 or less", "'lbfgs'")
    with pytest.warns(DistillationWarning, match=message):
        student.fit(X, Y, soft_targets=PROBA, temperature=1e4)
    # In double precision there is nothing to say.
    LinearStudent().fit(X, Y, soft_targets=PROBA, temperature=1e4)


# What is large


def test_a_linear_student_answers_for_numbers_that_overflow():
    """Coefficients times 1e308 were infinities of both signs, and so not a number."""
    student = LinearStudent().fit(X, Y)
    proba = student.predict_proba(np.vstack([np.full((1, 4), 1e308), X[:1]]))
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba[1:], student.predict_proba(X[:1]), atol=1e-12)


def test_one_column_of_probabilities_is_refused_before_torch_sees_it():
    message = says("soft_targets has one column", "np.column_stack([1 - p, p])")
    with pytest.raises(ValueError, match=message):
        LinearStudent().fit(X, None, soft_targets=np.ones((N, 1)))


def test_a_teacher_without_classes_is_told_what_to_set():
    class Nameless(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            return self

        def predict_proba(self, X):
            return PROBA

    message = says("teacher Nameless has no classes_ after fit", "np.unique(y)")
    with pytest.raises(TypeError, match=message):
        distilled(teacher=Nameless()).fit(X, Y)
