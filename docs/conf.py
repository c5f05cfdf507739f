"""Sphinx: how the pages of this folder become a site (``make docs``)."""

import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

import sk_distill

sys.path.append(str(Path(__file__).parent / "_ext"))

project = "sk_distill"
author = "The sk_distill developers"
copyright = author
version = release = sk_distill.__version__

extensions = [
    "mathml",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/GALLERY_HEADER.rst"]
templates_path = ["_templates"]

# Parameters are named in single backticks where a type holds their name.
default_role = "literal"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Annotations say less than the docstrings do.
autodoc_typehints = "none"
autosummary_generate = True
toc_object_entries_show_parents = "hide"
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sk_distill",),
    "reference_url": {"sk_distill": None},
    "within_subsection_order": "gallery_order.TeachingOrder",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
}

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "sk_distill"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 6,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
# These have no pages below them.
html_sidebars: dict[str, list[str]] = {
    page: []
    for page in (
        "installation",
        "quickstart",
        "benchmarks",
        "changes",
        "contributing",
        "glossary",
    )
}


def drop_last_blank_lines(app: Sphinx, doctree: nodes.document) -> None:
    """Doctests in Markdown end with a blank line; readers need not see it."""
    for block in doctree.findall(nodes.literal_block):
        text = block.astext().rstrip()
        if block.rawsource == block.astext():
            block.rawsource = text
            block.clear()
            block += nodes.Text(text)


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", drop_last_blank_lines)
