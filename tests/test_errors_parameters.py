"""A parameter that cannot be used: the message names it, its value and the way out."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, Perceptron
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from skorch import NeuralNetClassifier

from nets import says
from sk_distill import DistilledClassifier, LinearStudent, MLPStudent, MLPTeacher

X, Y = (array[::2] for array in load_iris(return_X_y=True))
PROBA = GaussianNB().fit(X, Y).predict_proba(X)
NETWORKS = [LinearStudent, MLPStudent, MLPTeacher]


def distilled(**params):
    return DistilledClassifier(
        **{"teacher": GaussianNB(), "student": "linear"} | params
    )


LAMBDA = "0 learns from the labels alone, inf from the teacher alone"
KEEP = "1 leaves the teacher's probabilities as they are"


@pytest.mark.parametrize(
    ("name", "value", "error", "expected", "way_out"),
    [
        ("distillation_weight", -1, ValueError, ">= 0, inf included", LAMBDA),
        ("distillation_weight", float("nan"), ValueError, "a number >= 0", LAMBDA),
        ("distillation_weight", -np.inf, ValueError, "a number >= 0", LAMBDA),
        ("distillation_weight", "1", TypeError, "got a str", LAMBDA),
        ("distillation_weight", True, TypeError, "got a bool", LAMBDA),
        ("distillation_weight", None, TypeError, "got a NoneType", LAMBDA),
        ("temperature", 0, ValueError, "a number > 0", KEEP),
        ("temperature", -2.5, ValueError, "a number > 0", KEEP),
        ("temperature", float("nan"), ValueError, "a number > 0", KEEP),
        ("temperature", float("inf"), ValueError, "a number > 0", KEEP),
        ("temperature", "2", TypeError, "got a str", KEEP),
        ("temperature", [1], TypeError, "got a list", KEEP),
    ],
)
class TestWeightAndTemperature:
    def test_of_the_estimator(self, name, value, error, expected, way_out):
        message = says(
            f"DistilledClassifier: {name}={value!r} must be", expected, way_out
        )
        with pytest.raises(error, match=message):
            distilled(**{name: value}).fit(X, Y)

    def test_of_a_students_fit(self, name, value, error, expected, way_out):
        message = says(f"LinearStudent: {name}={value!r} must be", expected, way_out)
        with pytest.raises(error, match=message):
            LinearStudent().fit(X, Y, soft_targets=PROBA, **{name: value})


STUDENTS = "'linear', 'mlp'"
LOSSES = "'soft_cross_entropy', 'kl', 'logit_mse', 'decoupled', 'dist'"
SOLVERS = "'lbfgs', 'adam'"
ACTIVATIONS = "'identity', 'logistic', 'relu', 'tanh'"


@pytest.mark.parametrize(
    ("estimator", "name", "value", "valid", "nearest"),
    [
        (distilled, "student", "linaer", STUDENTS, "linear"),
        (distilled, "student", "mpl", STUDENTS, "mlp"),
        (distilled, "loss", "soft_cross_entropie", LOSSES, "soft_cross_entropy"),
        (distilled, "loss", "kll", LOSSES, "kl"),
        (distilled, "loss", "logit_mae", LOSSES, "logit_mse"),
        (distilled, "class_weight", "balancd", "'balanced' or a dict", "balanced"),
        (LinearStudent, "solver", "lbgfs", SOLVERS, "lbfgs"),
        (MLPStudent, "solver", "adm", "'auto', 'adam', 'lbfgs'", "adam"),
        (MLPStudent, "activation", "rellu", ACTIVATIONS, "relu"),
        (MLPTeacher, "activation", "logstic", ACTIVATIONS, "logistic"),
        (MLPStudent, "encoding", "standrd", "'standard', None", "standard"),
        (MLPStudent, "batch_size", "autoo", "'auto' or an integer", "auto"),
        (LinearStudent, "class_weight", "balancd", "'balanced' or a dict", "balanced"),
    ],
)
def test_misspelt_name_gets_the_valid_ones_and_the_nearest(
    estimator, name, value, valid, nearest
):
    estimator = estimator(**{name: value})
    message = says(
        f"{type(estimator).__name__}: {name}={value!r} is not valid; choose one of",
        valid,
        f"Did you mean {nearest!r}?",
    )
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, Y)


@pytest.mark.parametrize(
    ("estimator", "name", "value", "valid"),
    [
        (distilled, "student", "forest", STUDENTS),
        (distilled, "loss", "zzz", LOSSES),
        (distilled, "loss", None, LOSSES),
        (distilled, "loss", 3, LOSSES),
        (LinearStudent, "solver", "zzz", SOLVERS),
        (LinearStudent, "solver", None, SOLVERS),
        (MLPStudent, "activation", torch.nn.ReLU, ACTIVATIONS),
        (MLPStudent, "encoding", ["standard"], "'standard', None"),
    ],
)
def test_name_unlike_any_valid_one_gets_no_guess(estimator, name, value, valid):
    estimator = estimator(**{name: value})
    with pytest.raises(
        ValueError, match=says(f"{name}={value!r} is not valid; choose one of", valid)
    ) as info:
        estimator.fit(X, Y)
    assert "Did you mean" not in str(info.value)


@pytest.mark.parametrize(
    "student",
    [None, 3, LinearStudent, NeuralNetClassifier],
    ids=["None", "number", "class", "net class"],
)
def test_student_that_cannot_learn_from_soft_targets(student):
    message = says(
        f"DistilledClassifier: student={student!r} cannot learn from soft targets; "
        "choose 'linear', 'mlp', a LinearStudent, an MLPStudent"
    )
    with pytest.raises(TypeError, match=message):
        distilled(student=student).fit(X, Y)


@pytest.mark.parametrize(
    "teacher",
    [
        Perceptron(),
        LinearSVC(),
        LinearRegression(),
        make_pipeline(StandardScaler(), Perceptron()),
    ],
    ids=lambda teacher: type(teacher).__name__,
)
def test_teacher_without_predict_proba(teacher):
    message = says(
        f"teacher={teacher!r} has no predict_proba", "CalibratedClassifierCV(teacher)"
    )
    with pytest.raises(TypeError, match=message):
        distilled(teacher=teacher).fit(X, Y)


@pytest.mark.parametrize("teacher", ["forest", 3, {"nb": GaussianNB()}])
def test_teacher_that_is_no_classifier(teacher):
    message = says(
        f"teacher={teacher!r} is no classifier; pass None, a classifier with "
        "predict_proba, a list of (name, classifier)"
    )
    with pytest.raises(TypeError, match=message):
        distilled(teacher=teacher).fit(X, Y)


def test_teacher_class_instead_of_an_instance():
    message = says("teacher=GaussianNB is a class; pass an instance, GaussianNB(...).")
    with pytest.raises(TypeError, match=message):
        distilled(teacher=GaussianNB).fit(X, Y)


@pytest.mark.parametrize(
    "teacher",
    [[], [GaussianNB()], [("nb", GaussianNB()), ("forest", "forest")]],
    ids=["empty", "no names", "no classifier"],
)
def test_teacher_list_that_is_none(teacher):
    with pytest.raises(
        (TypeError, ValueError), match=says("teacher=", "list of (name, classifier)")
    ):
        distilled(teacher=teacher).fit(X, Y)


def test_member_of_a_teacher_list_without_predict_proba():
    teacher = [("nb", GaussianNB()), ("perceptron", Perceptron())]
    with pytest.raises(
        TypeError, match=says("Perceptron()", "no predict_proba", "Calibrated")
    ):
        distilled(teacher=teacher).fit(X, Y)


@pytest.mark.parametrize("teacher_cv", [0, 1, True, 2.5, "5", len(X) + 1])
def test_teacher_cv(teacher_cv):
    message = says(f"DistilledClassifier: teacher_cv={teacher_cv!r}", "2")
    with pytest.raises((TypeError, ValueError), match=message):
        distilled(teacher_cv=teacher_cv).fit(X, Y)


def test_memory():
    with pytest.raises(
        ValueError, match=says("memory=3", "the path of a folder", "joblib.Memory")
    ):
        distilled(memory=3).fit(X, Y)


@pytest.mark.parametrize("n_jobs", ["2", 0, 1.5, True])
def test_n_jobs(n_jobs):
    message = says(f"DistilledClassifier: n_jobs={n_jobs!r} must be None", "-1")
    with pytest.raises(ValueError, match=message):
        distilled(n_jobs=n_jobs, teacher_cv=3).fit(X, Y)


@pytest.mark.parametrize("random_state", ["a", -1, 2**40, 1.5])
@pytest.mark.parametrize("estimator", [distilled, LinearStudent], ids=["D", "student"])
def test_random_state(estimator, random_state):
    with pytest.raises(ValueError, match=says(f"random_state={random_state!r}")):
        estimator(random_state=random_state).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value", "error", "expected"),
    [
        ("batch_size", 0, ValueError, "an integer >= 1"),
        ("batch_size", -1, ValueError, "an integer >= 1"),
        ("batch_size", 1.5, TypeError, "an integer >= 1, got a float"),
        ("batch_size", None, TypeError, "an integer >= 1, got a NoneType"),
        ("batch_size", True, TypeError, "an integer >= 1, got a bool"),
        ("max_iter", 0, ValueError, "an integer >= 1"),
        ("max_iter", 1.5, TypeError, "an integer >= 1, got a float"),
        ("n_iter_no_change", 0, ValueError, "an integer >= 1"),
        ("n_iter_no_change", "3", TypeError, "an integer >= 1, got a str"),
        ("learning_rate_init", 0, ValueError, "a number > 0"),
        ("learning_rate_init", float("inf"), ValueError, "a number > 0"),
        ("learning_rate_init", "a", TypeError, "a number > 0, got a str"),
        ("tol", -1e-9, ValueError, "a number >= 0"),
        ("tol", float("nan"), ValueError, "a number >= 0"),
        ("tol", None, TypeError, "a number >= 0, got a NoneType"),
        ("validation_fraction", 0, ValueError, "a number > 0 and <= 0.9"),
        ("validation_fraction", 1.0, ValueError, "a number > 0 and <= 0.9"),
        ("validation_fraction", float("nan"), ValueError, "a number > 0 and <= 0.9"),
        ("net_params", 3, TypeError, "a dict of parameters of the skorch net, or None"),
        ("net_params", [("lr", 1)], TypeError, "a dict of parameters of the skorch"),
        ("device", 3, TypeError, "a string: 'auto', 'cpu', 'cuda'"),
    ],
)
@pytest.mark.parametrize("network", NETWORKS, ids=lambda cls: cls.__name__)
def test_shared_parameter_of_networks(network, name, value, error, expected):
    message = says(f"{network.__name__}: {name}={value!r} must be {expected}")
    with pytest.raises(error, match=message):
        network(**{name: value}).fit(X, Y)


@pytest.mark.parametrize(
    ("network", "name", "value", "error", "expected"),
    [
        (LinearStudent, "alpha", -1, ValueError, "a number >= 0"),
        (MLPStudent, "alpha", float("nan"), ValueError, "a number >= 0"),
        (MLPStudent, "alpha", float("inf"), ValueError, "a number >= 0"),
        (MLPStudent, "alpha", "a", TypeError, "a number >= 0, got a str"),
        (MLPTeacher, "n_members", 0, ValueError, "an integer >= 1"),
        (MLPTeacher, "n_members", 2.0, TypeError, "an integer >= 1, got a float"),
        (MLPTeacher, "dropout", 1.0, ValueError, "a number >= 0 and <= 0.99"),
        (MLPTeacher, "dropout", -0.1, ValueError, "a number >= 0 and <= 0.99"),
        (MLPTeacher, "weight_decay", -1, ValueError, "a number >= 0"),
    ],
)
def test_parameter_of_one_network(network, name, value, error, expected):
    message = says(f"{network.__name__}: {name}={value!r} must be {expected}")
    with pytest.raises(error, match=message):
        network(**{name: value}).fit(X, Y)


@pytest.mark.parametrize(
    "sizes",
    [(0,), (), "abc", -1, 1.5, (8, 1.5), None, [[3]], np.array([3.0]), True, (True,)],
    ids=repr,
)
@pytest.mark.parametrize("network", [MLPStudent, MLPTeacher])
def test_hidden_layer_sizes(network, sizes):
    message = says(
        f"{network.__name__}: hidden_layer_sizes={sizes!r} must be a positive integer "
        "or a non-empty tuple of them. Use LinearStudent"
    )
    with pytest.raises((TypeError, ValueError), match=message):
        network(sizes, max_iter=2).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value"),
    [("early_stopping", "False"), ("early_stopping", None), ("warm_start", "no")],
)
def test_switch_that_is_neither_true_nor_false(name, value):
    """The text "False" would otherwise switch it on."""
    message = says(f"MLPStudent: {name}={value!r} must be", "True or False")
    with pytest.raises((TypeError, ValueError), match=message):
        MLPStudent(max_iter=2, **{name: value}).fit(X, Y)


@pytest.mark.parametrize("callbacks", [3, "abc", ["abc"]], ids=repr)
def test_callbacks(callbacks):
    message = says(f"MLPStudent: callbacks={callbacks!r} must be", "skorch callbacks")
    with pytest.raises(TypeError, match=message):
        MLPStudent(callbacks=callbacks, max_iter=2).fit(X, Y)


def test_net_params_that_the_net_does_not_have():
    student = MLPStudent(net_params={"optimiser": torch.optim.SGD}, max_iter=2)
    message = says("MLPStudent: ", "optimiser")
    with pytest.raises((TypeError, ValueError), match=message):
        student.fit(X, Y)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda cls: cls.__name__)
class TestDevice:
    def test_that_torch_does_not_know(self, network):
        message = says(
            f"{network.__name__}: device='quantum' is no torch device. Use 'auto'"
        )
        with pytest.raises(ValueError, match=message):
            network(device="quantum").fit(X, Y)

    @pytest.mark.parametrize("device", ["cuda", "cuda:1"])
    def test_gpu_where_there_is_none(self, network, device, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        message = says(
            f"{network.__name__}: device={device!r}, but torch sees no GPU on this "
            "machine. Use device='auto'"
        )
        with pytest.raises(ValueError, match=message):
            network(device=device).fit(X, Y)

    def test_that_holds_no_data(self, network):
        message = says(f"{network.__name__}: device='meta'", "Use 'auto'")
        with pytest.raises(ValueError, match=message):
            network(device="meta").fit(X, Y)


@pytest.mark.parametrize("estimator", [distilled, LinearStudent], ids=["D", "student"])
@pytest.mark.parametrize(
    ("class_weight", "complaint"),
    [
        ({0: -1.0}, "must hold finite weights >= 0"),
        ({0: float("nan")}, "must hold finite weights >= 0"),
        ({0: float("inf")}, "must hold finite weights >= 0"),
        ({0: "a"}, ""),
        ({7: 1.0}, "[0, 1, 2]"),
        (3, "'balanced'"),
        ([1, 2, 3], "'balanced'"),
        ({0: 0, 1: 0, 2: 0}, "zero"),
    ],
    ids=repr,
)
def test_class_weight(estimator, class_weight, complaint):
    estimator = estimator(class_weight=class_weight)
    message = says(
        f"{type(estimator).__name__}: class_weight={class_weight!r}", complaint
    )
    with pytest.raises((TypeError, ValueError), match=message):
        estimator.fit(X, Y)


def test_class_weight_without_labels():
    message = says(
        "LinearStudent: class_weight='balanced' needs labels, but y is None. Pass y, "
        "or class_weight=None."
    )
    with pytest.raises(ValueError, match=message):
        LinearStudent(class_weight="balanced").fit(X, None, soft_targets=PROBA)


LOSSES_GONE_WRONG = {
    "mean over rows": (lambda s, t, y: ((s - t) ** 2).mean(), "returned shape ()"),
    "value a class": (lambda s, t, y: (s - t) ** 2, f"shape ({len(X)}, 3)"),
    "column": (
        lambda s, t, y: ((s - t) ** 2).sum(-1, keepdim=True),
        f"shape ({len(X)}, 1)",
    ),
    "None": (lambda s, t, y: None, "None"),
    "number": (lambda s, t, y: 3.0, "3.0"),
    "array": (lambda s, t, y: np.zeros(len(s)), "ndarray"),
}


@pytest.mark.parametrize("name", LOSSES_GONE_WRONG)
def test_loss_that_is_not_one_value_a_row(name):
    loss, received = LOSSES_GONE_WRONG[name]
    message = says(
        f"loss {loss!r} returned", received.removeprefix("returned "), "one value a row"
    )
    with pytest.raises((TypeError, ValueError), match=message):
        distilled(loss=loss).fit(X, Y)


@pytest.mark.parametrize("kind", [LinearStudent, MLPStudent])
class TestWarmStart:
    @pytest.fixture
    def student(self, kind):
        return kind(max_iter=300, warm_start=True).fit(X, Y)

    def test_with_other_classes(self, student):
        message = says(
            f"{type(student).__name__}: warm_start=True goes on with the classes of "
            "the earlier fit, [0, 1, 2]; y has ['a', 'b', 'c']. Set warm_start=False"
        )
        with pytest.raises(ValueError, match=message):
            student.fit(X, np.array(list("abc"))[Y])

    def test_with_a_class_less(self, student):
        with pytest.raises(ValueError, match=says("[0, 1, 2]; y has [0, 1]")):
            student.fit(X[Y < 2], Y[Y < 2])

    @pytest.mark.parametrize("encoding", ["standard", None])
    def test_with_other_columns(self, kind, encoding):
        student = kind(encoding=encoding, max_iter=300, warm_start=True).fit(X, Y)
        message = says(f"{kind.__name__}: warm_start=True", "warm_start=False")
        with pytest.raises(ValueError, match=message):
            student.fit(X[:, :3], Y)


def test_warm_start_with_other_layers():
    student = MLPStudent((8,), encoding="standard", max_iter=2, warm_start=True)
    student.fit(X, Y)
    message = says(
        "MLPStudent: warm_start=True goes on with weights of shapes [(4, 8), (8, 3)]; "
        "this fit has [(4, 5), (5, 3)]. Keep the columns and hidden_layer_sizes of the "
        "earlier fit, or set warm_start=False."
    )
    with pytest.raises(ValueError, match=message):
        student.set_params(hidden_layer_sizes=(5,)).fit(X, Y)


def test_weight_decay_that_is_no_word_we_know():
    message = says(
        "MLPStudent: weight_decay='none' is not valid; choose one of 'auto' or a number"
        " >= 0."
    )
    with pytest.raises(ValueError, match=message):
        MLPStudent(weight_decay="none").fit(X, Y)


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        ("a", TypeError, "an integer >= 0 or a boolean, got a str"),
        (None, TypeError, "got a NoneType"),
        (1.5, TypeError, "got a float"),
        (-1, ValueError, "an integer >= 0; 0 prints nothing"),
    ],
)
@pytest.mark.parametrize("kind", [*NETWORKS, DistilledClassifier])
def test_verbose(kind, value, error, expected):
    """It was compared with a number, or not looked at."""
    message = says(f"{kind.__name__}: verbose={value!r} must be", expected)
    with pytest.raises(error, match=message):
        kind(verbose=value).fit(X, Y)
