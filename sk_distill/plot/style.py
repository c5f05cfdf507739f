"""What the displays have in common: axes, colours, legends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sk_distill._optional import import_optional

# Those of Okabe & Ito (2008), "Color Universal Design", that stand out from a white
# page and from a dark one.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
STUDENT, TEACHER = "#0072B2", "#E69F00"
DISAGREEMENT = "#D55E00"

_LINE_STYLES = ("-", "--", "-.", ":")
# Of bars; empty is plain.
_HATCHES = ("", "////", "....", "xxxx")

# Of more entries a legend is small.
_MANY = 4


def import_pyplot(needed_by: str) -> Any:
    """Return ``matplotlib.pyplot``, or say what to install."""
    return import_optional("matplotlib.pyplot", extra="plot", needed_by=needed_by)


def open_axes(needed_by: str, ax: Any) -> Any:
    """Return the axes to draw in: new ones, or those of the caller."""
    pyplot = import_pyplot(needed_by)
    if ax is None:
        _, ax = pyplot.subplots(layout="constrained")
    check_axes(needed_by, ax)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def check_axes(owner: str, ax: Any) -> None:
    """Raise for what is no axes, as the array that ``subplots`` returns."""
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(
            f"{owner}: ax={ax!r} is a {type(ax).__name__}; expected one matplotlib "
            "Axes. Pass one of them, such as axes[0], or None for a figure of its own."
        )


def neutral(ax: Any) -> str:
    """Return the colour of the text, which is seen on a dark page too."""
    return ax.xaxis.label.get_color()


def density_colours() -> Any:
    """Return viridis without its ends, which a dark or a white page would swallow."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["viridis"](np.linspace(0.2, 0.95, 256)))


def curve_style(i: int) -> dict[str, Any]:
    """Return colour and line style of the i-th of several curves.

    Who cannot tell blue from green can tell lines from dashes: neighbours differ in
    both, and 24 curves in one of them.
    """
    return {
        "color": COLOURS[i % len(COLOURS)],
        "linestyle": _LINE_STYLES[_style_number(i)],
    }


def bar_style(i: int, ink: str) -> dict[str, Any]:
    """Return colour and hatch of the bars that :func:`curve_style` is the curve of.

    The hatch has the colour of ink, in which narrow bars keep their outline.
    """
    return {
        "facecolor": COLOURS[i % len(COLOURS)],
        "hatch": _HATCHES[_style_number(i)],
        # It is the colour of hatches; edges themselves have no width.
        "edgecolor": ink,
        "linewidth": 0,
    }


