"""The site's pages name what is public."""

import re
from importlib import import_module
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PUBLIC = [
    "sk_distill",
    "sk_distill.export",
    "sk_distill.losses",
    "sk_distill.metrics",
    "sk_distill.plot",
]


def names_on_the_api_page() -> set[str]:
    """Return the full names of what `docs/api.rst` lists or describes."""
    module, listing, names = "", False, set()
    for line in (DOCS / "api.rst").read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        elif found := re.fullmatch(r"\.\. data:: (\S+)", line):
            names.add(f"{module}.{found[1]}")
        elif line.startswith(".. autosummary::"):
            listing = True
        elif listing and (found := re.fullmatch(r"   ([\w.]+)", line)):
            names.add(f"{module}.{found[1]}")
        elif line and not line.startswith(" "):
            listing = False
    return names


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_on_the_api_page(module):
    expected = {f"{module}.{name}" for name in import_module(module).__all__}
    assert expected <= names_on_the_api_page()


def test_what_is_on_the_api_page_exists():
    for full_name in names_on_the_api_page():
        module, name = full_name.rsplit(".", 1)
        assert hasattr(import_module(module), name), full_name


def test_every_page_of_the_guide_is_in_its_table_of_contents():
    contents = (DOCS / "user_guide.md").read_text(encoding="utf-8")
    for page in (DOCS / "user_guide").glob("*.md"):
        assert f"\nuser_guide/{page.stem}\n" in contents


def test_every_example_has_its_place_in_the_gallery():
    order = (DOCS / "_ext" / "gallery_order.py").read_text(encoding="utf-8")
    for example in (DOCS.parent / "examples").glob("plot_*.py"):
        assert f'"{example.name}"' in order
