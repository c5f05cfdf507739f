"""The report: text, table, page."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from sk_distill._optional import import_optional
from sk_distill.report.costs import Cost
from sk_distill.report.measures import Interval
from sk_distill.report.slices import Slice
from sk_distill.report.tables import (
    TextTable,
    costs_table,
    differences_table,
    measures_table,
    slices_table,
)


@dataclass(frozen=True, repr=False, eq=False)
class DistillationReport:
    """What distilling kept and what it lost; made by :func:`distillation_report`.

    ``print(report)`` shows it as text, a notebook as tables, :meth:`to_html` as a page
    with figures.

    Attributes
    ----------
    title : str
        What was reported on.
    n_rows, n_classes, n_bootstraps : int
        Of the rows that were measured on, and of their resamples.
    measures : dict of str to dict of str to Interval
        For "teacher", "student" and "plain student", as far as they are known, each
        measure with a 95 % interval.
    differences : dict of (str, str) to dict of str to Interval
        The same for the first less the second, resampled in pairs.
    retained : dict of str to float
        :func:`sk_distill.metrics.retained_improvement` by measure; only where the
        teacher is better than the plain student, with the whole interval of the
        difference if there is one.
    costs : dict of str to Cost
        Bytes, microseconds a row, and parameters.
    slices : list of Slice
        Where student and teacher disagree most, the worst first.
    notes : list of str
        What is not in the report, and why.
    displays : dict of str to display
        What :meth:`to_html` draws, by its heading.
    """

    title: str
    n_rows: int
    n_classes: int
    n_bootstraps: int
    measures: dict[str, dict[str, Interval]]
    differences: dict[tuple[str, str], dict[str, Interval]]
    retained: dict[str, float]
    costs: dict[str, Cost]
    slices: list[Slice]
    notes: list[str]
    displays: dict[str, Any]

    @property
    def tables(self) -> list[TextTable]:
        """The tables of the report as text, in their order."""
        tables = [measures_table(self), costs_table(self)]
        if self.differences:
            tables.append(differences_table(self))
        if self.slices:
            tables.append(slices_table(self))
        return tables

    @property
    def headline(self) -> str:
        """What was measured on."""
        rows = "1 row" if self.n_rows == 1 else f"{self.n_rows:,} rows"
        return f"{self.title}: {rows}, {self.n_classes} classes"

    @property
    def remarks(self) -> list[str]:
        """What is said below the tables."""
        remarks = []
        if self.retained:
            kept = ", ".join(f"{x:.0%} in {name}" for name, x in self.retained.items())
            kept = kept.replace("-", "−")
            remarks.append(
                "Of what the teacher does better than the plain student, the student "
                f"keeps {kept}."
            )
        if self.n_bootstraps:
            remarks.append(
                f"In parentheses: 95 % intervals from {self.n_bootstraps} resamples of "
                "the rows, the same ones for all."
            )
        if self.slices:
            remarks.append(
                "Of each column that slice is shown whose share of disagreement is the "
                "largest beyond chance: by the lower end of its interval."
            )
        return [*remarks, *self.notes]

    def __str__(self) -> str:
        parts = [self.headline, *(table.text() for table in self.tables)]
        remarks = "\n".join(fill(remark, 98) for remark in self.remarks)
        return "\n\n".join([*parts, remarks])

    def __repr__(self) -> str:
        # A console shows what a notebook does.
        return str(self)

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the measures and the costs as columns.

        Returns
        -------
        columns : dict of str to list
            ``"model"``, ``"measure"``, ``"value"``, ``"low"`` and ``"high"``, the 95 %
            interval, which is NaN for costs.
        """
        rows = [
            (model, name, *interval)
            for model, measures in self.measures.items()
            for name, interval in measures.items()
        ]
        for model, cost in self.costs.items():
            for name, value in cost._asdict().items():
                known = np.nan if value is None else value
                rows.append((model, name, known, np.nan, np.nan))
        names = ("model", "measure", "value", "low", "high")
        return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))

    def to_frame(self) -> Any:
        """Return :meth:`to_dict` as a frame of pandas.

        Returns
        -------
        frame : pandas.DataFrame
            A row for each model and measure.

        Raises
        ------
        ImportError
            Where pandas is not installed; :meth:`to_dict` needs none.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "DistillationReport.to_frame needs pandas, which is not installed. "
                "Install it with: pip install pandas, or make a frame of your own from "
                "to_dict()."
            ) from error
        return pandas.DataFrame(self.to_dict())

    def to_html(self, path: str | PathLike[str]) -> None:
        """Write the report with its figures as one page that needs nothing else.

        Parameters
        ----------
        path : str or path
            The file.

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        """
        import_optional(
            "matplotlib", extra="plot", needed_by="DistillationReport.to_html"
        )
        from sk_distill.report.page import page

        Path(path).write_text(page(self), encoding="utf-8")

    def _repr_html_(self) -> str:
        from sk_distill.report.page import fragment

        return fragment(self)
