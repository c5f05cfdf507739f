"""Classifiers of scikit-learn as students: soft targets as weights of labelled rows."""

import pickle
import re
from typing import ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, export_text

from sk_distill import DistilledClassifier, DistilledClassifierCV, LinearStudent, Munge
from sk_distill.losses import soft_cross_entropy
from sk_distill.students.expanded import FLOOR, ExpandedStudent, expand_targets

TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
NAMES = np.array(["setosa", "a", "virginica"])


@pytest.fixture(scope="module")
def proba(multiclass):
    """A forest's probabilities, some of them zero."""
    X, y = multiclass
    forest = RandomForestClassifier(20, min_samples_leaf=3, random_state=0)
    return forest.fit(X, y).predict_proba(X)


@pytest.fixture(scope="module")
def transfer(multiclass):
    """Transfer rows and a teacher's probabilities of them."""
    X, y = multiclass
    rows = np.random.default_rng(1).normal(size=(100, X.shape[1]))
    return rows, LogisticRegression().fit(X, y).predict_proba(rows)


def distilled(student, distillation_weight=1.0, **params):
    return DistilledClassifier(
        student=student, distillation_weight=distillation_weight, **params
    )


def by_hand(student, X, y, proba, distillation_weight, weight=None):
    """Fit to every row once for each class, by a loop."""
    hard = 1 / (1 + distillation_weight)
    rows, labels, weights = [], [], []
    for i in range(len(X)):
        for k in range(proba.shape[1]):
            share = hard * (y[i] == k) + (1 - hard) * proba[i, k]
            if share > 0:
                rows.append(X[i])
                labels.append(k)
                weights.append(share * (1 if weight is None else weight[i]))
    return clone(student).fit(np.array(rows), np.array(labels), np.array(weights))


@pytest.mark.parametrize("distillation_weight", [0.5, 3.0, np.inf])
@pytest.mark.parametrize(
    "student",
    [
        TREE,
        DecisionTreeClassifier(criterion="log_loss", max_leaf_nodes=6, random_state=0),
        GaussianNB(),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
    ],
    ids=["tree", "log-loss tree", "bayes", "boosting"],
)
def test_it_is_the_fit_on_the_expanded_table(
    multiclass, proba, weight, student, distillation_weight
):
    X, y = multiclass
    expected = by_hand(student, X, y, proba, distillation_weight, weight)
    model = distilled(student, distillation_weight)
    model.fit(X, y, weight, teacher_proba=proba)
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-9)
    assert_array_equal(model.predict(X), expected.predict(X))


@pytest.mark.parametrize("encoding", ["standard", None])
@pytest.mark.parametrize("distillation_weight", [0.0, 0.5, 4.0, np.inf])
@pytest.mark.parametrize("alpha", [1.0, 20.0])
def test_logistic_regression_is_the_linear_student(
    multiclass, proba, encoding, distillation_weight, alpha
):
    X, y = multiclass
    if encoding == "standard":
        X = StandardScaler().fit_transform(X)
    linear = LinearStudent(alpha=alpha, encoding=encoding, tol=1e-8)
    regression = LogisticRegression(C=1 / alpha, tol=1e-9, max_iter=5000)
    expected = distilled(linear, distillation_weight).fit(X, y, teacher_proba=proba)
    model = distilled(regression, distillation_weight).fit(X, y, teacher_proba=proba)
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-4)
    assert_allclose(model.coef_, expected.coef_, atol=1e-3)


