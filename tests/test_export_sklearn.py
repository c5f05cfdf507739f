"""Students as estimators of scikit-learn's own."""

import pickle
import subprocess
import sys
import textwrap
import warnings
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_wine
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import check_random_state

from sk_distill import (
    DistilledClassifier,
    DistilledClassifierCV,
    LinearStudent,
    MLPStudent,
    compress,
)
from sk_distill.export import to_sklearn
from sk_distill.export.ramps import ramps
from sk_distill.export.reading import fitted_student

ENCODINGS = ("piecewise_linear", "quantile", "standard")


def student_of(encoding, hidden, activation="relu"):
    if not hidden:
        return LinearStudent(encoding=encoding, n_bins=6)
    return MLPStudent(
        hidden, activation, encoding=encoding, n_bins=6, max_iter=3, random_state=0
    )


def assert_same(fitted, student, *tables):
    for rows in tables:
        expected = student.predict_proba(rows)
        assert_allclose(fitted.predict_proba(rows), expected, rtol=0, atol=1e-6)
        assert_array_equal(fitted.predict(rows), student.predict(rows))
    assert_array_equal(fitted.classes_, student.classes_)


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)], ids=str)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_the_students(
    encoding, hidden, n_classes, mixed_frame, mixed_labels, strange_rows
):
    y = mixed_labels if n_classes == 3 else mixed_labels == "low"
    student = student_of(encoding, hidden).fit(mixed_frame, y)
    fitted = to_sklearn(student)
    assert_same(fitted, student, mixed_frame, strange_rows)
    kind = MLPClassifier if hidden else LogisticRegression
    assert type(fitted[-1]) is kind
    assert_array_equal(fitted.feature_names_in_, mixed_frame.columns)


@pytest.mark.parametrize("activation", ["identity", "logistic", "relu", "tanh"])
def test_every_activation(activation, multiclass):
    student = student_of("standard", (4,), activation).fit(*multiclass)
    assert_same(to_sklearn(student), student, multiclass[0])


@pytest.mark.parametrize("hidden", [(), (4,)], ids=str)
@pytest.mark.parametrize("encoding", [*ENCODINGS, None])
def test_arrays_of_numbers(encoding, hidden, binary):
    X, y = binary
    student = student_of(encoding, hidden).fit(X, y)
    fitted = to_sklearn(student)
    assert_same(fitted, student, X, 50 * X, X.astype(np.float32))
    if encoding is not None:
        gaps = np.where(np.arange(6) == np.arange(len(X))[:, None] % 9, np.nan, X)
        assert_same(fitted, student, gaps)


def test_float32_rows_far_from_zero_keep_their_digits():
    rng = np.random.default_rng(0)
    X = rng.normal(1e5, 1.0, size=(200, 2)).astype(np.float32)
    student = LinearStudent().fit(X, X[:, 0] > 1e5)
    assert_same(to_sklearn(student), student, X)


