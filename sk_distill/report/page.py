"""A report as HTML: a fragment for notebooks, and a page with figures."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from sk_distill.plot import FeatureEffectsDisplay
from sk_distill.report.tables import Ranged, TextTable

if TYPE_CHECKING:
    from sk_distill.report.result import DistillationReport

_TABLES = """
.skd table { border-collapse: collapse; margin: 0.3rem 0 1.2rem; }
.skd caption { text-align: left; font-weight: 600; padding: 0.3rem 0; }
.skd th, .skd td { padding: 0.25rem 0.7rem; text-align: right; vertical-align: top;
  font-variant-numeric: tabular-nums; background: none; }
.skd th { font-weight: 600; }
.skd .name { text-align: left; overflow-wrap: break-word;
  max-width: 24rem; }
.skd tbody th { font-weight: 400; }
.skd tr + tr { border-top: 1px solid rgba(128, 128, 128, 0.3); }
.skd thead tr { border-bottom: 1px solid rgba(128, 128, 128, 0.8); }
.skd .interval { opacity: 0.75; font-size: 0.85em; white-space: nowrap; }
.skd .scroll { overflow-x: auto; }
"""

_PAGE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #16191d; } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); margin: 0 auto; padding: 1rem; max-width: 68rem; }
h1 { font-size: 1.4rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 0.3rem; }
.figures { display: grid; gap: 1.5rem; grid-template-columns: 1fr; }
figure { margin: 0; }
figure img { width: 100%; max-width: 36rem; height: auto; }
@media (min-width: 60rem) { .figures { grid-template-columns: 1fr 1fr; } }
@media (max-width: 40rem) {
  h1 { font-size: 1.15rem; }
  .skd th, .skd td { padding: 0.25rem 0.35rem; font-size: 0.9rem; }
  .skd .name { max-width: 8rem; }
  .skd caption { max-width: calc(100vw - 2rem); }
  .skd .interval { display: block; white-space: normal; }
}
"""

# Colours of text and lines on a light page and on a dark one.
_INK = {"light": "#1b1f24", "dark": "#e6e6e6"}

_INKED = (
    "text.color",
    "axes.labelcolor",
    "axes.edgecolor",
    "xtick.color",
    "ytick.color",
)

# In inches. Wider, and a telephone makes the text too small.
_WIDTH, _HEIGHT = 5.4, 3.9

_ALT = {
    "Student against teacher": "Probabilities of the student against those of the "
    "teacher, row by row: near the diagonal they say the same.",
    "How much to trust the teacher": "Cross-validated score against λ, from the labels "
    "alone to the teacher alone, with the chosen λ ringed.",
    "Training": "Loss on the training rows, and on held-out rows if there were any, by "
    "epoch.",
    "What the columns add": "The effect of each of the columns that matter most on the "
    "logits, with the numbers of rows below.",
}


def fragment(report: DistillationReport) -> str:
    """Return the report without figures, for a notebook."""
    return (
        f'<div class="skd"><style>{_TABLES}</style>'
        f"<p><strong>{escape(report.headline)}</strong></p>{_body(report)}</div>"
    )


def page(report: DistillationReport) -> str:
    """Return the report as a page of its own."""
    figures = "".join(
        _figure(heading, display) for heading, display in report.displays.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Distillation report: {escape(report.title)}</title>\n"
        f"<style>{_TABLES}{_PAGE}</style>\n</head>\n"
        f'<body>\n<main class="skd">\n<h1>{escape(report.headline)}</h1>\n'
        f'{_body(report)}\n<div class="figures">{figures}</div>\n'
        "</main>\n</body>\n</html>\n"
    )


def _body(report: DistillationReport) -> str:
    tables = "\n".join(_table(table) for table in report.tables)
    remarks = "".join(f"<p>{escape(remark)}</p>" for remark in report.remarks)
    return f"{tables}\n{remarks}"


def _table(table: TextTable) -> str:
    head = "".join(
        f'<th scope="col"{_class(i, table)}>{escape(name)}</th>'
        for i, name in enumerate(table.columns)
    )
    rows = "\n".join(
        "<tr>"
        + "".join(
            f'<th scope="row" class="name">{_cell(cell)}</th>'
            if i == 0
            else f"<td{_class(i, table)}>{_cell(cell)}</td>"
            for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(table.heading)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _class(column: int, table: TextTable) -> str:
    return ' class="name"' if column < table.n_names else ""


def _cell(cell: str | Ranged) -> str:
    """Return a cell; the interval after a value may wrap as one."""
    if isinstance(cell, str):
        return escape(cell)
    return (
        f'{escape(cell.value)} <span class="interval">({escape(cell.interval)})</span>'
    )


def _figure(heading: str, display: Any) -> str:
    """Return a figure in two versions, of which the browser takes one."""
    light, dark = (_picture(display, theme) for theme in ("light", "dark"))
    return (
        f"<figure><h2>{escape(heading)}</h2><picture>"
        f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{escape(_ALT[heading])}"></picture></figure>'
    )


def _picture(display: Any, theme: str) -> str:
    """Return the address of a PNG that is its own content."""
    from matplotlib import style
    from matplotlib.figure import Figure

    colours = dict.fromkeys(_INKED, _INK[theme])
    height = _HEIGHT
    if isinstance(display, FeatureEffectsDisplay):
        height = display._height(_WIDTH, n_columns=2)
    with style.context(["default", {**colours, "axes.facecolor": "none"}]):
        # Not of pyplot, which would show it in a notebook too.
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        display.plot(ax=figure.subplots())
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=160, transparent=True)
    return "data:image/png;base64," + b64encode(buffer.getvalue()).decode("ascii")