def test_transfer_rows_weigh_as_they_do_for_a_network(
    multiclass, proba, transfer, weight
):
    """The mean labelled row, in the second term only."""
    X, y = multiclass
    # Two rows that are not there must not count in the mean.
    weight = weight.copy()
    weight[:2] = 0
    kwargs = {
        "soft_targets": proba,
        "transfer_X": transfer[0],
        "transfer_targets": transfer[1],
        "distillation_weight": 2.0,
    }
    network = LinearStudent(alpha=1e-3, encoding=None, tol=1e-9)
    expected = network.fit(X, y, weight, **kwargs).predict_proba(X)

    # By the rule, in numbers.
    expanded = expand_targets(y, proba, weight, transfer[1], 2.0)
    mean = weight[2:].mean()
    of_transfer = expanded.rows >= len(X)
    sums = np.bincount(expanded.rows, expanded.weight)
    assert_allclose(sums[len(X) :], 2 / 3 * mean)
    assert_allclose(sums[: len(X)], weight, atol=1e-12)
    assert_array_equal(np.unique(expanded.rows[~of_transfer]), np.arange(2, len(X)))

    first, last = expanded.rows[~of_transfer], expanded.rows[of_transfer] - len(X)
    rows = np.concatenate([X[first], transfer[0][last]])
    regression = LogisticRegression(C=1e3, tol=1e-10, max_iter=10_000)
    regression.fit(rows, expanded.codes, expanded.weight)
    assert_allclose(regression.predict_proba(X), expected, atol=1e-4)


def test_a_transfer_set_reaches_the_classifier(multiclass, transfer):
    X, y = multiclass
    teacher = LogisticRegression()
    model = DistilledClassifier(teacher, TREE, transfer_set=transfer[0]).fit(X, y)
    said = model.teacher_.predict_proba(X), model.teacher_.predict_proba(transfer[0])
    blend = np.concatenate([(np.eye(3)[y] + said[0]) / 2, said[1] / 2])
    rows = np.repeat(np.concatenate([X, transfer[0]]), 3, axis=0)
    expected = clone(TREE).fit(rows, np.tile(np.arange(3), len(blend)), blend.ravel())
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-5)
    # λ = 0 has no use of it.
    model.set_params(distillation_weight=0).fit(X, y)
    assert_array_equal(model.predict_proba(X), clone(TREE).fit(X, y).predict_proba(X))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "student",
    [
        TREE,
        GaussianNB(),
        LogisticRegression(max_iter=500),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
    ],
    ids=lambda student: type(student).__name__,
)
def test_zero_lambda_is_the_plain_fit_bit_for_bit(
    multiclass, proba, weight, student, weighted
):
    X, y = multiclass
    args = (X, NAMES[y], weight) if weighted else (X, NAMES[y])
    expected = clone(student).fit(*args).predict_proba(X)
    order = np.argsort(NAMES)
    model = distilled(student, 0.0).fit(*args, teacher_proba=proba[:, order])
    assert_array_equal(model.predict_proba(X), expected)


def test_infinite_lambda_reads_the_classes_and_not_the_labels(multiclass, proba):
    X, y = multiclass
    model = distilled(TREE, np.inf)
    expected = model.fit(X, y, teacher_proba=proba).predict_proba(X)
    shuffled = np.random.default_rng(0).permutation(y)
    again = model.fit(X, shuffled, teacher_proba=proba).predict_proba(X)
    assert_array_equal(again, expected)


@pytest.mark.parametrize(
    "student",
    [TREE, GaussianNB(), LogisticRegression(tol=1e-9, max_iter=5000)],
    ids=lambda student: type(student).__name__,
)
def test_weight_two_is_the_row_twice_and_zero_is_no_row(multiclass, proba, student):
    X, y = multiclass
    counts = np.random.default_rng(0).integers(0, 4, size=len(X))
    rows = np.repeat(np.arange(len(X)), counts)
    model = distilled(student, 2.0)
    model.fit(X, y, counts.astype(float), teacher_proba=proba)
    weighted = model.predict_proba(X)
    model.fit(X[rows], y[rows], teacher_proba=proba[rows])
    assert_allclose(model.predict_proba(X), weighted, atol=1e-6)


def test_class_weight_weighs_the_rows_of_a_class(multiclass, proba):
    X, y = multiclass
    per_class = {0: 1.0, 1: 0.25, 2: 3.0}
    by_row = np.array([per_class[label] for label in y])
    expected = by_hand(TREE, X, y, proba, 1.0, by_row).predict_proba(X)
    model = distilled(TREE, class_weight=per_class).fit(X, y, teacher_proba=proba)
    assert_allclose(model.predict_proba(X), expected, atol=1e-9)


