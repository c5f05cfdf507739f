"""A student as an estimator of scikit-learn's own."""

from __future__ import annotations

import io
import pickle
from importlib.util import find_spec
from typing import Any, Literal

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sk_distill._sklearn import safe_indexing
from sk_distill.export.levels import TEXTS_OF_MISSING, Levels, levels_of
from sk_distill.export.ramps import Ramps, first_layer, ramps, reach_of
from sk_distill.export.reading import BUILT_IN, network_of, shipped_student
from sk_distill.validation import name_of


def to_sklearn(estimator: Any) -> ClassifierMixin:
    r"""Return a fitted student as an estimator of scikit-learn's own.

    Its pickle is read where this package and torch are not installed.

    A built-in student becomes a ``Pipeline`` of the encoding and a
    ``LogisticRegression`` or an ``MLPClassifier``. Columns of bins are units that rise
    from 0 to 1 within a bin,

    .. math::

        a_u(x) = \min(\max((x - e_u) / (e_{u + 1} - e_u), 0), 1)

    (Gorishniy, Rubachev & Babenko 2022, arXiv:2203.05556, equation 1): columns are
    repeated (``FunctionTransformer(numpy.take)``), shifted and divided
    (``StandardScaler``), clipped (``FunctionTransformer(numpy.clip)``), and missing
    cells are filled in (``SimpleImputer``). Categories are one-hot.

    Parameters
    ----------
    estimator : fitted DistilledClassifier, DistilledClassifierCV or student
        A :class:`LinearStudent`, :class:`MLPStudent` or :class:`CompressedStudent`, or
        a distilled classifier, of which the ``student_`` is exported.

    Returns
    -------
    fitted : classifier
        Its probabilities are those of the student to 1e-6, and its ``classes_`` and the
        names of its columns are the student's. A student that is a classifier from
        elsewhere is returned as it is. It takes frames by the names of their columns,
        and refuses missing values where the student does.

        Cells of a column of text are compared as text: the number 1 is the level "1",
        where the student takes it for a level that it does not know. The texts "None",
        "nan" and "<NA>" are missing cells, if the student has seen any; if not, and it
        knows a level of that name, missing cells are that level.

    Raises
    ------
    TypeError
        For an estimator or a student of another kind, and for a student that has a part
        of this package or of torch.
    NotFittedError
        For an estimator that is not fitted.
    ValueError
        For a categorical column whose levels are of several types, and for whole
        numbers as levels of which two are one in floating point.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from sk_distill import MLPStudent
    >>> from sk_distill.export import to_sklearn
    >>> X, y = load_wine(return_X_y=True)
    >>> student = MLPStudent((16,), max_iter=20, random_state=0).fit(X, y)
    >>> fitted = to_sklearn(student)
    >>> [type(step).__name__ for step in fitted.named_steps.values()]
    ['Pipeline', 'MLPClassifier']
    >>> difference = fitted.predict_proba(X) - student.predict_proba(X)
    >>> bool(np.abs(difference).max() < 1e-6)
    True
    """
    student = shipped_student(estimator, caller="to_sklearn")
    if not isinstance(student, BUILT_IN):
        _check_stock(student)
        return student

    network = network_of(student)
    units = ramps(network.encoder, reach_of(student, np.float64))
    levels = levels_of(student, caller="to_sklearn", dtype=np.float64)
    right, left, base = [*units.right], [*units.left], [*units.base]
    for column in levels.values():
        right += [slot for _, slot in _categories(column)]
        left += [column.others] * (len(right) - len(left))
        base.append(column.others)
    coef, intercept = first_layer(
        network.encoder,
        np.array(right),
        np.array(left),
        np.array(base, dtype=np.int64),
        network.coefs[0],
        network.intercepts[0],
    )
    coefs = [coef, *network.coefs[1:]]
    intercepts = [intercept, *network.intercepts[1:]]
    rows = _rows(student, levels)
    steps = []
    if network.encoder.scales_:
        steps = [("encoding", _encoding(student, units, levels, rows))]
        rows = np.zeros((1, len(coef)))
    classifier = _classifier(
        student.classes_, coefs, intercepts, network.activation, rows
    )
    return Pipeline([*steps, ("student", classifier)])


def _encoding(
    student: Any, units: Ramps, levels: dict[int, Levels], rows: Any
) -> Pipeline | ColumnTransformer:
    """Return what makes units of a table's columns."""
    numbers = np.setdiff1d(np.arange(student.n_features_in_), list(levels))
    if not levels:
        encoding = _numbers(student, units, numbers)
        return _learnt(encoding.fit(rows), units)
    named = getattr(student, "feature_names_in_", np.arange(student.n_features_in_))
    parts = []
    if len(numbers):
        parts.append(
            ("numbers", _numbers(student, units, numbers), named[numbers].tolist())
        )
    for j, column in levels.items():
        parts.append((f"levels_{j}", _one_hot(column), named[[j]].tolist()))
    encoding = ColumnTransformer(parts, sparse_threshold=0)
    encoding.set_output(transform="default").fit(rows)
    if len(numbers):
        _learnt(encoding.named_transformers_["numbers"], units)
    return encoding


