"""Formulas as MathML: browsers draw them without a script from another site."""

from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx


def convert(formula: str, *, as_block: bool) -> str:
    """Return MathML, with the space after a logarithm that docutils leaves out."""
    converted = tex2mathml(formula, as_block=as_block)
    return converted.replace("<mi>log</mi>", '<mi>log</mi><mspace width="0.17em"/>')


def visit_math(translator: Any, node: nodes.math) -> None:
    formula = convert(node.astext(), as_block=False)
    translator.body.append(f'<span class="math">{formula}</span>')
    raise nodes.SkipNode


def visit_displaymath(translator: Any, node: nodes.math_block) -> None:
    formula = convert(node.astext(), as_block=True)
    translator.body.append(f'<div class="math">{formula}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
