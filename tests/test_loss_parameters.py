"""Losses as parameters: their names, what they are compared by, what is refused."""

import pickle
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sk_distill import (
    DistilledClassifier,
    DistilledClassifierCV,
    LinearStudent,
    MLPStudent,
)
from sk_distill.losses import LOSSES, Decoupled, Dist, StandardizedLogits
from sk_distill.networks.parameters import LOSS_NAMES


def test_names_without_torch_are_those_of_the_map():
    assert tuple(LOSSES) == LOSS_NAMES


def test_unknown_name_is_refused_without_the_losses(monkeypatch, multiclass):
    """They import torch, which takes longer than reading the message."""
    monkeypatch.setitem(sys.modules, "sk_distill.losses", None)
    with pytest.raises(ValueError, match=r"Did you mean 'decoupled'\?"):
        DistilledClassifier(loss="decopled").fit(*multiclass)


PARAMETRISED = [
    (Decoupled(beta=2.0), "Decoupled(alpha=1.0, beta=2.0)"),
    (Dist(gamma=0.5), "Dist(beta=1.0, gamma=0.5)"),
    (StandardizedLogits("kl"), "StandardizedLogits(loss='kl')"),
    (
        StandardizedLogits(Dist()),
        "StandardizedLogits(loss=Dist(beta=1.0, gamma=1.0))",
    ),
]


@pytest.mark.parametrize(("loss", "text"), PARAMETRISED)
def test_losses_are_values(loss, text):
    assert repr(loss) == text
    assert loss == eval(text)
    assert loss != Decoupled(beta=3.0)
    copy = pickle.loads(pickle.dumps(loss))
    assert copy == loss
    assert hash(copy) == hash(loss)
    with pytest.raises(AttributeError):
        loss.alpha = 2.0
    model = DistilledClassifier(student="linear", loss=loss)
    assert clone(model).get_params()["loss"] == loss
    assert clone(clone(model)).loss == loss
    assert text in repr(model).replace("\n", "").replace(" " * 20, "")
    assert DistilledClassifier().set_params(loss=loss).loss is loss


def test_a_search_over_losses(multiclass):
    X, y = multiclass
    losses = ["kl", "decoupled", Decoupled(beta=2.0), StandardizedLogits("kl")]
    model = DistilledClassifier(
        LogisticRegression(max_iter=1000), "linear", random_state=0
    )
    search = GridSearchCV(model, {"loss": losses}, cv=2, scoring="neg_log_loss")
    search.fit(X, y)
    assert search.best_params_["loss"] in losses
    assert list(search.cv_results_["param_loss"]) == losses
    singles = GridSearchCV(model, {"loss": losses[2:3]}, cv=2, scoring="neg_log_loss")
    assert_allclose(
        search.cv_results_["mean_test_score"][2], singles.fit(X, y).best_score_
    )
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_array_equal(again.predict_proba(X), search.predict_proba(X))


@pytest.mark.filterwarnings("ignore::sk_distill.DistillationWarning")
def test_a_search_over_lambda_with_a_loss(multiclass):
    X, y = multiclass
    model = DistilledClassifierCV(
        LogisticRegression(max_iter=1000),
        MLPStudent(8, max_iter=3),
        distillation_weights=[1.0],
        temperatures=[1.0, 2.0],
        cv=2,
        loss=Decoupled(beta=2.0),
        random_state=0,
    )
    model.fit(X, y)
    assert np.isfinite(model.cv_results_["mean_test_score"]).all()


