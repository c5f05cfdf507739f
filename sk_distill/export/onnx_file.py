"""A student, or a pipeline that ends in one, as an ONNX file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from sk_distill._optional import import_optional
from sk_distill.export.onnx_comparison import Answers, warn_of_differences
from sk_distill.export.onnx_conversion import checked_graph
from sk_distill.export.onnx_steps import shipped_pipeline, takes_columns


def to_onnx(estimator: Any, path: str | PathLike[str], X: Any = None) -> Path:
    r"""Write a fitted student to an ONNX file: columns in, label and probabilities out.

    Parameters
    ----------
    estimator : fitted DistilledClassifier, DistilledClassifierCV, student or Pipeline
        A :class:`LinearStudent`, :class:`MLPStudent` or :class:`CompressedStudent`; a
        distilled classifier, of which the ``student_`` is exported; or a ``Pipeline``
        whose last step is one of these. The steps before it, and a student that is a
        classifier from elsewhere, are converted by skl2onnx.
    path : str or path
        The file; one that is there is overwritten.
    X : array-like or frame of shape (n_rows, n_columns), default=None
        Rows that the estimator takes, as it takes them. The graph is asked about them
        before it is written, and its answers are compared with the estimator's; see
        below. A few hundred do.

    Returns
    -------
    path : Path
        The file.

    Warns
    -----
    DistillationWarning
        Where probabilities of rows of ``X`` differ from the estimator's by more than
        1e-4, or labels do; without ``X``, where float32 moves the numbers of a column
        by more than a thousandth of their spread.

    Raises
    ------
    ImportError
        Where skl2onnx or onnxruntime is not installed:
        ``pip install "sk-distill[onnx]"``.
    TypeError
        For an estimator or a student of another kind.
    NotFittedError
        For an estimator that is not fitted.
    ValueError
        For labels that are neither strings nor whole numbers, a column that is named
        ``""`` or like an output or that skl2onnx would leave out, and a categorical
        column whose levels are of several types or are numbers of which two are one in
        float32. For a step or a student from elsewhere of which skl2onnx makes no
        graph, or none that onnxruntime loads and gets answers from, to the rows of
        ``X`` if there are any. For an OrdinalEncoder that has seen missing cells and
        makes NaN of them, which a graph does not, and for an ``X`` that the estimator
        refuses. A file that is there stays.

    Notes
    -----
    The inputs:

    - Fitted on a frame whose columns have names: an input for each column, of its name
      and of shape ``(n_rows, 1)``.
    - Fitted on an array of numbers: one input ``"X"`` of shape
      ``(n_rows, n_features)``. Has the array columns of strings, there is an input for
      each column, ``"x0"``, ``"x1"`` and so on.

    Numbers, booleans and categories that are numbers are float32, NaN where one is
    missing; strings are strings, and a missing one is ``"None"``, ``"nan"``,
    ``"<NA>"`` or, unless that is a level of its own, ``""``: these texts are missing
    cells, where the student has seen any. A number in a column of text has to be fed
    as text, and is then the level of that name, such as ``"1"``. Levels that the
    student does not know are what they are to the student. A graph raises no errors:
    ask it about no missing numbers that the student refuses.

    In a pipeline a column is one of strings if the step that gets it has learnt so: by
    an encoder's ``categories_``, an imputer's ``statistics_`` or, where all before it
    pass the column through, the student's levels. A column that no ColumnTransformer
    uses is no input. To an encoder of scikit-learn a missing cell is a level, of which
    its graph knows one spelling: ``str()`` of what was missing in ``fit``, ``"nan"`` of
    NaN and ``"None"`` of None. All others are levels that it has not seen.

    What skl2onnx makes of the steps before the student calculates in float32 too, and
    some of it not closely: a PowerTransformer of years, a StandardScaler of time
    stamps, a QuantileTransformer. Of others it makes a graph that loads and cannot
    answer, as of a SimpleImputer with ``add_indicator``. So onnxruntime asks the graph
    before it is written: about ``X``, fed as above, where a warning tells how far its
    answers are from the estimator's; or about rows that are made up, which tell whether
    it answers, and no more. Pass ``X`` wherever there are steps before the student, or
    one from elsewhere.

    The outputs are ``"label"`` of shape ``(n_rows,)``, int64 (0 and 1 of booleans) or
    string, and ``"probabilities"`` of shape ``(n_rows, n_classes)``, float32 in the
    order of ``classes_``. They are those that the student gives to rows in float32, to
    about 1e-6: a number that float32 cannot hold, such as a time stamp in seconds, is
    rounded before the graph sees it. Subtract a constant from such a column before
    fitting.

    Examples
    --------
    >>> import numpy as np
    >>> import onnxruntime
    >>> from sklearn.datasets import load_wine
    >>> from sk_distill import MLPStudent
    >>> from sk_distill.export import to_onnx
    >>> X, y = load_wine(return_X_y=True)
    >>> student = MLPStudent((16,), max_iter=20, random_state=0).fit(X, y)
    >>> path = to_onnx(student, "student.onnx")
    >>> session = onnxruntime.InferenceSession(path)
    >>> label, proba = session.run(None, {"X": X.astype(np.float32)})
    >>> bool((label == student.predict(X)).all())
    True
    >>> bool(np.abs(proba - student.predict_proba(X)).max() < 1e-5)
    True
    """
    for package in ("skl2onnx", "onnxruntime"):
        import_optional(package, extra="onnx", needed_by="to_onnx")
    from sk_distill.export.onnx_converters import register_converters
    from sk_distill.export.onnx_inputs import (
        are_alike,
        input_types,
        rounded_columns,
        warn_of_rounding,
    )

    pipeline = shipped_pipeline(estimator)
    if X is not None:
        expected = Answers(estimator.predict(X), estimator.predict_proba(X))
    inputs = input_types(pipeline)
    _check_names([name for name, _ in inputs])
    register_converters()
    graph, answers = checked_graph(pipeline, inputs, X)
    used = {value.name for value in graph.graph.input}
    unused = [name for name, _ in inputs if name not in used]
    if unused and not (are_alike(inputs) or takes_columns(pipeline)):
        raise ValueError(
            f"to_onnx: skl2onnx leaves out the columns {unused} of a frame of text "
            "and numbers; expected a first step that takes all of them. Let a "
            "ColumnTransformer be the first step, which hands the columns to the "
            "others, or fit on an array of numbers."
        )
    rounded = rounded_columns(pipeline[-1])
    if X is None:
        warn_of_rounding(rounded)
    else:
        of_graph = Answers(*answers)
        warn_of_differences(estimator, pipeline[-1], expected, of_graph, rounded)
    path = Path(path)
    path.write_bytes(graph.SerializeToString())
    return path


def _check_names(names: list[str]) -> None:
    """Refuse columns whose names cannot be those of inputs."""
    for name in names:
        if name in ("", "label", "probabilities"):
            what = "as an output is" if name else "which is no name of an input"
            raise ValueError(
                f"to_onnx: a column is named {name!r}, {what}; expected other names. "
                f"Fit on frame.rename(columns={{{name!r}: ...}})."
            )
