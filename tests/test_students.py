"""Whatever the student is, it learns by the objective and answers as a classifier."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.utils import noop
from torch import nn

from sk_distill import DistilledClassifier, LinearStudent, MLPStudent, MLPTeacher
from sk_distill.nn import StackedMLP


@pytest.fixture(autouse=True)
def _same_modules_every_time():
    torch.manual_seed(0)


def proba_of(X, y):
    return LogisticRegression(C=0.01).fit(X, y).predict_proba(X)


def distil(student, X, y, weight=None, **params):
    """Return the classifier whose student was taught by a logistic regression."""
    model = DistilledClassifier(student=student, random_state=0, **params)
    return model.fit(X, y, weight, teacher_proba=proba_of(X, y))


def skorch_net(module=None, kind=NeuralNetClassifier, **params):
    defaults = {"criterion": nn.CrossEntropyLoss, "max_epochs": 4, "verbose": 0}
    return kind(module or nn.Linear(6, 3), **defaults | params)


@pytest.mark.parametrize(
    ("student", "by_hand"),
    [
        ("linear", LinearStudent()),
        ("mlp", MLPStudent()),
        (LinearStudent(alpha=20.0), LinearStudent(alpha=20.0)),
        (MLPStudent((8,), "tanh", max_iter=3), MLPStudent((8,), "tanh", max_iter=3)),
    ],
    ids=["linear", "mlp", "LinearStudent", "MLPStudent"],
)
def test_built_in_student_is_the_student_by_itself(
    multiclass, weight, student, by_hand
):
    X, y = multiclass
    before = joblib.hash(student)
    objective = {"distillation_weight": 3.0, "temperature": 2.0}
    model = distil(student, X, y, weight, **objective)
    by_hand.set_params(random_state=0)
    by_hand.fit(X, y, weight, soft_targets=proba_of(X, y), **objective)
    assert_allclose(model.predict_proba(X), by_hand.predict_proba(X), rtol=1e-9)
    assert_allclose(model.loss_curve_, by_hand.loss_curve_, rtol=1e-9)
    assert model.n_iter_ == by_hand.n_iter_ == len(by_hand.loss_curve_)
    assert joblib.hash(student) == before, (
        "the user's own is neither fitted nor changed"
    )


class Perceptron(StackedMLP):
    def __init__(self, n_features, n_classes):
        super().__init__([n_features, 16, n_classes])


def test_module_class_is_trained_as_an_mlp_student_is(multiclass):
    X, y = multiclass
    X = X * 50.0 + 7.0
    model = distil(Perceptron, X, y)
    by_hand = MLPStudent(
        (16,),
        encoding="standard",
        alpha=0.0,
        dropout=0.0,
        weight_decay=0.0,
        learning_rate="constant",
        learning_rate_init=1e-3,
        max_iter=200,
        random_state=0,
    )
    by_hand.fit(X, y, soft_targets=proba_of(X, y))
    assert_allclose(model.predict_proba(X), by_hand.predict_proba(X), atol=1e-5)
    assert_allclose(model.loss_curve_, by_hand.loss_curve_, atol=1e-5)


def test_module_is_copied_and_trained_from_the_weights_it_has(multiclass):
    X, y = multiclass
    module = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Tanh(), nn.Linear(8, 3))
    module[0].requires_grad_(False)
    before = joblib.hash(module)
    model = distil(module, X, y)
    assert joblib.hash(module) == before
    trained = model.student_.module_
    assert torch.equal(trained[0].weight, module[0].weight)
    assert not torch.equal(trained[3].weight, module[3].weight)
    inputs = torch.tensor(StandardScaler().fit_transform(X)).float()
    logits = trained[3](torch.tanh(trained[0](inputs))).detach().numpy()
    assert_allclose(model.predict_proba(X), softmax(logits, axis=1), atol=1e-5)


def test_one_logit_is_that_of_the_second_class(binary):
    X, y = binary
    model = distil(nn.Linear(6, 1), X, y)
    inputs = torch.tensor(StandardScaler().fit_transform(X)).float()
    logits = model.student_.module_(inputs).detach().numpy()
    assert_allclose(model.predict_proba(X)[:, [1]], expit(logits), atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_skorch_net_keeps_its_optimiser_and_schedule(multiclass, weight, temperature):
    """Momentum over all rows, the step halved at each epoch, in numpy."""
    X, y = multiclass
    module = nn.Linear(6, 3)
    net = skorch_net(
        module,
        lr=0.5,
        optimizer__momentum=0.9,
        callbacks=[LRScheduler("StepLR", step_size=1, gamma=0.5)],
        batch_size=-1,
        train_split=None,
    )
    model = distil(net, X, y, weight, distillation_weight=3.0, temperature=temperature)
    rows = np.hstack([X, np.ones((len(X), 1))])
    start = np.vstack([module.weight.detach().numpy().T, module.bias.detach().numpy()])
    soft = proba_of(X, y) ** (1 / temperature)
    soft /= soft.sum(axis=1, keepdims=True)
    coef, velocity = start.astype(float), 0.0
    for epoch in range(4):
        z = rows @ coef
        error = 0.25 * (softmax(z, axis=1) - np.eye(3)[y])
        error += 0.75 * temperature * (softmax(z / temperature, axis=1) - soft)
        gradient = rows.T @ (error * weight[:, None]) / weight.sum()
        velocity = 0.9 * velocity + gradient
        coef -= 0.5 * 0.5**epoch * velocity
    trained = model.student_.net_.module_
    assert_allclose(trained.weight.detach().numpy(), coef[:-1].T, atol=1e-5)
    assert_allclose(trained.bias.detach().numpy(), coef[-1], atol=1e-5)
    assert np.abs(coef - start).max() > 0.1
    assert_array_equal(module.weight.detach().numpy(), start[:-1].T)
    assert not net.initialized_


def test_skorch_net_keeps_its_batches_split_and_callbacks(multiclass):
    calls = []

    class Count(Callback):
        def on_train_begin(self, net, **_):
            calls.append("train")

        def on_epoch_end(self, net, **_):
            calls.append("epoch")

        def on_batch_end(self, net, training, **_):
            calls.append("batch" if training else "held-out batch")

    model = distil(skorch_net(batch_size=48, callbacks=[Count()]), *multiclass)
    # A fifth of the 240 rows is held out: 192 make four batches, 48 make one.
    counts = {call: calls.count(call) for call in calls}
    assert counts == {"train": 1, "epoch": 4, "batch": 16, "held-out batch": 4}
    assert sorted(model.history_) == ["train_loss", "valid_loss"]
    assert "valid_acc" in model.student_.net_.history[-1]
    assert type(model.student_.net_) is NeuralNetClassifier


def test_callback_of_a_skorch_net_ends_its_training(multiclass):
    never_enough = {"threshold": 10, "threshold_mode": "abs", "sink": noop}
    stop = EarlyStopping("train_loss", patience=2, **never_enough)
    model = distil(skorch_net(max_epochs=20, callbacks=[stop]), *multiclass)
    assert model.n_iter_ == len(model.loss_curve_) == 3


def test_criterion_says_what_a_skorch_net_returns(multiclass):
    X, y = multiclass
    linear = nn.Linear(6, 3)
    softmaxed = nn.Sequential(linear, nn.Softmax(-1))
    nets = skorch_net(linear), skorch_net(softmaxed, criterion=nn.NLLLoss)
    assert_allclose(*(distil(net, X, y).predict_proba(X) for net in nets), atol=1e-6)


def test_binary_skorch_net_is_the_net_with_one_column(binary):
    column = nn.Linear(6, 1)
    flat = skorch_net(nn.Sequential(column, nn.Flatten(0)), NeuralNetBinaryClassifier)
    flat.set_params(criterion=nn.BCEWithLogitsLoss)
    models = [distil(net, *binary) for net in (skorch_net(column), flat)]
    assert_allclose(*(model.predict_proba(binary[0]) for model in models), rtol=1e-5)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("table", ["binary", "multiclass"])
def test_units_of_the_columns_are_units_of_the_coefficients(request, table, solver):
    X, y = request.getfixturevalue(table)
    student = LinearStudent(solver=solver, max_iter=50)
    scale, shift = np.array([1e-3, 0.1, 1.0, 10.0, 60.0, 1e4]), np.arange(6.0)
    model = DistilledClassifier(student=student, random_state=0)
    plain, other = (
        clone(model).fit(table, y, teacher_proba=proba_of(X, y))
        for table in (X, X * scale + shift)
    )
    assert_allclose(other.coef_ * scale, plain.coef_, atol=1e-4)
    moved = plain.intercept_ - (plain.coef_ / scale) @ shift
    assert_allclose(other.intercept_, moved, rtol=1e-3)
    score = X @ plain.coef_.T + plain.intercept_
    assert_allclose(plain.decision_function(X).reshape(score.shape), score, rtol=1e-9)


def test_coefficients_go_when_the_student_has_none(binary):
    model = distil("linear", *binary)
    assert model.coef_.shape == (1, 6)
    model.set_params(student=MLPStudent(max_iter=1))
    model.fit(*binary, teacher_proba=proba_of(*binary))
    assert not {"coef_", "intercept_"} & set(vars(model))


@pytest.mark.parametrize("kind", [LinearStudent, MLPStudent])
def test_warm_adam_goes_on_from_the_weights_and_the_encoding(multiclass, kind):
    X, y = multiclass
    student = kind(solver="adam", max_iter=5, warm_start=True, random_state=0)
    before = student.fit(X, y).predict_proba(X)
    student.set_params(learning_rate_init=1e-20).fit(5 * X[:90], y[:90])
    assert_allclose(student.predict_proba(X), before, atol=1e-6)
    student.set_params(warm_start=False).fit(X, y)
    assert np.abs(student.predict_proba(X) - before).max() > 0.01


@pytest.mark.parametrize(
    "student", [LinearStudent(max_iter=3), MLPStudent((8,), solver="lbfgs", max_iter=3)]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_warm_lbfgs_goes_on_downhill(multiclass, student):
    student = clone(student).set_params(warm_start=True, random_state=0)
    lasts = [student.fit(*multiclass).loss_curve_[-1] for _ in range(4)]
    assert lasts == sorted(lasts, reverse=True)
    assert len(set(lasts)) == 4
    cold = clone(student).set_params(warm_start=False)
    assert cold.fit(*multiclass).loss_curve_[-1] == lasts[0]


def test_warm_linear_student_stays_at_the_optimum(multiclass):
    student = LinearStudent(warm_start=True).fit(*multiclass)
    first, coef = student.n_iter_, student.coef_
    assert student.fit(*multiclass).n_iter_ <= 1 < first
    assert_allclose(student.coef_, coef, atol=1e-3)


@pytest.mark.parametrize(
    "kind",
    [
        lambda n_classes: "linear",
        lambda n_classes: MLPStudent((8,), max_iter=3),
        lambda n_classes: nn.Linear(6, n_classes),
        lambda n_classes: skorch_net(nn.Linear(6, n_classes)),
    ],
    ids=["linear", "mlp", "module", "skorch"],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_answers_agree(multiclass, weight, kind, n_classes):
    X, codes = multiclass
    keep = codes < n_classes
    y = np.array(["ash", "beech", "cedar"])[codes]
    X, y, weight = X[keep][:90], y[keep][:90], weight[:90]
    model = distil(kind(n_classes), X, y)
    proba = model.predict_proba(X)
    assert_allclose(model.predict_log_proba(X), np.log(proba))
    scores = model.decision_function(X)
    if n_classes == 2:
        scores = np.stack([np.zeros(90), scores], axis=1)
    assert_allclose(softmax(scores, axis=1), proba, rtol=1e-6)
    labels = model.classes_[proba.argmax(axis=1)]
    assert_array_equal(model.predict(X), labels)
    right = np.average(labels == y, weights=weight)
    assert_allclose(model.score(X, y, weight), right)
    assert_array_equal(model.student_.predict_proba(X), proba)


SERVE = """
import pickle, sys
with open("students.pickle", "rb") as file:
    students, X = pickle.load(file)
