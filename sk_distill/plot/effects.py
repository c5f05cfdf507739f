"""What each column adds to the logits of an additive student."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from typing import Any, Self

import numpy as np

from sk_distill.exceptions import DistillationWarning
from sk_distill.fitted import check_rows, fitted_attribute
from sk_distill.plot.effect_columns import (
    choose_columns,
    lines_to_rows,
    listed,
    read_columns,
)
from sk_distill.plot.effect_panel import (
    depth_of_labels,
    plot_curves,
    plot_density,
    plot_levels,
)
from sk_distill.plot.panels import PanelGrid
from sk_distill.plot.style import (
    bar_style,
    check_axes,
    curve_style,
    import_pyplot,
    inches_of,
    legend_inches,
    legend_within,
    letter_inches,
    neutral,
    one_line_or_two,
    shorten,
)


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
        One a column, within ``ax_``; where it has no room for all, the last columns
        have none.
    ax_ : matplotlib Axes
        What the panels share.
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
            Where a grid of panels is put; None makes a figure.

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
        if X is not None:
            check_rows(cls.__name__, X)
        columns = None if X is None else read_columns(student, X, effects)
        labels = student.classes_.tolist()
        if classes is not None and len(labels) == 2:
            raise ValueError(
                f"{cls.__name__}: classes={classes!r} chooses among three classes or "
                f"more; of two the one curve is the log-odds of {labels[1]!r}."
            )
        chosen = labels if classes is None else listed(classes)
        unknown = [label for label in chosen if label not in labels]
        if unknown or not chosen:
            raise ValueError(
                f"{cls.__name__}: classes={classes!r} must be some of the classes "
                f"{labels}, or None for all; {unknown} are none."
            )
        outputs = None if classes is None else [labels.index(k) for k in chosen]
        reaching = effects
        if columns is not None:
            reaching = lines_to_rows(student, effects, columns)
            effects = lines_to_rows(student, effects, columns, shown=True)
        names = choose_columns(cls.__name__, reaching, columns, features, outputs)
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
            Where a grid of panels is put; None makes a figure.

        Returns
        -------
        display : FeatureEffectsDisplay
        """
        self._check()
        grid = self._open_grid(ax)
        outputs = self._outputs()
        shown = list(self.effects)[: grid.n_panels]
        self.lines_, self.bars_ = [], []
        levels_of: list[list[Hashable]] = []
        for name in shown:
            effect = self.effects[name]
            panel = grid.add_panel()
            panel.axhline(0, color=neutral(panel), lw=0.6, zorder=0)
            lines: list[Any] = []
            bars: list[Any] = []
            levels: list[Hashable] = []
            if isinstance(effect.grid, list):
                bars, levels = plot_levels(panel, effect, outputs)
            else:
                column = None if self.columns is None else self.columns[name]
                lines = plot_curves(panel, effect, column, outputs)
            self.lines_.append(lines)
            self.bars_.append(bars)
            levels_of.append(levels)
            width, _ = inches_of(panel)
            label = shorten(name, max(8, int(width / letter_inches("axes.labelsize"))))
            if len(levels) < len(effect.grid) and levels:
                label += f"\n({len(levels)} of {len(effect.grid)} levels)"
            panel.set_xlabel(label)
        if self.columns is not None:
            # Histograms stand at the foot, below the curves.
            low, high = grid.panels[0].get_ylim()
            grid.panels[0].set_ylim(low - 0.2 * (high - low), high)
            for panel, name, levels in zip(grid.panels, shown, levels_of, strict=True):
                plot_density(panel, self.effects[name], self.columns[name], levels)
        grid.make_room(self._unit(inches_of(grid.ax)[1]))
        self.axes_ = np.array(grid.panels, dtype=object)
        self.ax_, self.figure_ = grid.ax, grid.ax.figure
        return self

    def _check(self) -> None:
        n_outputs = len(self.output_names)
        curves = {effect.effect.shape[1] for effect in self.effects.values()}
        if curves != {n_outputs}:
            raise ValueError(
                f"FeatureEffectsDisplay: effects of {len(self.effects)} columns have "
                f"{sorted(curves)} outputs; expected one column at least, and an "
                f"output for each of output_names={list(self.output_names)!r}."
            )
        if self.outputs is not None and not (
            len(self.outputs) and set(self.outputs) <= set(range(n_outputs))
        ):
            raise ValueError(
                f"FeatureEffectsDisplay: outputs={self.outputs!r} must be some of the "
                f"numbers 0 to {n_outputs - 1}, or None for all."
            )

    def _open_grid(self, ax: Any) -> PanelGrid:
        """Return a grid for the panels that have room, below the legend."""
        if ax is None:
            pyplot = import_pyplot("FeatureEffectsDisplay.plot")
            n_columns = min(3, len(self.effects))
            width = 0.6 + 2.6 * n_columns
            size = width, self._height(width, n_columns)
            _, ax = pyplot.subplots(figsize=size, layout="constrained")
        check_axes("FeatureEffectsDisplay.plot", ax)
        width, height = inches_of(ax)
        handles = self._handles(neutral(ax))
        depths = [depth_of_labels(effect) for effect in self.effects.values()]
        grid = PanelGrid(ax, depths, legend_inches(width, handles))
        if not grid.n_panels:
            raise ValueError(
                f"FeatureEffectsDisplay.plot: ax has {width:.1f} by {height:.1f} "
                "inches, no room for a panel and a legend. Pass axes of a larger "
                "figure, or choose fewer classes."
            )
        left_out = list(self.effects)[grid.n_panels :]
        if left_out:
            warnings.warn(
                f"FeatureEffectsDisplay.plot: ax has room for {grid.n_panels} of "
                f"{len(self.effects)} columns; {left_out} are left out. Choose fewer "
                "features or classes, or pass axes of a larger figure.",
                DistillationWarning,
                stacklevel=3,
            )
        legend_within(ax, handles)
        return grid

    def _outputs(self) -> Sequence[int]:
        return range(len(self.output_names)) if self.outputs is None else self.outputs

    def _height(self, width: float, n_columns: int) -> float:
        """Return how high a figure has room for all panels, so many side by side."""
        n_rows = -(-len(self.effects) // n_columns)
        # Axes have so much of a figure that is not laid out yet.
        legend = legend_inches(0.75 * width, self._handles("black"))
        return 0.6 + 2.1 * n_rows + legend

    def _unit(self, inches: float) -> str:
        if len(self.output_names) > 1:
            return "effect (logits)"
        of = f"of {shorten(self.output_names[0], 20)}"
        return one_line_or_two("effect on log-odds", of, inches)

    def _handles(self, ink: str) -> list[Any]:
        """Return what the legend has to explain; a mark has the colour of ink."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        handles: list[Any] = []
        numeric = [e for e in self.effects.values() if not isinstance(e.grid, list)]
        if len(self.output_names) > 1:
            for i, k in enumerate(self._outputs()):
                name = shorten(self.output_names[k], 24)
                handles.append(
                    Line2D([], [], **curve_style(i), label=name)
                    if numeric
                    else Patch(**bar_style(i, ink), label=name)
                )
        if any(effect.other is not None for effect in numeric):
            handles.append(
                Line2D(
                    [],
                    [],
                    color=ink,
                    marker="D",
                    linestyle="none",
                    label="number missing",
                )
            )
        return handles
