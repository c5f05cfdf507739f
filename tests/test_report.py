"""What the report says is what scikit-learn and plain loops say."""

import pickle
import re
import sys
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sk_distill import (
    DistilledClassifier,
    DistilledClassifierCV,
    LinearStudent,
    MLPStudent,
    MLPTeacher,
    distillation_report,
)
from sk_distill.metrics import agreement_score, kl_divergence
from sk_distill.report import costs
from sk_distill.report.costs import n_parameters
from sk_distill.report.measures import Measurer
from sk_distill.report.slices import _slices_of_numbers, worst_slices


@pytest.fixture(autouse=True)
def _short_timings(monkeypatch):
    """One call is enough where nobody reads the microseconds."""
    monkeypatch.setattr(costs, "_SECONDS", 0)
    monkeypatch.setattr(costs, "_REPEATS", 1)


def forest():
    return RandomForestClassifier(10, max_depth=4, random_state=0)


def distilled(**params):
    return DistilledClassifier(
        forest(), "linear", teacher_cv=3, random_state=0, **params
    )


def report(model, X, y, **params):
    return distillation_report(model, X, y, **{"n_bootstraps": 5, **params})


@pytest.fixture(scope="module")
def two(binary):
    """A model of two classes, fitted on half of the rows, and the other half."""
    X, y = binary
    return distilled().fit(X[:120], y[:120]), X[120:], y[120:]


@pytest.fixture(scope="module")
def three(multiclass):
    """The same with three classes, which are strings."""
    X, y = multiclass
    y = np.array(["ham", "eggs", "spam"])[y]
    return distilled().fit(X[:120], y[:120]), X[120:], y[120:]