answers = [(s.predict_proba(X), s.decision_function(X), s.predict(X)) for s in students]
heavy = {"torch", "skorch"} & set(sys.modules)
with open("answers.pickle", "wb") as file:
    pickle.dump((answers, heavy), file)
"""


def test_built_in_student_is_served_without_torch(multiclass, tmp_path):
    X, y = multiclass
    teacher, linear = MLPTeacher((8,), max_iter=2), distil("linear", X, y)
    mlp = DistilledClassifier(teacher, MLPStudent((8,), max_iter=3)).fit(X, y)
    served = [linear.student_, mlp.student_, linear, mlp, mlp.teacher_]
    (tmp_path / "students.pickle").write_bytes(pickle.dumps((served, X)))
    subprocess.run([sys.executable, "-c", SERVE], cwd=tmp_path, check=True)
    answers, heavy = pickle.loads((tmp_path / "answers.pickle").read_bytes())
    assert not heavy
    for student, (proba, scores, labels) in zip(served, answers, strict=True):
        assert_array_equal(proba, student.predict_proba(X))
        assert_array_equal(scores, student.decision_function(X))
        assert_array_equal(labels, student.predict(X))


@pytest.mark.parametrize(
    "network",
    [
        MLPStudent(4, max_iter=3, class_weight={0: 0, 1: 1, 2: 1}, random_state=0),
        LinearStudent(
            encoding="piecewise_linear", class_weight={0: 0, 1: 1, 2: 1}, random_state=0
        ),
    ],
)
def test_a_class_of_weight_zero_is_as_good_as_absent(network):
    """Where it lay alone, the targets that choose the bins had no mean."""
    X, y = load_wine(return_X_y=True)
    present = (y > 0).astype(float)
    other = clone(network).set_params(class_weight=None)
    weighted = network.fit(X, y).predict_proba(X)
    assert_allclose(weighted, other.fit(X, y, present).predict_proba(X), atol=1e-6)


def test_a_missing_cell_leaves_the_rows_beside_it_alone(binary):
    """A number far out was another one as soon as any cell of the rows was missing."""
    student = LinearStudent(alpha=1e6).fit(*binary)
    rows = np.zeros((4, 6))
    rows[0, :2] = 1e9
    rows[1, 0] = np.nan
    rows[2, :2] = [np.nan, 1e8]
    rows[3, 0] = 1e308
    together = student.predict_proba(rows)
    alone = np.vstack([student.predict_proba(row[None]) for row in rows])
    assert_allclose(together, alone, rtol=0, atol=1e-12)
    # What is missing is the mean, and all else is as it was.
    filled = np.where(np.isnan(rows), student.encoder_.mean_, rows)
    z = filled[:3] @ student.coef_[0] + student.intercept_[0]
    assert_allclose(student.decision_function(rows)[:3], z, rtol=1e-12)