def test_labels_are_the_users(multiclass, proba):
    X, y = multiclass
    expected = distilled(TREE).fit(X, y, teacher_proba=proba)
    order = np.argsort(NAMES)
    renamed = distilled(TREE).fit(X, NAMES[y], teacher_proba=proba[:, order])
    assert_array_equal(renamed.classes_, np.sort(NAMES))
    assert_array_equal(renamed.student_.classes_, np.sort(NAMES))
    assert_array_equal(renamed.predict(X), NAMES[expected.predict(X)])
    assert_allclose(
        renamed.predict_proba(X), expected.predict_proba(X)[:, order], atol=1e-12
    )


def test_small_weights_are_dropped_and_the_sum_is_kept():
    proba = np.array([[0.4 * FLOOR, 0.3, 0.7 - 0.4 * FLOOR], [0.5, 0.5, 0.0]])
    expanded = expand_targets(np.array([1, 0]), proba, np.array([2.0, 1.0]), None, 1.0)
    assert_array_equal(expanded.rows, [0, 0, 1, 1])
    assert_array_equal(expanded.codes, [1, 2, 0, 1])
    total = 1 - 0.2 * FLOOR
    expected = [2 * 0.65 / total, 2 * (0.35 - 0.2 * FLOOR) / total, 0.75, 0.25]
    assert_allclose(expanded.weight, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "student",
    [TREE, GaussianNB(), LogisticRegression(max_iter=1000)],
    ids=lambda student: type(student).__name__,
)
def test_a_class_that_nothing_is_left_of_does_not_vanish(multiclass, student):
    """The teacher never says 1, at λ = inf; or its rows weigh nothing."""
    X, y = multiclass
    never = np.eye(3)[np.where(y == 1, 0, y)]
    model = distilled(student, np.inf).fit(X, y, teacher_proba=never)
    assert_array_equal(model.student_.classes_, [0, 1, 2])
    assert model.predict_proba(X).shape == (len(X), 3)
    # One row has it still, at the floor; a naive Bayes knows it when it sees that row.
    assert np.median(model.predict_proba(X)[:, 1]) < 1e-3

    for weighted in (model.set_params(distillation_weight=0.0), model):
        weighted.set_params(class_weight={0: 1, 1: 0, 2: 1})
        weighted.fit(X, y, teacher_proba=never)
        assert_array_equal(weighted.student_.classes_, [0, 1, 2])
        assert np.median(weighted.predict_proba(X)[:, 1]) < 1e-3


def test_a_lost_class_keeps_its_likeliest_row():
    proba = np.array([[1.0, 0.0], [1 - 0.1 * FLOOR, 0.1 * FLOOR], [1.0, 0.0]])
    expanded = expand_targets(np.array([0, 1, 1]), proba, None, None, np.inf)
    assert_array_equal(expanded.rows, [0, 1, 1, 2])
    assert_array_equal(expanded.codes, [0, 0, 1, 0])
    assert_allclose(expanded.weight, [1, 1, FLOOR, 1], rtol=2e-6)


def test_the_student_is_the_classifier_itself(multiclass):
    X, y = multiclass
    teacher = RandomForestClassifier(20, random_state=0)
    model = DistilledClassifier(teacher, DecisionTreeClassifier(max_depth=2))
    model.fit(X, NAMES[y])
    assert type(model.student_) is DecisionTreeClassifier
    rules = export_text(model.student_, feature_names=list("abcdef"))
    assert re.search(r"^\|--- [a-f] <= ", rules)
    assert "class: setosa" in rules
    # The classifier that was passed is not touched.
    assert not hasattr(model.student, "tree_")
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.student_.predict(X))


def test_it_answers_as_far_as_the_classifier_does(multiclass, proba):
    X, y = multiclass
    tree = distilled(TREE)
    assert not hasattr(tree, "decision_function")
    tree.fit(X, y, teacher_proba=proba)
    assert not hasattr(tree, "decision_function")
    assert not hasattr(tree, "n_iter_")
    with np.errstate(divide="ignore"):
        assert_array_equal(tree.predict_log_proba(X), np.log(tree.predict_proba(X)))

    regression = distilled(LogisticRegression()).fit(X, y, teacher_proba=proba)
    student = regression.student_
    assert_array_equal(regression.decision_function(X), student.decision_function(X))
    assert_array_equal(regression.coef_, student.coef_)
    assert_array_equal(regression.n_iter_, student.n_iter_)
    assert hasattr(distilled("mlp"), "decision_function")
    linear = distilled("linear").fit(X, y, teacher_proba=proba)
    assert hasattr(linear, "decision_function")


