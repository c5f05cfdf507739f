"""Features and weights of the teacher as knowledge, in numbers."""

import sys
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from torch import nn

from sk_distill import (
    DistillationWarning,
    DistilledClassifier,
    DistilledClassifierCV,
    Features,
    LinearStudent,
    MLPStudent,
    MLPTeacher,
    Munge,
)
from sk_distill.encoding import Table, TableEncoder
from sk_distill.knowledge import tell
from sk_distill.knowledge.kinds import Inquiry, check_knowledge
from sk_distill.networks import knowledge as first_layers
from sk_distill.networks.knowledge import Knowledge, least_squares
from sk_distill.training import Objective, Shares
from sk_distill.training.stacked_objective import StackedObjective

RNG = np.random.default_rng(0)
X, Y = load_iris(return_X_y=True)
SMALL = {"max_iter": 5, "random_state": 0, "early_stopping": False}
TEACHER = MLPTeacher(8, n_members=2, **SMALL).fit(X, Y)


# The objective


def hand_value(outputs, codes, proba, hints, weight, lam, shares):
    """Return the objective by its formula."""
    z, told = outputs[:, : -hints.shape[1]], outputs[:, -hints.shape[1] :]
    if z.shape[1] == 1:
        z = np.hstack([np.zeros_like(z), z])
    log_q = log_softmax(z, axis=1)
    of_labels = -log_q[np.arange(len(z)), codes]
    of_teacher = -(proba * log_q).sum(axis=1)
    of_hints = 0.5 * np.square(told - hints).mean(axis=1)
    rows = of_labels + lam * (
        shares.probabilities * of_teacher + shares.features * of_hints
    )
    return np.average(rows, weights=weight) / (1 + lam)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("loss", ["soft_cross_entropy", "kl"])
@pytest.mark.parametrize("weighted", [False, True])
def test_hints_are_half_the_mean_squared_distance(n_outputs, loss, weighted):
    n_classes = max(2, n_outputs)
    codes = RNG.integers(0, n_classes, 12)
    proba = RNG.dirichlet(np.ones(n_classes), 12)
    hints = RNG.normal(size=(12, 4))
    weight = RNG.uniform(0.5, 2, 12) if weighted else None
    outputs = RNG.normal(size=(12, n_outputs + 4))
    shares = Shares(0.7, 0.4)
    objective = Objective(3.0, 1.0, loss, shares)
    targets = {
        k: torch.from_numpy(v)
        for k, v in objective.make_targets(codes, proba, weight, hints).items()
    }
    expected = hand_value(outputs, codes, proba, hints, weight, 3.0, shares)
    if loss == "kl":
        entropy = -(proba * np.log(proba)).sum(axis=1)
        expected -= 0.75 * 0.7 * np.average(entropy, weights=weight)
    leaf = torch.from_numpy(outputs).requires_grad_()
    value = objective(leaf, targets)
    assert_allclose(value.item(), expected, rtol=1e-6)
    (by_autograd,) = torch.autograd.grad(value, leaf)
    again, gradient = objective.value_and_gradient(leaf.detach(), targets)
    assert_allclose(again, expected, rtol=1e-6)
    assert_allclose(gradient, by_autograd, atol=1e-12)


def test_a_stack_weighs_the_hints_of_each_member():
    codes, proba = RNG.integers(0, 3, 12), RNG.dirichlet(np.ones(3), 12)
    hints, outputs = RNG.normal(size=(12, 4)), RNG.normal(size=(3, 12, 7))
    members = [
        Objective(lam, 1.0, knowledge=Shares(1, 0.5)) for lam in (0.0, 2, np.inf)
    ]
    stack = StackedObjective(members)
    targets = stack.make_targets(codes, proba, None, hints)
    targets = {k: torch.from_numpy(v) for k, v in targets.items()}
    values, gradients = stack.value_and_gradient(torch.from_numpy(outputs), targets)
    assert_allclose(stack(torch.from_numpy(outputs), targets), values, rtol=1e-12)
    for i, member in enumerate(members):
        own = member.make_targets(codes, proba, None, hints)
        own = {k: torch.from_numpy(v) for k, v in own.items()}
        value, gradient = member.value_and_gradient(torch.from_numpy(outputs[i]), own)
        assert_allclose(values[i], value, rtol=1e-12)
        assert_allclose(gradients[i], gradient, atol=1e-14)


