"""What a file that ``to_python`` writes offers."""

from collections.abc import Callable
from typing import Any

from sk_distill.export.standalone.with_numpy import make_answers

# A file and the student that it was made from agree as closely as this.
TOLERANCE = 1e-6


def make_predict_proba(student: dict[str, Any]) -> Callable[[Any], list[list[float]]]:
    """Return the function from rows to probabilities."""
    one, many = make_answers(student)

    def predict_proba(rows: Any) -> list[list[float]]:
        """Return the probability of each class, in the order of CLASSES, row by row.

        ``rows`` is a sequence of rows, or an array or a frame; a row has a cell for
        each of COLUMNS, in their order. None and NaN are missing values. The columns of
        a frame are found by name, where the student has learnt names.
        """
        if type(rows) is list and len(rows) == 1:
            return [one(rows[0])]
        if hasattr(rows, "columns"):
            rows = read_frame(student, rows)
        try:
            alone = rows[0] if len(rows) == 1 else None
        except (TypeError, LookupError) as error:
            raise TypeError(
                f"got {rows!r} for rows; expected a list of rows, an array or a frame. "
                "Pass list(rows) of an iterator, [row] for a single row"
            ) from error
        if alone is not None:
            return [one(alone)]
        return many(rows) if len(rows) else []

    return predict_proba


def read_frame(student: dict[str, Any], frame: Any) -> Any:
    """Return the rows of a frame of pandas or polars, their cells as COLUMNS has them.

    Raises
    ------
    ValueError
        For a frame that lacks columns.
    """
    names = [column["name"] for column in student["columns"]]
    found = list(frame.columns)
    if student["named"] and found != names:
        missing = [name for name in names if name not in found]
        if missing:
            raise ValueError(
                f"the frame has no column {', '.join(map(repr, missing))}; it has "
                f"{', '.join(map(repr, found))}. Name its columns as COLUMNS does"
            )
        frame = frame[names]
    if not any("levels" in column for column in student["columns"]):
        return frame.to_numpy()
    # Whole numbers that are levels are not to become floats beside others.
    return frame.rows() if hasattr(frame, "rows") else frame.to_numpy(object)


def make_predict(classes: list[Any], predict_proba: Callable) -> Callable:
    """Return the function from rows to labels."""

    def predict(rows: Any) -> list[Any]:
        """Return the most probable of CLASSES for each row."""
        return [classes[proba.index(max(proba))] for proba in predict_proba(rows)]

    return predict


def check_answers(student: dict[str, Any], predict_proba: Callable) -> float:
    """Return how far answers are from those stored; raise where it is not rounding."""
    rows, expected = student["check_rows"], student["check_probabilities"]
    alone = [predict_proba([row])[0] for row in rows]
    differences = [
        abs(a - b)
        for answers in (predict_proba(rows), alone)
        for proba, wanted in zip(answers, expected, strict=True)
        for a, b in zip(proba, wanted, strict=True)
    ]
    # NaN is no agreement either.
    if not all(difference <= TOLERANCE for difference in differences):
        raise RuntimeError(
            f"self-check failed: probabilities differ by up to {max(differences):.2g} "
            "from those of the student that this file was made from. The file was "
            "altered, or this machine computes otherwise; export the student anew"
        )
    return max(differences)
