"""A fitted student as one file of Python."""

from __future__ import annotations

import ast
from base64 import b64encode
from collections.abc import Hashable, Iterable
from copy import copy
from importlib import resources
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sk_distill
from sk_distill.compression import CompressedStudent
from sk_distill.compression.network import read_network
from sk_distill.encoding import TableEncoder
from sk_distill.export.reading import fitted_student
from sk_distill.export.standalone.layers import beside_first
from sk_distill.students import LinearStudent, MLPStudent

# Up to so many products and classes of a linear map of numbers, files do without numpy:
# a row that is a list takes as long, within a microsecond, by measurement 4.2 instead
# of 4.6 µs for 10 products, 5.3 and 4.8 for 30, 7.4 and 5.1 for 64; an array 2 to 3 µs
# longer. Of 30 products for 10 classes it is 9.5 and 5.7 µs, and with a hidden layer or
# with bins files are slower without numpy from five columns on.
_MOST_PRODUCTS, _MOST_CLASSES = 32, 3

_WITHOUT_NUMPY = ["without_numpy"]
_WITH_NUMPY = ["layers", "plain_columns", "binned_columns", "with_numpy"]

_CHECK_ROWS = 20

_HEAD = '''\
"""A classifier of {n_classes} classes from {n_columns} columns.

Written by sk_distill {version}.

    predict_proba(rows)  probabilities, in the order of CLASSES, a list for each row
    predict(rows)        labels
    self_check()         compares answers with those stored; so does running this file

Rows are sequences of cells in the order of COLUMNS{frames}; None and NaN are missing
values. It needs {needs}.
"""
'''

_TAIL = '''

predict_proba = make_predict_proba(STUDENT)
predict = make_predict(CLASSES, predict_proba)


def self_check():
    """Return the largest difference to the answers stored; raise if it is large."""
    return check_answers(STUDENT, predict_proba)


if __name__ == "__main__":
    print(
        f"self-check passed: {len(STUDENT['check_rows'])} rows, largest difference in "
        f"probability {self_check():.1e}"
    )
'''

_Layers = tuple[list[tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any]]], str]


def to_python(estimator: Any, path: str | PathLike[str]) -> Path:
    """Write a fitted student as one Python file that needs nothing of this package.

    The file holds the weights and offers ``predict_proba(rows)``, which takes a list of
    rows (or an array, or a frame) and returns a list of lists, ``predict(rows)``,
    ``CLASSES`` and ``COLUMNS``. A frame's columns, of pandas or polars, are found by
    their names, in any order and beside others; by place, if the student was fitted on
    a table whose columns have no names.

    It needs numpy or, where the student is linear, the columns are plain numbers, there
    are at most three classes and ``coef_`` has at most 32 entries, nothing but Python:
    to so little numpy is no help. Run as a script, or by its ``self_check()``, it
    compares its answers with those that the student gave when the file was written.

    Parameters
    ----------
    estimator : DistilledClassifier, DistilledClassifierCV or student
        A fitted estimator with a built-in student, or the student.
    path : str or path
        Where to write; an existing file is replaced.

    Returns
    -------
    path : Path
        The file.

    Raises
    ------
    TypeError
        For a student that is not of this package's own, and for labels or levels that
        are neither strings nor numbers nor booleans.
    NotFittedError
        For an estimator that is not fitted.

    Notes
    -----
    A number in a bin costs the first layer one line of a table of sums, whatever the
    number of bins: of the piecewise-linear encoding (Gorishniy, Rubachev & Babenko
    2022, arXiv:2203.05556, equation 1) and the linear map after it only the value at
    the bin's left edge and the slope within it are looked up. Probabilities are those
    of the student to 1e-6; all arithmetic is in double precision.

    Names, labels and levels are written as literals of their plain types, in ASCII:
    whatever text they hold, none of it is run.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_distill import LinearStudent
    >>> from sk_distill.export import to_python
    >>> X, y = load_iris(return_X_y=True)
    >>> path = to_python(LinearStudent().fit(X, y), "iris_student.py")
    >>> import runpy
    >>> student = runpy.run_path(str(path))
    >>> student["predict"]([[5.1, 3.5, 1.4, 0.2]])
    [0]
    >>> bool(student["self_check"]() < 1e-6)
    True
    """
    student = fitted_student(estimator, caller="to_python")
    path = Path(path)
    path.write_text(_python_of(student), encoding="ascii", newline="\n")
    return path


