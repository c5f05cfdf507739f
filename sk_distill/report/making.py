"""Measuring a fitted estimator, its teacher, and its student without one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import column_or_1d, compute_sample_weight

from sk_distill._sklearn import num_samples, safe_indexing
from sk_distill.fitted import (
    check_sequence,
    distilled_with,
    fitted_attribute,
    show_weight,
    teacher_probabilities,
)
from sk_distill.metrics import retained_improvement
from sk_distill.report.costs import cost_of
from sk_distill.report.measures import OF_LABELS, Interval, measure_all
from sk_distill.report.result import DistillationReport
from sk_distill.report.slices import FEWEST_ROWS, worst_slices
from sk_distill.soft_targets import weight_params
from sk_distill.validation import (
    check_integer,
    check_probabilities,
    check_seed,
    draw_seed,
    name_of,
)

_OWNER = "distillation_report"

_N_SLICES = 8

# Whose difference is what there is to keep.
_TO_KEEP = ("teacher", "plain student")


def distillation_report(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    teacher_proba: ArrayLike | None = None,
    plain_student: Any = None,
    X_train: Any = None,
    y_train: ArrayLike | None = None,
    n_bootstraps: int = 200,
    random_state: Any = None,
) -> DistillationReport:
    """Compare a distilled student with its teacher, and with itself without one.

    Measured are accuracy, log loss, ROC AUC (of three classes or more the mean of each
    against the rest), Brier score (as scikit-learn's), expected calibration error of
    the predicted class in 15 bins (Guo et al. 2017, arXiv:1706.04599), agreement with
    the teacher and divergence from it (:mod:`sk_distill.metrics`), and what each costs.

    Parameters
    ----------
    estimator : DistilledClassifier or DistilledClassifierCV
        Fitted.
    X : array-like or frame of shape (n_samples, n_features)
        Rows that neither teacher nor student was fitted on.
    y : array-like of shape (n_samples,)
        Their labels.
    teacher_proba : array-like of shape (n_samples, n_classes), default=None
        What the teacher says of the rows, columns in the order of ``classes_``, where
        the estimator has no ``teacher_`` to ask.
    plain_student : classifier, default=None
        The same student, fitted to the labels alone.
    X_train, y_train : array-like, default=None
        The rows and labels that the estimator was fitted on, from which the plain
        student is made: a clone of ``student_``, with the estimator's ``class_weight``.
        Where rows had weights, fit it yourself and pass ``plain_student``. Without
        these and without ``plain_student`` it is left out.
    n_bootstraps : int, default=200
        Resamples of the rows for the intervals, from the 2.5 % to the 97.5 % quantile
        (Efron & Tibshirani 1993, section 13.3); 0 goes without. The calibration error,
        which chance alone makes larger, is larger in resamples than in the rows.
    random_state : int, RandomState or None, default=None
        Seed of the resamples.

    Returns
    -------
    report : DistillationReport
        Prints as text, shows in a notebook, and writes a page by its ``to_html``.

    Raises
    ------
    NotFittedError, AttributeError
        For an estimator that has no ``student_``.
    ValueError
        For labels that it has never seen, and for arguments that do not go together.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.model_selection import train_test_split
    >>> from sk_distill import DistilledClassifier, distillation_report
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=y)
    >>> forest = RandomForestClassifier(random_state=0)
    >>> model = DistilledClassifier(forest, "linear", random_state=0).fit(X, y)
    >>> report = distillation_report(
    ...     model, X_test, y_test, X_train=X, y_train=y, random_state=0
    ... )
    >>> print(str(report).splitlines()[0])
    RandomForestClassifier → LinearStudent (λ = 1, T = 1): 143 rows, 2 classes
    >>> list(report.measures)
    ['teacher', 'student', 'plain student']
    """
    _check_arguments(plain_student, X_train, y_train, n_bootstraps, random_state)
    student = fitted_attribute(
        _OWNER,
        estimator,
        "student_",
        "Pass a DistilledClassifier or a DistilledClassifierCV.",
    )
    classes = estimator.classes_
    codes = _encode(X, y, classes)
    seed = draw_seed(random_state)
    notes = []

    teacher = getattr(estimator, "teacher_", None)
    teacher_said = None
    if teacher is not None or teacher_proba is not None:
        teacher_said = teacher_probabilities(_OWNER, estimator, X, teacher_proba)
    else:
        notes.append(
            f"There is no teacher to compare with: this {name_of(estimator)} was "
            "fitted to teacher_proba. Pass the teacher's for these rows."
        )
    absent = [
        label
        for label, count in zip(
            classes.tolist(), np.bincount(codes, minlength=len(classes)), strict=True
        )
        if count == 0
    ]
    if absent:
        notes.append(
            f"No row is of class {', '.join(map(str, absent))}: the ROC AUC is the "
            "mean of the others', if it can be computed at all."
        )
    if plain_student is None and X_train is not None:
        plain_student = _fit_plain(estimator, student, X_train, y_train)
    elif plain_student is None:
        notes.append(
            "There is no plain student to compare with: pass plain_student, or X_train "
            "and y_train."
        )

    proba_of = {}
    if teacher_said is not None:
        proba_of["teacher"] = teacher_said
    proba_of["student"] = estimator.predict_proba(X)
    if plain_student is not None:
        proba_of["plain student"] = _ask_plain(plain_student, X, classes)
    pairs = [("student", name) for name in proba_of if name != "student"]
    if len(proba_of) == 3:
        pairs.append(_TO_KEEP)
    measures, differences = measure_all(
        proba_of, codes, teacher_said, pairs, n_bootstraps, seed
    )
    to_keep = differences.pop(_TO_KEEP, {})

    row = safe_indexing(X, [0])
    models = {"teacher": teacher, "student": student, "plain student": plain_student}
    costs = {
        name: cost_of(model, row) for name, model in models.items() if model is not None
    }
    slices = []
    if teacher_said is not None:
        slices = worst_slices(
            estimator,
            X,
            teacher_said.argmax(axis=1),
            proba_of["student"].argmax(axis=1),
            codes,
            _N_SLICES,
        )
        if not slices:
            notes.append(
                f"Student and teacher disagree nowhere among {FEWEST_ROWS} rows or "
                "more that a column tells from the others."
            )
    return DistillationReport(
        title=_title(estimator),
        n_rows=len(codes),
        n_classes=len(classes),
        n_bootstraps=n_bootstraps,
        measures=measures,
        differences=differences,
        retained=_retained(measures, to_keep),
        costs=costs,
        slices=slices,
        notes=notes,
        displays=_displays(estimator, X, teacher_said, proba_of["student"]),
    )


def _check_arguments(
    plain_student: Any, X_train: Any, y_train: Any, n_bootstraps: Any, random_state: Any
) -> None:
    if (X_train is None) != (y_train is None):
        missing = "y_train" if y_train is None else "X_train"
        raise ValueError(
            f"{_OWNER}: {missing} is missing; pass X_train and y_train, or neither."
        )
    if plain_student is not None and X_train is not None:
        raise ValueError(
            f"{_OWNER}: plain_student is fitted already, so that X_train and y_train "
            "have no use. Pass one or the other."
        )
    if X_train is not None:
        _check_as_many("X_train", X_train, "y_train", y_train)
    check_integer(distillation_report, "n_bootstraps", n_bootstraps, 0)
    check_seed(distillation_report, random_state)


def _check_as_many(name_of_rows: str, X: Any, name_of_labels: str, y: Any) -> None:
    """Raise unless there is a label for each row, and a row."""
    counts = []
    for name, values in ((name_of_rows, X), (name_of_labels, y)):
        check_sequence(_OWNER, name, values)
        counts.append(num_samples(values))
    if counts[0] != counts[1] or not counts[0]:
        raise ValueError(
            f"{_OWNER}: {name_of_rows} has {counts[0]} rows and {name_of_labels} "
            f"{counts[1]}; expected one label a row, and one row at least."
        )


def _encode(X: Any, y: Any, classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the column of each label."""
    _check_as_many("X", X, "y", y)
    if np.ndim(y) > 1 and np.shape(y)[1:] != (1,):
        raise ValueError(
            f"{_OWNER}: y has shape {np.shape(y)}; expected one label a row."
        )
    y = column_or_1d(y)
    known = classes.tolist()
    unseen = sorted({str(label) for label in y.tolist() if label not in known})
    if unseen:
        raise ValueError(
            f"{_OWNER}: y holds labels that the estimator has never seen, {unseen}; it "
            f"knows {known}. Drop those rows."
        )
    number_of = {label: code for code, label in enumerate(known)}
    return np.array([number_of[label] for label in y.tolist()], dtype=np.int64)