def _numbers(student: Any, units: Ramps, numbers: NDArray[np.int64]) -> Pipeline:
    """Return the steps that make units of the numeric columns, not fitted."""
    steps = [
        # It reads frames of any dtype, and knows their columns' names.
        ("read", StandardScaler(with_mean=False, with_std=False)),
        ("widen", FunctionTransformer(np.asarray, kw_args={"dtype": "float64"})),
    ]
    if not np.array_equal(units.column, numbers):
        indices = np.searchsorted(numbers, units.column)
        repeat = FunctionTransformer(np.take, kw_args={"indices": indices, "axis": 1})
        steps.append(("repeat", repeat))
    bounds = {"a_min": units.low, "a_max": units.high}
    steps += [
        ("scale", StandardScaler()),
        ("clip", FunctionTransformer(np.clip, kw_args=bounds)),
    ]
    if student.allow_missing_:
        steps.append(("fill", SimpleImputer()))
    # Between the steps there are arrays, whatever a user's configuration says.
    return Pipeline(steps).set_output(transform="default")


def _learnt(numbers: Pipeline, units: Ramps) -> Pipeline:
    """Return fitted steps with what the student has learnt."""
    scaler = numbers["scale"]
    scaler.mean_, scaler.scale_, scaler.var_ = units.shift, units.width, units.width**2
    if "fill" in numbers.named_steps:
        numbers["fill"].statistics_ = units.fill
    return numbers


def _one_hot(column: Levels) -> Pipeline | OneHotEncoder:
    """Return the one-hot encoder of a categorical column, not fitted."""
    one_hot = OneHotEncoder(
        categories=[[category for category, _ in _categories(column)]],
        handle_unknown="ignore",
        sparse_output=False,
    )
    if not column.is_text:
        return one_hot
    # None, NaN and NA are three things to an encoder, and NA is none to a pickle that
    # is read where there is no pandas.
    text = FunctionTransformer(np.asarray, kw_args={"dtype": "str"})
    return Pipeline([("text", text), ("one_hot", one_hot)])


def _categories(column: Levels) -> list[tuple[Any, int]]:
    """Return the categories of a one-hot encoder, and the slot of each."""
    pairs = list(column.slots.items())
    if column.missing is not None:
        absent = TEXTS_OF_MISSING if column.is_text else [np.nan]
        pairs += [(cell, column.missing) for cell in absent]
    # An encoder wants a category, also where all levels are rare.
    return pairs or [("", column.others)]


def _rows(student: Any, levels: dict[int, Levels]) -> Any:
    """Return a row as the student takes them, for estimators that want to be fitted."""
    cells: list[Any] = [0.0] * student.n_features_in_
    for j, column in levels.items():
        # Whole numbers become floats where one of them is missing.
        cells[j] = "" if column.is_text else 0.0
    row = np.array([cells], dtype=object if levels else np.float64)
    if not hasattr(student, "feature_names_in_"):
        return row
    # What is fitted on frames of the one takes those of the other.
    backend: Literal["pandas", "polars"] = "pandas" if find_spec("pandas") else "polars"
    columns = dict(zip(student.feature_names_in_, row.T.tolist(), strict=True))
    return nw.from_dict(columns, backend=backend).to_native()


def _classifier(
    classes: NDArray[Any],
    coefs: list[NDArray[Any]],
    intercepts: list[NDArray[Any]],
    activation: str,
    row: Any,
) -> LogisticRegression | MLPClassifier:
    """Return a classifier with the weights and biases of the layers.

    It is fitted on rows that are all alike: so scikit-learn itself sets what it keeps
    beside the weights.
    """
    # Of more than twenty labels that are all different scikit-learn warns.
    labels = np.repeat(classes, 2)
    rows = safe_indexing(row, np.zeros(len(labels), dtype=np.int64))
    coefs = [coef.astype(np.float64) for coef in coefs]
    intercepts = [intercept.astype(np.float64) for intercept in intercepts]
    if len(coefs) == 1:
        linear = LogisticRegression().fit(rows, labels)
        linear.coef_ = np.ascontiguousarray(coefs[0].T)
        linear.intercept_ = intercepts[0]
        return linear
    perceptron = MLPClassifier(
        [coef.shape[1] for coef in coefs[:-1]],
        activation,
        solver="lbfgs",
        random_state=0,
    )
    perceptron.fit(rows, labels)
    perceptron.coefs_, perceptron.intercepts_ = coefs, intercepts
    return perceptron


class _Looking(pickle.Pickler):
    """Pickles into nothing, and notes the packages of the objects that it meets."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO())
        self.packages: set[str] = set()

    def persistent_id(self, obj: Any) -> None:
        """Note where an object, or a class or function, comes from."""
        for part in (obj, type(obj)):
            self.packages.add(str(getattr(part, "__module__", "")).split(".")[0])


def _check_stock(student: Any) -> None:
    """Refuse a classifier with a part that needs this package or torch."""
    looking = _Looking()
    looking.dump(student)
    needed = sorted(looking.packages & {"sk_distill", "skorch", "torch"})
    if needed:
        raise TypeError(
            f"to_sklearn: the student is a {name_of(student)} with a part of "
            f"{' and '.join(needed)}; expected parts that do without. Replace that "
            "part, or distil with student='linear' or 'mlp'."
        )
