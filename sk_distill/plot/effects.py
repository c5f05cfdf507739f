"""What each column adds to the logits of an additive student."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from difflib import get_close_matches
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sk_distill.encoding import Table, check_table
from sk_distill.fitted import fitted_attribute
from sk_distill.plot.style import (
    curve_style,
    import_pyplot,
    legend_above,
    legend_outside,
    neutral,
    shorten,
)
from sk_distill.students.effects import FeatureEffect

# So many bars have names that can be read; the others are the least of them.
_MOST_LEVELS = 12

_N_BINS = 30


class FeatureEffectsDisplay:
    r"""The curves of an additive student, one panel a column.

    It is made by :meth:`from_estimator`. The logits of a row are the intercept plus the
    effects of its cells,

    .. math::

        z_k(x) = b_k + \sum_j f_{jk}(x_j),

    and a panel shows :math:`f_{jk}`: a curve for a numeric column, bars for the levels
    of a categorical one; a diamond is the effect of a missing number, a pale bar that
    of a level which was rare or never seen, if it has any. The grey histogram at the
    foot of a panel is the number of rows, to no scale; with it a curve is shown where
    the middle 99 % of the rows are.

    Parameters
    ----------
    effects : dict of str to FeatureEffect
        What to show, by column; ``feature_effects_`` of a
        :class:`sk_distill.LinearStudent`, or some of it.
    output_names : sequence of str
        What the outputs are: one for two classes, else the classes.
    columns : dict of str to cells, default=None
        The cells of each column, for the histograms: an ndarray of numbers, NaN where
        one is missing, or a list of levels, None where one is missing.
    outputs : sequence of int, default=None
        The outputs to show; None shows all.

    Attributes
    ----------
    axes_ : ndarray of Axes
        One a column.
    figure_ : matplotlib Figure
    lines_ : list of list of Line2D
        For each column the curves of the outputs; empty for a categorical column.
    bars_ : list of list of BarContainer
        For each column the bars of the outputs; empty for a numeric column.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sk_distill import LinearStudent
    >>> from sk_distill.plot import FeatureEffectsDisplay
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> student = LinearStudent(encoding="piecewise_linear").fit(X, y)
    >>> display = FeatureEffectsDisplay.from_estimator(student, X, features=4)
    >>> len(display.axes_)
    4
    """

    def __init__(
        self,
        *,
        effects: dict[str, Any],
        output_names: Sequence[str],
        columns: dict[str, Any] | None = None,
        outputs: Sequence[int] | None = None,
    ) -> None:
        self.effects = effects
        self.output_names = output_names
        self.columns = columns
        self.outputs = outputs

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        features: int | Sequence[str] = 9,
        classes: Sequence[Any] | None = None,
        ax: Any = None,
    ) -> Self:
        """Plot the effects of a fitted additive student.

        Parameters
        ----------
        estimator : LinearStudent, DistilledClassifier or DistilledClassifierCV
            Fitted; its student is a :class:`sk_distill.LinearStudent`.
        X : array-like or frame of shape (n_samples, n_features), default=None
            Rows for the histograms, which also decide how much a column matters. None
            goes without.
        features : int or sequence of str, default=9
            The columns to show, by name (``x0``, ``x1``, … where there are none), or
            how many of those that matter most: whose effect has the largest standard
            deviation over the rows of X or, without X, the largest range.
        classes : sequence of labels, default=None
            Of three classes or more those to show; None shows all.
        ax : matplotlib Axes, default=None
            Replaced by a grid of panels; None makes a figure.

        Returns
        -------
        display : FeatureEffectsDisplay
        """
        return cls._unplotted(estimator, X, features=features, classes=classes).plot(
            ax=ax
        )

    @classmethod
    def _unplotted(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        features: int | Sequence[str] = 9,
        classes: Sequence[Any] | None = None,
    ) -> Self:
        student = getattr(estimator, "student_", estimator)
        effects = fitted_attribute(
            cls.__name__,
            student,
            "feature_effects_",
            "Only the logits of a LinearStudent are a sum over columns.",
        )
        columns = None if X is None else _read_columns(student, X, effects)
        labels = student.classes_.tolist()
        if classes is not None and len(labels) == 2:
            raise ValueError(
                f"{cls.__name__}: classes={classes!r} chooses among three classes or "
                f"more; of two the one curve is the log-odds of {labels[1]!r}."
            )
        unknown = [label for label in classes or () if label not in labels]
        if unknown:
            raise ValueError(
                f"{cls.__name__}: classes={classes!r} holds {unknown}, but the classes "
                f"are {labels}."
            )
        outputs = None if classes is None else [labels.index(k) for k in classes]
        names = _choose(cls.__name__, effects, columns, features, outputs)
        return cls(
            effects={name: effects[name] for name in names},
            output_names=[str(k) for k in (labels[1:] if len(labels) == 2 else labels)],
            columns=columns and {name: columns[name] for name in names},
            outputs=outputs,
        )

    def plot(self, ax: Any = None) -> Self:
        """Plot the effects.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Replaced by a grid of panels; None makes a figure.

        Returns
        -------
        display : FeatureEffectsDisplay
        """
        pyplot = import_pyplot("FeatureEffectsDisplay.plot")
        outputs = (
            range(len(self.output_names)) if self.outputs is None else self.outputs
        )
        figure, cells, n_columns = self._open_grid(pyplot, ax)
        panels: list[Any] = []
        self.lines_, self.bars_ = [], []
        shown: list[list[Hashable]] = []
        for i, (name, effect) in enumerate(self.effects.items()):
            panel = figure.add_subplot(
                cells[divmod(i, n_columns)], sharey=panels[0] if panels else None
            )
            panels.append(panel)
            panel.spines[["top", "right"]].set_visible(False)
            panel.axhline(0, color=neutral(panel), lw=0.6, zorder=0)
            lines: list[Any] = []
            bars: list[Any] = []
            levels: list[Hashable] = []
            if isinstance(effect.grid, list):
                bars, levels = _plot_levels(panel, effect, outputs)
            else:
                column = None if self.columns is None else self.columns[name]
                lines = _plot_curves(panel, effect, column, outputs)
            self.lines_.append(lines)
            self.bars_.append(bars)
            shown.append(levels)
            label = shorten(name, 26)
            if len(levels) < len(effect.grid) and levels:
                label += f"\n({len(levels)} of {len(effect.grid)} levels)"
            panel.set_xlabel(label)
            if i % n_columns:
                panel.tick_params(labelleft=False)
            else:
                panel.set_ylabel(self._unit())
        if self.columns is not None:
            # Histograms stand at the foot, below the curves.
            low, high = panels[0].get_ylim()
            panels[0].set_ylim(low - 0.2 * (high - low), high)
            for panel, (name, effect), levels in zip(
                panels, self.effects.items(), shown, strict=True
            ):
                _plot_density(panel, effect, self.columns[name], levels)
        self._add_legend(panels[0], outputs, outside=ax is None)
        self.axes_ = np.array(panels, dtype=object)
        self.figure_ = figure
        return self

    def _open_grid(self, pyplot: Any, ax: Any) -> tuple[Any, Any, int]:
        """Return the figure, a grid of cells in it, and its number of columns."""
        n_panels = len(self.effects)
        if ax is None:
            n_columns = min(3, n_panels)
            n_rows = -(-n_panels // n_columns)
            figure = pyplot.figure(
                figsize=(0.6 + 2.6 * n_columns, 0.6 + 2.1 * n_rows),
                layout="constrained",
            )
            return figure, figure.add_gridspec(n_rows, n_columns), n_columns
        place = ax.get_subplotspec()
        if place is None:
            raise ValueError(
                "FeatureEffectsDisplay.plot: ax has no place in a grid that panels "
                "could share. Pass axes of plt.subplots, or None."
            )
        width = ax.get_window_extent().width / ax.figure.dpi
        n_columns = max(1, min(n_panels, int(width // 2)))
        n_rows = -(-n_panels // n_columns)
        ax.set_axis_off()
        return ax.figure, place.subgridspec(n_rows, n_columns), n_columns

    def _unit(self) -> str:
        if len(self.output_names) > 1:
            return "effect (logits)"
        return f"effect on log-odds\nof {shorten(self.output_names[0], 20)}"

    def _add_legend(self, panel: Any, outputs: Sequence[int], outside: bool) -> None:
        from matplotlib.lines import Line2D

        handles = []
        if len(self.output_names) > 1:
            handles = [
                Line2D(
                    [], [], **curve_style(i), label=shorten(self.output_names[k], 24)
                )
                for i, k in enumerate(outputs)
            ]
        numeric = [e for e in self.effects.values() if not isinstance(e.grid, list)]
        if any(effect.other is not None for effect in numeric):
            handles.append(
                Line2D(
                    [],
                    [],
                    color=neutral(panel),
                    marker="D",
                    linestyle="none",
                    label="number missing",
                )
            )
        if handles and outside:
            legend_outside(panel.figure, handles)
        elif handles:
            legend_above(panel, handles)


def _read_columns(student: Any, X: Any, effects: dict[str, Any]) -> dict[str, Any]:
    """Return the cells of each column that has an effect."""
    categorical = [
        j for j, effect in enumerate(effects.values()) if isinstance(effect.grid, list)
    ]
    table = check_table(
        student, X, allow_missing=True, categorical=categorical, reset=False
    )
    return {name: _cells(table, j) for j, name in enumerate(effects)}


def _cells(table: Table, j: int) -> NDArray[np.float64] | list[Hashable]:
    """Return the numbers of a column, or the levels of its cells."""
    if j not in table.categories:
        return table.numbers[:, j]
    column = table.categories[j]
    return [None if code < 0 else column.levels[code] for code in column.codes]


def _choose(
    owner: str,
    effects: dict[str, FeatureEffect],
    columns: dict[str, Any] | None,
    features: int | Sequence[str],
    outputs: Sequence[int] | None,
) -> list[str]:
    """Return the names of the columns to show."""
    if not isinstance(features, Integral):
        names = [features] if isinstance(features, str) else list(features)  # type: ignore[arg-type]
        unknown = [name for name in names if name not in effects]
        if unknown or not names:
            near = get_close_matches(str(unknown[0]), effects, n=1) if unknown else []
            raise ValueError(
                f"{owner}: features={features!r} must be a number of columns or some "
                f"of their names; {unknown} are none."
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


def _plot_curves(
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
    """Return between which numbers a curve is shown: the middle 99 % of the rows.

    The farthest of a skewed column would squeeze all others to one side.
    """
    grid = np.asarray(effect.grid)
    low, high = float(grid.min()), float(grid.max())
    if cells is not None and np.isfinite(cells).any():
        low, high = np.nanquantile(cells, [0.005, 0.995]).tolist()
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _plot_levels(
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
            color=curve_style(i)["color"],
        )
        for patch in bar.patches[len(kept) :]:
            patch.set_alpha(0.4)
        bars.append(bar)
    levels = [effect.grid[j] for j in kept]
    names = ["missing" if level is None else shorten(level, 14) for level in levels]
    names += ["other"] * len(others)
    turned = len(names) > 4 or max(map(len, names)) > 6
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


def _plot_density(
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