# Features


def distil(knowledge, student=None, **params):
    student = (
        MLPStudent(16, max_iter=30, random_state=0) if student is None else student
    )
    teacher = params.pop("teacher", FrozenEstimator(TEACHER))
    model = DistilledClassifier(
        teacher, student, knowledge=knowledge, random_state=0, **params
    )
    return model.fit(X, Y)


def test_the_student_tells_its_hints_and_forgets_how():
    told = tell(TEACHER, X, None, Inquiry(features=1.0))
    student = MLPStudent(16, max_iter=60, dropout=0.0, random_state=0)
    params = {"soft_targets": TEACHER.predict_proba(X), "distillation_weight": 3.0}
    knowledge = Knowledge(1.0, told.hints, None, 5.0)
    hinted = clone(student).fit(X, Y, **params, knowledge=knowledge)
    assert [c.shape[1] for c in hinted.coefs_] == [16, 3]
    assert hinted.predict_proba(X).shape == (150, 3)
    plain = clone(student).fit(X, Y, **params)

    def unexplained(fitted):
        units = np.maximum(first_units(fitted), 0)
        basis = np.column_stack([units, np.ones(len(units))])
        residual = told.hints - basis @ np.linalg.lstsq(basis, told.hints)[0]
        return np.square(residual).mean()

    assert unexplained(hinted) < 0.7 * unexplained(plain)


def first_units(student):
    table = student._check_before_predict(X)
    positions = student.encoder_.positions(table, np.float64)
    first = student.encoder_.product(positions, student.coefs_[0])
    return first + student.intercepts_[0]


@pytest.mark.parametrize("knowledge", ["features", "weights"])
def test_without_a_teacher_no_knowledge_counts(knowledge):
    """Identity 4: λ = 0 is the same student without any teacher, bit for bit."""
    plain = distil("probabilities", distillation_weight=0.0)
    other = distil({"probabilities": 1, knowledge: 2.0}, distillation_weight=0.0)
    assert_array_equal(plain.predict_proba(X), other.predict_proba(X))
    taught = distil({"probabilities": 1, knowledge: 2.0})
    assert np.abs(taught.predict_proba(X) - plain.predict_proba(X)).max() > 1e-3


@pytest.mark.parametrize("encoding", ["standard", "piecewise_linear"])
@pytest.mark.parametrize("knowledge", ["features", "weights"])
def test_a_path_is_made_of_single_fits(knowledge, encoding):
    """Identity 6, with hints and with a pull."""
    inquiry = check_knowledge(None, {"probabilities": 1.0, knowledge: 2.0})
    told = tell(TEACHER, X, None, inquiry.question(8))
    given = Knowledge(
        1.0, told.hints, None, inquiry.features, told.first_layer, inquiry.weights
    )
    student = MLPStudent(8, encoding=encoding, n_bins=6, **SMALL)
    proba = TEACHER.predict_proba(X)
    candidates = [(0.0, 1.0), (1.0, 1.0), (np.inf, 1.0)]
    path = student.fit_path(
        X, Y, soft_targets=proba, candidates=candidates, knowledge=given
    )
    for fitted, (weight, _) in zip(path, candidates, strict=True):
        single = clone(student).fit(
            X, Y, soft_targets=proba, distillation_weight=weight, knowledge=given
        )
        assert_allclose(fitted.predict_proba(X), single.predict_proba(X), atol=1e-5)
        assert [c.shape for c in fitted.coefs_] == [c.shape for c in single.coefs_]