def _style_number(i: int) -> int:
    """Return which of the four styles the i-th of several has."""
    n_colours, n_styles = len(COLOURS), len(_LINE_STYLES)
    # After twelve the pairs of six colours and four styles would begin anew.
    return int(i + i // np.lcm(n_colours, n_styles)) % n_styles


def shift_right(artist: Any, ax: Any, points: float) -> None:
    """Draw what lies on the axes a little aside of its data."""
    from matplotlib.transforms import ScaledTranslation

    aside = ScaledTranslation(points / 72, 0, ax.figure.dpi_scale_trans)
    artist.set_transform(ax.transData + aside)


def shorten(text: object, width: int) -> str:
    """Return the text on one line, its middle left out where it is too long."""
    text = " ".join(str(text).split())
    if len(text) > width:
        tail = (width - 1) // 3
        text = f"{text[: width - 1 - tail]}…{text[-tail:]}"
    # A pair of dollars would be read as a formula.
    return text.replace("$", r"\$")


def inches_of(ax: Any) -> tuple[float, float]:
    """Return width and height of the axes, as they are before a layout."""
    extent = ax.get_window_extent()
    return extent.width / ax.figure.dpi, extent.height / ax.figure.dpi


def letter_inches(size: str) -> float:
    """Return how wide a letter is in the mean, in a font of this size."""
    return 0.58 * _points(size) / 72


def _points(size: str) -> float:
    """Return the points of a size, by its name or by that of a setting."""
    from matplotlib.font_manager import FontProperties

    settings = import_pyplot("text").rcParams
    return float(FontProperties(size=settings.get(size, size)).get_size_in_points())


def makes_room(figure: Any) -> bool:
    """Whether a layout will make room in the figure for what stands beside axes."""
    from matplotlib.layout_engine import PlaceHolderLayoutEngine

    engine = figure.get_layout_engine()
    # The other is what tight_layout() leaves behind, once it has placed the axes.
    return not (engine is None or isinstance(engine, PlaceHolderLayoutEngine))


def label_beside(ax: Any, labels: Sequence[str], names: Sequence[str]) -> None:
    """Label the x axis on the second line of the names at its ends.

    Below them, no room is left for a label where no layout makes any. It is the first
    of the labels that has room between the names, or the last.
    """
    room = inches_of(ax)[0] / letter_inches("axes.labelsize")
    # The ends are a twentieth from the edges; a name stands in the middle of its end.
    room = 0.9 * room - max(map(len, names)) - 2
    label = next((label for label in labels if len(label) <= room), labels[-1])
    ax.set_xlabel(label, labelpad=-1.1 * _points("xtick.labelsize"))


def one_line_or_two(start: str, end: str, inches: float) -> str:
    """Return the label of an axis, broken where it is longer than the axis."""
    letters = len(start) + 1 + len(end)
    fits = letters * letter_inches("axes.labelsize") <= inches
    return f"{start}{' ' if fits else chr(10)}{end}".strip()


def legend_above(ax: Any, handles: Sequence[Any], *, compact: bool = False) -> Any:
    """Put a legend above the axes, in as many columns as their width has room for.

    A compact one has markers for handles, which take less room than lines. A title
    stands above it. Where no layout makes room for as many rows and a title, the legend
    stands within the axes.
    """
    # Many entries would leave narrow axes little of their height.
    size = "small" if compact or len(handles) > _MANY else "legend.fontsize"
    width, height = inches_of(ax)
    columns = _legend_columns(width, handles, size)
    n_rows = -(-len(handles) // columns)
    needed = 0.01 * height + _rows_inches(n_rows, size)
    needed += _rows_inches(1, "axes.titlesize")
    room = (ax.figure.bbox.y1 - ax.get_window_extent().y1) / ax.figure.dpi
    if needed > room and not makes_room(ax.figure):
        columns = 1 + len(handles) // (2 * _MANY)
        return ax.legend(handles=handles, loc="best", fontsize="small", ncols=columns)
    short = compact or columns == 1
    # Titles keep clear of axes within their own, though of no legend.
    place = ax.inset_axes((0, 1, 1, 0.01))
    place.set_axis_off()
    place.set_axes_locator(_AtTheLegend(ax))
    return ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1.01),
        borderaxespad=0,
        frameon=False,
        fontsize=None if size == "legend.fontsize" else size,
        handlelength=0.8 if compact else 1.4 if short else None,
        handletextpad=0.5 if short else None,
        ncols=columns,
    )


class _AtTheLegend:
    """Places axes that show nothing where the legend of some is, whatever its size."""

    def __init__(self, ax: Any) -> None:
        self._ax = ax

    def __call__(self, place: Any, renderer: Any) -> Any:
        legend = self._ax.get_legend()
        box = self._ax.bbox if legend is None else legend.get_window_extent(renderer)
        return box.transformed(self._ax.figure.transSubfigure.inverted())


def legend_within(ax: Any, handles: Sequence[Any]) -> None:
    """Put a legend at the top of the axes, if it has anything to explain."""
    if not handles:
        return
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0,
        borderpad=0,
        frameon=False,
        fontsize="small",
        ncols=_legend_columns(inches_of(ax)[0], handles, "small"),
    )


def legend_inches(width: float, handles: Sequence[Any]) -> float:
    """Return how many inches a legend takes within axes of so many inches."""
    n_rows = -(-len(handles) // _legend_columns(width, handles, "small"))
    # The last row keeps its distance from what is below.
    below = 0.6 * _points("small") / 72
    return _rows_inches(n_rows, "small") + below if handles else 0.0


def _rows_inches(n_rows: int, size: str) -> float:
    """Return how many inches so many rows of a legend take: lines and gaps."""
    return n_rows * 1.6 * _points(size) / 72


def _legend_columns(width: float, handles: Sequence[Any], size: str) -> int:
    """Return how many entries of a legend stand side by side in so many inches."""
    # A handle and its gaps take eight letters' width.
    widths = [(len(h.get_label()) + 8) * letter_inches(size) for h in handles]
    for columns in range(len(handles), 1, -1):
        # A legend is filled column by column, the first ones higher by one.
        if sum(map(max, np.array_split(widths, columns))) <= width:
            return columns
    return 1