def _fit_plain(estimator: Any, student: Any, X: Any, y: Any) -> Any:
    """Return the student's clone, fitted to labels."""
    _check_columns(estimator, X)
    plain = clone(student)
    if estimator.class_weight is None:
        return plain.fit(X, y)
    weight = compute_sample_weight(estimator.class_weight, y)
    return plain.fit(X, y, **weight_params(plain, weight))


def _check_columns(estimator: Any, X_train: Any) -> None:
    """Raise unless the rows have the columns that the estimator was fitted on."""
    expected = getattr(estimator, "feature_names_in_", None)
    found = getattr(X_train, "columns", None)
    if expected is None or found is None:
        expected = getattr(estimator, "n_features_in_", None)
        found = np.shape(X_train)[1] if np.ndim(X_train) == 2 else None
        same = expected is None or found is None or expected == found
    else:
        expected, found = list(expected), list(found)
        same = expected == found
    if not same:
        raise ValueError(
            f"{_OWNER}: X_train has other columns than the estimator was fitted on, "
            f"{found} in the place of {expected}. Pass the rows of its fit."
        )


def _ask_plain(plain: Any, X: Any, classes: NDArray[Any]) -> NDArray[np.float64]:
    """Return the plain student's probabilities, columns in the order of ``classes``."""
    owner = f"{_OWNER}: plain_student {name_of(plain)}"
    known = np.asarray(fitted_attribute(_OWNER, plain, "classes_", "")).tolist()
    if sorted(known, key=str) != sorted(classes.tolist(), key=str):
        raise ValueError(
            f"{owner} knows the classes {known}; expected {classes.tolist()}. Fit it "
            "on the rows that the estimator was fitted on."
        )
    proba = np.asarray(plain.predict_proba(X))
    proba = check_probabilities(owner, proba, len(proba), len(classes))
    return proba[:, [known.index(label) for label in classes.tolist()]]