@pytest.mark.parametrize("dtype", ["float16", "int8", "float32"])
@pytest.mark.parametrize("hidden", [(), (6,)], ids=str)
@pytest.mark.parametrize("encoding", ["piecewise_linear", "standard"])
def test_compressed_students(
    dtype, hidden, encoding, mixed_frame, mixed_labels, strange_rows
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
    assert_same(to_sklearn(compressed), compressed, mixed_frame, strange_rows)


@pytest.mark.parametrize("dtype", ["string", "str", "category", object])
def test_missing_text_of_every_dtype(dtype, mixed_frame, mixed_labels, strange_rows):
    frame = mixed_frame.astype({"eye color": dtype})
    student = student_of("standard", ()).fit(frame, mixed_labels)
    # Of older pandas astype("str") makes the level "nan" of what was missing.
    others = (mixed_frame, strange_rows) if frame["eye color"].isna().any() else ()
    assert_same(to_sklearn(student), student, frame, *others)


def test_nullable_numbers_and_booleans(mixed_frame, mixed_labels):
    frame = mixed_frame.astype({"whole": "Int64", "flag": "boolean"})
    frame.loc[:30, ["whole", "flag"]] = pd.NA
    student = student_of("piecewise_linear", ()).fit(frame, mixed_labels)
    assert_same(to_sklearn(student), student, frame, mixed_frame)


@pytest.mark.parametrize("with_missing", [False, True])
@pytest.mark.parametrize("kind", [int, bool])
def test_categories_that_are_numbers(kind, with_missing, mixed_frame, mixed_labels):
    codes = pd.Series(pd.Categorical((mixed_frame["whole"] % 2).astype(kind)))
    if with_missing:
        codes[:30] = None
    frame = mixed_frame.assign(whole=codes)
    student = student_of("standard", ()).fit(frame, mixed_labels)
    assert student.encoder_.levels_.keys() == {1, 3}
    assert_same(to_sklearn(student), student, frame)


def test_polars_and_arrays_of_objects(mixed_frame, mixed_labels, strange_rows):
    frame = pl.DataFrame(
        {name: mixed_frame[name].to_list() for name in mixed_frame}, strict=False
    )
    student = student_of("piecewise_linear", (4,)).fit(frame, mixed_labels)
    fitted = to_sklearn(student)
    assert_same(fitted, student, frame, mixed_frame, strange_rows)
    objects = mixed_frame.astype(object).to_numpy()
    student = student_of("piecewise_linear", (4,)).fit(objects, mixed_labels)
    strange = strange_rows.astype(object).to_numpy()
    assert_same(to_sklearn(student), student, objects, strange)


def test_columns_of_which_nothing_is_known(mixed_labels):
    names = pd.DataFrame({"id": [f"u{i}" for i in range(len(mixed_labels))]})
    student = student_of("standard", ()).fit(names, mixed_labels)
    assert_same(to_sklearn(student), student, names)


def test_another_order_or_other_columns(mixed_frame, mixed_labels):
    fitted = to_sklearn(student_of("standard", ()).fit(mixed_frame, mixed_labels))
    with pytest.raises(ValueError, match="columns are missing: \\{'eye color'\\}"):
        fitted.predict_proba(mixed_frame.drop(columns="eye color"))
    numbers = mixed_frame[["flag", "whole"]]
    fitted = to_sklearn(student_of("standard", ()).fit(numbers, mixed_labels))
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict_proba(numbers[["whole", "flag"]])


def test_missing_values_are_refused_where_the_student_refuses_them(binary):
    X, y = binary
    model = DistilledClassifier(GaussianNB(), "linear").fit(X, y)
    gap = np.where(np.arange(6) == 2, np.nan, X[:1])
    with pytest.raises(ValueError, match="NaN"):
        model.predict_proba(gap)
    with pytest.raises(ValueError, match="NaN"):
        to_sklearn(model).predict_proba(gap)


@pytest.mark.parametrize("hidden", [(), (4,)], ids=str)
@pytest.mark.parametrize("text", [False, True])
def test_many_classes_are_nothing_to_warn_of(hidden, text):
    """Fitted on one row of each, 25 classes looked like numbers to scikit-learn."""
    y = np.repeat(np.arange(30), 4)
    X = y[:, None] + np.random.default_rng(0).random((120, 2))
    student = student_of("standard", hidden).fit(X, y.astype(str) if text else y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(to_sklearn(student), student, X)


def test_frames_between_steps_are_nobodys_wish(mixed_frame, mixed_labels):
    student = student_of("piecewise_linear", (4,)).fit(mixed_frame, mixed_labels)
    with config_context(transform_output="pandas"):
        assert_same(to_sklearn(student), student, mixed_frame)


def test_it_leaves_the_student_and_the_global_generator_alone(multiclass):
    student = student_of("piecewise_linear", (4,)).fit(*multiclass)
    before, state = pickle.dumps(student), check_random_state(None).get_state()[1]
    fitted = to_sklearn(student)
    assert_array_equal(check_random_state(None).get_state()[1], state)
    fitted[-1].coefs_[1][:] = 0
    assert pickle.dumps(student) == before


@pytest.mark.filterwarnings("ignore::sk_distill.DistillationWarning")
def test_what_distilled_is_its_student(binary):
    X, y = binary
    model = DistilledClassifier(GaussianNB(), "linear").fit(X, y)
    assert_same(to_sklearn(model), model, X)
    model = DistilledClassifierCV(
        GaussianNB(), "linear", distillation_weights=[0.5, 1.0], cv=2
    ).fit(X, y)
    assert_same(to_sklearn(model), model, X)
    model = DistilledClassifier(GaussianNB(), GaussianNB()).fit(X, y)
    assert to_sklearn(model) is model.student_


def test_it_is_read_where_this_package_is_not(
    mixed_frame, mixed_labels, strange_rows, tmp_path
):
    student = student_of("piecewise_linear", (4,)).fit(mixed_frame, mixed_labels)
    path = tmp_path / "student.pickle"
    rows, expected = strange_rows.to_dict("list"), student.predict_proba(strange_rows)
    path.write_bytes(pickle.dumps((to_sklearn(student), rows, expected)))
    script = """
        import pickle, sys

        class Without:
            def find_spec(name, path=None, target=None):
                if name.split(".")[0] in ("sk_distill", "torch", "skorch"):
                    raise ImportError(name)

        sys.meta_path.insert(0, Without)
        import numpy as np
        import pandas as pd

        with open(sys.argv[1], "rb") as file:
            fitted, rows, expected = pickle.load(file)
        found = fitted.predict_proba(pd.DataFrame(rows))
        print(np.abs(found - expected).max())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < 1e-6


class Plus(TransformerMixin, BaseEstimator):
    """A step whose state is a student: it needs sk_distill."""

    def fit(self, X, y=None):
        self.inner_ = LinearStudent().fit(X, y)
        return self

    def transform(self, X):
        return np.column_stack([X, self.inner_.predict_proba(X)])


def test_what_is_not_exported(binary):
    X, y = binary
    with pytest.raises(TypeError, match="to_sklearn: cannot export a GaussianNB; exp"):
        to_sklearn(GaussianNB().fit(X, y))
    with pytest.raises(NotFittedError, match="DistilledClassifier"):
        to_sklearn(DistilledClassifier())
    with pytest.raises(NotFittedError, match="LinearStudent"):
        to_sklearn(LinearStudent())


@pytest.mark.parametrize(
    "kind", [DistilledClassifier, DistilledClassifierCV, LinearStudent, GaussianNB]
)
def test_a_class_is_refused_as_one(kind):
    """Of a distilled one, self was missing; a LinearStudent was no LinearStudent."""
    message = f"to_python: {kind.__name__} is a class; expected a fitted instance"
    with pytest.raises(TypeError, match=message):
        fitted_student(kind, caller="to_python")
    with pytest.raises(TypeError, match=r"to_sklearn: .* such as DistilledClassifier"):
        to_sklearn(kind)


def test_a_student_with_a_part_of_this_package_is_refused(binary):
    X, y = binary
    model = DistilledClassifier(GaussianNB(), GaussianNB()).fit(X, y)
    model.student_ = make_pipeline(Plus(), GaussianNB()).fit(X, y)
    with pytest.raises(TypeError, match="a Pipeline with a part of sk_distill"):
        to_sklearn(model)


def test_a_net_is_refused(binary):
    torch = pytest.importorskip("torch")
    X, y = binary
    model = DistilledClassifier(GaussianNB(), torch.nn.Linear(6, 2)).fit(X, y)
    with pytest.raises(TypeError, match=r"a net that needs torch .* student='mlp'"):
        to_sklearn(model)


def test_only_built_in_students_are_networks(binary):
    X, y = binary
    model = DistilledClassifier(GaussianNB(), GaussianNB()).fit(X, y)
    with pytest.raises(TypeError, match="save: the student is a GaussianNB; expected"):
        fitted_student(model, caller="save")


def test_levels_that_cannot_be_told_apart(mixed_frame, mixed_labels):
    frame = mixed_frame.assign(
        **{"eye color": mixed_frame["eye color"].replace("green", "nan")}
    )
    student = student_of("standard", ()).fit(frame, mixed_labels)
    with pytest.raises(
        ValueError, match="column 'eye color' has missing cells and the level 'n"
    ):
        to_sklearn(student)
    frame = mixed_frame.assign(
        **{"eye color": mixed_frame["eye color"].replace("green", 3)}
    )
    student = student_of("standard", ()).fit(frame, mixed_labels)
    with pytest.raises(
        ValueError, match="column 'eye color' has levels of several types"
    ):
        to_sklearn(student)


def test_whole_numbers_that_floats_cannot_tell_apart(mixed_frame, mixed_labels):
    """The message was one of OneHotEncoder's, and named another column."""
    frame = mixed_frame.assign(whole=pd.Categorical(mixed_frame["whole"] % 2 + 2**60))
    student = student_of("standard", ()).fit(frame, mixed_labels)
    with pytest.raises(
        ValueError,
        match=r"'whole' has levels that are one number in float64, of 2 only",
    ):
        to_sklearn(student)


def test_text_is_compared_as_text(mixed_frame, mixed_labels):
    """As the docstring has it: numbers are their texts, and some texts are missing."""
    cells = mixed_frame["eye color"].replace("green", "1")
    student = student_of("standard", ()).fit(
        mixed_frame.assign(**{"eye color": cells}), mixed_labels
    )
    fitted = to_sklearn(student)

    def ask(model, cell):
        column = pd.Series([cell] * len(mixed_frame), dtype=object)
        return model.predict_proba(mixed_frame.assign(**{"eye color": column}))

    assert_allclose(ask(fitted, 1), ask(student, "1"), atol=1e-6)
    assert_allclose(ask(student, 1), ask(student, "unknown"), atol=1e-6)
    for text in ("None", "nan", "<NA>"):
        assert_allclose(ask(fitted, text), ask(student, None), atol=1e-6)


def test_ramps_by_hand():
    X = np.array([[0.0, 1], [1, 1], [3, 1], [np.nan, 1]])
    student = LinearStudent(encoding="quantile", n_bins=2).fit(X, [0, 1, 0, 1])
    units = ramps(student.encoder_)
    assert_array_equal(units.column, [0, 0, 1, 0])
    assert_array_equal(units.shift, [0, 1, 1, 0])
    assert_array_equal(units.width, [1, 2, np.inf, np.inf])
    # Column 1 lacked no cell: one that does is in the middle of its only bin.
    assert_array_equal(units.fill, [0, 0, 0.5, 1])
    assert (units.low, units.high) == (0, 1)
    # Slots 0 to 2 are column 0's edges, 3 and 4 column 1's, 5 a missing cell's.
    assert_array_equal(units.right, [1, 2, 4, 5])
    assert_array_equal(units.left, [0, 1, 3, 0])
    assert_array_equal(units.base, [0, 3])


def test_a_search_without_a_student_says_so():
    """It failed as an AttributeError: no 'student_'."""
    search = DistilledClassifierCV(
        LogisticRegression(), "linear", distillation_weights=[1.0], cv=2, refit=False
    )
    X, y = load_wine(return_X_y=True)
    with warnings.catch_warnings():
        # Whether distilling helps is not the question.
        warnings.simplefilter("ignore")
        search.fit(X, y)
    for export in (to_sklearn, partial(compress, X=X)):
        with pytest.raises(NotFittedError, match=r"refit=False.* Set refit=True"):
            export(search)
