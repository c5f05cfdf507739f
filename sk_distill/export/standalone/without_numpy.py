"""Answering by Python alone: a linear map of a few numbers is soonest done by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, isnan
from operator import mul
from typing import Any

from sk_distill.export.standalone.cells import (
    cells_of,
    check_row,
    clip_number,
    read_number,
    softmax,
)


def make_answers(student: dict[str, Any]) -> tuple[Callable, Callable]:
    """Return the functions from one row to its probabilities, and from many rows."""
    columns, n_columns = student["columns"], len(student["columns"])
    outputs = list(zip(student["coef"], student["intercept"], strict=True))

    def one(row: Any) -> list[float]:
        if type(row) is not list or len(row) != n_columns:
            row = cells_of(row)
            check_row(columns, row)
        try:
            logits = [sum(map(mul, coef, row), start) for coef, start in outputs]
            # A sum is no number where one of its terms is none.
            if not isfinite(sum(logits)):
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            row = mend(row)
            logits = [sum(map(mul, coef, row), start) for coef, start in outputs]
        return softmax(logits)

    def mend(row: Sequence[Any]) -> list[float]:
        numbers = [
            read_number(column, cell, student["allow_missing"])
            for column, cell in zip(columns, row, strict=True)
        ]
        if not student["scales"]:
            return numbers
        numbers = [
            column["mean"] if isnan(number) else number
            for column, number in zip(columns, numbers, strict=True)
        ]
        # Numbers that overflow keep within bounds; all others are far from them.
        logits = [sum(map(mul, coef, numbers), start) for coef, start in outputs]
        if isfinite(sum(logits)):
            return numbers
        return [
            clip_number(column, number)
            for column, number in zip(columns, numbers, strict=True)
        ]

    def many(rows: Sequence[Any]) -> list[list[float]]:
        return [one(row) for row in rows]

    return one, many
