"""Fitted students in files that are safe to load."""

from __future__ import annotations

import re
from hashlib import sha256
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED

import numpy as np
import sklearn
from sklearn.frozen import FrozenEstimator

import sk_distill
from sk_distill._optional import import_optional
from sk_distill.compression import CompressedStudent
from sk_distill.export.plain import check_plain, from_plain, to_plain
from sk_distill.export.reading import fitted_student
from sk_distill.students import LinearStudent, MLPStudent
from sk_distill.teachers import MLPTeacher
from sk_distill.validation import check_boolean, name_of

# Of the format: the first number rises where older files can no longer be read, the
# second where something is added that older releases do not know.
_VERSION = (1, 0)

_MAGIC = b"sk_distill student"

# A version of two numbers, the length of what follows, and its checksum.
_FIRST_LINE = re.compile(
    rb"%s (0|[1-9]\d*)\.(0|[1-9]\d*) (0|[1-9]\d*) ([0-9a-f]{64})" % _MAGIC
)


def save(
    estimator: Any, path: str | PathLike[str], *, with_teacher: bool = False
) -> Path:
    """Write a fitted student to a file that is safe to load.

    The file is a line with a version and a checksum, and after it a file of skops that
    holds arrays, numbers, strings and containers of them, but names no class: the
    student is built anew from them by :func:`load`, and predicts the same to the last
    bit. The format has a version of its own, now 1.0: a release that writes 1.n reads
    all of 1.0 to 1.n, and files of each version are kept in the tests.

    Parameters
    ----------
    estimator : DistilledClassifier, DistilledClassifierCV or student
        A fitted estimator with a built-in student, or the student.
    path : str or path
        Where to write; an existing file is replaced.
    with_teacher : bool, default=False
        Whether to keep the teacher beside the student, for :func:`load_teacher`. It may
        be an :class:`~sk_distill.MLPTeacher` or a classifier of scikit-learn's own,
        whole pipelines of them included. A frozen one is kept as what is frozen.

    Returns
    -------
    path : Path
        The file.

    Warns
    -----
    DistillationWarning
        Where parameters hold objects, such as callbacks: they are left out.

    Raises
    ------
    ImportError
        Where skops is not installed.
    TypeError
        For a student that is not of this package's own, and for a teacher that is
        neither an MLPTeacher nor scikit-learn's.
    ValueError
        Where a teacher is asked for and there is none.
    NotFittedError
        For an estimator that is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_distill import LinearStudent
    >>> from sk_distill.export import load, save
    >>> X, y = load_iris(return_X_y=True)
    >>> student = LinearStudent().fit(X, y)
    >>> path = save(student, "iris.skops")
    >>> bool((load(path).predict_proba(X) == student.predict_proba(X)).all())
    True
    """
    io = import_optional("skops.io", extra="skops", needed_by="save")
    student = fitted_student(estimator, caller="save")
    check_boolean(student, "with_teacher", with_teacher)
    content = {"made_by": sk_distill.__version__, "student": to_plain(student)}
    if with_teacher:
        content["teacher"] = _teacher_of(estimator, io)
    body = io.dumps(content, compression=ZIP_DEFLATED)
    path = Path(path)
    path.write_bytes(_first_line(body) + body)
    return path


def load(path: str | PathLike[str]) -> LinearStudent | MLPStudent | CompressedStudent:
    """Return the fitted student that :func:`save` has written.

    No code from the file is run: whatever is in it other than arrays, numbers, strings
    and containers of them is refused, and of these the student is built. The checksum
    tells of files that were damaged; it is no signature, by which one could tell who
    has made a file.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    student : LinearStudent, MLPStudent or CompressedStudent
        The fitted student, whatever estimator it was saved from.

    Raises
    ------
    ImportError
        Where skops is not installed.
    ValueError
        For a file that is cut short, altered, of another kind, or of a version that
        this release does not read.
    """
    io = import_optional("skops.io", extra="skops", needed_by="load")
    student = _build(path, _read(path, io, "load"), "student", "load")
    if not isinstance(student, LinearStudent | MLPStudent | CompressedStudent):
        raise ValueError(f"load: {path} holds a {name_of(student)} for a student.")
    return student