def test_a_seed_reaches_the_parts_of_the_student(multiclass, proba):
    X, y = multiclass
    forest = RandomForestClassifier(5, max_features=1)
    students = [
        distilled(student, random_state=seed).fit(X, y, teacher_proba=proba).student_
        for student, seed in [
            (forest, 3),
            (make_pipeline(StandardScaler(), forest), 3),
            (clone(forest).set_params(random_state=5), 3),
        ]
    ]
    assert isinstance(students[0].random_state, int)
    assert students[0].random_state == students[1][-1].random_state
    assert students[2].random_state == 5
    again = distilled(forest, random_state=3).fit(X, y, teacher_proba=proba)
    assert_array_equal(again.predict_proba(X), students[0].predict_proba(X))


@pytest.fixture(scope="module")
def table():
    """A frame with a category, strings, integers and missing numbers."""
    rng = np.random.default_rng(0)
    n_rows = 300
    color = rng.choice(["red", "green", "blue"], n_rows)
    size = rng.integers(0, 10, n_rows)
    width = rng.normal(size=n_rows)
    y = np.where(
        (color == "red") ^ (width + rng.normal(scale=0.5, size=n_rows) > 0), "yes", "no"
    )
    width[::10] = np.nan
    frame = pd.DataFrame({"color": color, "size": size, "width": width})
    return frame.astype({"color": "category"}), y


def test_a_boosted_tree_gets_categories_as_they_are(table):
    X, y = table
    boosting = HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=5)
    model = DistilledClassifier(boosting, clone(boosting), random_state=0).fit(X, y)
    # Codes for numbers would have been no categories.
    assert_array_equal(model.student_.is_categorical_, [True, False, False])
    assert model.score(X, y) > 0.8
    munged = clone(model).set_params(transfer_set=Munge(2)).fit(X, y)
    assert_array_equal(munged.student_.is_categorical_, [True, False, False])
    assert munged.score(X, y) > 0.8
    # Another level, and fractions where there were integers.
    more = X.iloc[:50].assign(size=np.arange(50) / 2)
    more["color"] = pd.Categorical(["mauve"] * 50)
    model.set_params(transfer_set=more).fit(X, y)
    assert model.predict(more).shape == (50,)


def test_a_pipeline_gets_the_frame(table):
    X, y = table
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (OneHotEncoder(), ["color"]), (numbers, ["size", "width"])
    )
    student = make_pipeline(columns, DecisionTreeClassifier(max_depth=4))
    teacher = HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=5)
    model = DistilledClassifier(teacher, student, transfer_set="munge", random_state=0)
    model.fit(X, y)
    assert model.score(X, y) > 0.8
    assert isinstance(model.student_[-1], DecisionTreeClassifier)
    # Weights go to the last step: as a brute-force fit says.
    proba = model.teacher_.predict_proba(X)
    model.set_params(transfer_set=None).fit(X, y, teacher_proba=proba)
    blend = (proba + (y[:, None] == model.classes_)) / 2
    expected = clone(student).set_params(decisiontreeclassifier__random_state=0)
    expected.fit(
        X.loc[np.repeat(X.index, 2)],
        np.tile(model.classes_, len(X)),
        decisiontreeclassifier__sample_weight=blend.ravel(),
    )
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-6)


def test_weights_reach_a_pipelines_last_step_under_metadata_routing(multiclass, proba):
    X, y = multiclass
    student = make_pipeline(StandardScaler(), LogisticRegression())
    expected = distilled(student).fit(X, y, teacher_proba=proba).predict_proba(X)
    with config_context(enable_metadata_routing=True):
        model = distilled(student).fit(X, y, teacher_proba=proba)
    assert_array_equal(model.predict_proba(X), expected)


