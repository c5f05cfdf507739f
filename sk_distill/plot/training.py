"""The losses of a training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_distill.fitted import fitted_attribute
from sk_distill.plot.style import STUDENT, TEACHER, legend_above, neutral, open_axes
from sk_distill.students import LinearStudent

# What history_ calls them, what the legend does, and how they are drawn.
_CURVES = {
    "train_loss": ("training rows", STUDENT, "-"),
    "valid_loss": ("held-out rows", STUDENT, "--"),
    "teacher_train_loss": ("teacher, training rows", TEACHER, "-"),
    "teacher_valid_loss": ("teacher, held-out rows", TEACHER, "--"),
}


class TrainingCurveDisplay:
    """Losses by epoch, and the best epoch.

    It is made by :meth:`from_estimator`. Losses that fall by more than a factor of ten
    are on a logarithmic axis. Those that are no finite numbers are left out. Each has
    the same colours: to compare two fits, pass axes that share their y axis to each, as
    on one ``ax`` the legend of the second would replace that of the first.

    Parameters
    ----------
    history : dict of str to array-like of shape (n_epochs,)
        Losses: "train_loss", "valid_loss", "teacher_train_loss", "teacher_valid_loss",
        or some of them.
    step_name : str, default="epoch"
        What is counted.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : dict of str to Line2D
        The curves, by the names of ``history``.
    best_ : Line2D or None
        The mark at the lowest loss on held-out rows, whose weights early stopping
        keeps; None where no rows were held out.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sk_distill import MLPStudent
    >>> from sk_distill.plot import TrainingCurveDisplay
    >>> X, y = load_wine(return_X_y=True)
    >>> student = MLPStudent(8, max_iter=20, random_state=0).fit(X, y)
    >>> display = TrainingCurveDisplay.from_estimator(student)
    >>> display.ax_.get_xlabel()
    'epoch'
    """

    def __init__(
        self, *, history: dict[str, ArrayLike], step_name: str = "epoch"
    ) -> None:
        self.history = history
        self.step_name = step_name

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Plot the losses of a fitted estimator.

        Parameters
        ----------
        estimator : classifier
            A fitted :class:`sk_distill.DistilledClassifier`,
            :class:`sk_distill.DistilledClassifierCV`, student or
            :class:`sk_distill.MLPTeacher`: what has ``history_``.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        return cls._unplotted(estimator).plot(ax=ax)

    @classmethod
    def _unplotted(cls, estimator: Any) -> Self:
        """Return the display of a fitted estimator, not plotted yet."""
        history = fitted_attribute(
            cls.__name__,
            estimator,
            "history_",
            "Built-in students, MLPTeacher and nets have one; a classifier from "
            "elsewhere has none.",
        )
        student = getattr(estimator, "student_", estimator)
        solver = getattr(student, "solver", None)
        at_once = solver == "lbfgs" or (
            solver == "auto" and isinstance(student, LinearStudent)
        )
        return cls(history=history, step_name="iteration" if at_once else "epoch")

    def plot(self, ax: Any = None) -> Self:
        """Plot the losses.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        curves = self._read_history()
        ax = open_axes("TrainingCurveDisplay.plot", ax)
        of_student = "student, " if any("teacher" in name for name in curves) else ""
        self.lines_ = {}
        for name, (label, color, linestyle) in _CURVES.items():
            if name not in curves:
                continue
            losses = curves[name]
            (self.lines_[name],) = ax.plot(
                np.arange(1, len(losses) + 1),
                losses,
                color=color,
                linestyle=linestyle,
                marker="o" if len(losses) == 1 else None,
                label=label if name.startswith("teacher") else of_student + label,
            )
        handles = list(self.lines_.values())
        self.best_ = None
        if "valid_loss" in curves:
            losses = curves["valid_loss"]
            # A loss that is no number is not the lowest.
            best = int(np.where(np.isfinite(losses), losses, np.inf).argmin())
            ax.axvline(best + 1, color=neutral(ax), lw=0.8, ls=":", zorder=0)
            (self.best_,) = ax.plot(
                best + 1,
                losses[best],
                "o",
                markersize=9,
                markerfacecolor="none",
                markeredgecolor=neutral(ax),
                markeredgewidth=1.5,
                linestyle="none",
                label=f"best {self.step_name}: {best + 1}",
            )
            handles.append(self.best_)
        losses = np.concatenate([line.get_ydata() for line in self.lines_.values()])
        losses = losses[np.isfinite(losses)]
        if losses.min() > 0 and losses.max() > 10 * losses.min():
            # The first epochs would leave no room for what tells the others apart.
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter("{x:g}")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel=self.step_name, ylabel="loss, mean of the rows")
        if len(handles) > 1:
            legend_above(ax, handles)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _read_history(self) -> dict[str, NDArray[np.float64]]:
        """Return the losses of each curve, one a step."""
        history = self.history
        if not isinstance(history, Mapping):
            raise TypeError(
                f"TrainingCurveDisplay: history={history!r} must be a dict of losses "
                f"by some of {list(_CURVES)}, got a {type(history).__name__}."
            )
        if not history or set(history) - set(_CURVES):
            raise ValueError(
                f"TrainingCurveDisplay: history has {list(history)}; expected some of "
                f"{list(_CURVES)}."
            )
        curves = {}
        for name, losses in history.items():
            curves[name] = np.asarray(losses)
            shape, kind = curves[name].shape, curves[name].dtype.kind
            is_curve = len(shape) == 1 and kind in "iuf"
            if not is_curve or not np.isfinite(curves[name]).any():
                raise ValueError(
                    f"TrainingCurveDisplay: history[{name!r}]={losses!r} must be "
                    f"numbers, one for each {self.step_name} and one of them finite at "
                    "least. Leave out a curve that has none."
                )
        return curves
