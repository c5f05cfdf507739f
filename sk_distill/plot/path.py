"""The scores of a search over λ."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_distill.fitted import distilled_with, fitted_attribute, show_weight
from sk_distill.plot.style import (
    curve_style,
    inches_of,
    label_beside,
    legend_above,
    neutral,
    one_line_or_two,
    open_axes,
    shift_right,
)


class DistillationPathDisplay:
    """Score against λ, a curve for each temperature.

    It is made by :meth:`from_estimator`. λ is on a logarithmic axis; 0, the student
    without a teacher, and inf, the teacher alone, stand at its ends, where dotted lines
    lead.

    Parameters
    ----------
    distillation_weights : array-like of shape (n_weights,)
        The λ, ascending; 0 and inf may be among them.
    temperatures : array-like of shape (n_temperatures,)
        The T.
    scores : array-like of shape (n_weights, n_temperatures, n_folds)
        The higher the better.
    chosen : (float, float), default=None
        λ and T of the candidate to mark.
    score_name : str, default="score"
        What the scores are.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of Line2D
        For each temperature the mean scores at the finite λ > 0.
    errorbars_ : list of ErrorbarContainer
        The mean scores at all λ but 0, and one standard error of the mean over the
        folds to either side; without bars for a single fold.
    plain_ : ErrorbarContainer or None
        The same at λ = 0, which knows no temperature.
    chosen_ : Line2D or None
        The ring around the chosen candidate.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sk_distill import DistilledClassifierCV, MLPStudent
    >>> from sk_distill.plot import DistillationPathDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = DistilledClassifierCV(
    ...     RandomForestClassifier(),
    ...     MLPStudent(32, max_iter=20),
    ...     distillation_weights=[0.3, 1, 3],
    ...     random_state=0,
    ... )
    >>> display = DistillationPathDisplay.from_estimator(model.fit(X, y))
    >>> display.lines_[0].get_xdata().tolist()
    [0.3, 1.0, 3.0]
    """

    def __init__(
        self,
        *,
        distillation_weights: ArrayLike,
        temperatures: ArrayLike,
        scores: ArrayLike,
        chosen: tuple[float, float] | None = None,
        score_name: str = "score",
    ) -> None:
        self.distillation_weights = distillation_weights
        self.temperatures = temperatures
        self.scores = scores
        self.chosen = chosen
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Plot the search of a fitted :class:`sk_distill.DistilledClassifierCV`.

        Parameters
        ----------
        estimator : DistilledClassifierCV
            Fitted.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        display : DistillationPathDisplay
        """
        return cls._unplotted(estimator).plot(ax=ax)

    @classmethod
    def _unplotted(cls, estimator: Any) -> Self:
        """Return the display of a fitted search, not plotted yet."""
        scores = fitted_attribute(
            cls.__name__,
            estimator,
            "scores_path_",
            "A path is what DistilledClassifierCV has tried; fit one.",
        )
        scoring = estimator.scoring
        if not isinstance(scoring, str):
            scoring = getattr(scoring, "__name__", "score")
        return cls(
            distillation_weights=estimator.distillation_weights_,
            temperatures=estimator.temperatures_,
            scores=scores,
            chosen=distilled_with(estimator),
            score_name=scoring.replace("neg_", "negative ").replace("_", " "),
        )

    def plot(self, ax: Any = None) -> Self:
        """Plot the path.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        display : DistillationPathDisplay
        """
        weights = np.asarray(self.distillation_weights, dtype=np.float64)
        temperatures = np.asarray(self.temperatures, dtype=np.float64)
        scores = np.asarray(self.scores, dtype=np.float64)
        expected = (len(weights), len(temperatures))
        if scores.ndim != 3 or scores.shape[:2] != expected:
            raise ValueError(
                f"DistillationPathDisplay: scores has shape {scores.shape}; expected "
                f"(n_weights, n_temperatures, n_folds) = {(*expected, 'n_folds')}."
            )
        if not scores.size:
            raise ValueError(
                f"DistillationPathDisplay: scores has shape {scores.shape}; expected "
                "one λ, one T and one fold at least."
            )
        at = None if self.chosen is None else self._find_chosen(weights, temperatures)
        ax = open_axes("DistillationPathDisplay.plot", ax)
        n_folds = scores.shape[2]
        mean = scores.mean(axis=2)
        error = scores.std(axis=2, ddof=1) / np.sqrt(n_folds) if n_folds > 1 else None
        places = _places(weights)
        inner = (weights > 0) & np.isfinite(weights)
        taught = weights > 0
        plain = np.flatnonzero(~taught)

        self.lines_, self.errorbars_ = [], []
        several = len(temperatures) > 1
        for i, temperature in enumerate(temperatures):
            style = curve_style(i)
            (dotted,) = ax.plot(
                places, mean[:, i], color=style["color"], linestyle=":", lw=1
            )
            (line,) = ax.plot(
                places[inner], mean[inner, i], **style, label=f"T = {temperature:g}"
            )
            bars = ax.errorbar(
                places[taught],
                mean[taught, i],
                None if error is None else error[taught, i],
                fmt="o",
                color=style["color"],
                markersize=4,
                elinewidth=1,
            )
            if several:
                # Bars of one λ would hide each other, and all of them the curves.
                for error_bar in bars.lines[2]:
                    error_bar.set_alpha(0.5)
                aside = 4 * (i - (len(temperatures) - 1) / 2)
                for artist in (dotted, line, bars.lines[0], *bars.lines[2]):
                    shift_right(artist, ax, aside)
            self.lines_.append(line)
            self.errorbars_.append(bars)
        handles = self.lines_ if several else []
        self.plain_ = None
        if len(plain):
            self.plain_ = ax.errorbar(
                places[plain],
                mean[plain, 0],
                None if error is None else error[plain, 0],
                fmt="s",
                color=neutral(ax),
                markersize=5,
                elinewidth=1,
                label="no teacher",
            )
        self.chosen_ = None
        if at is not None:
            weight, temperature = weights[at[0]], temperatures[at[1]]
            (self.chosen_,) = ax.plot(
                places[at[0]],
                mean[at],
                "o",
                markersize=12,
                markerfacecolor="none",
                markeredgecolor=neutral(ax),
                markeredgewidth=1.5,
                linestyle="none",
                label=f"chosen: λ = {show_weight(weight)}"
                + (f", T = {temperature:g}" if several and weight > 0 else ""),
            )
            if several and weight > 0:
                shift_right(self.chosen_, ax, 4 * (at[1] - (len(temperatures) - 1) / 2))
            handles = [*handles, self.chosen_]

        _mark_axis(ax, weights, places)
        folds = "one fold" if n_folds == 1 else f"{n_folds} folds ± 1 s.e."
        ax.set_ylabel(one_line_or_two(f"{self.score_name},", folds, inches_of(ax)[1]))
        if handles:
            legend_above(ax, handles)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _find_chosen(
        self, weights: NDArray[np.float64], temperatures: NDArray[np.float64]
    ) -> tuple[int, int]:
        """Return which λ and which T the candidate to mark has."""
        try:
            weight, temperature = self.chosen  # type: ignore[misc]
            row = weights.tolist().index(weight)
            # λ = 0 knows no temperature.
            column = 0 if weight == 0 else temperatures.tolist().index(temperature)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"DistillationPathDisplay: chosen={self.chosen!r} is no candidate; "
                f"expected one of distillation_weights {weights.tolist()} and one of "
                f"temperatures {temperatures.tolist()}, or None to mark none."
            ) from error
        return row, column


def _places(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where each λ stands on a logarithmic axis: 0 and inf beyond the others."""
    inner = weights[(weights > 0) & np.isfinite(weights)]
    low, high = (inner.min(), inner.max()) if len(inner) else (1.0, 1.0)
    # Farther than the neighbours are from each other, so that the gap is seen.
    gap = max((high / low) ** 0.15, 2.0)
    return np.where(
        weights == 0, low / gap, np.where(np.isinf(weights), high * gap, weights)
    )


def _mark_axis(
    ax: Any, weights: NDArray[np.float64], places: NDArray[np.float64]
) -> None:
    """Label the axis, λ where it was tried and its ends by what they are."""
    inner = weights[(weights > 0) & np.isfinite(weights)]
    ticks = dict(zip(inner, (f"{w:g}" for w in inner), strict=True))
    if len(inner) > 3 and inner.max() / inner.min() >= 10:
        low, high = np.log10(inner.min()), np.log10(inner.max())
        exponents = np.arange(np.ceil(low - 1e-9), np.floor(high + 1e-9) + 1)
        exponents = exponents[:: max(1, len(exponents) // 6)]
        ticks = {10.0**e: f"{10.0**e:g}" for e in exponents}
    elif len(inner) > 6:
        kept = inner[:: -(-len(inner) // 6)]
        ticks = {w: f"{w:.2g}" for w in kept}
    names = {0.0: ("0", "labels"), np.inf: ("∞", "teacher")}
    ends = []
    for weight, place in zip(weights, places, strict=True):
        if weight in names:
            number, name = names[weight]
            ticks[place] = f"{number}\n{name}"
            ends.append(name)
    ax.set_xscale("log")
    ax.set_xticks(list(ticks), list(ticks.values()))
    ax.set_xticks([], minor=True)
    labels = ["λ, the weight of the teacher", "λ, teacher's weight", "λ"]
    if ends:
        label_beside(ax, labels, ends)
    else:
        ax.set_xlabel(labels[0])
