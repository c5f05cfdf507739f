"""Doctests run in an empty folder: what they write is gone afterwards."""

import pytest


@pytest.fixture(autouse=True)
def _empty_folder(request, tmp_path, monkeypatch):
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path)
