"""What a user's nets and modules may be, as teachers and as students."""

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from skorch.callbacks import EarlyStopping
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from skorch.utils import noop
from torch import nn

from nets import distil, says, skorch_net, student, teach
from sk_distill import DistilledClassifier, MLPTeacher
from sk_distill.exceptions import TrainingDivergedError
from sk_distill.networks.module import module_logits
from sk_distill.teachers.module import ModuleTeacher

# A net as teacher.


def test_seed_decides_a_net_that_teaches(multiclass):
    """random_state did not reach it, and its fit moved torch's global generator."""
    net = NeuralNetClassifier(
        Perceptron, criterion=nn.CrossEntropyLoss, max_epochs=2, verbose=0
    )
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    model = DistilledClassifier(net, "linear", random_state=0)
    first, second = (
        model.fit(*multiclass).predict_proba(multiclass[0]) for _ in range(2)
    )
    assert_array_equal(first, second)
    model.set_params(random_state=1).fit(*multiclass)
    assert not np.array_equal(first, model.predict_proba(multiclass[0]))
    assert torch.equal(before[0], torch.get_rng_state())
    assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


class Perceptron(nn.Sequential):
    def __init__(self, n_features=6, n_classes=3):
        super().__init__(
            nn.Linear(n_features, 8), nn.Dropout(0.5), nn.Linear(8, n_classes)
        )


@pytest.mark.parametrize("criterion", [nn.BCEWithLogitsLoss, nn.BCELoss])
def test_binary_net_teaches(criterion, binary):
    """Its loss refused labels that are integers."""
    module = nn.Linear(6, 1)
    if criterion is nn.BCELoss:
        module = nn.Sequential(module, nn.Sigmoid())
    net = skorch_net(
        module, NeuralNetBinaryClassifier, criterion=criterion, lr=0.5, max_epochs=20
    )
    teacher = teach(net, *binary)
    proba = teacher.predict_proba(binary[0])
    assert proba.shape == (240, 2)
    assert teacher.score(*binary) > 0.7


@pytest.mark.parametrize("net", [NeuralNetBinaryClassifier, NeuralNetClassifier])
def test_probability_of_bce_loss_is_no_logit(net, binary):
    """A module that ends in a sigmoid had its probabilities taken for logits."""
    column = nn.Linear(6, 1)
    logits = skorch_net(column, net, criterion=nn.BCEWithLogitsLoss)
    proba = skorch_net(nn.Sequential(column, nn.Sigmoid()), net, criterion=nn.BCELoss)
    models = [distil(each, *binary) for each in (logits, proba)]
    assert_allclose(*(model.predict_proba(binary[0]) for model in models), atol=1e-5)


def test_certain_probability_of_bce_loss_has_a_finite_logit(binary):
    X, y = binary
    module = nn.Sequential(nn.Linear(6, 1), nn.Sigmoid())
    nn.init.constant_(module[0].bias, 200.0)
    net = skorch_net(module, NeuralNetBinaryClassifier, criterion=nn.BCELoss)
    assert np.isfinite(distil(net, X, y).decision_function(X)).all()


@pytest.mark.parametrize("fit", [teach, distil])
def test_net_that_diverges(fit, multiclass):
    """A teacher of NaN weights was asked for its probabilities."""
    message = says("diverged", "the net's lr (it is 1e+38)")
    with pytest.raises(TrainingDivergedError, match=message):
        fit(skorch_net(lr=1e38), *multiclass)


class Wide(NeuralNetClassifier):
    """Sets the width of its module by the table, as skorch's manual advises."""

    def fit(self, X, y=None, **fit_params):
        self.set_params(module__n_features=X.shape[1])
        return super().fit(X, y, **fit_params)


def test_net_that_teaches_keeps_its_own_fit(multiclass):
    net = Wide(
        Perceptron,
        module__n_features=1,
        criterion=nn.CrossEntropyLoss,
        max_epochs=2,
        verbose=0,
    )
    teacher = teach(net, *multiclass)
    assert type(teacher.net_) is Wide
    assert teacher.predict_proba(multiclass[0]).shape == (240, 3)


# A net as student.


def test_validation_set_of_the_users_own_is_scored_by_its_labels(multiclass):
    """Its rows came as a tensor, without a teacher's probabilities to score by."""
    X, y = multiclass[0].astype(np.float32), multiclass[1].astype(np.int64)
    split = predefined_split(Dataset(X[:40], y[:40]))
    stopping = EarlyStopping(patience=50, load_best=True, sink=noop)
    net = skorch_net(train_split=split, callbacks=[stopping], max_epochs=4)
    model = distil(net, X[40:], y[40:])
    labels = torch.from_numpy(y[:40])
    logits = torch.from_numpy(model.net_.forward(X[:40]).numpy())
    loss = nn.functional.cross_entropy(logits, labels)
    assert_allclose(loss, model.history_["valid_loss"].min(), rtol=1e-5)


