"""What the displays draw is what the estimators say."""

import re
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sk_distill import (
    DistilledClassifier,
    DistilledClassifierCV,
    LinearStudent,
    MLPStudent,
    MLPTeacher,
)
from sk_distill.exceptions import DistillationWarning
from sk_distill.metrics import agreement_score
from sk_distill.plot import (
    DistillationPathDisplay,
    FeatureEffectsDisplay,
    FidelityDisplay,
    TrainingCurveDisplay,
)
from sk_distill.plot.effect_columns import effect_of_cells, read_columns
from sk_distill.plot.style import curve_style, legend_within

matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def forest():
    return RandomForestClassifier(10, max_depth=4, random_state=0)


@pytest.fixture(scope="module")
def search(binary):
    return DistilledClassifierCV(
        forest(),
        LinearStudent(alpha=100.0),
        distillation_weights=[0.5, 2],
        temperatures=(1, 3),
        cv=4,
        teacher_cv=3,
        random_state=0,
    ).fit(*binary)


@pytest.fixture(scope="module")
def table():
    """A frame of numbers and levels, some missing, and three classes."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "number": rng.normal(size=300),
            "level": rng.choice(["a", "b", "c"], size=300),
            "noise": rng.normal(size=300),
        }
    )
    y = np.digitize(
        X["number"] + (X["level"] == "a") + rng.normal(size=300) / 2, [-0.5, 1]
    )
    X.loc[:20, "number"] = np.nan
    X.loc[30:50, "level"] = None
    return X, np.array(["low", "middle", "high"])[y]


@pytest.fixture(scope="module")
def additive(table):
    return LinearStudent(encoding="quantile", n_bins=8).fit(*table)


# The path.


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
    assert display.ax_.get_ylabel().startswith("negative log loss\n(mean of 4 folds")


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


def test_path_needs_a_search(binary):
    model = DistilledClassifier(forest(), "linear", teacher_cv=3, random_state=0)
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


# Fidelity.


def test_fidelity_draws_what_teacher_and_student_say(search, binary):
    X, _ = binary
    _, ax = plt.subplots()
    display = FidelityDisplay.from_estimator(search, X, ax=ax)
    teacher, student = search.teacher_.predict_proba(X), search.predict_proba(X)
    assert display.ax_ is ax
    assert_allclose(display.teacher_proba, teacher[:, 1])
    assert_allclose(display.student_proba, student[:, 1])
    apart = teacher.argmax(axis=1) != student.argmax(axis=1)
    assert apart.any()
    assert_allclose(
        display.points_.get_offsets(),
        np.column_stack([teacher[apart, 1], student[apart, 1]]),
    )
    assert display.density_.get_array().sum() == (~apart).sum()
    agreement = agreement_score(search.teacher_.predict(X), search.predict(X))
    shown = f"disagree: {apart.sum()} of 240 ({1 - agreement:.1%})"
    assert display.points_.get_label() == shown


def test_fidelity_of_three_classes():
    rng = np.random.default_rng(0)
    teacher, student = rng.dirichlet(np.ones(3), size=(2, 40))
    names = ["a", "b", "c"]
    display = FidelityDisplay.from_predictions(
        teacher, student, classes=names, class_label="b"
    )
    assert_allclose(display.teacher_proba, teacher[:, 1])
    assert display.ax_.get_ylabel() == "student's probability of b"
    display = FidelityDisplay.from_predictions(teacher, student, classes=names)
    rows = np.arange(40)
    assert_allclose(display.teacher_proba, teacher.max(axis=1))
    assert_allclose(display.student_proba, student[rows, teacher.argmax(axis=1)])
    with pytest.raises(
        ValueError, match=r"class_label='d' is none of .*\['a', 'b', 'c'"
    ):
        FidelityDisplay.from_predictions(
            teacher, student, classes=names, class_label="d"
        )


def test_fidelity_where_nothing_or_everything_agrees():
    proba = np.array([[0.1, 0.9], [0.8, 0.2]])
    display = FidelityDisplay.from_predictions(proba, proba[::-1])
    assert display.density_ is display.colorbar_ is None
    assert len(display.points_.get_offsets()) == 2
    display = FidelityDisplay.from_predictions(proba, proba)
    assert display.points_.get_label() == "disagree: 0 of 2 (0.0%)"


def test_fidelity_of_nothing_is_refused(search, binary):
    none = np.zeros((0, 2))
    with pytest.raises(
        ValueError, match=r"teacher_proba has shape \(0, 2\); .*one row"
    ):
        FidelityDisplay.from_predictions(none, none)
    with pytest.raises(
        ValueError, match="FidelityDisplay: X has no rows; expected one"
    ):
        FidelityDisplay.from_estimator(search, binary[0][:0])
    with pytest.raises(ValueError, match=r"shapes \(0,\), \(0,\) and \(0,\); expected"):
        FidelityDisplay(teacher_proba=[], student_proba=[], agrees=[]).plot()


@pytest.mark.parametrize("classes", [["a"], ["a", "b", "c"], "ab"])
def test_fidelity_has_a_class_for_each_column(classes):
    proba = [[0.1, 0.9], [0.8, 0.2]]
    with pytest.raises(ValueError, match=r"classes=.* but teacher_proba has 2 columns"):
        FidelityDisplay.from_predictions(proba, proba, classes=classes)


def test_fidelity_without_a_teacher(binary):
    X, y = binary
    proba = forest().fit(X, y).predict_proba(X)
    model = DistilledClassifier(student="linear", random_state=0)
    model.fit(X, y, teacher_proba=proba)
    with pytest.raises(AttributeError, match=r"no teacher_\. Pass the teacher's proba"):
        FidelityDisplay.from_estimator(model, X)
    display = FidelityDisplay.from_estimator(model, X, teacher_proba=proba)
    assert_allclose(display.teacher_proba, proba[:, 1])
    with pytest.raises(ValueError, match="FidelityDisplay: teacher_proba has shape"):
        FidelityDisplay.from_estimator(model, X, teacher_proba=proba[:3])


def test_fidelity_puts_the_teachers_columns_in_order(binary):
    X, _ = binary

    class Reversed:
        classes_ = np.array([1, 0])

        def predict_proba(self, X):
            return np.tile([0.9, 0.1], (len(X), 1))

    student = SimpleNamespace(
        teacher_=Reversed(),
        classes_=np.array([0, 1]),
        predict_proba=lambda X: np.tile([0.2, 0.8], (len(X), 1)),
    )
    display = FidelityDisplay.from_estimator(student, X)
    assert_array_equal(display.teacher_proba, 0.9)
    assert display.agrees.all()


# Training.


def test_training_curves(multiclass):
    student = MLPStudent(8, max_iter=6, early_stopping=True, random_state=0)
    display = TrainingCurveDisplay.from_estimator(student.fit(*multiclass))
    assert list(display.lines_) == ["train_loss", "valid_loss"]
    for name, line in display.lines_.items():
        assert_array_equal(line.get_xdata(), np.arange(1, student.n_iter_ + 1))
        assert_array_equal(line.get_ydata(), student.history_[name])
    best = student.history_["valid_loss"].argmin() + 1
    assert display.best_.get_xdata() == [best]
    assert display.best_.get_label() == f"best epoch: {best}"
    assert display.ax_.get_xlabel() == "epoch"


def test_training_curves_of_both(multiclass):
    model = DistilledClassifier(
        MLPTeacher(8, n_members=1),
        MLPStudent(4, max_iter=3, early_stopping=False),
        schedule="joint",
        random_state=0,
    ).fit(*multiclass)
    display = TrainingCurveDisplay.from_estimator(model)
    assert set(display.lines_) == set(model.history_)
    labels = {name: line.get_label() for name, line in display.lines_.items()}
    assert labels["train_loss"] == "student, training rows"
    assert labels["teacher_train_loss"] == "teacher, training rows"
    assert display.best_ is None


def test_training_curves_of_lbfgs_count_iterations(binary):
    display = TrainingCurveDisplay.from_estimator(LinearStudent().fit(*binary))
    assert display.ax_.get_xlabel() == "iteration"
    assert display.ax_.get_legend() is None


@pytest.mark.parametrize(
    ("last", "scale"), [(0.01, "log"), (0.5, "linear"), (0, "linear")]
)
def test_losses_that_fall_far_are_on_a_logarithmic_axis(last, scale):
    display = TrainingCurveDisplay(history={"train_loss": [1, last]}).plot()
    assert display.ax_.get_yscale() == scale


def test_training_needs_a_history(binary):
    X, y = binary
    model = DistilledClassifier(
        forest(), DecisionTreeClassifier(max_depth=2), random_state=0
    )
    with pytest.raises(AttributeError, match=r"no history_\. Built-in students"):
        TrainingCurveDisplay.from_estimator(model.fit(X, y))
    with pytest.raises(ValueError, match=r"history has \['loss'\]; expected some of"):
        TrainingCurveDisplay(history={"loss": [1]}).plot()
    with pytest.raises(TypeError, match="history=None must be a dict of losses"):
        TrainingCurveDisplay(history=None).plot()


@pytest.mark.parametrize("losses", [[], 1.0, [[1.0]], ["a"]])
def test_a_curve_has_a_loss_for_each_epoch(losses):
    with pytest.raises(
        ValueError, match=r"history\['valid_loss'\]=.* one for each epoch and one at"
    ):
        TrainingCurveDisplay(history={"valid_loss": losses}).plot()


# Effects.


def test_effects_are_the_students(additive, table):
    X, _ = table
    display = FeatureEffectsDisplay.from_estimator(additive, X)
    effects = additive.feature_effects_
    names = list(display.effects)
    assert set(names) == set(X)
    assert names[-1] == "noise"
    assert [ax.get_xlabel() for ax in display.axes_] == names
    lines = display.lines_[names.index("number")]
    for k, line in enumerate(lines):
        assert_array_equal(line.get_xdata(), effects["number"].grid)
        assert_array_equal(line.get_ydata(), effects["number"].effect[:, k])
    bars = display.bars_[names.index("level")]
    for k, bar in enumerate(bars):
        heights = [patch.get_height() for patch in bar.patches]
        assert_allclose(heights[:4], effects["level"].effect[:, k])
    ticks = display.axes_[names.index("level")].get_xticklabels()
    assert [tick.get_text() for tick in ticks][:4] == ["a", "b", "c", "missing"]
    missing = display.axes_[names.index("number")].lines[-3:]
    diamonds = [line for line in missing if line.get_marker() == "D"]
    assert_allclose([line.get_ydata()[0] for line in diamonds], effects["number"].other)


def test_effects_add_up_to_the_logits(additive, table):
    X, _ = table
    effects = additive.feature_effects_
    columns = read_columns(additive, X, effects)
    logits = additive.intercept_ + sum(
        effect_of_cells(effects[name], columns[name]) for name in effects
    )
    assert_allclose(logits, additive.decision_function(X), atol=1e-6)


def test_histograms_count_the_rows(additive, table):
    X, _ = table
    display = FeatureEffectsDisplay.from_estimator(additive, X, features=["level"])
    (panel,) = display.axes_
    grey = [
        patch for patch in panel.patches if patch.get_transform() != panel.transData
    ]
    counts = X["level"].value_counts(dropna=False)
    expected = [counts["a"], counts["b"], counts["c"], X["level"].isna().sum()]
    heights = np.array([patch.get_height() for patch in grey[-len(expected) :]])
    assert_allclose(heights / heights.max(), expected / np.max(expected))


def test_effects_of_chosen_columns_and_classes(additive, table):
    display = FeatureEffectsDisplay.from_estimator(
        additive, features=["number"], classes=["low", "high"]
    )
    effect = additive.feature_effects_["number"].effect
    columns = [additive.classes_.tolist().index(k) for k in ("low", "high")]
    for line, column in zip(display.lines_[0], columns, strict=True):
        assert_array_equal(line.get_ydata(), effect[:, column])
    assert len(FeatureEffectsDisplay.from_estimator(additive, features=2).axes_) == 2
    fig, ax = plt.subplots()
    display = FeatureEffectsDisplay.from_estimator(additive, table[0], ax=ax)
    assert display.figure_ is fig


def test_effects_of_a_line(binary):
    model = DistilledClassifier(forest(), "linear", teacher_cv=3, random_state=0)
    display = FeatureEffectsDisplay.from_estimator(model.fit(*binary), binary[0])
    (line,) = display.lines_[0]
    slope = np.diff(line.get_ydata()) / np.diff(line.get_xdata())
    name = next(iter(display.effects))
    assert_allclose(slope, model.coef_[0, int(name[1:])], rtol=1e-6)
    assert display.ax_.get_ylabel() == "effect on log-odds of 1"


def test_many_levels_are_the_strongest():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"c": [f"level {i:02}" for i in range(30)] * 20})
    y = rng.random(600) < X["c"].str[-2:].astype(int) / 30
    student = LinearStudent().fit(X, y)
    display = FeatureEffectsDisplay.from_estimator(student, X)
    assert display.axes_[0].get_xlabel() == "c\n(12 of 30 levels)"
    strength = np.abs(student.feature_effects_["c"].effect[:, 0])
    heights = [abs(patch.get_height()) for patch in display.bars_[0][0].patches[:12]]
    assert_allclose(sorted(heights), np.sort(strength)[-12:])


def test_effects_refuse(additive, binary, table):
    def refused(match, estimator=additive, **params):
        with pytest.raises((ValueError, AttributeError), match=match):
            FeatureEffectsDisplay.from_estimator(estimator, **params)

    refused(r"\['nmber'\] are none\. Did you mean 'number'", features=["nmber"])
    for features in (0, 2.5, None, []):
        refused(
            rf"features={re.escape(repr(features))} must be a number of columns >= 1",
            features=features,
        )
    refused(r"some of the classes \['high', .*; \['none'\] are none", classes=["none"])
    refused(r"classes=\[\] must be some of the classes", classes=[])
    refused(r"classes=2\.5 must be some of the classes", classes=2.5)
    refused("X has no rows; expected one at least", X=table[0][:0])
    mlp = MLPStudent(4, max_iter=2, random_state=0).fit(*binary)
    refused(r"no feature_effects_\. Only the logits of a LinearStudent", mlp)
    two = LinearStudent().fit(*binary)
    refused("of two the one curve is the log-odds of 1", two, classes=[0])
    ax = plt.figure(figsize=(2, 1)).add_subplot()
    refused(r"ax has 1\.\d by 0\.\d inches, no room for a panel and", ax=ax)


def test_effects_without_any_to_show_are_refused(additive):
    effects = additive.feature_effects_
    names = additive.classes_.tolist()
    with pytest.raises(
        ValueError, match=r"effects of 0 columns .* one column at least"
    ):
        FeatureEffectsDisplay(effects={}, output_names=names).plot()
    with pytest.raises(ValueError, match=r"have \[3\] outputs.* output_names=\['a'\]"):
        FeatureEffectsDisplay(effects=effects, output_names=["a"]).plot()
    for outputs in ([], [3]):
        with pytest.raises(ValueError, match=r"outputs=.* some of the numbers 0 to 2"):
            FeatureEffectsDisplay(
                effects=effects, output_names=names, outputs=outputs
            ).plot()


@pytest.mark.parametrize("text", ["a $dollar$ sign", "50% <script>"])
def test_names_are_text(text):
    X = pd.DataFrame({text: [0.0, 1, 2, 3] * 10})
    student = LinearStudent().fit(X, [0, 0, 1, 1] * 10)
    display = FeatureEffectsDisplay.from_estimator(student, X)
    display.figure_.canvas.draw()
    assert display.axes_[0].get_xlabel().replace("\\", "") == text


def test_curves_differ_without_their_colours_too():
    styles = [curve_style(i) for i in range(24)]
    assert len({tuple(style.values()) for style in styles}) == 24
    for one, next_one in pairwise(styles):
        assert one["color"] != next_one["color"]
        assert one["linestyle"] != next_one["linestyle"]


def texts_of(ax):
    """Return the texts of axes that are seen: labels, ticks, factors, legend."""
    texts = [] if ax.get_legend() is None else list(ax.get_legend().get_texts())
    for axis, limits, i in (
        (ax.xaxis, ax.get_xlim(), 0),
        (ax.yaxis, ax.get_ylim(), 1),
    ):
        if axis.get_visible():
            texts += [axis.label, axis.get_offset_text()]
            texts += [
                tick
                for tick in axis.get_ticklabels()
                if limits[0] <= tick.get_position()[i] <= limits[1]
            ]
    return [text for text in texts if text.get_visible() and text.get_text()]


def assert_apart(figure, texts):
    """Texts lie neither on each other nor outside of the figure."""
    # A turned text takes less than the box around it.
    boxes = [t.get_window_extent() for t in texts if not t.get_rotation() % 90]
    for i, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0, texts[i]
        assert figure.bbox.y0 <= box.y0, texts[i]
        assert box.x1 <= figure.bbox.x1, texts[i]
        assert box.y1 <= figure.bbox.y1, texts[i]
        assert not any(box.overlaps(other) for other in boxes[i + 1 :]), texts[i]


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


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
@pytest.mark.parametrize(("n_axes", "size"), [(2, (6.4, 4.8)), (3, (12, 4))])
def test_a_colour_bar_takes_its_room_from_its_own_axes(layout, n_axes, size):
    """It lay on the axes to the right, as nothing was taken away for it."""
    rng = np.random.default_rng(0)
    teacher, student = rng.dirichlet(np.ones(2), size=(2, 200))
    figure, axes = plt.subplots(1, n_axes, figsize=size, layout=layout)
    axes[1].set_ylabel("a neighbour")
    display = FidelityDisplay.from_predictions(teacher, student, ax=axes[0])
    figure.canvas.draw()
    bar, square = display.colorbar_.ax.bbox, axes[0].bbox
    assert_allclose([bar.y0, bar.y1], [square.y0, square.y1])
    assert square.x1 < bar.x0
    right = display.colorbar_.ax.get_tightbbox().x1
    assert right < axes[1].get_tightbbox().x0
    assert_allclose(square.width, square.height)


@pytest.fixture(scope="module")
def wordy():
    """Rows, and additive students of ten and of two classes with long names."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "the income of a household": 3e6 * rng.normal(size=300) + 5e6,
            "number": rng.normal(size=300),
            "level": rng.choice(["alpha", "beta", "a level of long name"], size=300),
            "a small number of a long name": 1e-7 * rng.normal(size=300),
        }
    )
    X.loc[:20, "number"] = np.nan
    z = X["number"].fillna(0) + (X["level"] == "beta") + rng.normal(size=300)
    names = np.array([f"a long name of class {i}" for i in range(10)])
    ten = names[np.digitize(z, np.linspace(-2, 3, 9))]
    student = LinearStudent(encoding="quantile", n_bins=4)
    return X, {10: student.fit(X, ten), 2: clone(student).fit(X, z > 0)}


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
@pytest.mark.parametrize(
    ("n_classes", "grid", "size", "n_panels"),
    [(10, (2, 1), (6.4, 8), 4), (2, (1, 3), (12, 4), 4), (2, (1, 1), (6, 4), 4)],
)
def test_effects_stay_within_their_axes(wordy, layout, n_classes, grid, size, n_panels):
    """The legend covered the axes above, labels each other and the column's factor."""
    X, students = wordy
    figure, axes = plt.subplots(*grid, figsize=size, layout=layout, squeeze=False)
    for neighbour in axes.flat[:-1]:
        neighbour.set_ylabel("a neighbour")
    ax = axes.flat[-1]
    display = FeatureEffectsDisplay.from_estimator(students[n_classes], X, ax=ax)
    figure.canvas.draw()
    assert display.ax_ is ax
    assert len(display.axes_) == n_panels
    texts = [text for each in (ax, *display.axes_) for text in texts_of(each)]
    assert "1e7" in [text.get_text() for text in texts]
    assert_apart(figure, texts)
    parts = [ax.get_tightbbox(), *(p.get_tightbbox() for p in display.axes_)]
    others = [neighbour.bbox for neighbour in axes.flat[:-1]]
    assert not any(part.overlaps(other) for part in parts for other in others)
    legend = ax.get_legend().get_window_extent()
    assert not any(legend.overlaps(panel.bbox) for panel in display.axes_)