def _retained(
    measures: dict[str, dict[str, Interval]], to_keep: dict[str, Interval]
) -> dict[str, float]:
    """Return the share that is kept of what the teacher improves beyond chance.

    Of next to nothing any share could be kept.
    """
    retained = {}
    for name, improvement in to_keep.items():
        sign = 1 if OF_LABELS[name] else -1
        known = [sign * end for end in improvement if np.isfinite(end)]
        if known and min(known) > 0:
            plain, student, teacher = (
                sign * measures[model][name].value
                for model in ("plain student", "student", "teacher")
            )
            retained[name] = retained_improvement(plain, student, teacher)
    return retained


def _title(estimator: Any) -> str:
    weight, temperature = distilled_with(estimator)
    teacher = getattr(estimator, "teacher_", None)
    taught_by = "teacher_proba" if teacher is None else _name_within(teacher)
    return (
        f"{taught_by} → {_name_within(estimator.student_)} "
        f"(λ = {show_weight(weight)}, T = {temperature:g})"
    )


def _name_within(model: Any) -> str:
    """Return the name of the class; of what a frozen one or a pipeline holds, its."""
    if isinstance(model, FrozenEstimator):
        return _name_within(model.estimator)
    if isinstance(model, Pipeline):
        return _name_within(model.steps[-1][1])
    return name_of(model)


def _displays(
    estimator: Any,
    X: Any,
    teacher: NDArray[np.float64] | None,
    student: NDArray[np.float64],
) -> dict[str, Any]:
    """Return what there is to draw, by its heading."""
    # It takes a tenth of the time of the package's own import.
    from sk_distill.plot import (
        DistillationPathDisplay,
        FeatureEffectsDisplay,
        FidelityDisplay,
        TrainingCurveDisplay,
    )

    displays: dict[str, Any] = {}
    if teacher is not None:
        displays["Student against teacher"] = FidelityDisplay._unplotted(
            teacher, student, classes=estimator.classes_
        )
    if hasattr(estimator, "scores_path_"):
        displays["How much to trust the teacher"] = DistillationPathDisplay._unplotted(
            estimator
        )
    if hasattr(estimator, "history_"):
        displays["Training"] = TrainingCurveDisplay._unplotted(estimator)
    if hasattr(estimator.student_, "feature_effects_"):
        displays["What the columns add"] = FeatureEffectsDisplay._unplotted(
            estimator, X, features=6
        )
    return displays
