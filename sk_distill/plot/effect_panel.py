"""What a panel shows of one column: its curves or bars, and its numbers of rows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from sk_distill.plot.effect_columns import MIDDLE
from sk_distill.plot.style import (
    bar_style,
    curve_style,
    inches_of,
    letter_inches,
    neutral,
    shorten,
)
from sk_distill.students.effects import FeatureEffect

# So many bars have names that can be read; the others are the least of them.
_MOST_LEVELS = 12

_N_BINS = 30

# Beyond this an axis and its margins overflow.
_FARTHEST = 1e300

# To so many letters a level's name is shortened, by the room that there is.
_LEAST_LETTERS, _MOST_LETTERS = 7, 14

# In inches: numbers and a label.
_NUMBERS_BELOW = 0.55


def depth_of_labels(effect: FeatureEffect) -> float:
    """Return how many inches the labels below a column's panel take at least."""
    if not isinstance(effect.grid, list):
        return _NUMBERS_BELOW
    longest = max(len(str(level)) for level in effect.grid)
    turned = min(longest, _LEAST_LETTERS) * letter_inches("xtick.labelsize")
    return _NUMBERS_BELOW + turned


def plot_curves(
    panel: Any, effect: FeatureEffect, cells: Any, outputs: Sequence[int]
) -> list[Any]:
    """Draw the curves of a numeric column, and a diamond for a missing number."""
    lines = [
        panel.plot(effect.grid, effect.effect[:, k], **curve_style(i))[0]
        for i, k in enumerate(outputs)
    ]
    low, high = _range(effect, cells)
    margin = 0.03 * (high - low)
    if effect.other is not None:
        for i, k in enumerate(outputs):
            panel.plot(
                high + 3 * margin,
                effect.other[k],
                "D",
                markersize=5,
                color=curve_style(i)["color"],
            )
        high += 3 * margin
    panel.set_xlim(low - margin, high + margin)
    return lines


def _range(effect: FeatureEffect, cells: Any) -> tuple[float, float]:
    """Return between which numbers a curve is shown: in the middle of the rows."""
    grid = np.asarray(effect.grid)
    low, high = float(grid.min()), float(grid.max())
    if cells is not None and np.isfinite(cells).any():
        low, high = np.nanquantile(cells, MIDDLE).tolist()
    low, high = max(low, -_FARTHEST), min(high, _FARTHEST)
    # Of numbers such as 1e16 few are near; a constant has no range of its own.
    least = 4 * _N_BINS * float(np.spacing(max(abs(low), abs(high))))
    least = max(least, 0.0 if high > low else 1.0)
    beyond = max(least - (high - low), 0.0) / 2
    return low - beyond, high + beyond


def plot_levels(
    panel: Any, effect: FeatureEffect, outputs: Sequence[int]
) -> tuple[list[Any], list[Hashable]]:
    """Draw a bar for each level and output; return them, and the levels shown."""
    strength = np.abs(effect.effect).max(axis=1)
    kept = np.sort(np.argsort(-strength, kind="stable")[:_MOST_LEVELS])
    width = 0.8 / len(outputs)
    others = [np.asarray(effect.other)] if _has_others(effect) else []
    heights = np.vstack([effect.effect[kept], *others])
    places = np.arange(len(heights))
    bars = []
    for i, k in enumerate(outputs):
        bar = panel.bar(
            places - 0.4 + (i + 0.5) * width,
            heights[:, k],
            width,
            **bar_style(i, neutral(panel)),
        )
        for patch in bar.patches[len(kept) :]:
            patch.set_alpha(0.4)
        bars.append(bar)
    levels = [effect.grid[j] for j in kept]
    # Names that are turned would else be longer than the panel is high.
    width, height = inches_of(panel)
    letter = letter_inches("xtick.labelsize")
    letters = int(np.clip(height / letter, _LEAST_LETTERS, _MOST_LETTERS))
    names = [
        "missing" if level is None else shorten(level, letters) for level in levels
    ]
    names += ["other"] * len(others)
    turned = (max(map(len, names)) + 1) * letter * len(names) > width
    panel.set_xticks(
        places,
        names,
        rotation=60 if turned else 0,
        ha="right" if turned else "center",
        rotation_mode="anchor",
    )
    return bars, levels


def _has_others(effect: FeatureEffect) -> bool:
    """Whether anything was learnt about rare levels, beyond where zero is."""
    if effect.other is None:
        return False
    return bool(np.abs(effect.other).max() > 0.01 * np.abs(effect.effect).max())


def plot_density(
    panel: Any, effect: FeatureEffect, cells: Any, levels: list[Hashable]
) -> None:
    """Draw the numbers of rows at the foot of a panel."""
    if isinstance(effect.grid, list):
        counts = np.array([sum(cell == level for cell in cells) for level in levels])
        if _has_others(effect):
            known = set(effect.grid)
            counts = np.append(counts, sum(cell not in known for cell in cells))
        left, width = np.arange(len(counts)) - 0.4, np.full(len(counts), 0.8)
    else:
        low, high = _range(effect, cells)
        counts, edges = np.histogram(cells[np.isfinite(cells)], _N_BINS, (low, high))
        left, width = edges[:-1], np.diff(edges)
    panel.bar(
        left,
        0.14 * counts / max(counts.max(), 1),
        width,
        align="edge",
        color="#888888",
        alpha=0.6,
        linewidth=0,
        transform=panel.get_xaxis_transform(),
        zorder=0,
    )