def _python_of(student: LinearStudent | MLPStudent | CompressedStudent) -> str:
    """Return the text of the file."""
    encoder = student.encoder_
    folded = isinstance(student, LinearStudent) and encoder.folds_
    small = (
        folded
        and student.coef_.size <= _MOST_PRODUCTS
        and len(student.classes_) <= _MOST_CLASSES
    )
    named = hasattr(student, "feature_names_in_")
    names = getattr(
        student,
        "feature_names_in_",
        [f"x{j}" for j in range(student.n_features_in_)],
    )
    columns = [_literal("a column's name", name, "columns") for name in names]
    classes = [_literal("a label", label, "y") for label in student.classes_.tolist()]
    slots = encoder.slots_of_columns()
    rows, proba = _answered_rows(student)
    margin = "    "
    entries = {
        "classes": "CLASSES",
        "named": repr(named),
        "columns": _lines(
            (_column(encoder, j, slots[j], name) for j, name in enumerate(names)),
            margin,
        ),
        "allow_missing": repr(bool(student.allow_missing_)),
        "scales": repr(bool(encoder.scales_)),
        "check_rows": _lines(
            (
                "[" + ", ".join(_literal("a cell", cell, "X") for cell in row) + "]"
                for row in rows
            ),
            margin,
        ),
        "check_probabilities": _lines(map(repr, proba.tolist()), margin),
    }
    if small:
        coef, intercept = beside_first(student.coef_.T, student.intercept_)
        entries["coef"] = _lines(map(repr, coef.T.tolist()), margin)
        entries["intercept"] = repr(intercept.tolist())
    else:
        layers, activation = _layers(student)
        entries["folds"] = repr(bool(encoder.folds_))
        # Weights in the columns' own units need no standardising.
        entries["standardises"] = repr(bool(encoder.scales_ and not folded))
        entries["activation"] = repr(activation)
        entries["layers"] = _lines(
            ("(" + ", ".join(map(_array, layer)) + ")" for layer in layers), margin
        )
    imports, code = _code(
        ["cells", *(_WITHOUT_NUMPY if small else _WITH_NUMPY), "answering"]
    )
    head = _HEAD.format(
        version=sk_distill.__version__,
        n_columns=len(columns),
        n_classes=len(classes),
        frames=", or a frame with columns of these names" if named else "",
        needs="nothing but Python" if small else "numpy",
    )
    data = [
        f"CLASSES = {_lines(classes)}",
        f"COLUMNS = {_lines(columns)}",
        "STUDENT = {",
        *(f'    "{name}": {entry},' for name, entry in entries.items()),
        "}",
    ]
    return "\n".join([head, imports, "", code, "\n", *data, _TAIL])


def _layers(student: LinearStudent | MLPStudent | CompressedStudent) -> _Layers:
    """Return weights, scales and biases of each layer, and the activation."""
    if isinstance(student, CompressedStudent):
        return list(student.layers_), student.activation_
    if isinstance(student, LinearStudent) and student.encoder_.folds_:
        # In the columns' own units, as the student itself takes them.
        return [(student.coef_.T, None, student.intercept_)], "identity"
    network = read_network(student)
    pairs = zip(network.coefs, network.intercepts, strict=True)
    return [(coef, None, bias) for coef, bias in pairs], network.activation


def _column(encoder: TableEncoder, j: int, slots: NDArray[np.int64], name: str) -> str:
    """Return what the file knows of a column."""
    entries = {"name": f"COLUMNS[{j}]", "slot": repr(int(slots[0]))}
    if j in encoder.levels_:
        what = f"a level of column {name!r}"
        levels = [_literal(what, level, "column") for level in encoder.levels_[j].names]
        entries["levels"] = "[" + ", ".join(levels) + "]"
    else:
        edges = encoder.edges_.get(j, np.empty(0)).astype(np.float64)
        entries["edges"] = "[" + ", ".join(map(_number, edges.tolist())) + "]"
        entries["mean"] = _number(float(encoder.mean_[j]))
        entries["scale"] = _number(float(encoder.scale_[j]))
        missing = int(slots[-1]) if j in encoder.missing_ else None
        entries["missing"] = repr(missing)
    return "{" + ", ".join(f'"{key}": {text}' for key, text in entries.items()) + "}"