def test_polars_frames(table):
    X, y = table
    X = pl.DataFrame({name: X[name].to_list() for name in ("size", "width")})
    teacher = HistGradientBoostingClassifier(max_iter=10)
    model = DistilledClassifier(teacher, TREE, transfer_set="munge", random_state=0)
    assert model.fit(X, y).predict(X).shape == y.shape


def test_missing_values_where_student_and_teacher_take_them(table):
    X, y = table
    X = X[["size", "width"]].to_numpy()
    boosting = HistGradientBoostingClassifier(max_iter=5)
    model = DistilledClassifier(boosting, TREE)
    assert model.__sklearn_tags__().input_tags.allow_nan
    assert model.fit(X, y).predict(X).shape == y.shape

    bayes = DistilledClassifier(boosting, GaussianNB())
    assert not bayes.__sklearn_tags__().input_tags.allow_nan
    message = "GaussianNB as a student takes no missing values, and X contains NaN"
    with pytest.raises(ValueError, match=message):
        bayes.fit(X, y)
    bayes.set_params(teacher=NoWeights(), transfer_set=X)
    with pytest.raises(ValueError, match=r"transfer_set cannot be learned from\. Gau"):
        bayes.fit(np.nan_to_num(X), y)
    assert NoWeights.fitted == []

    # What the teacher would refuse, and nobody has seen, is refused.
    whole = np.nan_to_num(X)
    model.set_params(teacher=LogisticRegression()).fit(whole, y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict(X)
    assert model.student_.predict(X).shape == y.shape


def test_a_search_over_the_students_parameters(multiclass, tmp_path):
    X, y = multiclass
    model = DistilledClassifier(
        RandomForestClassifier(20),
        DecisionTreeClassifier(),
        memory=str(tmp_path),
        teacher_cv=3,
        random_state=0,
    )
    grid = {"student__max_depth": [1, 5], "distillation_weight": [0, 2, np.inf]}
    search = GridSearchCV(model, grid, cv=3, scoring="neg_log_loss").fit(X, y)
    assert search.best_params_["student__max_depth"] == 5
    assert search.best_estimator_.student_.get_depth() == 5


@pytest.mark.filterwarnings("ignore:.*does not help")
def test_candidates_are_fits_at_their_lambda(multiclass):
    X, y = multiclass
    teacher = FrozenEstimator(LogisticRegression().fit(X, y))
    folds = [(np.arange(0, 160), np.arange(160, 240))]
    model = DistilledClassifierCV(teacher, TREE, distillation_weights=[1.0], cv=folds)
    model.fit(X, y)
    train, test = folds[0]
    for row, λ in enumerate(model.distillation_weights_):
        single = DistilledClassifier(teacher, TREE, distillation_weight=λ)
        proba = single.fit(X[train], y[train]).predict_proba(X[test])
        assert model.scores_path_[row, 0, 0] == pytest.approx(
            -log_loss(y[test], proba), abs=1e-12
        )
    assert type(model.student_) is DecisionTreeClassifier


@pytest.mark.parametrize("seed", [None, 3, "generator"])
def test_candidates_draw_alike(multiclass, proba, seed):
    """A generator is drawn from once for all, so that only λ tells them apart."""
    X, y = multiclass
    seed = np.random.RandomState(3) if seed == "generator" else seed
    student = ExpandedStudent(DecisionTreeClassifier(max_features=1), random_state=seed)
    twice = [(1.0, 1.0), (1.0, 1.0)]
    one, other = student.fit_path(X, y, soft_targets=proba, candidates=twice)
    assert one.random_state == other.random_state
    assert export_text(one) == export_text(other)


class NoWeights(ClassifierMixin, BaseEstimator):
    fitted: ClassVar[list] = []

    def fit(self, X, y):
        NoWeights.fitted.append(self)
        return self

    def predict_proba(self, X):
        return np.zeros((len(X), 2))


@pytest.mark.parametrize(
    ("student", "parts"),
    [
        (
            KNeighborsClassifier(),
            ["KNeighborsClassifier()", "its fit takes no sample_weight"],
        ),
        (NoWeights(), ["NoWeights()", "its fit takes no sample_weight"]),
        (
            make_pipeline(StandardScaler(), KNeighborsClassifier()),
            ["its last step's fit takes no sample_weight", "a Pipeline that ends in"],
        ),
        (
            GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}),
            ["its fit takes no sample_weight", "student__max_depth"],
        ),
        (LinearSVC(), ["LinearSVC() has no predict_proba", "loss='log_loss'"]),
        (DecisionTreeClassifier, ["cannot learn from soft targets; choose 'linear'"]),
    ],
    ids=["neighbours", "own", "pipeline", "search", "svm", "class"],
)
def test_a_classifier_that_cannot_be_a_student(binary, student, parts):
    X, y = binary
    with pytest.raises(TypeError, match="DistilledClassifier: student=") as caught:
        DistilledClassifier(LogisticRegression(), student).fit(X, y)
    for part in (*parts, "DecisionTreeClassifier"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        ({"temperature": 2.0}, ["temperature=2.0 must be 1", "Set it to 1"]),
        ({"loss": soft_cross_entropy}, ["must be 'soft_cross_entropy' or 'kl'"]),
    ],
    ids=["temperature", "loss"],
)
def test_an_objective_that_weights_cannot_say(binary, params, parts):
    X, y = binary
    model = DistilledClassifier(NoWeights(), TREE, **params)
    with pytest.raises(ValueError, match=r"^DecisionTreeClassifier as a") as caught:
        model.fit(X, y)
    for part in (*parts, "student='linear' or 'mlp'"):
        assert part in str(caught.value)
    assert NoWeights.fitted == []