# Refusals


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: Decoupled(beta=-1),
            ValueError,
            r"Decoupled: beta=-1 must be a finite number >= 0\.",
        ),
        (
            lambda: Decoupled(alpha=float("nan")),
            ValueError,
            r"Decoupled: alpha=nan must be a finite number >= 0\.",
        ),
        (
            lambda: Dist(gamma=float("inf")),
            ValueError,
            r"Dist: gamma=inf must be a finite number >= 0\.",
        ),
        (
            lambda: Dist("1"),
            TypeError,
            r"Dist: beta='1' must be a number >= 0, got a str\.",
        ),
        (
            lambda: Decoupled(True),
            TypeError,
            r"Decoupled: alpha=True must be a number >= 0, got a bool\.",
        ),
        (
            lambda: Dist(0, 0),
            ValueError,
            r"Dist: beta=0 and gamma=0 leave nothing of the loss; one of them must be "
            r"> 0\. To learn from the labels alone set distillation_weight=0\.",
        ),
        (
            lambda: StandardizedLogits("decopled"),
            ValueError,
            r"StandardizedLogits: loss='decopled' is not valid; choose one of "
            r"'soft_cross_entropy', 'kl', 'logit_mse', 'decoupled', 'dist' or a "
            r"callable .*\. Did you mean 'decoupled'\?",
        ),
        (
            lambda: StandardizedLogits(None),
            ValueError,
            r"StandardizedLogits: loss=None is not valid; choose one of",
        ),
        (
            lambda: StandardizedLogits(Dist),
            ValueError,
            r"loss=<class .*Dist'> is not valid; .* Pass an instance of the class\.",
        ),
    ],
)
def test_parameters_that_cannot_be_used(make, error, message):
    with pytest.raises(error, match=message):
        make()


class Unwilling(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise AssertionError("the teacher must not be fitted")

    def predict_proba(self, X):
        raise AssertionError


TOO_FEW = [
    (
        StandardizedLogits(),
        r"loss=StandardizedLogits\(loss='soft_cross_entropy'\) needs three classes or "
        r"more, and here are two: .* Choose another loss, such as 'kl'\.",
    ),
    (Decoupled(alpha=0), r"loss=Decoupled\(.*Set alpha > 0, or choose 'kl'\."),
    (Dist(gamma=0), r"loss=Dist\(.*Set gamma > 0, or choose 'kl'\."),
]


@pytest.mark.parametrize("loss", [loss for loss, _ in TOO_FEW])
def test_what_two_classes_are_too_few_for_is_welcome_with_three(loss):
    loss.check_n_classes(3)


@pytest.mark.parametrize("loss", [Decoupled(), Dist()])
def test_two_classes_are_enough_where_something_is_left(loss):
    loss.check_n_classes(2)


@pytest.mark.parametrize(("loss", "message"), TOO_FEW)
def test_two_classes_too_few_are_refused_before_anything_is_fitted(
    binary, loss, message
):
    X, y = binary
    for model in (
        DistilledClassifier(Unwilling(), loss=loss),
        DistilledClassifierCV(Unwilling(), loss=loss),
    ):
        with pytest.raises(ValueError, match=f"{type(model).__name__}: {message}"):
            model.fit(X, y)
    proba = np.full((len(y), 2), 0.5)
    student = LinearStudent()
    with pytest.raises(ValueError, match=f"LinearStudent: {message}"):
        student.fit(X, y, soft_targets=proba, loss=loss)
    assert not hasattr(student, "classes_")
    with pytest.raises(ValueError, match=f"LinearStudent: {message}"):
        student.fit_path(X, y, soft_targets=proba, candidates=[(1.0, 1.0)], loss=loss)


def test_what_the_loss_inside_refuses_is_refused():
    class Picky:
        def __call__(self, student_logits, teacher_logits, hard_targets):
            raise AssertionError

        def check_n_classes(self, n_classes):
            raise ValueError(f"loss=Picky() cannot take {n_classes} classes.")

    with pytest.raises(ValueError, match=r"Picky\(\) cannot take 3 classes"):
        StandardizedLogits(Picky()).check_n_classes(3)


def test_a_class_is_no_loss(multiclass):
    X, y = multiclass
    message = r"loss=Dist is a class; pass an instance, Dist\(\)\."
    for model in (
        DistilledClassifier(Unwilling(), loss=Dist),
        DistilledClassifierCV(Unwilling(), loss=Dist),
    ):
        with pytest.raises(TypeError, match=f"{type(model).__name__}: {message}"):
            model.fit(X, y)
