"""The levels of a categorical column, as other packages want them."""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

import numpy as np

# What None, NaN and pandas' NA are as text.
TEXTS_OF_MISSING = ("None", "nan", "<NA>")


class Levels(NamedTuple):
    """The levels of a column that have a weight of their own.

    Attributes
    ----------
    slots : dict of level to int
        The slot of each, strings or numbers in increasing order.
    missing : int or None
        The slot of a missing cell, if it has one.
    others : int
        The slot of all others.
    """

    slots: dict[Any, int]
    missing: int | None
    others: int

    @property
    def is_text(self) -> bool:
        """Whether levels are strings, as they are where none is known."""
        return all(isinstance(level, str) for level in self.slots)


def levels_of(
    student: Any, *, caller: str, dtype: type[np.floating]
) -> dict[int, Levels]:
    """Return the levels of each categorical column.

    Parameters
    ----------
    student : LinearStudent, MLPStudent or CompressedStudent
        It is fitted.
    caller : str
        The function that was called, for messages.
    dtype : type
        What a runtime takes for numbers.

    Raises
    ------
    ValueError
        For a column with levels of several types, for one with numbers that are one in
        ``dtype``, and for one with missing cells and a level that would be taken for
        one.
    """
    encoder = student.encoder_
    names = getattr(student, "feature_names_in_", range(student.n_features_in_))
    slots_of = encoder.slots_of_columns()
    columns = {}
    for j, levels in encoder.levels_.items():
        what = f"{caller}: column {names[j]!r}"
        *slots, others = slots_of[j].tolist()
        slot_of = dict(zip(levels.names, slots, strict=True))
        missing = slot_of.pop(None, None)
        if not (
            all(isinstance(level, str) for level in slot_of)
            or all(isinstance(level, Real) for level in slot_of)
        ):
            kinds = sorted({type(level).__name__ for level in slot_of})
            raise ValueError(
                f"{what} has levels of several types or of one that is "
                f"neither text nor a number ({', '.join(kinds)}), e.g. "
                f"{next(iter(slot_of))!r}; expected all strings or all numbers. Fit "
                "the student on a column of strings, e.g. column.astype(str)."
            )
        n_apart = _n_apart(list(slot_of), dtype)
        if n_apart < len(slot_of):
            raise ValueError(
                f"{what} has levels that are one number in {dtype.__name__}, of "
                f"{len(slot_of)} only {n_apart} are left; expected levels that differ "
                f"in their first {np.finfo(dtype).precision} digits. Fit the student "
                "on a column of strings, e.g. column.astype(str)."
            )
        taken = [text for text in TEXTS_OF_MISSING if text in slot_of]
        if missing is not None and taken:
            raise ValueError(
                f"{what} has missing cells and the level {taken[0]!r}, "
                "which could not be told apart: as text a missing cell is one of "
                f"{', '.join(map(repr, TEXTS_OF_MISSING))}; expected other levels. Fit "
                "the student on a column where that level has another name."
            )
        columns[j] = Levels(dict(sorted(slot_of.items())), missing, others)
    return columns


def _n_apart(levels: list[Any], dtype: type[np.floating]) -> int:
    """Return how many strings or numbers there are, to a runtime of a dtype."""
    if any(isinstance(level, str) for level in levels):
        return len(levels)
    numbers = np.array([float(level) for level in levels])
    with np.errstate(over="ignore"):
        return len(np.unique(numbers.astype(dtype)))