def test_transfer_rows_bring_hints_of_their_own():
    teacher = RandomForestClassifier(20, random_state=0)
    params = {"transfer_set": Munge(2, random_state=0), "teacher_cv": 3}
    knowledge = {"probabilities": 1.0, Features(n_components=5): 0.5}
    model = distil(knowledge, teacher=teacher, **params)
    assert model.score(X, Y) > 0.93
    more = X + 0.01
    told = tell(model.teacher_, X, more, check_knowledge(model, knowledge))
    assert told.hints.shape == told.transfer_hints.shape == (150, 5)
    both = tell(model.teacher_, X, X, check_knowledge(model, knowledge))
    assert_allclose(both.hints, both.transfer_hints, atol=1e-6)


def test_the_search_takes_features_along():
    search = DistilledClassifierCV(
        RandomForestClassifier(20, random_state=0),
        MLPStudent(8, max_iter=20),
        distillation_weights=[1.0],
        knowledge={"probabilities": 1.0, "features": 1.0},
        teacher_cv=3,
        cv=3,
        random_state=0,
    )
    with warnings.catch_warnings():
        # Whether distilling helps on a hundred rows is not the question.
        warnings.simplefilter("ignore", DistillationWarning)
        search.fit(X, Y)
    assert search.scores_path_.shape == (3, 1, 3)
    assert [c.shape[1] for c in search.student_.coefs_] == [8, 3]


@pytest.mark.parametrize("kind", ["probabilities", "features", "weights"])
def test_a_search_over_the_weights_of_knowledge_fits_one_teacher(
    kind, tmp_path, monkeypatch
):
    class Counted(MLPTeacher):
        fits = 0

        def fit(self, X, y, sample_weight=None):
            type(self).fits += 1
            return super().fit(X, y, sample_weight)

    # A cache finds the class by its name.
    Counted.__module__, Counted.__qualname__ = "__main__", "Counted"
    monkeypatch.setattr(sys.modules["__main__"], "Counted", Counted, raising=False)
    model = DistilledClassifier(
        Counted(8, n_members=1, **SMALL),
        MLPStudent(8, max_iter=3),
        memory=str(tmp_path),
        random_state=0,
    )
    for weight in (0.5, 1.0, 2.0):
        knowledge = {"probabilities": 1.0} | {kind: weight}
        clone(model).set_params(knowledge=knowledge).fit(X, Y)
    assert Counted.fits == 1


def test_the_weight_of_probabilities_multiplies_lambda():
    """The loss is divided by 1 + λ, and alpha stands beside it."""
    double = distil({"probabilities": 2.0}, student=LinearStudent(alpha=3.0, tol=1e-9))
    twice = distil(
        "probabilities",
        student=LinearStudent(alpha=2.0, tol=1e-9),
        distillation_weight=2.0,
    )
    assert_allclose(double.predict_proba(X), twice.predict_proba(X), atol=1e-6)
    # And so for a student that learns them as weights of rows.
    student = LogisticRegression(max_iter=1000)
    double = distil({"probabilities": 2.0}, student=student)
    twice = distil("probabilities", student=student, distillation_weight=2.0)
    assert_allclose(double.predict_proba(X), twice.predict_proba(X), atol=1e-9)


# Weights


@pytest.mark.parametrize("encoding", ["quantile", "standard", None])
@pytest.mark.parametrize("is_dense", [True, False])
def test_the_nearest_first_layer_is_a_slight_ridge_on_weighted_rows(
    is_dense, encoding, monkeypatch
):
    """Of many slots the means are not taken off, which would fill the matrix."""
    weight = RNG.uniform(0.1, 3, len(X))
    encoder = TableEncoder().fit(Table(X), np.eye(3)[Y], None, encoding, 6)
    positions = encoder.positions(Table(X), np.float64)
    units = np.tanh(X @ RNG.normal(size=(4, 5))) + 2
    if not is_dense:
        monkeypatch.setattr(first_layers, "_DENSE_SLOTS", 0)
    found = least_squares(encoder, positions, weight, units)

    slots, share = encoder.slots(positions).toarray(), weight / weight.sum()
    level, mean = share @ units, share @ slots if is_dense else 0
    alpha = 1e-4 * (share @ np.square(slots - mean)).mean()
    ridge = Ridge(alpha, fit_intercept=is_dense, solver="cholesky")
    expected = level + ridge.fit(slots, units - level, share).predict(slots)
    product = encoder.product(positions, encoder.slot_map() @ found.weights)
    assert_allclose(product + found.biases, expected, atol=1e-8)