def _literal(what: str, value: Hashable, source: str) -> str:
    """Return a value as Python writes it, in ASCII, by the rules of its plain type.

    A message says ``what`` it is, and to turn its ``source`` into strings. A type that
    is derived from one of these may have a ``__repr__`` of its own, which is not asked.
    """
    if value is None or isinstance(value, bool | np.bool_):
        return repr(None if value is None else bool(value))
    if isinstance(value, str):
        return ascii(str.__str__(value))
    if isinstance(value, int | np.integer):
        return repr(int(value))
    if isinstance(value, float | np.floating):
        return _number(float(value))
    raise TypeError(
        f"to_python: {what} is {value!r}, of type {type(value).__name__}; expected a "
        "string, a number or a boolean. Turn such values into strings before fitting, "
        f"e.g. {source}.astype(str)."
    )


def _number(value: float) -> str:
    """Return a float as Python writes it; infinity has no literal."""
    return repr(value) if np.isfinite(value) else f'float("{value!r}")'


def _lines(items: Iterable[str], margin: str = "") -> str:
    """Return a list with a line for each item."""
    lines = "".join(f"{margin}    {item},\n" for item in items)
    return f"[\n{lines}{margin}]"


def _array(array: NDArray[Any] | None) -> str:
    """Return an array as its dtype, its shape and its bytes."""
    if array is None:
        return "None"
    little = np.ascontiguousarray(array)
    little = little.astype(little.dtype.newbyteorder("<"))
    text = b64encode(little.tobytes()).decode("ascii")
    wrapped = "\n".join(text[i : i + 88] for i in range(0, len(text), 88))
    return f'("{little.dtype.str}", {little.shape}, """\n{wrapped}\n""")'


def _answered_rows(student: Any) -> tuple[list[list[Any]], NDArray[np.float64]]:
    """Return rows that look at all there is to a table, and the student's answers."""
    encoder = student.encoder_
    rng = np.random.default_rng(0)
    columns = [
        _cells(encoder, j, rng, student.allow_missing_)
        for j in range(student.n_features_in_)
    ]
    rows = [list(row) for row in zip(*columns, strict=True)]
    X = np.empty((len(rows), len(columns)), dtype=object)
    X[:] = rows
    nameless = copy(student)
    if hasattr(nameless, "feature_names_in_"):
        del nameless.feature_names_in_
    return rows, nameless.predict_proba(X)


def _cells(
    encoder: TableEncoder, j: int, rng: np.random.Generator, allow_missing: bool
) -> list[Any]:
    """Return cells of a column: inside and outside of what was seen, and missing."""
    if j in encoder.levels_:
        # No level is as long as this one.
        known = encoder.levels_[j].names
        longest = max([len(name) for name in known if isinstance(name, str)], default=0)
        choices = [*known, "?" * (longest + 1), None]
    else:
        edges = encoder.edges_.get(j, np.empty(0)).astype(np.float64)
        edges = edges[np.isfinite(edges)]
        if len(edges) == 0:
            edges = encoder.mean_[j] + encoder.scale_[j] * np.array([-2.0, 0.5, 2.0])
        middles = [a / 2 + b / 2 for a, b in pairwise(edges.tolist())]
        beyond = [edges[0] - abs(edges[0]) / 2 - 1, edges[-1] + abs(edges[-1]) / 2 + 1]
        choices = [*edges.tolist(), *middles]
        choices += [float(value) for value in beyond if np.isfinite(value)]
        if allow_missing:
            choices.append(None)
    return [choices[i] for i in rng.integers(len(choices), size=_CHECK_ROWS)]


def _code(parts: list[str]) -> tuple[str, str]:
    """Return the imports of modules of the file, once each, and all that follows."""
    plain: set[str] = set()
    names: dict[str, set[str]] = {}
    bodies = []
    folder = resources.files("sk_distill.export.standalone")
    for part in parts:
        source = (folder / f"{part}.py").read_text(encoding="utf-8")
        nodes = ast.parse(source).body
        found = [
            node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        for node in found:
            if isinstance(node, ast.Import):
                plain.add(ast.unparse(node))
            elif node.module and not node.module.startswith("sk_distill"):
                of_module = names.setdefault(node.module, set())
                of_module.update(alias.name for alias in node.names)
        lines = source.splitlines()[found[-1].end_lineno :]
        bodies.append("\n".join(lines).strip())
    imports = [f"from __future__ import {names.pop('__future__').pop()}", ""]
    imports += sorted(plain)
    imports += [
        f"from {module} import {', '.join(sorted(of_module))}"
        for module, of_module in sorted(names.items())
    ]
    return "\n".join(imports), "\n\n\n".join(bodies)