def load_teacher(path: str | PathLike[str], *, trusted: list[str] | None = None) -> Any:
    """Return the teacher that :func:`save` has kept beside the student.

    Parameters
    ----------
    path : str or path
        The file.
    trusted : list of str, default=None
        Names of scikit-learn's types and functions that skops does not trust by itself,
        and that you trust in this file. Without them an error names those that are
        needed. What is trusted can do whatever it does when it is called, with
        arguments from the file: a tree may read memory that is not its own, a function
        may delete files or run code. So name them only where you know who made the
        file. Names that are not scikit-learn's are refused: a teacher that :func:`save`
        has written needs none.

    Returns
    -------
    teacher : classifier
        The fitted teacher.

    Raises
    ------
    ImportError
        Where skops is not installed.
    TypeError
        For ``trusted`` that is no list of strings.
    ValueError
        For a file without a teacher, for names that are not trusted or not
        scikit-learn's, and for what :func:`load` refuses.
    """
    caller = "load_teacher"
    io = import_optional("skops.io", extra="skops", needed_by=caller)
    _check_trusted(trusted)
    content = _read(path, io, caller)
    if "teacher" not in content:
        raise ValueError(
            f"load_teacher: {path} holds a student alone. Save it with "
            "with_teacher=True to keep the teacher."
        )
    if "skops" not in content["teacher"]:
        return _build(path, content, "teacher", caller)
    body = content["teacher"]["skops"].tobytes()
    needed = io.get_untrusted_types(data=body)
    foreign = sorted(name for name in needed if not _is_of_sklearn(name))
    if foreign:
        raise ValueError(
            f"load_teacher: the teacher in {path} needs {', '.join(foreign)}, nothing "
            f"of scikit-learn {sklearn.__version__}; expected a file that save has "
            "written, with this scikit-learn: in another it could run any command. "
            "The student loads without."
        )
    missing = sorted(set(needed) - set(trusted or ()))
    if missing:
        raise ValueError(
            f"load_teacher: the teacher in {path} needs {', '.join(missing)}, which "
            "skops does not trust: a file made to do harm could use it to read or "
            "change what it should not, or to run code. Where you know who made the "
            f"file, pass trusted={missing!r}; the student loads without."
        )
    # Only what is needed is trusted, whatever else is in the list.
    return io.loads(body, trusted=needed)


def _check_trusted(trusted: Any) -> None:
    """Refuse what is no list of names of scikit-learn's."""
    if trusted is None:
        return
    if not isinstance(trusted, list | tuple | set) or not all(
        isinstance(name, str) for name in trusted
    ):
        raise TypeError(
            f"load_teacher: trusted={trusted!r}; expected None or a list of names. "
            "Load without it first: an error names those that the teacher needs."
        )
    foreign = [name for name in trusted if not _is_of_sklearn(name)]
    if foreign:
        raise ValueError(
            f"load_teacher: trusted names {', '.join(map(repr, foreign))}, nothing of "
            f"scikit-learn {sklearn.__version__}; no teacher that save has written "
            "needs it, and a file made to do harm could run any command by it. Leave "
            "it out."
        )