def test_the_first_layer_begins_as_the_teachers():
    """On the same encoding the nearest first layer is the teacher's own."""
    teacher = MLPTeacher(8, n_members=1, encoding="standard", **SMALL).fit(X, Y)
    student = MLPStudent(
        8,
        encoding="standard",
        dropout=0.0,
        weight_decay=0.0,
        learning_rate="constant",
        learning_rate_init=1e-9,
        **SMALL,
    )
    model = DistilledClassifier(
        FrozenEstimator(teacher), student, knowledge={"probabilities": 1, "weights": 1}
    ).fit(X, Y)
    expected = teacher.coefs_[0].reshape(-1, 8)
    assert_allclose(model.student_.coefs_[0], expected, atol=2e-3)
    assert_allclose(
        model.student_.intercepts_[0], teacher.intercepts_[0].ravel(), atol=2e-3
    )


def test_a_strong_pull_keeps_the_first_layer_where_it_began():
    def moved(weight):
        model = distil(
            {"probabilities": 1.0, "weights": weight},
            student=MLPStudent(8, weight_decay=0.0, max_iter=30, random_state=0),
        )
        told = tell(TEACHER, X, None, Inquiry(weights=1.0, n_units=8))
        table = model.student_._check_before_predict(X)
        positions = model.student_.encoder_.positions(table, np.float64)
        first = model.student_.encoder_.product(positions, model.student_.coefs_[0])
        return np.square(
            first + model.student_.intercepts_[0] - told.first_layer
        ).mean()

    assert moved(1000.0) < 0.5 * moved(1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_linear_student_is_pulled_to_the_linearised_teacher(n_classes):
    """The minimiser of cross-entropy, penalty and pull, by another solver."""
    rows = n_classes > Y
    y = Y[rows]
    Z = RNG.normal(size=(len(y), 4)) * [1, 2, 3, 4] + 0.7 * y[:, None]
    proba = RNG.dirichlet(np.ones(n_classes), size=len(y)) * 0.3
    proba[np.arange(len(y)), y] += 0.7
    lam, share, alpha = 2.0, 0.4, 0.5
    student = LinearStudent(alpha=alpha, encoding="standard", tol=1e-9)
    student.fit(
        Z,
        y,
        soft_targets=proba,
        distillation_weight=lam,
        knowledge=Knowledge(1.0, weights=share),
    )
    S = (Z - Z.mean(axis=0)) / Z.std(axis=0)
    logits = np.log(np.clip(proba, 1e-3, None))
    if n_classes == 2:
        logits = logits[:, 1:] - logits[:, :1]
    else:
        logits = logits - logits.mean(axis=1, keepdims=True)
    anchor = np.linalg.lstsq(S, logits - logits.mean(axis=0))[0]
    blend = (np.eye(n_classes)[y] + lam * proba) / (1 + lam)

    def value(flat):
        w = flat.reshape(5, -1)
        z = S @ w[1:] + w[0]
        if n_classes == 2:
            z = np.hstack([np.zeros_like(z), z])
        entropy = -(blend * log_softmax(z, axis=1)).sum(axis=1).mean()
        pull = lam / (1 + lam) * share / np.square(anchor).sum()
        return (
            entropy
            + 0.5 * alpha / len(S) * np.square(w[1:]).sum()
            + 0.5 * pull * np.square(w[1:] - anchor).sum()
        )

    n_outputs = logits.shape[1]
    best = minimize(value, np.zeros(5 * n_outputs), tol=1e-12).x.reshape(5, -1)
    coef = best[1:].T / Z.std(axis=0)
    assert_allclose(student.coef_, coef, atol=2e-3)
    # And it is not where it would be without the pull.
    free = LinearStudent(alpha=alpha, encoding="standard", tol=1e-9)
    free.fit(Z, y, soft_targets=proba, distillation_weight=lam)
    assert np.abs(free.coef_ - coef).max() > 0.01


def test_linear_students_take_weights_of_any_teacher():
    XW, YW = load_wine(return_X_y=True)
    for knowledge in ("weights", {"probabilities": 1.0, "weights": 1.0}):
        model = DistilledClassifier(
            HistGradientBoostingClassifier(max_iter=20),
            "linear",
            knowledge=knowledge,
            random_state=0,
        ).fit(XW, YW)
        assert model.score(XW, YW) > 0.95
    search = DistilledClassifierCV(
        HistGradientBoostingClassifier(max_iter=10),
        "linear",
        knowledge={"probabilities": 1.0, "weights": 1.0},
        distillation_weights=[1.0],
        cv=3,
        random_state=0,
    )
    with pytest.warns(DistillationWarning, match="distilling does not help"):
        search.fit(XW, YW)
    # λ = 0 has no teacher to be pulled to.
    plain = LinearStudent().fit(XW, YW)
    assert_allclose(search.predict_proba(XW), plain.predict_proba(XW), atol=1e-6)


# Errors, before the teacher is fitted


class NeverFitted(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        raise AssertionError("fitted")


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            {"knowledge": "feature"},
            ValueError,
            r"knowledge='feature' has 'feature'; expected 'probabilities', 'features', "
            r"'weights', a Features\(\), or a dict from these to weights. Did you mean "
            "'features'",
        ),
        ({"knowledge": {}}, ValueError, "knowledge={} must name at least one kind"),
        (
            {"knowledge": {"probabilities": -1.0}},
            ValueError,
            r"knowledge\['probabilities'\]=-1.0 must be",
        ),
        (
            {"knowledge": {"features": 0.0}},
            ValueError,
            "gives every kind the weight 0. Give one of them more",
        ),
        (
            {"knowledge": "features"},
            TypeError,
            "teacher NeverFitted has no features to learn from. .* for an MLPTeacher",
        ),
        (
            {"knowledge": {"probabilities": 1, Features("body"): 1}},
            TypeError,
            "teacher NeverFitted has no layer 'body' to learn from",
        ),
        (
            {"knowledge": "weights"},
            TypeError,
            "teacher NeverFitted has no first layer .* a LinearStudent takes any",
        ),
        (
            {"knowledge": "features", "student": "linear"},
            ValueError,
            "LinearStudent has no hidden layer .* Choose an MLPStudent, or",
        ),
        (
            {"knowledge": "features", "student": nn.Linear},
            ValueError,
            "Linear cannot learn knowledge='features'.*Choose an MLPStudent",
        ),
        (
            {"knowledge": "weights", "student": LogisticRegression()},
            ValueError,
            "LogisticRegression as a student cannot learn knowledge='weights'",
        ),
        (
            {"knowledge": "weights", "student": MLPStudent(solver="lbfgs")},
            ValueError,
            "MLPStudent: solver='lbfgs' does not pull .* Set solver='adam'",
        ),
        (
            {
                "knowledge": {"features": 1.0},
                "distillation_weight": np.inf,
                "teacher": MLPTeacher(),
            },
            ValueError,
            "says nothing of the classes, and at distillation_weight=inf no label does",
        ),
    ],
)
def test_knowledge_that_nobody_has_or_learns_is_refused(params, error, message):
    model = DistilledClassifier(**({"teacher": NeverFitted()} | params))
    with pytest.raises(error, match=message):
        model.fit(X, Y)


def test_probabilities_from_elsewhere_have_no_inside():
    model = DistilledClassifier(student=MLPStudent(**SMALL), knowledge="features")
    with pytest.raises(
        ValueError, match="needs a teacher to look into, but teacher_pr"
    ):
        model.fit(X, Y, teacher_proba=TEACHER.predict_proba(X))


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"layer": 3}, TypeError, "layer=3 must be the name of a module, or None"),
        ({"n_components": 0}, ValueError, "n_components=0 must be an integer >= 1"),
        ({"n_components": 1.5}, TypeError, "n_components=1.5 must be an integer >= 1"),
    ],
)
def test_features_refuse_what_names_none(params, error, message):
    with pytest.raises(error, match=message):
        Features(**params)