@pytest.fixture(scope="module")
def mixed():
    """A frame with categories, missing values, and names that are markup."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "<b>number</b> & more": rng.normal(size=300),
            "level": rng.choice(["<script>alert(1)</script>", "b", "c"], size=300),
            "noise": rng.integers(0, 3, size=300),
        }
    )
    z = X.iloc[:, 0] + 2 * (X["level"] == "b") + rng.normal(size=300)
    X.loc[:40, "<b>number</b> & more"] = np.nan
    X.loc[50:80, "level"] = None
    y = np.where(z > 1, "<i>yes</i>", "no")
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["level"]), remainder="passthrough"
    )
    teacher = make_pipeline(
        encoder, HistGradientBoostingClassifier(max_iter=10, random_state=0)
    )
    model = DistilledClassifier(
        teacher, LinearStudent(encoding="quantile", n_bins=8), random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y), X, y


def calibration_error(y, proba, classes):
    """Guo et al. (2017), equation 3, bin by bin."""
    confidence = proba.max(axis=1)
    right = classes[proba.argmax(axis=1)] == y
    error = 0
    for i in range(15):
        inside = (confidence > i / 15) & (confidence <= (i + 1) / 15)
        if inside.any():
            error += abs(right[inside].mean() - confidence[inside].mean()) * (
                inside.mean()
            )
    return error


def expected_measures(y, proba, classes, teacher):
    """Return every measure by other means."""
    truth = (y[:, None] == classes).astype(float)
    if len(classes) == 2:
        area = roc_auc_score(y, proba[:, 1])
        brier = np.mean((proba[:, 1] - truth[:, 1]) ** 2)
    else:
        area = roc_auc_score(y, proba, multi_class="ovr", labels=classes)
        brier = np.mean(((proba - truth) ** 2).sum(axis=1))
    return {
        "accuracy": accuracy_score(y, classes[proba.argmax(axis=1)]),
        "log loss": log_loss(y, proba, labels=classes),
        "ROC AUC": area,
        "Brier score": brier,
        "calibration error": calibration_error(y, proba, classes),
        "agreement": agreement_score(
            classes[teacher.argmax(axis=1)], classes[proba.argmax(axis=1)]
        ),
        "KL divergence": kl_divergence(teacher, proba),
    }


@pytest.mark.parametrize("name", ["two", "three"])
def test_measures_are_scikit_learns(name, request):
    model, X, y = request.getfixturevalue(name)
    plain = LogisticRegression().fit(X, y)
    measures = report(model, X, y, plain_student=plain, n_bootstraps=0).measures
    teacher = model.teacher_.predict_proba(X)
    for who, proba in {
        "teacher": teacher,
        "student": model.predict_proba(X),
        "plain student": plain.predict_proba(X),
    }.items():
        expected = expected_measures(y, proba, model.classes_, teacher)
        assert set(measures[who]) == set(expected)
        for measure, value in expected.items():
            assert_allclose(measures[who][measure].value, value, err_msg=measure)
            assert np.isnan(measures[who][measure].low)


def test_measures_of_tied_scores_and_certain_rows():
    proba = np.array([[1, 0], [0.5, 0.5], [0.5, 0.5], [0, 1], [0.5, 0.5]], dtype=float)
    codes = np.array([0, 1, 0, 0, 1])
    measured = Measurer(proba, codes, None).measure(np.ones(5))
    # Half a pair for a tie.
    pairs = [(proba[i, 1], proba[j, 1]) for i in (1, 4) for j in (0, 2, 3)]
    area = np.mean([(a > b) + (a == b) / 2 for a, b in pairs])
    assert_allclose(measured["ROC AUC"], area)
    assert_allclose(measured["ROC AUC"], roc_auc_score(codes, proba[:, 1]))
    assert_allclose(measured["log loss"], log_loss(codes, proba))
    # Certain and half right; a half and, as argmax takes the first, a third right.
    assert_allclose(
        measured["calibration error"], 2 / 5 * 0.5 + 3 / 5 * (1 / 2 - 1 / 3)
    )


@pytest.mark.parametrize("name", ["two", "three"])
def test_intervals_are_those_of_a_brute_force_bootstrap(name, request):
    model, X, y = request.getfixturevalue(name)
    plain = LogisticRegression().fit(X, y)
    result = report(model, X, y, plain_student=plain, n_bootstraps=25, random_state=3)
    teacher = model.teacher_.predict_proba(X)
    probas = {
        "teacher": teacher,
        "student": model.predict_proba(X),
        "plain student": plain.predict_proba(X),
    }
    rng = np.random.default_rng(3)
    drawn = []
    for _ in range(25):
        rows = rng.integers(len(y), size=len(y))
        drawn.append(
            {
                who: expected_measures(
                    y[rows], proba[rows], model.classes_, teacher[rows]
                )
                for who, proba in probas.items()
            }
        )
    for who, measures in result.measures.items():
        for measure, interval in measures.items():
            values = [draw[who][measure] for draw in drawn]
            assert_allclose(interval[1:], np.quantile(values, [0.025, 0.975]))
    for (first, second), measures in result.differences.items():
        assert first == "student"
        for measure, interval in measures.items():
            values = [draw[first][measure] - draw[second][measure] for draw in drawn]
            assert_allclose(
                interval[1:], np.quantile(values, [0.025, 0.975]), atol=1e-12
            )
            assert_allclose(
                interval.value,
                result.measures[first][measure].value
                - result.measures[second][measure].value,
            )


def test_the_seed_decides(two):
    first, second, third = (
        report(*two, random_state=seed).measures["student"]["log loss"]
        for seed in (0, 0, 1)
    )
    assert first == second
    assert first.value == third.value
    assert first.low != third.low


def test_the_plain_student_is_the_student_at_lambda_zero(binary):
    X, y = binary
    model = distilled(class_weight={0: 1, 1: 3}).fit(X, y)
    zero = distilled(class_weight={0: 1, 1: 3}, distillation_weight=0).fit(X, y)
    measures = report(model, X, y, X_train=X, y_train=y).measures["plain student"]
    expected = report(zero, X, y).measures["student"]
    for measure in ("accuracy", "log loss", "ROC AUC", "Brier score"):
        assert_allclose(measures[measure].value, expected[measure].value, rtol=1e-12)


def test_a_plain_pipeline_gets_its_class_weights(binary):
    X, y = binary
    student = make_pipeline(StandardScaler(), LogisticRegression())
    model = DistilledClassifier(
        forest(), student, class_weight={0: 1, 1: 3}, teacher_cv=3, random_state=0
    ).fit(X, y)
    expected = student.fit(
        X, y, logisticregression__sample_weight=np.where(y == 1, 3, 1)
    )
    said = report(model, X, y, X_train=X, y_train=y).measures["plain student"]
    assert_allclose(said["log loss"].value, log_loss(y, expected.predict_proba(X)))


def test_the_plain_students_columns_are_put_in_order(two):
    class Reversed:
        classes_ = np.array([1, 0])

        def predict_proba(self, X):
            return np.tile([0.9, 0.1], (len(X), 1))

    model, X, y = two
    measures = report(model, X, y, plain_student=Reversed()).measures["plain student"]
    assert_allclose(measures["accuracy"].value, np.mean(y == 1))


def test_what_is_retained_is_named(two):
    model, X, y = two
    plain = GaussianNB(var_smoothing=1e6).fit(X, y)
    result = report(model, X, y, plain_student=plain)
    for measure, share in result.retained.items():
        teacher, student, worst = (
            result.measures[who][measure].value
            for who in ("teacher", "student", "plain student")
        )
        assert_allclose(share, (student - worst) / (teacher - worst))
    assert "log loss" in result.retained
    shown = f"{result.retained['log loss']:.0%} in log loss"
    assert shown in " ".join(str(result).split())
    assert "the student keeps" not in str(report(model, X, y))


def test_nothing_is_retained_of_an_improvement_within_chance(two):
    model, X, y = two
    teacher = model.teacher_.predict_proba(X)
    # The teacher, but for one row: a little worse, or a little better.
    proba = teacher.copy()
    proba[0] = np.where(np.arange(2) == y[0], 0.2, 0.8)
    plain = SimpleNamespace(classes_=model.classes_, predict_proba=lambda X: proba)
    unsure = report(model, X, y, plain_student=plain, n_bootstraps=50, random_state=0)
    assert "log loss" not in unsure.retained
    certain = report(model, X, y, plain_student=plain, n_bootstraps=0)
    assert "log loss" in certain.retained
    assert list(unsure.differences) == [
        ("student", "teacher"),
        ("student", "plain student"),
    ]


# Costs.


def test_costs(two, binary):
    model, X, y = two
    found = report(model, X, y, X_train=binary[0], y_train=binary[1]).costs
    assert list(found) == ["teacher", "student", "plain student"]
    assert found["student"].n_bytes == len(pickle.dumps(model.student_))
    assert found["student"].n_parameters == model.coef_.size + model.intercept_.size
    nodes = sum(tree.tree_.node_count for tree in model.teacher_.estimators_)
    assert found["teacher"].n_parameters == nodes
    assert all(cost.microseconds > 0 for cost in found.values())


def test_parameters_are_counted(binary, multiclass):
    X, y = multiclass
    assert n_parameters(MLPStudent(4, max_iter=2, encoding=None).fit(X, y)) == (
        6 * 4 + 4 + 4 * 3 + 3
    )
    teacher = MLPTeacher(4, n_members=3, max_iter=2, encoding=None).fit(X, y)
    assert n_parameters(teacher) == 3 * (6 * 4 + 4 + 4 * 3 + 3)
    assert n_parameters(LogisticRegression().fit(X, y)) == 3 * 7
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    assert n_parameters(FrozenEstimator(scaled)) == 3 * 7
    tree = DecisionTreeClassifier(max_depth=1).fit(*binary)
    assert n_parameters(tree) == 3
    boosted = HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4).fit(*binary)
    assert n_parameters(boosted) == 2 * 7
    machine = SVC().fit(*binary)
    n_vectors = len(machine.support_)
    assert n_parameters(machine) == n_vectors * 6 + n_vectors + 1
    assert n_parameters(GaussianNB().fit(X, y)) is None
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Linear(4, 3))
    model = DistilledClassifier(net, net, random_state=0).fit(np.float32(X), y)
    for part in (model.teacher_, model.student_):
        assert n_parameters(part) == 6 * 4 + 4 + 4 * 3 + 3


def test_what_cannot_be_pickled_has_no_bytes(two, monkeypatch):
    model, X, y = two
    monkeypatch.setattr(model.student_, "in_the_way", lambda: None, raising=False)
    result = report(model, X, y)
    assert result.costs["student"].n_bytes is None
    assert re.search(r"bytes, pickled +[\d,]+ +–", str(result))


# Slices.


def test_slices_are_the_worst(mixed):
    model, X, _ = mixed
    rng = np.random.default_rng(1)
    teacher, student, truth = rng.integers(0, 2, size=(3, 300))
    student[(X["level"] == "b").to_numpy()] = teacher[(X["level"] == "b").to_numpy()]
    student[:41] = 1 - teacher[:41]
    slices = worst_slices(model, X, teacher, student, truth, 3)
    worst = slices[0]
    assert worst.feature == "<b>number</b> & more"
    assert (worst.values, worst.n_rows, worst.disagreement) == ("missing", 41, 1.0)
    assert_allclose(worst.teacher_accuracy, np.mean(teacher[:41] == truth[:41]))
    assert_allclose(worst.student_accuracy, np.mean(student[:41] == truth[:41]))

    def lower_end(part):
        # Wilson's interval is where (p - q)^2 = z^2 q (1 - q) / n.
        p, n, z2 = part.disagreement, part.n_rows, 1.96**2
        return min(np.roots([1 + z2 / n, -2 * p - z2 / n, p * p]))

    ends = [lower_end(part) for part in slices]
    assert ends == sorted(ends, reverse=True)
    levels = X["level"].astype(object).where(X["level"].notna(), "missing")
    apart = teacher != student
    named = next(part for part in slices if part.feature == "level")
    rows = (levels == named.values).to_numpy()
    assert named.n_rows == rows.sum()
    assert_allclose(named.disagreement, apart[rows].mean())
    for level in ("b", "c", "<script>alert(1)</script>", "missing"):
        rows = (levels == level).to_numpy()
        part = named._replace(n_rows=rows.sum(), disagreement=apart[rows].mean())
        assert lower_end(part) <= lower_end(named)


def test_slices_of_numbers_are_fifths(two):
    model, _, _ = two
    X = np.zeros((500, 6))
    X[:, 0] = np.random.default_rng(0).permutation(500)
    X[:, 1] = np.arange(500) % 2
    teacher = np.zeros(500, dtype=int)
    student = ((X[:, 0] >= 100) & (X[:, 0] < 200)).astype(int)
    first, *_ = worst_slices(model, X, teacher, student, teacher, 6)
    assert (first.feature, first.n_rows, first.disagreement) == ("x0", 100, 1.0)
    assert first.values == "99.8 to 199.6"
    student = (X[:, 1] == 1).astype(int)
    first, *_ = worst_slices(model, X, teacher, student, teacher, 6)
    assert (first.feature, first.values, first.n_rows) == ("x1", "1", 250)


@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        (20230101 + np.arange(101) * 10, ["20230301", "20230501", "20230701"]),
        (1.7e9 + np.arange(101) * 10, ["1700000200", "1700000400", "1700000600"]),
        (1 + np.arange(101) * 1e-7, ["1.000002", "1.000004", "1.000006"]),
        (np.arange(101) * 1e5, ["2e+06", "4e+06", "6e+06"]),
    ],
)
def test_slices_of_a_column_have_names_of_their_own(numbers, names):
    """By four digits all days of a year were 2.023e+07."""
    missing, lowest, *between, highest = (
        name for name, _ in _slices_of_numbers(numbers)
    )
    low, middle, high = names
    assert missing == "missing"
    assert lowest == f"≤ {low}"
    assert between[:2] == [f"{low} to {middle}", f"{middle} to {high}"]
    assert highest.startswith("> ")


def test_few_numbers_have_names_of_their_own():
    numbers = np.array([20230101.0, 20230102, 20230102])
    assert [name for name, _ in _slices_of_numbers(numbers)] == [
        "missing",
        "20230101",
        "20230102",
    ]


def test_few_rows_make_no_slice(two):
    model, X, _ = two
    apart = np.ones(19, dtype=int)
    assert worst_slices(model, X[:19], apart, 1 - apart, apart, 5) == []
    assert "disagree nowhere among 20 rows" in str(report(model, X[:19], two[2][:19]))


# Text, frame, page.


def test_text(three):
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


def test_a_zero_has_no_sign(two):
    model, X, y = two
    text = str(report(model, X, y, plain_student=model.student_))
    assert re.search(r"accuracy ↑ .* 0\.000 \(0\.000 to 0\.000\)\n", text)
    assert "−0.000" not in text
    assert "+0.000" not in text


def test_frame(two):
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


def test_a_frame_without_pandas_is_explained(two, monkeypatch):
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


def test_page_is_escaped_and_needs_nothing_else(mixed, tmp_path):
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


def test_a_notebook_shows_the_tables_alone(mixed):
    result = report(*mixed)
    read = Reader(result._repr_html_())
    assert {"table", "style"} <= set(read.tags)
    assert not {"img", "script", "b", "i"} & set(read.tags)
    for table in result.tables:
        assert table.heading in read.text
        for row in table.rows:
            assert all(str(cell) in read.text for cell in row)


def test_a_level_in_parentheses_is_no_interval(mixed):
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


def test_a_page_leaves_matplotlib_as_it_was(two, tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    before = dict(plt.rcParams)
    result = report(*two)
    result.to_html(tmp_path / "report.html")
    assert dict(plt.rcParams) == before
    assert plt.get_fignums() == []


def test_a_page_without_matplotlib_is_explained(two, monkeypatch, tmp_path):
    result = report(*two)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ImportError, match=r"to_html needs matplotlib.*\"sk-distill\[plot\]\""
    ):
        result.to_html(tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


# Odd cases.


def test_without_a_teacher_to_ask(binary):
    X, y = binary
    proba = forest().fit(X, y).predict_proba(X)
    model = DistilledClassifier(student="linear", random_state=0)
    model.fit(X, y, teacher_proba=proba)
    result = report(model, X, y)
    assert list(result.measures) == list(result.costs) == ["student"]
    assert "agreement" not in result.measures["student"]
    assert result.differences == {}
    assert result.slices == []
    assert "There is no teacher to compare with" in str(result)
    assert str(result).startswith("teacher_proba → LinearStudent")
    result = report(model, X, y, teacher_proba=proba)
    assert list(result.measures) == ["teacher", "student"]
    assert list(result.costs) == ["student"]
    agreement = agreement_score(proba.argmax(axis=1), model.predict(X))
    assert result.measures["student"]["agreement"].value == agreement


def test_a_class_without_rows(three):
    model, X, y = three
    kept = y != "spam"
    result = report(model, X[kept], y[kept])
    proba = model.predict_proba(X[kept])
    areas = [
        roc_auc_score(y[kept] == label, proba[:, k])
        for k, label in enumerate(model.classes_)
        if label != "spam"
    ]
    measured = result.measures["student"]["ROC AUC"].value
    assert_allclose(measured, np.mean(areas))
    assert "No row is of class spam: the ROC AUC is the mean" in str(result)


def test_one_row(three):
    model, X, y = three
    result = report(model, X[:1], y[:1])
    assert str(result).splitlines()[0].endswith(": 1 row, 3 classes")
    assert np.isnan(result.measures["student"]["ROC AUC"].value)
    assert re.search(r"ROC AUC ↑ +– +–\n", str(result))
    accuracy = result.measures["student"]["accuracy"]
    assert accuracy.low == accuracy.value == accuracy.high


@pytest.mark.parametrize(
    "kind", [list, pd.Series, lambda y: pd.Series(y, dtype="category")]
)
def test_labels_of_any_kind(three, kind):
    model, X, y = three
    expected = report(model, X, y, random_state=0).measures
    assert report(model, X, kind(y), random_state=0).measures == expected


def test_a_search_and_a_tree(binary):
    X, y = binary
    search = DistilledClassifierCV(
        forest(),
        LinearStudent(alpha=100.0),
        distillation_weights=[0.5, 2],
        temperatures=(1, 3),
        cv=4,
        teacher_cv=3,
        random_state=0,
    ).fit(X, y)
    result = report(search, X, y)
    weight = search.distillation_weight_
    shown = "∞" if np.isinf(weight) else f"{weight:.3g}"
    assert f"λ = {shown}, T = {search.temperature_:g}" in result.title
    assert "How much to trust the teacher" in result.displays
    tree = DistilledClassifier(
        forest(), DecisionTreeClassifier(max_depth=2), teacher_cv=3, random_state=0
    ).fit(X, y)
    result = report(tree, X, y, X_train=X, y_train=y)
    assert list(result.displays) == ["Student against teacher"]
    assert result.costs["student"].n_parameters == tree.student_.tree_.node_count


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"X_train": [[0]]}, ValueError, "y_train is missing; pass X_train and y"),
        ({"y_train": [0]}, ValueError, "X_train is missing"),
        (
            {"plain_student": GaussianNB(), "X_train": [[0]], "y_train": [0]},
            ValueError,
            "plain_student is fitted already, so that X_train and y_train",
        ),
        ({"plain_student": GaussianNB()}, NotFittedError, "this GaussianNB instance"),
        (
            {"X_train": [[0], [1]], "y_train": [0]},
            ValueError,
            "X_train has 2 rows and y_train 1; expected one label a row",
        ),
        ({"random_state": "a"}, ValueError, "report: random_state='a' must be None"),
        ({"n_bootstraps": -1}, ValueError, "n_bootstraps=-1 must be an integer >= 0"),
        ({"n_bootstraps": 2.5}, TypeError, "integer >= 0, got a float"),
        ({"n_bootstraps": True}, TypeError, "integer >= 0, got a bool"),
        ({"teacher_proba": [[1.0]]}, ValueError, r"teacher_proba has shape \(1, 1\)"),
    ],
)
def test_arguments_are_refused(two, params, error, match):
    with pytest.raises(error, match=match):
        distillation_report(*two, **params)


def test_rows_and_estimators_are_refused(two):
    model, X, y = two
    with pytest.raises(
        ValueError, match=r"y holds labels .* never seen, \['2'\]; it knows \[0, 1\]"
    ):
        report(model, X, y + 1)
    with pytest.raises(
        ValueError, match="report: X has 120 rows and y 3; expected one"
    ):
        report(model, X, y[:3])
    with pytest.raises(ValueError, match=r"X has 0 rows and y 0; .* one row at least"):
        report(model, X[:0], y[:0])
    with pytest.raises(ValueError, match=r"y has shape \(120, 2\); expected one label"):
        report(model, X, np.column_stack([y, y]))
    with pytest.raises(TypeError, match="y=None must be an array or a frame of rows"):
        report(model, X, None)
    for nothing in ("a", None, DistilledClassifier):
        with pytest.raises(TypeError, match=r"distillation_report: .* is no estimator"):
            report(nothing, X, y)
    with pytest.raises(NotFittedError, match="distillation_report: this Distilled"):
        report(distilled(), X, y)
    with pytest.raises(
        AttributeError, match=r"LogisticRegression has no student_\. Pass a Distilled"
    ):
        report(LogisticRegression().fit(X, y), X, y)
    other = LogisticRegression().fit(X, y + 1)
    with pytest.raises(
        ValueError,
        match=r"plain_student LogisticRegression knows the classes \[1, 2\]; expected",
    ):
        report(model, X, y, plain_student=other)


def test_rows_stay_as_they_are(three):
    model, X, y = three
    before = X.copy(), y.copy(), pickle.dumps(model)
    report(model, X, y)
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])
    assert pickle.dumps(model) == before[2]