def test_effects_that_have_no_room_are_left_out(wordy):
    X, students = wordy
    _, axes = plt.subplots(1, 3, figsize=(9, 2.4))
    with pytest.warns(
        DistillationWarning, match=r"ax has room for 1 of 4 columns; \['level', .*fewer"
    ):
        display = FeatureEffectsDisplay.from_estimator(students[2], X, ax=axes[1])
    (panel,) = display.axes_
    assert panel.get_xlabel() == "number"
    assert len(display.lines_) == len(display.bars_) == 1


def test_a_legend_has_no_more_columns_than_have_room():
    """Four entries in three columns are 2, 1 and 1, not 2 and 2 in two of them."""
    _, ax = plt.subplots(figsize=(4, 3))
    names = ["high", "low", "middle", "number missing"]
    legend_within(ax, [ax.plot([0, 1], label=name)[0] for name in names])
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x1 <= ax.bbox.x1


def test_matplotlib_is_imported_by_a_plot_alone():
    # scikit-learn imports pandas where it is installed.
    code = (
        "import sys; sys.modules['pandas'] = None;"
        "import sk_distill, sk_distill.plot; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(
        ImportError, match=r'plot needs matplotlib.*"sk-distill\[plot\]"'
    ):
        TrainingCurveDisplay(history={"train_loss": [1]}).plot()


def test_a_classifier_from_elsewhere_is_named(binary):
    model = LogisticRegression().fit(*binary)
    with pytest.raises(AttributeError, match="LogisticRegression has no teacher_"):
        FidelityDisplay.from_estimator(model, binary[0])
