"""The tables of a report: cells of text, for a terminal and for a page alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sk_distill.report.measures import OF_LABELS, OF_TEACHER, Interval

if TYPE_CHECKING:
    from sk_distill.report.result import DistillationReport

_UNKNOWN = "–"

# Longer names are cut on paper; a page wraps them.
_WIDEST = 26


class Ranged(NamedTuple):
    """A cell that shows a value, and in parentheses its interval."""

    value: str
    interval: str

    def __str__(self) -> str:
        return f"{self.value} ({self.interval})"


@dataclass(frozen=True)
class TextTable:
    """A table of text.

    Attributes
    ----------
    heading : str
    columns : list of str
        The first one is to the left, the others to the right.
    rows : list of list of str or Ranged
    n_names : int
        How many columns hold names, and are to the left.
    """

    heading: str
    columns: list[str]
    rows: Sequence[Sequence[str | Ranged]]
    n_names: int = 1

    def text(self) -> str:
        """Return aligned lines."""
        shown = [self.columns, *(list(map(str, row)) for row in self.rows)]
        lines = [
            [_cut(cell) if i < self.n_names else cell for i, cell in enumerate(row)]
            for row in shown
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        aligned = [
            "  ".join(
                cell.ljust(width) if i < self.n_names else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.heading, *aligned])


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _arrow(name: str) -> str:
    """Return a measure's name with the way in which it is better."""
    shown = {"agreement": "agreement with teacher", "KL divergence": "KL from teacher"}
    up = {**OF_LABELS, **OF_TEACHER}[name]
    return f"{shown.get(name, name)} {'↑' if up else '↓'}"


def _show(interval: Interval, sign: str = "") -> str | Ranged:
    """Return a value, with its interval if there is one."""
    value, low, high = interval
    if not np.isfinite(value):
        return _UNKNOWN
    shown = _digits(value, sign)
    if not np.isfinite(low):
        return shown
    return Ranged(shown, f"{_digits(low, sign)} to {_digits(high, sign)}")


def _digits(value: float, sign: str) -> str:
    # A zero has no sign: -0.0 + 0.0 is 0.0.
    rounded = round(value, 3) + 0.0
    return f"{rounded:{sign if rounded else ''}.3f}".replace("-", "−")


def measures_table(report: DistillationReport) -> TextTable:
    """Return the measures, a column for each classifier."""
    models = list(report.measures)
    rows = [
        [_arrow(name), *(_show(report.measures[model][name]) for model in models)]
        for name in OF_LABELS
    ]
    for name in OF_TEACHER:
        if name in report.measures["student"]:
            rows.append(
                [
                    _arrow(name),
                    *(
                        _UNKNOWN
                        if model == "teacher"
                        else _show(report.measures[model][name])
                        for model in models
                    ),
                ]
            )
    return TextTable("How good", ["", *models], rows)


def costs_table(report: DistillationReport) -> TextTable:
    """Return the costs, a column for each classifier that is there."""
    costs = report.costs
    rows = [
        ["bytes, pickled", *(_count(cost.n_bytes) for cost in costs.values())],
        ["µs for one row", *(f"{cost.microseconds:,.1f}" for cost in costs.values())],
        ["parameters", *(_count(cost.n_parameters) for cost in costs.values())],
    ]
    return TextTable("What it costs", ["", *costs], rows)


def _count(number: int | None) -> str:
    return _UNKNOWN if number is None else f"{number:,}"


def differences_table(report: DistillationReport) -> TextTable:
    """Return the differences, a column for each pair."""
    pairs = report.differences
    rows = [
        [_arrow(name), *(_show(measures[name], "+") for measures in pairs.values())]
        for name in OF_LABELS
    ]
    names = [f"student − {second}" for _, second in pairs]
    return TextTable("What distilling changed", ["", *names], rows)


def slices_table(report: DistillationReport) -> TextTable:
    """Return the slices, one a row."""
    rows = [
        [
            part.feature,
            part.values,
            f"{part.n_rows:,}",
            f"{part.disagreement:.1%}",
            f"{part.teacher_accuracy:.1%}",
            f"{part.student_accuracy:.1%}",
        ]
        for part in report.slices
    ]
    columns = ["column", "values", "rows", "disagree", "teacher right", "student right"]
    return TextTable(
        "Where student and teacher disagree most", columns, rows, n_names=2
    )
