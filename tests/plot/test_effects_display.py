"""What is drawn of an additive student adds up to its logits."""

import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from drawn_texts import assert_apart, texts_of
from sk_distill import DistilledClassifier, LinearStudent, MLPStudent
from sk_distill.exceptions import DistillationWarning
from sk_distill.plot import FeatureEffectsDisplay
from sk_distill.plot.effect_columns import effect_of_cells, lines_to_rows, read_columns

plt = pytest.importorskip("matplotlib.pyplot")


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


@pytest.fixture
def skewed():
    """Rows of a heavy tail, and labels."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"tail": np.exp(3 * rng.normal(size=900)), "other": rng.normal(size=900)}
    )
    y = np.log(X["tail"]) + X["other"] + rng.normal(size=900) > 0
    return X, y


@pytest.mark.parametrize("encoding", ["standard", "quantile", None])
@pytest.mark.parametrize("missing", [False, True])
def test_effects_of_skewed_columns_add_up_to_the_logits(skewed, encoding, missing):
    """Three deviations from the mean a line was taken to be flat."""
    X, y = skewed
    if missing and encoding:
        X.loc[:20, "other"] = np.nan
    student = LinearStudent(encoding=encoding).fit(X, y)
    X.loc[30:33, "tail"] = [1e5, -1e5, 1e12, -1e12]
    columns = read_columns(student, X, student.feature_effects_)
    effects = lines_to_rows(student, student.feature_effects_, columns)
    added = sum(effect_of_cells(effects[name], columns[name])[:, 0] for name in effects)
    logits = student.decision_function(X)
    # The intercept of plain columns is that of rows of zeros, not of means.
    assert_allclose(added - added[0], logits - logits[0], rtol=1e-6, atol=1e-6)


def test_a_line_is_shown_in_the_middle_of_the_rows(skewed):
    """It ended where three deviations did, before half of what was shown."""
    X, y = skewed
    student = LinearStudent(encoding="standard").fit(X, y)
    display = FeatureEffectsDisplay.from_estimator(student, X, features=["tail"])
    (line,) = display.lines_[0]
    ends = np.quantile(X["tail"], [0.005, 0.995])
    assert ends[1] > student.feature_effects_["tail"].grid[1]
    assert_allclose(line.get_xdata(), ends)
    logits = student.decision_function(pd.DataFrame({"tail": ends, "other": 0.0}))
    assert_allclose(np.diff(line.get_ydata()), np.diff(logits))


@pytest.mark.parametrize("spread", [0, 20, 1000])
def test_numbers_of_which_few_are_near(spread):
    """Numpy had too many bins for the range of the data: no figure was drawn."""
    rng = np.random.default_rng(0)
    whole = 2**60 + rng.integers(0, spread + 1, 160)
    X = np.column_stack([whole, rng.normal(size=160)])
    student = LinearStudent().fit(X, X[:, 1] > 0)
    display = FeatureEffectsDisplay.from_estimator(student, X, features=["x0"])
    panel = display.axes_.ravel()[0]
    low, high = panel.get_xlim()
    assert low < X[:, 0].min() <= X[:, 0].max() < high
    heights = [bar.get_height() for bar in panel.patches]
    assert max(heights) == pytest.approx(0.14)


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


def test_effects_of_a_line(binary, forest):
    model = DistilledClassifier(forest, "linear", teacher_cv=3, random_state=0)
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


@pytest.mark.parametrize("features", [["level"], ["level", "number"]])
def test_bars_of_many_classes_are_told_apart(wordy, features):
    """Those of the first and of the seventh class were the same blue."""
    X, students = wordy
    display = FeatureEffectsDisplay.from_estimator(students[10], X, features=features)
    bars = [bar.patches[0] for bar in display.bars_[0]]
    looks = [(bar.get_facecolor(), bar.get_hatch()) for bar in bars]
    assert len(set(looks)) == 10
    handles = display.ax_.get_legend().legend_handles
    if len(features) == 1:
        assert [(h.get_facecolor(), h.get_hatch()) for h in handles] == looks
    else:
        assert [h.get_linestyle() for h in handles[:3]] == ["-", "--", "-."]


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