def _teacher_of(estimator: Any, io: Any) -> dict[str, Any]:
    """Return the teacher of an estimator as plain values, or as bytes of skops."""
    if not hasattr(estimator, "teacher_"):
        raise ValueError(
            f"save: with_teacher=True, but this {name_of(estimator)} holds no fitted "
            "teacher: a student has none, and neither has an estimator that was fitted "
            "with teacher_proba. Set with_teacher=False."
        )
    teacher = estimator.teacher_
    while isinstance(teacher, FrozenEstimator):
        teacher = teacher.estimator
    if isinstance(teacher, MLPTeacher):
        return to_plain(teacher)
    refusal = (
        f"save: the teacher {name_of(teacher)} cannot be saved: {{}}. Set "
        "with_teacher=False, and keep the teacher by the means of its package."
    )
    if not _is_of_sklearn(_full_name(teacher)):
        raise TypeError(refusal.format("it is no MLPTeacher and not scikit-learn's"))
    try:
        body = io.dumps(teacher)
    except Exception as error:
        raise TypeError(refusal.format(f"skops says {error}")) from error
    needed = io.get_untrusted_types(data=body)
    foreign = [name for name in needed if not _is_of_sklearn(name)]
    if foreign:
        parts = ", ".join(sorted(foreign))
        raise TypeError(refusal.format(f"its part {parts} is not scikit-learn's"))
    return {"skops": np.frombuffer(body, dtype=np.uint8)}


def _is_of_sklearn(name: str) -> bool:
    """Whether a name is of something that scikit-learn has defined.

    That it is found in a module of scikit-learn's is not enough: they import functions
    from elsewhere, such as one that runs commands.
    """
    module, _, of_module = name.rpartition(".")
    if module.split(".")[0] != "sklearn":
        return False
    try:
        part = getattr(import_module(module), of_module, None)
    except ImportError:
        return False
    return str(getattr(part, "__module__", "")).split(".")[0] == "sklearn"


def _full_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _first_line(body: bytes) -> bytes:
    """Return what stands before the file of skops."""
    version = ".".join(map(str, _VERSION))
    return b"%s %s %s\n" % (
        _MAGIC,
        version.encode(),
        f"{len(body)} {sha256(body).hexdigest()}".encode(),
    )


def _read(path: str | PathLike[str], io: Any, caller: str) -> dict[str, Any]:
    """Return the content of a file whose version and checksum are right."""
    line, _, body = Path(path).read_bytes().partition(b"\n")
    if not line.startswith(_MAGIC):
        raise ValueError(
            f"{caller}: {path} is no file that sk_distill's save has written, or its "
            f"beginning was altered; expected one that begins with {_MAGIC.decode()!r}."
        )
    found = _FIRST_LINE.fullmatch(line)
    if not found:
        raise ValueError(
            f"{caller}: {path} is cut short or was altered: its first line is "
            f"{line!r}. Copy it anew, or save the student again."
        )
    major, minor, n_bytes = map(int, found.groups()[:3])
    if major != _VERSION[0] or minor > _VERSION[1]:
        newer = (major, minor) > _VERSION
        raise ValueError(
            f"{caller}: {path} has version {major}.{minor} of the format; sk_distill "
            f"{sk_distill.__version__} reads versions {_VERSION[0]}.0 to "
            f"{_VERSION[0]}.{_VERSION[1]}. "
            + ("Install a newer" if newer else "Load and save it anew with an older")
            + " release of sk-distill."
        )
    if len(body) != n_bytes:
        raise ValueError(
            f"{caller}: {path} is cut short or was altered: it has {len(body)} of "
            f"{n_bytes} bytes. Copy it anew, or save the student again."
        )
    if sha256(body).hexdigest().encode() != found[4]:
        raise ValueError(
            f"{caller}: {path} was altered: its checksum is not that of its content. "
            "Copy it anew, or save the student again."
        )
    try:
        content = io.loads(body)
        check_plain(content)
        if not isinstance(content, dict):
            raise ValueError("its content has no names")
    except Exception as error:
        raise ValueError(
            f"{caller}: {path} holds more than the plain values of a student, and was "
            f"not loaded ({error})."
        ) from error
    return content


def _build(path: str | PathLike[str], content: Any, what: str, caller: str) -> Any:
    """Return the classifier that is kept under a name."""
    try:
        return from_plain(content[what])
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{caller}: {path} has no {what} that this release can build ({error!r})."
        ) from error
