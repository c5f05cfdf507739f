"""A grid of panels within axes."""

from __future__ import annotations

from functools import partial
from typing import Any

from sk_distill.plot.style import inches_of

# In inches. Smaller panels show nothing; wider ones stand below each other where there
# is room; and so far apart are two whose labels take nothing.
_LEAST_WIDTH, _LEAST_HEIGHT = 1.0, 0.6
_GOOD_WIDTH = 2.0
_GAP = 0.15

# So many inches are left free below and beside axes by whoever places them.
_BELOW_AXES, _BESIDE_AXES = 0.4, 0.45


class PanelGrid:
    """Panels side by side and below each other, within axes of whoever calls.

    The axes stay where the layout of their figure puts them, and show the label alone
    that all panels share. Panels find their places anew when the figure is drawn: what
    is between them is in inches, as the labels are that stand there.

    Parameters
    ----------
    ax : matplotlib Axes
        What the panels share.
    depths : list of float
        For each panel, how many inches its labels are expected to take below it.
    top : float
        How many inches at the top are left free.

    Attributes
    ----------
    n_panels : int
        So many of the panels have room.
    panels : list of Axes
        Those that were added.
    """

    def __init__(self, ax: Any, depths: list[float], top: float) -> None:
        self.ax, self._top, self._gap = ax, top, 2 * _GAP
        self._left = 0.0
        width, height = inches_of(ax)
        self._n_columns, self.n_panels = _arrange(width, height - top, depths)
        self._below = _of_rows(depths[: self.n_panels], self._n_columns)
        self.panels: list[Any] = []

    def add_panel(self) -> Any:
        """Return the next panel, whose y axis is that of the others."""
        from matplotlib.ticker import MaxNLocator

        i = len(self.panels)
        shared = {"sharey": self.panels[0]} if self.panels else {}
        panel = self.ax.inset_axes((0, 0, 1, 1), **shared)
        panel.set_axes_locator(partial(self._place, i))
        panel.apply_aspect(self._place(i, panel, None))
        panel.spines[["top", "right"]].set_visible(False)
        panel.yaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))
        panel.tick_params(labelleft=i % self._n_columns == 0)
        self.panels.append(panel)
        return panel

    def make_room(self, label: str) -> None:
        """Set the panels as far apart as their labels need, once they are drawn on.

        Parameters
        ----------
        label : str
            Of their y axes.
        """
        _hide_all_but_label(self.ax)
        self.ax.set_ylabel(label)
        dpi = self.ax.figure.dpi
        below, left, right = [], [], []
        for panel in self.panels:
            _lower_label(panel, dpi)
            labels, box = panel.xaxis.get_tightbbox(), panel.bbox
            below.append((box.y0 - labels.y0) / dpi + _GAP)
            left.append(max(box.x0 - labels.x0, 0) / dpi)
            right.append(max(labels.x1 - box.x1, 0) / dpi)
        self._below = _of_rows(below, self._n_columns)
        self._gap = max(left) + max(right) + _GAP
        numbers = max(
            panel.bbox.x0 - panel.yaxis.get_tightbbox().x0
            for panel in self.panels[:: self._n_columns]
        )
        thick = self.ax.yaxis.label.get_window_extent().width
        self._left = max((numbers + thick) / dpi + _GAP / 2 - _BESIDE_AXES, 0)
        self.ax.yaxis.labelpad = 72 * (numbers / dpi + _GAP / 2 - self._left)

    def _place(self, i: int, panel: Any, renderer: Any) -> Any:
        """Return the box of the i-th panel, in parts of the figure."""
        from matplotlib.transforms import Bbox

        figure, frame = self.ax.figure, self.ax.get_window_extent()
        row, column = divmod(i, self._n_columns)
        gap, top = self._gap * figure.dpi, self._top * figure.dpi
        below = [depth * figure.dpi for depth in self._below]
        last = max(below[-1] - _BELOW_AXES * figure.dpi, 0)
        left = self._left * figure.dpi
        width = (frame.width - left - gap * (self._n_columns - 1)) / self._n_columns
        height = (frame.height - top - sum(below[:-1]) - last) / len(below)
        box = Bbox.from_bounds(
            frame.x0 + left + column * (width + gap),
            frame.y1 - top - (row + 1) * height - sum(below[:row]),
            max(width, 1),
            max(height, 1),
        )
        return box.transformed(figure.transSubfigure.inverted())


def _hide_all_but_label(ax: Any) -> None:
    ax.spines[:].set_visible(False)
    ax.patch.set_visible(False)
    ax.xaxis.set_visible(False)
    # Ticks that were taken away would be gone from axes that share them, too.
    ax.tick_params(axis="y", which="both", left=False, labelleft=False)


def _arrange(width: float, height: float, depths: list[float]) -> tuple[int, int]:
    """Return how many panels stand side by side, and how many have room at all."""
    fewest = min(max(1, int(width / _GOOD_WIDTH)), len(depths))
    most = max(fewest, int((width + 2 * _GAP) / (_LEAST_WIDTH + 2 * _GAP)))
    for n_columns in range(fewest, min(most, len(depths)) + 1):
        n_rows, left = 0, height - _LEAST_HEIGHT
        for depth in _of_rows(depths, n_columns):
            if left < max(depth - _BELOW_AXES, 0):
                break
            n_rows += 1
            left -= depth + _LEAST_HEIGHT
        n_panels = min(n_rows * n_columns, len(depths))
        if n_panels == len(depths):
            break
    return n_columns, n_panels


def _of_rows(depths: list[float], n_columns: int) -> list[float]:
    """Return of each row of panels what is the deepest."""
    return [max(depths[i : i + n_columns]) for i in range(0, len(depths), n_columns)]


def _lower_label(panel: Any, dpi: float) -> None:
    """Set the label of the x axis below what the numbers are to be multiplied with."""
    panel.xaxis.get_tightbbox()
    factor = panel.xaxis.get_offset_text()
    if factor.get_text():
        panel.xaxis.labelpad += 72 * factor.get_window_extent().height / dpi
