"""Doctests run in an empty folder: what they write is gone afterwards."""

import pytest


@pytest.fixture(autouse=True)
def _empty_folder(request, tmp_path, monkeypatch):
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _bars_of_scikit_learn(request):
    """Skip a page that shows bars where nothing draws them, and keep to one width."""
    page = getattr(request.node, "dtest", None)
    if page is not None and "import ProgressBar" in page.docstring:
        pytest.importorskip("sklearn.callback", reason="scikit-learn < 1.9")
        pytest.importorskip("rich").reconfigure(width=80)
