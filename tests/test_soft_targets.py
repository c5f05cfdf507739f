"""Out-of-fold soft targets, against loops by hand."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB

from sk_distill import DistilledClassifier
from sk_distill.knowledge import ONLY_PROBABILITIES
from sk_distill.teaching import teach

FOREST = RandomForestClassifier(20, random_state=0)


def targets_of(teacher, X, y, cv, n_jobs=None):
    every = [np.arange(len(y))]
    classes, asked = np.unique(y), ONLY_PROBABILITIES
    _, (said,) = teach(
        clone(teacher), X, y, classes, {}, every, cv, None, asked, None, n_jobs, 0
    )
    return said.proba


@pytest.mark.parametrize("cv", [4, StratifiedKFold(3, shuffle=True, random_state=1)])
def test_out_of_fold_is_cross_val_predict(multiclass, cv):
    X, y = multiclass
    expected = cross_val_predict(FOREST, X, y, cv=cv, method="predict_proba")
    assert_allclose(targets_of(FOREST, X, y, cv), expected, atol=1e-15)
    assert_allclose(targets_of(FOREST, X, y, cv, n_jobs=2), expected, atol=1e-15)


def test_the_teacher_that_is_kept_is_fitted_on_all_rows(multiclass):
    X, y = multiclass
    model = DistilledClassifier(FOREST, "linear", teacher_cv=3).fit(X, y)
    expected = clone(FOREST).fit(X, y).predict_proba(X)
    assert_allclose(model.teacher_.predict_proba(X), expected)


def test_no_group_teaches_its_own_rows(multiclass):
    """Rows of a group are copies: a forest that saw one knows the others by heart."""
    X, y = np.repeat(multiclass[0][:60], 4, axis=0), np.repeat(multiclass[1][:60], 4)
    shuffled = np.repeat(np.random.default_rng(0).permutation(multiclass[1][:60]), 4)
    groups = np.repeat(np.arange(60), 4)
    split = list(GroupKFold(5).split(X, y, groups))
    apart = targets_of(FOREST, X, shuffled, split)
    mixed = targets_of(FOREST, X, shuffled, StratifiedKFold(5, shuffle=True))
    right = [(p.argmax(axis=1) == shuffled).mean() for p in (mixed, apart)]
    assert right[1] < 0.5 < 0.9 < right[0]


def test_rows_that_several_folds_hold_out_get_the_mean(multiclass):
    X, y = multiclass
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    splits = list(cv.split(X, y))
    halves = [
        cross_val_predict(FOREST, X, y, cv=part, method="predict_proba")
        for part in (splits[:3], splits[3:])
    ]
    assert_allclose(targets_of(FOREST, X, y, cv), np.mean(halves, axis=0), atol=1e-12)


def test_rows_that_no_fold_holds_out_have_their_label(multiclass):
    X, y = multiclass
    proba = targets_of(FOREST, X, y, TimeSeriesSplit(3))
    assert_array_equal(proba[:60], np.eye(3)[y[:60]])
    later = clone(FOREST).fit(X[:180], y[:180]).predict_proba(X[180:])
    assert_allclose(proba[180:], later)


def test_a_class_that_a_fold_lacks_has_probability_zero_there(multiclass):
    X, y = multiclass
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    first_two, rest = np.flatnonzero(y < 2), np.flatnonzero(y == 2)
    proba = targets_of(GaussianNB(), X, y, [(first_two, rest)])
    assert_array_equal(proba[rest, 2], 0)
    assert_allclose(proba[rest].sum(axis=1), 1)


def test_shuffled_labels_teach_nothing(multiclass):
    """In sample a forest repeats the labels it saw; out of fold it cannot."""
    X, y = multiclass
    y = np.random.default_rng(0).permutation(y)
    with warnings.catch_warnings():
        in_sample = targets_of(FOREST, X, y, None)
    outside = targets_of(FOREST, X, y, 5)
    assert log_loss(y, in_sample) < 0.5
    assert (outside.argmax(axis=1) == y).mean() < 0.45
    X_test = np.random.default_rng(1).normal(size=(500, 6))
    y_test = np.random.default_rng(2).integers(0, 3, 500)
    model = DistilledClassifier(FOREST, "linear", teacher_cv=5).fit(X, y)
    assert abs(model.score(X_test, y_test) - 1 / 3) < 0.06


def test_folds_of_an_iterator_serve_every_fit(multiclass):
    """The second fit found none left, and distilled from the labels in silence."""
    X, y = multiclass
    model = DistilledClassifier(
        FOREST, "linear", teacher_cv=KFold(3).split(X), random_state=0
    )
    listed = DistilledClassifier(
        FOREST, "linear", teacher_cv=list(KFold(3).split(X)), random_state=0
    )
    first = model.fit(X, y).predict_proba(X)
    assert_allclose(first, listed.fit(X, y).predict_proba(X), atol=1e-12)
    with pytest.raises(ValueError, match=r"holds out no row.*pass list\(iterator\)"):
        model.fit(X, y)


def test_a_teacher_of_one_class_says_just_that():
    """The first rows in order of time were of one class, and few teachers took them."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.arange(60) >= 20
    cv = TimeSeriesSplit(5)
    proba = targets_of(LogisticRegression(), X, y, cv)
    assert_array_equal(proba[10:20], [[1, 0]] * 10)
    assert_array_equal(proba[20:30], [[1, 0]] * 10)
    assert ((proba[30:] > 0) & (proba[30:] < 1)).all()
