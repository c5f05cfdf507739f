"""The estimator among scikit-learn's own, each compared with a hand-written run."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFECV
from sklearn.inspection import permutation_importance
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    ShuffleSplit,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from sk_distill import DistilledClassifier, LinearStudent, MLPStudent

CV = StratifiedKFold(3)


def linear_model(**params):
    return DistilledClassifier(GaussianNB(), "linear", **params)


def small_mlp():
    return MLPStudent((8,), max_iter=5)


# Search and cross-validation


def test_grid_search_over_lambda_is_the_loop_by_hand(multiclass):
    X, y = multiclass
    lambdas = [0.0, 1.0, 10.0, np.inf]
    search = GridSearchCV(
        linear_model(),
        {"distillation_weight": lambdas},
        scoring="neg_log_loss",
        cv=CV,
        n_jobs=2,
    ).fit(X, y)

    expected = []
    for distillation_weight in lambdas:
        losses = []
        for train, test in CV.split(X, y):
            model = linear_model(distillation_weight=distillation_weight)
            model.fit(X[train], y[train])
            losses.append(log_loss(y[test], model.predict_proba(X[test])))
        expected.append(-np.mean(losses))
    assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-10)
    assert len(set(np.round(expected, 6))) == len(lambdas), "λ must make a difference"
    assert search.best_params_["distillation_weight"] == lambdas[np.argmax(expected)]


def test_halving_search_over_lambda_ends_on_all_rows(multiclass):
    X, y = multiclass
    search = HalvingGridSearchCV(
        linear_model(),
        {"distillation_weight": [0.0, 1.0, 10.0, np.inf]},
        scoring="neg_log_loss",
        cv=CV,
        factor=2,
        min_resources=60,
        random_state=0,
        n_jobs=2,
    ).fit(X, y)
    assert search.n_resources_ == [60, 120, 240]
    assert search.n_candidates_ == [4, 2, 1]
    best = linear_model(**search.best_params_)
    scores = cross_val_score(best, X, y, cv=CV, scoring="neg_log_loss")
    # Halving hands the rows over in another order.
    assert_allclose(search.best_score_, scores.mean(), rtol=1e-4)
    assert_array_equal(search.best_estimator_.coef_, best.fit(X, y).coef_)


def test_search_reaches_into_teacher_and_student(binary):
    X, y = binary
    search = GridSearchCV(
        DistilledClassifier(GaussianNB(), LinearStudent()),
        {"teacher__var_smoothing": [1e-9, 10.0], "student__alpha": [1.0, 1000.0]},
        scoring="neg_log_loss",
        cv=CV,
    ).fit(X, y)
    expected = [
        cross_val_score(
            DistilledClassifier(
                GaussianNB(var_smoothing=params["teacher__var_smoothing"]),
                LinearStudent(alpha=params["student__alpha"]),
            ),
            X,
            y,
            scoring="neg_log_loss",
            cv=CV,
        ).mean()
        for params in search.cv_results_["params"]
    ]
    assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-10)
    assert len(set(expected)) == 4


def test_cross_val_predict_is_the_loop_by_hand(multiclass):
    X, y = multiclass
    proba = cross_val_predict(linear_model(), X, y, cv=CV, method="predict_proba")
    for train, test in CV.split(X, y):
        model = linear_model().fit(X[train], y[train])
        assert_array_equal(proba[test], model.predict_proba(X[test]))


# Tables and pipelines


def test_pipeline_with_column_transformer_is_transforming_by_hand(binary):
    X, y = binary
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    frame["colour"] = np.where(X[:, 3] > 0, "red", np.where(X[:, 0] > 0, "blue", "no"))
    table: ColumnTransformer = make_column_transformer(
        (StandardScaler(), ["a", "b", "c"]), (OneHotEncoder(), ["colour"])
    )
    pipeline = make_pipeline(table, linear_model()).fit(frame, y)
    transformed = clone(table).fit_transform(frame)
    by_hand = linear_model().fit(transformed, y)
    assert pipeline[-1].coef_.shape == (1, 6)
    assert_array_equal(
        pipeline.predict_proba(frame), by_hand.predict_proba(transformed)
    )
    pipeline.set_params(distilledclassifier__distillation_weight=0.0).fit(frame, y)
    by_hand.set_params(distillation_weight=0.0).fit(transformed, y)
    assert_array_equal(
        pipeline.predict_proba(frame), by_hand.predict_proba(transformed)
    )


TABLES = {
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcdef")),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcdef")),
    "objects": lambda X: X.astype(object),
    "lists": lambda X: X.tolist(),
    "fortran": np.asfortranarray,
}


@pytest.mark.parametrize("student", ["linear", small_mlp()], ids=["linear", "mlp"])
@pytest.mark.parametrize("kind", TABLES)
def test_kind_of_table_does_not_change_a_bit(multiclass, kind, student):
    X, y = multiclass
    table = TABLES[kind](X)
    model = DistilledClassifier(GaussianNB(), student, random_state=0)
    expected = model.fit(X, y).predict_proba(X)
    assert_array_equal(model.fit(table, y).predict_proba(table), expected)
    if kind in ("pandas", "polars"):
        assert_array_equal(model.feature_names_in_, list("abcdef"))


def test_integer_columns_are_the_same_as_floats(binary):
    X, y = binary
    counts = np.round(4 * X).astype(np.int64)
    model = linear_model()
    expected = model.fit(counts.astype(float), y).predict_proba(counts.astype(float))
    assert_array_equal(model.fit(counts, y).predict_proba(counts), expected)


# Labels


LABELS = {
    "strings": np.array(["ash", "beech", "cedar"]),
    "objects": np.array(["ash", "beech", "cedar"], dtype=object),
    "negative": np.array([-7, -1, 3]),
    "gaps": np.array([2, 10, 500]),
    "floats": np.array([-1.0, 0.0, 4.0]),
}


@pytest.mark.parametrize("teacher_cv", [None, 3])
@pytest.mark.parametrize("student", ["linear", small_mlp()], ids=["linear", "mlp"])
@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_give_the_columns_of_integers(
    multiclass, kind, student, teacher_cv
):
    X, y = multiclass
    model = DistilledClassifier(
        GaussianNB(), student, teacher_cv=teacher_cv, random_state=0
    )
    expected = model.fit(X, y).predict_proba(X)
    names = LABELS[kind]
    model.fit(X, names[y])
    assert_array_equal(model.classes_, names)
    assert_array_equal(model.predict_proba(X), expected)
    assert_array_equal(model.predict(X), names[expected.argmax(axis=1)])
    assert model.predict(X).dtype == names.dtype


@pytest.mark.parametrize("student", ["linear", small_mlp()], ids=["linear", "mlp"])
def test_boolean_labels_give_the_columns_of_integers(binary, student):
    X, y = binary
    model = DistilledClassifier(GaussianNB(), student, random_state=0)
    expected = model.fit(X, y).predict_proba(X)
    model.fit(X, y.astype(bool))
    assert_array_equal(model.classes_, [False, True])
    assert_array_equal(model.predict_proba(X), expected)
    assert_array_equal(model.predict(X), expected[:, 1] > 0.5)
    assert model.predict(X).dtype == bool


LABEL_COLUMNS = {
    "list": lambda y: y.tolist(),
    "pandas": pd.Series,
    "shuffled-index": lambda y: pd.Series(y, index=np.arange(len(y))[::-1]),
    "categorical": lambda y: pd.Series(pd.Categorical(y)),
    "polars": pl.Series,
}


@pytest.mark.parametrize("kind", LABEL_COLUMNS)
def test_column_of_labels_is_the_array_of_labels(multiclass, kind):
    X, y = multiclass
    names = LABELS["strings"][y]
    expected = linear_model().fit(X, names).predict_proba(X)
    model = linear_model().fit(X, LABEL_COLUMNS[kind](names))
    assert_array_equal(model.predict_proba(X), expected)
    assert_array_equal(model.classes_, LABELS["strings"])


# Meta-estimators around it


def test_calibration_sees_the_out_of_fold_logits(binary):
    X, y = binary
    calibrated = CalibratedClassifierCV(
        linear_model(), method="isotonic", cv=CV, ensemble=False
    ).fit(X, y)
    out_of_fold = cross_val_predict(
        linear_model(), X, y, cv=CV, method="decision_function"
    )
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(out_of_fold, y)
    raw = linear_model().fit(X, y).decision_function(X)
    assert_allclose(
        calibrated.predict_proba(X)[:, 1], isotonic.predict(raw), atol=1e-10
    )


def test_stacking_learns_from_out_of_fold_probabilities(multiclass):
    X, y = multiclass
    stack = StackingClassifier(
        [("distilled", linear_model()), ("bayes", GaussianNB())],
        LogisticRegression(),
        cv=CV,
    ).fit(X, y)
    columns = np.hstack(
        [
            cross_val_predict(model, X, y, cv=CV, method="predict_proba")
            for model in (linear_model(), GaussianNB())
        ]
    )
    final = LogisticRegression().fit(columns, y)
    assert_allclose(stack.final_estimator_.coef_, final.coef_, rtol=1e-6)
    assert_array_equal(
        stack.transform(X)[:, :3], linear_model().fit(X, y).predict_proba(X)
    )


def test_bagging_averages_students_of_bootstrap_samples(binary):
    X, y = binary
    student = LinearStudent(tol=1e-9)
    bagging = BaggingClassifier(
        DistilledClassifier(GaussianNB(), student), 3, random_state=0
    ).fit(X, y)
    by_hand = [
        DistilledClassifier(GaussianNB(), student)
        .fit(X[rows], y[rows])
        .predict_proba(X)
        for rows in bagging.estimators_samples_
    ]
    # Bagging may pass how often a row was drawn as its weight.
    assert_allclose(bagging.predict_proba(X), np.mean(by_hand, axis=0), atol=1e-5)
    assert np.abs(by_hand[0] - by_hand[1]).max() > 0.01


def test_tuned_threshold_is_the_best_by_hand(binary):
    X, y = binary
    rows = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:30]]
    X, y = X[rows], y[rows]
    split = ShuffleSplit(1, test_size=0.5, random_state=0)
    thresholds = np.linspace(0.05, 0.95, 19)
    tuned = TunedThresholdClassifierCV(
        linear_model(),
        scoring="balanced_accuracy",
        thresholds=thresholds,
        cv=split,
    ).fit(X, y)
    ((train, test),) = split.split(X)
    proba = linear_model().fit(X[train], y[train]).predict_proba(X[test])[:, 1]
    scores = [balanced_accuracy_score(y[test], proba >= t) for t in thresholds]
    assert_allclose(tuned.best_score_, max(scores))
    assert_allclose(tuned.best_threshold_, thresholds[np.argmax(scores)])
    assert tuned.best_threshold_ != 0.5
    whole = linear_model().fit(X, y).predict_proba(X)[:, 1]
    assert_array_equal(tuned.predict(X), whole >= tuned.best_threshold_)


def test_self_training_ends_with_a_fit_on_the_labels_it_made(binary):
    X, y = binary
    partly = np.where(np.arange(len(y)) % 6 == 0, y, -1)
    trained = SelfTrainingClassifier(linear_model(), threshold=0.8).fit(X, partly)
    labelled = trained.transduction_ != -1
    assert labelled.sum() > 2 * (partly != -1).sum()
    assert (trained.transduction_ == y)[labelled].mean() > 0.8
    by_hand = linear_model().fit(X[labelled], trained.transduction_[labelled])
    assert_array_equal(trained.predict_proba(X), by_hand.predict_proba(X))


def test_permutation_importance_is_the_drop_by_hand(binary):
    X, y = binary
    model = linear_model().fit(X, y)
    result = permutation_importance(model, X, y, n_repeats=20, random_state=0)
    rng = np.random.default_rng(0)
    for column in range(X.shape[1]):
        drops = []
        for _ in range(20):
            shuffled = X.copy()
            shuffled[:, column] = rng.permutation(shuffled[:, column])
            drops.append(model.score(X, y) - model.score(shuffled, y))
        assert abs(result.importances_mean[column] - np.mean(drops)) < 0.03
    assert result.importances_mean[:4].max() > 0.1
    assert abs(result.importances_mean[4:]).max() < 0.03


def test_rfecv_ranks_columns_as_it_does_with_logistic_regression(multiclass):
    """λ = 0 without encoding is LogisticRegression(C=1)."""
    X, y = multiclass
    model = DistilledClassifier(
        GaussianNB(), LinearStudent(encoding=None, tol=1e-8), distillation_weight=0.0
    )
    regression = LogisticRegression(tol=1e-8, max_iter=1000)
    selected, expected = (
        RFECV(estimator, cv=CV, scoring="neg_log_loss").fit(X, y)
        for estimator in (model, regression)
    )
    assert_array_equal(selected.ranking_, expected.ranking_)
    assert_allclose(
        selected.cv_results_["mean_test_score"],
        expected.cv_results_["mean_test_score"],
        atol=1e-5,
    )


def test_rfecv_drops_the_noise(binary):
    X, y = binary
    noise = np.random.default_rng(0).normal(size=(len(X), 6))
    selected = RFECV(linear_model(), cv=CV, scoring="neg_log_loss").fit(
        np.hstack([X[:, :4], noise]), y
    )
    kept = np.flatnonzero(selected.support_)
    assert 1 <= len(kept) <= 6
    assert set(kept[selected.estimator_.coef_[0].argsort()]) & set(range(4))


# Other processes


def dump_and_load(model, path):
    joblib.dump(model, path / "model.joblib")
    return joblib.load(path / "model.joblib")


ROUND_TRIPS = {
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "joblib": dump_and_load,
}


@pytest.mark.parametrize("student", ["linear", small_mlp()], ids=["linear", "mlp"])
@pytest.mark.parametrize("way", ROUND_TRIPS)
def test_round_trip_keeps_every_bit(multiclass, way, student, tmp_path):
    X, y = multiclass
    model = DistilledClassifier(GaussianNB(), student, random_state=0).fit(X, y)
    loaded = ROUND_TRIPS[way](model, tmp_path)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert_array_equal(
        loaded.teacher_.predict_proba(X), model.teacher_.predict_proba(X)
    )
    assert_array_equal(loaded.loss_curve_, model.loss_curve_)
    refitted = loaded.fit(X, y)
    assert_array_equal(refitted.predict_proba(X), model.predict_proba(X))


def test_process_pool_fits_and_predicts_the_same_bits(multiclass):
    X, y = multiclass
    model = DistilledClassifier(GaussianNB(), small_mlp(), random_state=0)
    fitted = clone(model).fit(X, y)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        predicted = pool.submit(fitted.predict_proba, X)
        fitted_there = pool.submit(model.fit, X, y)
        assert_array_equal(predicted.result(), fitted.predict_proba(X))
        assert_array_equal(
            fitted_there.result().predict_proba(X), fitted.predict_proba(X)
        )
    assert not hasattr(model, "student_")
