"""The variables of L-BFGS, against the Hessian by autograd."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn.functional import cross_entropy

from sk_distill import LinearStudent
from sk_distill.training import preconditioner
from sk_distill.training.preconditioner import Preconditioner, precondition

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)) @ RNG.normal(size=(4, 4))
WEIGHT = RNG.uniform(0.5, 2, size=60)


def hessian_by_autograd(W, n_classes, penalty):
    rows = torch.from_numpy(np.c_[np.ones(60), X])
    targets = torch.from_numpy(RNG.dirichlet(np.ones(n_classes), size=60))
    weight = torch.from_numpy(WEIGHT / WEIGHT.sum())

    def loss(flat):
        weights = flat.reshape(5, -1)
        logits = rows @ weights
        if n_classes == 2:
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        mean = (weight * cross_entropy(logits, targets, reduction="none")).sum()
        return mean + penalty / 2 * weights[1:].pow(2).sum()

    return torch.autograd.functional.hessian(loss, W.reshape(-1)).numpy(), rows @ W


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_factor_is_that_of_the_hessian(n_classes):
    n_outputs = 1 if n_classes == 2 else n_classes
    W = torch.from_numpy(RNG.normal(size=(5, n_outputs)))
    expected, logits = hessian_by_autograd(W, n_classes, 0.1)
    if n_classes == 2:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    proba = logits.softmax(dim=1).numpy()
    found = precondition(X, WEIGHT, proba, 0.1)
    product = found.factor @ found.factor.T
    assert_allclose(product, expected, atol=3e-5 * np.abs(expected).max())


def test_variables_and_parameters_are_the_same_place():
    A = RNG.normal(size=(6, 6))
    found = Preconditioner(A @ A.T + np.eye(6))
    for n_outputs in (1, 3):
        parameters = RNG.normal(size=6 * n_outputs)
        variables = found.to_variables(parameters)
        assert_allclose(found.to_parameters(variables), parameters, atol=1e-12)
        gradient = RNG.normal(size=6 * n_outputs)
        # The slope along a step is the same in both.
        step = RNG.normal(size=6 * n_outputs)
        along = found.to_gradient(gradient) @ step
        assert_allclose(along, gradient @ found.to_parameters(step), atol=1e-12)


def test_a_part_of_the_rows_says_about_the_same(monkeypatch):
    rows = RNG.normal(size=(4000, 5)) * [1, 2, 3, 4, 5]
    proba = RNG.dirichlet([3.0, 3.0, 3.0], size=4000)
    whole = precondition(rows, None, proba, 0.01)
    monkeypatch.setattr(preconditioner, "_MOST_PRODUCTS", 100_000)
    part = precondition(rows, None, proba, 0.01)
    inverse = np.linalg.inv(whole.factor)
    ratios = np.linalg.eigvalsh(inverse @ part.factor @ part.factor.T @ inverse.T)
    assert 0.5 < ratios.min() < 0.99 < 1.01 < ratios.max() < 2


@pytest.mark.parametrize("name", ["_MOST_VARIABLES", "_MOST_JOINT", "_MOST_PRODUCTS"])
@pytest.mark.parametrize("encoding", ["standard", "quantile"])
def test_the_optimum_does_not_depend_on_it(multiclass, encoding, name, monkeypatch):
    X, y = multiclass
    student = LinearStudent(encoding=encoding, n_bins=5, tol=1e-8)
    expected = student.fit(X, y).predict_proba(X)
    proba = np.full((240, 3), 1 / 3)
    candidates = [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]
    path = student.fit_path(X, y, soft_targets=proba, candidates=candidates)
    before = [fitted.predict_proba(X) for fitted in path]
    monkeypatch.setattr(preconditioner, name, 1)
    assert_allclose(student.fit(X, y).predict_proba(X), expected, atol=1e-5)
    path = student.fit_path(X, y, soft_targets=proba, candidates=candidates)
    for fitted, answer in zip(path, before, strict=True):
        assert_allclose(fitted.predict_proba(X), answer, atol=1e-5)


def test_columns_that_depend_on_each_other_take_few_iterations(monkeypatch):
    """On the bins of correlated columns plain L-BFGS takes many."""
    X = RNG.normal(size=(2000, 1)) + 0.1 * RNG.normal(size=(2000, 6))
    y = (np.sin(3 * X).sum(axis=1) + RNG.normal(size=2000) > 0).astype(int)
    student = LinearStudent(encoding="quantile", n_bins=40)
    n_iter = student.fit(X, y).n_iter_
    monkeypatch.setattr(preconditioner, "_MOST_VARIABLES", 1)
    assert 3 * n_iter < student.fit(X, y).n_iter_


def harder(n_rows=1500):
    """Classes that columns, which depend on each other, almost separate."""
    X = RNG.normal(size=(n_rows, 5))
    X[:, 1:] = X[:, :1] + 0.1 * X[:, 1:]
    return X, (X.sum(axis=1) + 0.1 * RNG.logistic(size=n_rows) > 0).astype(int)


def test_far_from_the_start_other_variables_are_taken(monkeypatch):
    """With little penalty the curvature at the optimum is not that of the start: what
    saved iterations there cost ten times as many here, and some fits never ended."""
    X, y = harder()
    student = LinearStudent(encoding="quantile", n_bins=10, alpha=1e-3)
    student.fit(X, y)
    n_iter, loss = student.n_iter_, student.loss_curve_[-1]
    monkeypatch.setattr(preconditioner, "_MOST_VARIABLES", 1)
    student.set_params(max_iter=5000).fit(X, y)
    assert 3 * n_iter < student.n_iter_
    assert_allclose(loss, student.loss_curve_[-1], atol=1e-5)


def test_rows_that_take_turns_are_told_apart(monkeypatch):
    """Every other row was looked at, and all of those were of one kind."""
    X, y = harder()
    X[::2, 3:] = 0
    monkeypatch.setattr(preconditioner, "_MOST_PRODUCTS", 10_000)
    in_turns = LinearStudent().fit(X, y).n_iter_
    order = RNG.permutation(len(X))
    shuffled = LinearStudent().fit(X[order], y[order]).n_iter_
    assert in_turns < 2 * shuffled


@pytest.mark.parametrize("n_classes", [2, 3])
def test_where_nothing_curves_there_are_no_variables(n_classes):
    """Soft targets without a doubt, or one class that alone weighs anything, and no
    penalty: Cholesky failed."""
    y = np.arange(60) % n_classes
    sure = np.eye(n_classes)[np.zeros(60, dtype=int)]
    student = LinearStudent(alpha=0, max_iter=5000)
    student.fit(X, y, soft_targets=sure, distillation_weight=np.inf)
    assert student.predict_proba(X)[:, 0].min() > 0.99
    student.fit(X, y, (y == 0).astype(float))
    assert student.predict_proba(X)[:, 0].min() > 0.99
