"""What the displays have in common."""

import re
from itertools import pairwise

import numpy as np
import pytest

from drawn_texts import assert_apart, texts_of
from sk_distill import LinearStudent
from sk_distill.plot import (
    DistillationPathDisplay,
    FeatureEffectsDisplay,
    FidelityDisplay,
    TrainingCurveDisplay,
)
from sk_distill.plot.style import bar_style, curve_style, legend_within

plt = pytest.importorskip("matplotlib.pyplot")


def test_curves_differ_without_their_colours_too():
    styles = [curve_style(i) for i in range(24)]
    assert len({tuple(style.values()) for style in styles}) == 24
    for one, next_one in pairwise(styles):
        assert one["color"] != next_one["color"]
        assert one["linestyle"] != next_one["linestyle"]


def test_bars_differ_as_their_curves_do():
    bars = [bar_style(i, "black") for i in range(24)]
    assert len({tuple(bar.values()) for bar in bars}) == 24
    for i, bar in enumerate(bars):
        assert bar["facecolor"] == curve_style(i)["color"]
    for one, next_one in pairwise(bars):
        assert one["hatch"] != next_one["hatch"]


def test_no_text_lies_on_another(search, binary):
    """Labels, ticks and legends of a narrow figure do not overlap."""
    draw = [
        lambda ax: DistillationPathDisplay.from_estimator(search, ax=ax),
        lambda ax: FidelityDisplay.from_estimator(search, binary[0], ax=ax),
    ]
    for plot in draw:
        figure, ax = plt.subplots(figsize=(3.4, 3.4), layout="constrained")
        plot(ax)
        figure.canvas.draw()
        assert_apart(figure, texts_of(ax))


def test_a_legend_has_no_more_columns_than_have_room():
    """Four entries in three columns are 2, 1 and 1, not 2 and 2 in two of them."""
    _, ax = plt.subplots(figsize=(4, 3))
    names = ["high", "low", "middle", "number missing"]
    legend_within(ax, [ax.plot([0, 1], label=name)[0] for name in names])
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x1 <= ax.bbox.x1


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
def test_a_legend_of_many_rows_stays_within_the_figure(layout):
    """Above axes without a layout, the figure's edge cut it."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout=layout)
    losses = np.linspace(1, 0.5, 9)
    names = ["train_loss", "valid_loss", "teacher_train_loss", "teacher_valid_loss"]
    for ax in axes:
        TrainingCurveDisplay(history=dict.fromkeys(names, losses)).plot(ax)
    figure.canvas.draw()
    for ax in axes:
        assert_apart(figure, texts_of(ax))
        box = ax.get_legend().get_window_extent()
        assert box.y1 <= figure.bbox.y1
        assert (box.y1 <= ax.bbox.y1) == (layout is None)


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
@pytest.mark.parametrize("first", ["title", "plot"])
def test_a_title_stands_above_the_legend(first, layout, search, binary):
    """A legend stood where matplotlib puts a title, set before or after the plot."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout=layout)
    if first == "title":
        for ax in axes:
            ax.set_title("Student of a forest")
    DistillationPathDisplay.from_estimator(search, ax=axes[0])
    FidelityDisplay.from_estimator(search, binary[0], ax=axes[1])
    history = {"train_loss": [2.0, 1.0], "valid_loss": [2.0, 1.0]}
    TrainingCurveDisplay(history=history).plot(axes[2])
    if first == "plot":
        for ax in axes:
            ax.set_title("Student of a forest")
    figure.canvas.draw()
    for ax in axes:
        title, legend = (
            artist.get_window_extent() for artist in (ax.title, ax.get_legend())
        )
        assert not title.overlaps(legend)
        assert title.y1 <= figure.bbox.y1
        within = legend.y1 <= ax.bbox.y1
        assert within or title.y0 >= legend.y1 - 1


def test_a_title_stays_where_there_is_no_legend(search):
    display = DistillationPathDisplay.from_estimator(search)
    display.ax_.set_title("Student of a forest")
    display.ax_.get_legend().remove()
    display.figure_.canvas.draw()
    gap = display.ax_.title.get_window_extent().y0 - display.ax_.bbox.y1
    assert 0 <= gap < 20


def test_an_array_of_axes_is_refused(search, binary):
    """It was an array that has no get_window_extent."""
    _, axes = plt.subplots(1, 2)
    student = LinearStudent().fit(*binary)
    for name, plot in {
        "DistillationPathDisplay": lambda: DistillationPathDisplay.from_estimator(
            search, ax=axes
        ),
        "FeatureEffectsDisplay": lambda: FeatureEffectsDisplay.from_estimator(
            student, binary[0], ax=axes
        ),
    }.items():
        message = rf"{name}.plot: ax=.* is a ndarray; expected one .*axes\[0\]"
        with pytest.raises(TypeError, match=re.compile(message, re.DOTALL)):
            plot()


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_a_legend_of_many_temperatures_leaves_room_for_curves(layout):
    """It was higher than all else, in one column."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout=layout)
    temperatures = np.arange(1, 13)
    DistillationPathDisplay(
        distillation_weights=[0, 1, np.inf],
        temperatures=temperatures,
        scores=np.zeros((3, 12, 2)),
        chosen=(1, 2),
    ).plot(axes[0])
    axes[0].set_title("Student of a forest")
    figure.canvas.draw()
    legend = axes[0].get_legend().get_window_extent()
    assert axes[0].bbox.height > figure.bbox.height / 3
    assert legend.height < figure.bbox.height / 2
    assert not legend.overlaps(axes[0].title.get_window_extent())


@pytest.mark.parametrize("height", np.arange(3, 7, 0.5))
def test_a_legend_without_room_for_a_title_stands_within(height):
    figure, ax = plt.subplots(figsize=(6.4, height))
    TrainingCurveDisplay(history={"train_loss": [1, 0.5], "valid_loss": [1, 0.6]}).plot(
        ax
    )
    ax.set_title("Student of a forest")
    figure.canvas.draw()
    title = ax.title.get_window_extent()
    assert not title.overlaps(ax.get_legend().get_window_extent())
    assert title.y1 <= figure.bbox.y1


def test_a_layout_that_is_done_makes_no_room():
    """What it leaves behind was taken for a layout: the figure's edge cut a legend."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="tight")
    figure.tight_layout()
    TrainingCurveDisplay(history={"train_loss": [1, 0.5], "valid_loss": [1, 0.6]}).plot(
        axes[0]
    )
    figure.canvas.draw()
    assert axes[0].get_legend().get_window_extent().y1 <= axes[0].bbox.y1
