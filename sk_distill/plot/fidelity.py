"""Student against teacher, row by row."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from sk_distill.fitted import fitted_attribute, teacher_probabilities
from sk_distill.plot.style import (
    DISAGREEMENT,
    density_colours,
    inches_of,
    legend_above,
    makes_room,
    neutral,
    one_line_or_two,
    open_axes,
    shorten,
)
from sk_distill.validation import check_probability_pair

# What a colour bar, the numbers beside it and its label take.
_BAR_INCHES = 0.7
# So far the label of axes to the right reaches, where no layout sets them apart.
_NEIGHBOUR_INCHES = 0.15


class FidelityDisplay:
    r"""The student's probability of a class against the teacher's.

    It is made by :meth:`from_estimator` or :meth:`from_predictions`. Rows for which
    both predict the same class are a density; each of the others is a point.

    Parameters
    ----------
    teacher_proba, student_proba : ndarray of shape (n_samples,)
        Probabilities of one class.
    agrees : ndarray of bool of shape (n_samples,)
        Where both predict the same class.
    class_name : str, default=None
        What the probabilities are of, for the labels of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    density_ : PolyCollection or None
        The hexagons, coloured by their number of rows; None where no row agrees.
    points_ : PathCollection
        The rows for which student and teacher predict different classes.
    colorbar_ : matplotlib Colorbar or None
        Of the density.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sk_distill import DistilledClassifier
    >>> from sk_distill.plot import FidelityDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0)
    >>> model = DistilledClassifier(forest, "linear", random_state=0).fit(X, y)
    >>> display = FidelityDisplay.from_estimator(model, X)
    >>> display.ax_.get_xlabel()
    "teacher's probability of 1"
    """

    def __init__(
        self,
        *,
        teacher_proba: Any,
        student_proba: Any,
        agrees: Any,
        class_name: str | None = None,
    ) -> None:
        self.teacher_proba = teacher_proba
        self.student_proba = student_proba
        self.agrees = agrees
        self.class_name = class_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        teacher_proba: ArrayLike | None = None,
        class_label: Any = None,
        ax: Any = None,
    ) -> Self:
        """Ask teacher and student of a fitted estimator, and plot what they say.

        Parameters
        ----------
        estimator : DistilledClassifier or DistilledClassifierCV
            Fitted.
        X : array-like or frame of shape (n_samples, n_features)
            Rows, best those that neither has been fitted on.
        teacher_proba : array-like of shape (n_samples, n_classes), default=None
            What the teacher says of the rows, columns in the order of ``classes_``; for
            an estimator that was fitted to ``teacher_proba`` and has no teacher.
        class_label : label, default=None
            One of ``classes_``. None is the second of two classes; of more it is, row
            by row, the class that the teacher holds most probable.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        display : FidelityDisplay
        """
        teacher = teacher_probabilities(cls.__name__, estimator, X, teacher_proba)
        return cls.from_predictions(
            teacher,
            estimator.predict_proba(X),
            classes=fitted_attribute(cls.__name__, estimator, "classes_", ""),
            class_label=class_label,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        teacher_proba: ArrayLike,
        student_proba: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        class_label: Any = None,
        ax: Any = None,
    ) -> Self:
        """Plot probabilities.

        Parameters
        ----------
        teacher_proba, student_proba : array-like of shape (n_samples, n_classes)
            Columns in the order of ``classes``. Of two classes also the probabilities
            of the second, of shape (n_samples,).
        classes : array-like of shape (n_classes,), default=None
            The labels; None is 0, 1, ….
        class_label : label, default=None
            As in :meth:`from_estimator`.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        display : FidelityDisplay
        """
        return cls._unplotted(
            teacher_proba, student_proba, classes=classes, class_label=class_label
        ).plot(ax=ax)

    @classmethod
    def _unplotted(
        cls,
        teacher_proba: ArrayLike,
        student_proba: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        class_label: Any = None,
    ) -> Self:
        """Return the display of probabilities, not plotted yet."""
        owner = cls.__name__
        teacher, student = check_probability_pair(owner, teacher_proba, student_proba)
        names = np.arange(teacher.shape[1]) if classes is None else np.asarray(classes)
        if names.shape != teacher.shape[1:]:
            raise ValueError(
                f"{owner}: classes={classes!r} has shape {names.shape}, but "
                f"teacher_proba has {teacher.shape[1]} columns; expected the label of "
                "each, in their order."
            )
        labels = names.tolist()
        if class_label is None and len(labels) == 2:
            class_label = labels[1]
        by_teacher, by_student = teacher.argmax(axis=1), student.argmax(axis=1)
        if class_label is None:
            column, class_name = by_teacher, "the teacher's class"
        elif class_label in labels:
            column = np.full(len(teacher), labels.index(class_label))
            class_name = shorten(class_label, 20)
        else:
            raise ValueError(
                f"{owner}: class_label={class_label!r} is none of the classes "
                f"{labels}. Choose one of them, or None."
            )
        rows = np.arange(len(teacher))
        return cls(
            teacher_proba=teacher[rows, column],
            student_proba=student[rows, column],
            agrees=by_teacher == by_student,
            class_name=class_name,
        )

    def plot(self, ax: Any = None) -> Self:
        """Plot the probabilities.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        display : FidelityDisplay
        """
        from matplotlib.ticker import MaxNLocator

        teacher = np.asarray(self.teacher_proba)
        student = np.asarray(self.student_proba)
        agrees = np.asarray(self.agrees)
        shapes = {teacher.shape, student.shape, agrees.shape}
        if len(shapes) > 1 or teacher.ndim != 1 or not teacher.size:
            raise ValueError(
                "FidelityDisplay: teacher_proba, student_proba and agrees have shapes "
                f"{teacher.shape}, {student.shape} and {agrees.shape}; expected "
                "(n_samples,) of each, one row at least. from_predictions makes them "
                "of two tables."
            )
        ax = open_axes("FidelityDisplay.plot", ax)
        width, height = inches_of(ax)
        needed = _BAR_INCHES + (0 if makes_room(ax.figure) else _NEIGHBOUR_INCHES)
        room = min(needed / width, 0.5) if agrees.any() else 0.0
        ax.plot([0, 1], [0, 1], color=neutral(ax), lw=0.8, ls=":", zorder=0)
        self.density_ = self.colorbar_ = None
        if agrees.any():
            self.density_ = ax.hexbin(
                teacher[agrees],
                student[agrees],
                gridsize=32,
                extent=(0, 1, 0, 1),
                mincnt=1,
                bins="log",
                cmap=density_colours(),
                linewidths=0.2,
            )
            most = int(self.density_.get_array().max())
            steps = [
                m * 10**e for e in range(9) for m in (1, 2, 5) if m * 10**e <= most
            ]
            self.colorbar_ = ax.figure.colorbar(
                self.density_,
                ax=ax,
                fraction=room,
                label="rows that agree",
                ticks=steps if len(steps) < 7 else steps[::3],
                format="{x:,.0f}",
            )
            self.colorbar_.ax.minorticks_off()
            self.colorbar_.ax.set_axes_locator(_Beside(ax, self.colorbar_.ax))
        n_apart = int((~agrees).sum())
        share = n_apart / len(agrees)
        self.points_ = ax.scatter(
            teacher[~agrees],
            student[~agrees],
            s=14,
            marker="x",
            color=DISAGREEMENT,
            linewidths=1,
            alpha=1 if n_apart < 500 else 0.4,
            rasterized=n_apart > 2000,
            label=f"disagree: {n_apart:,} of {len(agrees):,} ({share:.1%})",
        )
        of = f"of {self.class_name}" if self.class_name else ""
        side = min((1 - room) * width, height)
        for axis, who in ((ax.xaxis, "teacher"), (ax.yaxis, "student")):
            axis.set_label_text(one_line_or_two(f"{who}'s probability", of, side))
            axis.set_major_locator(MaxNLocator("auto", steps=[2, 5, 10]))
        ax.set(
            xlim=(-0.03, 1.03),
            ylim=(-0.03, 1.03),
            aspect="equal",
        )
        # The square that the axes become may leave room above it.
        ax.apply_aspect()
        legend_above(ax, [self.points_], compact=True)
        self.ax_, self.figure_ = ax, ax.figure
        return self


class _Beside:
    """Places a colour bar beside the square that its axes become, as high as it."""

    def __init__(self, ax: Any, bar: Any) -> None:
        self._ax, self._bar = ax, bar

    def __call__(self, bar: Any, renderer: Any) -> Any:
        from matplotlib.transforms import Bbox

        self._ax.apply_aspect()
        square = self._ax.get_position()
        left, width = square.x1 + 0.04 * square.width, 0.05 * square.width
        return Bbox.from_bounds(left, square.y0, width, square.height)

    def get_subplotspec(self) -> Any:
        """Return the cell of the bar, for which a tight layout asks."""
        return self._bar.get_subplotspec()
