"""What is drawn of a search is what it scored."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from drawn_texts import assert_apart, texts_of
from sk_distill import DistilledClassifier
from sk_distill.plot import DistillationPathDisplay


def test_path_draws_mean_and_standard_error(search):
    display = DistillationPathDisplay.from_estimator(search)
    scores = search.scores_path_
    error = scores.std(axis=2, ddof=1) / 2
    assert display.figure_ is display.ax_.figure
    assert len(display.lines_) == 2
    for i, (line, bars) in enumerate(
        zip(display.lines_, display.errorbars_, strict=True)
    ):
        assert_allclose(line.get_xdata(), [0.5, 2])
        assert_allclose(line.get_ydata(), scores[1:-1, i].mean(axis=1))
        points, _, (segments,) = bars
        assert_allclose(points.get_ydata(), scores[1:, i].mean(axis=1))
        ends = np.array(segments.get_segments())[:, :, 1]
        assert_allclose(np.diff(ends, axis=1).ravel(), 2 * error[1:, i])
    assert_allclose(display.plain_[0].get_ydata(), [scores[0, 0].mean()])
    assert display.ax_.get_ylabel() == "negative log loss, 4 folds ± 1 s.e."


def test_path_marks_its_ends_and_rings_the_choice(search):
    display = DistillationPathDisplay.from_estimator(search)
    texts = [tick.get_text() for tick in display.ax_.get_xticklabels()]
    places = dict(zip(texts, display.ax_.get_xticks(), strict=True))
    assert places["0\nlabels"] < places["0.5"] < places["2"] < places["∞\nteacher"]
    assert_allclose(display.chosen_.get_ydata(), [search.best_score_])
    shown = re.search(r"λ = (\S+?)(,|$)", display.chosen_.get_label())[1]
    weight = np.inf if shown == "∞" else float(shown)
    assert_allclose(weight, search.distillation_weight_)


def test_path_of_one_fold_and_of_the_ends_alone():
    display = DistillationPathDisplay(
        distillation_weights=[0, np.inf],
        temperatures=[1],
        scores=[[[0.5]], [[0.7]]],
        chosen=(np.inf, 1),
    ).plot()
    assert display.ax_.get_ylabel() == "score, one fold"
    assert len(display.lines_[0].get_xdata()) == 0
    assert not display.errorbars_[0].has_yerr
    assert_allclose(display.chosen_.get_ydata(), [0.7])
    assert display.chosen_.get_label() == "chosen: λ = ∞"


def test_path_needs_a_search(binary, forest):
    model = DistilledClassifier(forest, "linear", teacher_cv=3, random_state=0)
    with pytest.raises(NotFittedError, match="DistillationPathDisplay: this Distilled"):
        DistillationPathDisplay.from_estimator(model)
    with pytest.raises(AttributeError, match=r"no scores_path_\. A path is what Dist"):
        DistillationPathDisplay.from_estimator(model.fit(*binary))
    with pytest.raises(ValueError, match=r"scores has shape \(2, 1\); expected"):
        DistillationPathDisplay(
            distillation_weights=[0, 1], temperatures=[1], scores=[[1], [2]]
        ).plot()


@pytest.mark.parametrize("chosen", [(5, 1), (1, 9), 3, ("a", "b")])
def test_path_marks_no_other_than_a_candidate(chosen):
    """Another λ was an IndexError, another T the mark of the nearest."""
    with pytest.raises(
        ValueError,
        match=r"chosen=.* is no candidate; .*weights \[0\.0, 1\.0\] .* \[1\.0, 2\.0\]",
    ):
        DistillationPathDisplay(
            distillation_weights=[0, 1],
            temperatures=[1, 2],
            scores=np.zeros((2, 2, 3)),
            chosen=chosen,
        ).plot()


def test_a_student_without_a_teacher_is_marked_at_any_temperature():
    """And one fold of several temperatures, which has no bars, was an IndexError."""
    display = DistillationPathDisplay(
        distillation_weights=[0, 1],
        temperatures=[2, 3],
        scores=[[[0.9], [0.9]], [[0.5], [0.6]]],
        chosen=(0, 1),
    ).plot()
    assert_allclose(display.chosen_.get_ydata(), [0.9])


@pytest.mark.parametrize(("n_axes", "size"), [(1, (6.4, 4.8)), (3, (13, 4))])
@pytest.mark.parametrize("weights", [[0, 1, np.inf], [0, 1], [1, 2, np.inf], [1, 2]])
def test_labels_stay_within_a_figure_without_a_layout(weights, n_axes, size):
    """The label of λ was below the figure, that of the score left of it."""
    plt = pytest.importorskip("matplotlib.pyplot")
    figure, axes = plt.subplots(1, n_axes, figsize=size, squeeze=False)
    ax = axes[0, 0]
    scores = np.linspace(-0.25, -0.15, 3 * len(weights)).reshape(len(weights), 1, 3)
    DistillationPathDisplay(
        distillation_weights=weights,
        temperatures=[1],
        scores=scores,
        score_name="negative log loss",
    ).plot(ax)
    figure.canvas.draw()
    assert_apart(figure, texts_of(ax))
    assert ax.yaxis.label.get_window_extent().x0 >= 0