def test_a_path_over_temperatures_is_refused_before_it_starts(binary):
    X, y = binary
    model = DistilledClassifierCV(NoWeights(), TREE, temperatures=[1.0, 4.0])
    with pytest.raises(ValueError, match=r"temperature=4\.0 must be 1"):
        model.fit(X, y)
    assert NoWeights.fitted == []


def test_kl_is_the_soft_cross_entropy(multiclass, proba):
    X, y = multiclass
    model = distilled(TREE)
    expected = model.fit(X, y, teacher_proba=proba).predict_proba(X)
    model.set_params(loss="kl").fit(X, y, teacher_proba=proba)
    assert_array_equal(model.predict_proba(X), expected)


def test_a_balanced_class_weight_would_count_copies(binary):
    X, y = binary
    tree = DecisionTreeClassifier(class_weight="balanced")
    for student in (tree, make_pipeline(StandardScaler(), tree)):
        with pytest.raises(ValueError, match="class_weight='balanced' would count"):
            DistilledClassifier(NoWeights(), student).fit(X, y)
    assert NoWeights.fitted == []


def test_a_parameter_is_refused_before_the_teacher_is_fitted(binary):
    X, y = binary
    tree = DecisionTreeClassifier(max_depth=-1)
    for student in (tree, make_pipeline(StandardScaler(), tree)):
        with pytest.raises(ValueError, match="'max_depth' parameter of DecisionTree"):
            DistilledClassifier(NoWeights(), student).fit(X, y)
    assert NoWeights.fitted == []


def test_infinity_is_refused_before_the_teacher_is_fitted(binary):
    X, y = binary
    X = X.copy()
    X[3, 1] = np.inf
    with pytest.raises(ValueError, match="contains infinity"):
        DistilledClassifier(NoWeights(), TREE).fit(X, y)
    assert NoWeights.fitted == []


def test_a_tree_on_text_says_what_to_put_before_it():
    """The message was that of a string in an array, with no word of the student."""
    X = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0] * 5, "town": ["a", "b"] * 10})
    y = np.tile([0, 1], 10)
    model = DistilledClassifier(student=DecisionTreeClassifier())
    proba = np.eye(2)[y]
    message = "DecisionTreeClassifier as a student .*could not convert.*OrdinalEncoder"
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, teacher_proba=proba)
    # Of numbers alone the classifier's own words are the best.
    broken = DecisionTreeClassifier(monotonic_cst=[1, 1, 1])
    model = DistilledClassifier(student=broken)
    with pytest.raises(ValueError, match=r"^monotonic_cst has shape 3"):
        model.fit(X[["size"]], y, teacher_proba=proba)