def test_validation_set_of_the_users_own_has_codes_for_labels(multiclass):
    X, y = multiclass[0].astype(np.float32), multiclass[1].astype(np.int64)
    net = skorch_net(train_split=predefined_split(Dataset(X, y + 10)))
    message = says(
        "NeuralNetClassifier: ", "from 10 to 12", "0 to 2", "np.searchsorted"
    )
    with pytest.raises(ValueError, match=message):
        distil(net, X, y)


class InputsAlone(Dataset):
    def transform(self, X, y):
        X, y = super().transform(X, y)
        return (X["inputs"] if isinstance(X, dict) else X), y


def test_net_whose_dataset_drops_the_targets(multiclass):
    """Without targets it would learn from labels alone, and nobody would know."""
    net = skorch_net(dataset=InputsAlone, train_split=None)
    message = says(
        "NeuralNetClassifier: ", "dataset or iterator", "Tensor", "expected the"
    )
    with pytest.raises(TypeError, match=message):
        distil(net, *multiclass)


@pytest.mark.parametrize("net", [student(early_stopping=True), skorch_net()])
def test_labels_have_no_say_where_the_weight_is_infinite(net, multiclass):
    """Rows were held out by strata of y, which λ = inf leaves out."""
    X, y = multiclass
    proba = np.random.default_rng(0).dirichlet(np.ones(3), len(X))
    model = DistilledClassifier(student=net, distillation_weight=np.inf, random_state=0)
    answers = [
        model.fit(X, labels, teacher_proba=proba).predict_proba(X)
        for labels in (y, np.roll(y, 1))
    ]
    assert_array_equal(*answers)


# Modules.


def test_asking_a_module_leaves_the_flag_of_each_part(multiclass):
    """``train(True)`` at the end woke the parts that the user had put to evaluation."""
    module = nn.Sequential(nn.BatchNorm1d(6), nn.Dropout(), nn.Linear(6, 3))
    module.train()
    module[0].eval()
    module_logits(module, multiclass[0].astype(np.float32))
    assert [part.training for part in module.modules()] == [True, False, True, True]
    module.eval()
    module[1].train()
    module_logits(module, multiclass[0].astype(np.float32))
    assert [part.training for part in module.modules()] == [False, False, True, False]


class Narrow(nn.Linear):
    def __init__(self, n_features):
        super().__init__(n_features, 3)


class Pair(nn.Linear):
    def forward(self, x):
        logits = super().forward(x)
        return logits, logits.exp()


@pytest.mark.parametrize("role", ["teacher", "student"])
@pytest.mark.parametrize(
    ("module", "parts"),
    [
        (Narrow, ["Narrow: Narrow(6, 3) failed", "(n_features, n_classes)"]),
        (Pair(6, 3), ["Pair: the module returned a tuple", "the logits alone"]),
        (Pair, ["Pair: the module returned a tuple", "the logits alone"]),
        (nn.Linear(6, 3).double(), ["Linear: ", "torch.float64", "module.float()"]),
    ],
    ids=["constructor", "tuple", "tuple of a class", "float64"],
)
def test_module_that_cannot_be_used(role, module, parts, multiclass):
    """They came as torch's own errors, or as one about the width of a layer."""
    X, y = multiclass
    model = DistilledClassifier(**{"teacher": nn.Linear(6, 3), role: module})
    with pytest.raises(TypeError, match=says(*parts)):
        model.fit(X, y)


def test_skorch_net_in_double_precision(multiclass):
    message = says("NeuralNetClassifier: ", "in torch.float64", "module.float()")
    with pytest.raises(TypeError, match=message):
        distil(skorch_net(nn.Linear(6, 3).double()), *multiclass)


class Cast(nn.Linear):
    def forward(self, x):
        return super().forward(x.double())


def test_module_that_casts_rows_itself_may_teach(multiclass):
    X, y = multiclass
    teacher = ModuleTeacher(Cast(6, 3).double()).fit(X, y)
    assert teacher.predict_proba(X).shape == (240, 3)


# Threads.


def test_fits_in_threads_are_the_serial_ones(multiclass):
    """Threads drew from each other's seeds, and put back each other's generators."""
    X, y = multiclass

    def fit(seed):
        return (
            MLPTeacher((8,), n_members=2, dropout=0.3, max_iter=4, random_state=seed)
            .fit(X, y)
            .predict_proba(X)
        )

    serial = [fit(seed) for seed in range(4)]
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    n_threads = torch.get_num_threads()
    with joblib.parallel_config(backend="threading"):
        threaded = joblib.Parallel(n_jobs=4)(
            joblib.delayed(fit)(seed) for seed in range(4)
        )
    for one, other in zip(serial, threaded, strict=True):
        assert_array_equal(one, other)
    assert torch.equal(before[0], torch.get_rng_state())
    assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert torch.get_num_threads() == n_threads
