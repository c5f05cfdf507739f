"""The report as text, as a frame and as a page."""

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sk_distill.report.slices import worst_slices


def test_text(three, report):
    model, X, y = three
    result = report(model, X, y)
    text = str(result)
    assert repr(result) == text
    assert text.startswith(
        "RandomForestClassifier → LinearStudent (λ = 1, T = 1): 120 rows, 3 classes\n"
    )
    value, low, high = result.measures["student"]["accuracy"]
    assert re.search(rf"accuracy ↑ .* {value:.3f} \({low:.3f} to {high:.3f}\)\n", text)
    assert max(map(len, text.splitlines())) <= 110
    without = str(report(model, X, y, n_bootstraps=0))
    assert f"{value:.3f}\n" in without
    assert "In parentheses" not in without


def test_a_zero_has_no_sign(two, report):
    model, X, y = two
    text = str(report(model, X, y, plain_student=model.student_))
    assert re.search(r"accuracy ↑ .* 0\.000 \(0\.000 to 0\.000\)\n", text)
    assert "−0.000" not in text
    assert "+0.000" not in text


def test_frame(two, report):
    model, X, y = two
    result = report(model, X, y)
    frame = result.to_frame()
    assert frame.columns.tolist() == ["model", "measure", "value", "low", "high"]
    by_name = frame.set_index(["model", "measure"])
    interval = result.measures["student"]["log loss"]
    assert_allclose(by_name.loc[("student", "log loss")].to_numpy(), interval)
    cost = by_name.loc[("teacher", "n_bytes")]
    assert cost["value"] == result.costs["teacher"].n_bytes
    assert np.isnan(cost["low"])
    assert result.to_dict()["measure"] == frame["measure"].tolist()


def test_a_frame_without_pandas_is_explained(two, monkeypatch, report):
    result = report(*two)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install pandas, or make a frame.*dict"):
        result.to_frame()


class Reader(HTMLParser):
    """Keeps the tags and the text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def test_page_is_escaped_and_needs_nothing_else(mixed, tmp_path, report):
    pytest.importorskip("matplotlib")
    model, X, y = mixed
    result = report(model, X, y, X_train=X, y_train=y)
    assert any("<script>" in part.values for part in result.slices) or any(
        "<b>" in part.feature for part in result.slices
    )
    result.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    read = Reader(page)
    assert not {"script", "b", "i", "link", "iframe"} & set(read.tags)
    assert "<b>number</b> & more" in read.text
    addresses = [v for k, v in read.attributes if k in ("src", "srcset", "href")]
    assert len(addresses) == 2 * 3
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert "@import" not in page
    assert "url(" not in page
    headings = ["Student against teacher", "Training", "What the columns add"]
    assert list(result.displays) == headings
    assert all(heading in read.text for heading in headings)
    alternatives = [v for k, v in read.attributes if k == "alt"]
    assert len(alternatives) == 3


def test_a_notebook_shows_the_tables_alone(mixed, report):
    result = report(*mixed)
    read = Reader(result._repr_html_())
    assert {"table", "style"} <= set(read.tags)
    assert not {"img", "script", "b", "i"} & set(read.tags)
    for table in result.tables:
        assert table.heading in read.text
        for row in table.rows:
            assert all(str(cell) in read.text for cell in row)


def test_a_level_in_parentheses_is_no_interval(mixed, report):
    """The level "Paris (FR)" was shown small, as the interval of a value is."""
    model, X, _ = mixed
    place = pd.Series(X["level"]).where(X["level"] != "b", "Paris (FR)")
    X = X.assign(level=place)
    zeros = np.zeros(len(X), dtype=int)
    slices = worst_slices(model, X, zeros, (place == "Paris (FR)").to_numpy(), zeros, 3)
    assert slices[0].values == "Paris (FR)"
    result = replace(report(*mixed), slices=slices)
    page = result._repr_html_()
    assert '<td class="name">Paris (FR)</td>' in page
    accuracy = result.measures["student"]["accuracy"]
    assert (
        f'{accuracy.value:.3f} <span class="interval">({accuracy.low:.3f} to '
        f"{accuracy.high:.3f})</span>" in page
    )


def test_a_page_leaves_matplotlib_as_it_was(two, tmp_path, report):
    plt = pytest.importorskip("matplotlib.pyplot")
    before, figures = dict(plt.rcParams), plt.get_fignums()
    result = report(*two)
    result.to_html(tmp_path / "report.html")
    assert dict(plt.rcParams) == before
    assert plt.get_fignums() == figures


def test_a_page_without_matplotlib_is_explained(two, monkeypatch, tmp_path, report):
    result = report(*two)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ImportError, match=r"to_html needs matplotlib.*\"sk-distill\[plot\]\""
    ):
        result.to_html(tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []
