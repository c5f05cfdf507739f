"""Which columns an effects display shows: those chosen, or those that matter most."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from difflib import get_close_matches
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_distill.encoding import Table, check_table
from sk_distill.students.effects import FeatureEffect, line_at

# In the middle of the rows a curve is shown: the farthest of a skewed column would
# squeeze all others to one side.
MIDDLE = (0.005, 0.995)


def read_columns(student: Any, X: Any, effects: dict[str, Any]) -> dict[str, Any]:
    """Return the cells of each column that has an effect."""
    categorical = [
        j for j, effect in enumerate(effects.values()) if isinstance(effect.grid, list)
    ]
    table = check_table(
        student, X, allow_missing=True, categorical=categorical, reset=False
    )
    return {name: _cells(table, j) for j, name in enumerate(effects)}


def lines_to_rows(
    student: Any,
    effects: dict[str, FeatureEffect],
    columns: dict[str, Any],
    *,
    shown: bool = False,
) -> dict[str, FeatureEffect]:
    """Return the effects, those that are straight lines as far as there are rows.

    ``shown`` are lines where a panel shows them, between the ends of the middle.
    """
    reaching = dict(effects)
    for j, (name, effect) in enumerate(effects.items()):
        if isinstance(effect.grid, list) or j in student.encoder_.edges_:
            continue
        if np.isnan(columns[name]).all():
            continue
        numbers = np.nanquantile(columns[name], MIDDLE if shown else (0, 1))
        if not shown:
            # Near the mean the digits of the line do not suffer from the farthest row.
            numbers = np.union1d(numbers, effect.grid)
        if numbers[0] < numbers[-1]:
            reaching[name] = line_at(student.encoder_, j, effect, numbers)
    return reaching


def _cells(table: Table, j: int) -> NDArray[np.float64] | list[Hashable]:
    """Return the numbers of a column, or the levels of its cells."""
    if j not in table.categories:
        return table.numbers[:, j]
    column = table.categories[j]
    return [None if code < 0 else column.levels[code] for code in column.codes]


def listed(choice: Any) -> list[Any]:
    """Return what a user chose as a list; one that is no sequence is alone in it."""
    alone = isinstance(choice, str) or not isinstance(choice, Iterable)
    return [choice] if alone else list(choice)


def choose_columns(
    owner: str,
    effects: dict[str, FeatureEffect],
    columns: dict[str, Any] | None,
    features: int | Sequence[str],
    outputs: Sequence[int] | None,
) -> list[str]:
    """Return the names of the columns to show."""
    if not isinstance(features, Integral):
        names = listed(features)
        unknown = [name for name in names if name not in effects]
        if unknown or not names:
            texts = [name for name in unknown if isinstance(name, str)]
            near = get_close_matches(texts[0], effects, n=1) if texts else []
            raise ValueError(
                f"{owner}: features={features!r} must be a number of columns >= 1, or "
                f"some of their names; {unknown} are none."
                + (f" Did you mean {near[0]!r}?" if near else "")
            )
        return names
    if isinstance(features, bool) or features < 1:
        raise ValueError(
            f"{owner}: features={features!r} must be a number of columns >= 1, or "
            "some of their names."
        )
    spread = {
        name: float(
            np.max(
                np.ptp(effect.effect, axis=0)
                if columns is None
                else effect_of_cells(effect, columns[name]).std(axis=0),
                initial=0,
                where=True
                if outputs is None
                else np.isin(np.arange(effect.effect.shape[1]), outputs),
            )
        )
        for name, effect in effects.items()
    }
    return sorted(spread, key=lambda name: -spread[name])[: int(features)]


def effect_of_cells(effect: FeatureEffect, cells: Any) -> NDArray[np.float64]:
    """Return what each cell of a column adds, ``(n_rows, n_outputs)``."""
    if isinstance(effect.grid, list):
        table = dict(zip(effect.grid, effect.effect, strict=True))
        return np.array([table.get(cell, effect.other) for cell in cells])
    curves = [np.interp(cells, effect.grid, curve) for curve in effect.effect.T]
    added = np.stack(curves, axis=1)
    if effect.other is not None:
        added[np.isnan(cells)] = effect.other
    return np.nan_to_num(added)
