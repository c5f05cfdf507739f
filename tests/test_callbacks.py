"""What a user's callbacks may do in a fit, Ctrl-C included."""

import pickle
import signal
import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    LRScheduler,
    PassthroughScoring,
)
from skorch.utils import noop
from torch import nn

from nets import distil, says, skorch_net, student, teach
from sk_distill import DistilledClassifier, LinearStudent, MLPStudent
from sk_distill.exceptions import TrainingDivergedError
from sk_distill.teachers.skorch_net import SkorchTeacher


@pytest.fixture(autouse=True)
def _python_answers_ctrl_c():
    """Where the tests run in the background, a shell has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class At(Callback):
    """Does something at one of a callback's moments, in one epoch."""

    def __init__(self, moment, act, epoch=1):
        self.moment, self.act, self.epoch = moment, act, epoch

    def _maybe(self, moment, net):
        if moment == self.moment and len(net.history) == self.epoch:
            self.act()

    def on_train_begin(self, net, **_):
        if self.moment == "on_train_begin":
            self.act()

    def on_epoch_begin(self, net, **_):
        self._maybe("on_epoch_begin", net)

    def on_batch_end(self, net, training, **_):
        self._maybe("on_batch_end" if training else "on_held_out_batch_end", net)

    def on_epoch_end(self, net, **_):
        self._maybe("on_epoch_end", net)

    def on_train_end(self, net, **_):
        self._maybe("on_train_end", net)


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


def stop():
    raise KeyboardInterrupt


# The built-in networks, a skorch net as a student, and one as a teacher.
FITS = {
    "built-in": lambda callbacks, X, y: student(callbacks=callbacks).fit(X, y),
    "student": lambda callbacks, X, y: distil(skorch_net(callbacks=callbacks), X, y),
    "teacher": lambda callbacks, X, y: teach(skorch_net(callbacks=callbacks), X, y),
}
fits = pytest.mark.parametrize("fit", FITS.values(), ids=FITS.keys())


class Interrupted(nn.Linear):
    """The user presses Ctrl-C while the third batch is computed."""

    calls = 0

    def forward(self, x):
        self.calls += self.training
        if self.calls == 3:
            raise KeyboardInterrupt
        return super().forward(x)


@pytest.mark.parametrize("fit", [teach, distil])
def test_ctrl_c_in_the_module_is_raised(fit, multiclass):
    """A teacher was fitted by skorch's ``fit``, which swallows it.

    The teacher came back half trained, and the student learnt from it.
    """
    with pytest.raises(KeyboardInterrupt):
        fit(skorch_net(Interrupted(6, 3), batch_size=32), *multiclass)


@fits
@pytest.mark.parametrize(
    "moment", ["on_train_begin", "on_batch_end", "on_epoch_end", "on_train_end"]
)
def test_ctrl_c_in_a_callback_is_raised(fit, moment, multiclass):
    """It was taken for a stop of the callback's own, and the fit ended quietly."""
    before = signal.getsignal(signal.SIGINT)
    epoch = 3 if moment == "on_train_end" else 1
    with pytest.raises(KeyboardInterrupt):
        fit([At(moment, ctrl_c, epoch)], *multiclass)
    assert signal.getsignal(signal.SIGINT) is before


@fits
def test_handler_of_the_users_that_raises_nothing_lets_the_fit_go_on(fit, multiclass):
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append("SIGINT"))
    try:
        fit([At("on_epoch_end", ctrl_c, 1), At("on_epoch_end", stop, 2)], *multiclass)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == ["SIGINT"]


@pytest.mark.parametrize("around", ["search", "pipeline"])
@pytest.mark.parametrize("teacher_cv", [None, 2])
def test_ctrl_c_is_raised_by_what_is_around_a_teachers_net(
    around, teacher_cv, multiclass
):
    """The nets within are fitted, and swallow it, by themselves."""
    X, y = multiclass
    net = skorch_net(callbacks=[At("on_epoch_end", ctrl_c)])
    teacher = (
        GridSearchCV(net, {"lr": [0.1, 0.2]}, cv=2)
        if around == "search"
        else make_pipeline(FunctionTransformer(), net)
    )
    model = DistilledClassifier(teacher, "linear", teacher_cv=teacher_cv)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X.astype(np.float32), y)
    assert not hasattr(model, "student_")


def test_fit_that_is_interrupted_keeps_the_teachers_earlier_one(multiclass):
    teacher = teach(skorch_net(), *multiclass)
    before = teacher.predict_proba(multiclass[0])
    teacher.set_params(net=skorch_net(callbacks=[At("on_epoch_end", ctrl_c)]))
    with pytest.raises(KeyboardInterrupt):
        teacher.fit(*multiclass)
    assert_array_equal(teacher.predict_proba(multiclass[0]), before)


@fits
def test_fit_in_another_thread_leaves_signals_alone(fit, multiclass):
    """Only the main thread may set a handler; elsewhere Python raises."""
    before, fitted = signal.getsignal(signal.SIGINT), []

    def run():
        fitted.append(fit([At("on_epoch_end", stop, 2)], *multiclass))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(fitted) == 1
    assert signal.getsignal(signal.SIGINT) is before


# Stops.


def epochs_of(fitted):
    """Return how many epochs a fitted thing counts."""
    if isinstance(fitted, SkorchTeacher):
        return sum("train_loss" in row for row in fitted.net_.history)
    assert fitted.n_iter_ == len(fitted.loss_curve_)
    assert np.isfinite(fitted.loss_curve_).all()
    return fitted.n_iter_


@fits
@pytest.mark.parametrize(
    ("moment", "epoch", "n_epochs"),
    [
        ("on_epoch_end", 1, 1),
        ("on_epoch_begin", 2, 1),
        ("on_batch_end", 2, 1),
        ("on_epoch_end", 2, 2),
        ("on_train_end", 3, 3),
    ],
)
def test_stop_after_a_whole_epoch_keeps_it(fit, moment, epoch, n_epochs, multiclass):
    """A row that a stop had cut short had no losses, and the curves failed."""
    fitted = fit([At(moment, stop, epoch)], *multiclass)
    assert epochs_of(fitted) == n_epochs
    assert np.isfinite(fitted.predict_proba(multiclass[0])).all()


@fits
@pytest.mark.parametrize("moment", ["on_train_begin", "on_epoch_begin", "on_batch_end"])
def test_stop_before_a_whole_epoch_is_an_error(fit, moment, multiclass):
    """It escaped as a StopTraining, or as a KeyError 'train_loss'."""
    message = says(": a callback ended training before one whole epoch", "on_epoch_end")
    with pytest.raises(RuntimeError, match=message) as caught:
        fit([At(moment, stop)], *multiclass)
    owners = {"MLPStudent", "NeuralNetClassifier"}
    assert str(caught.value).split(":")[0] in owners


def test_stop_between_the_training_and_the_held_out_rows(multiclass):
    callbacks = [At("on_held_out_batch_end", stop)]
    fitted = student(callbacks=callbacks, early_stopping=True).fit(*multiclass)
    assert epochs_of(fitted) == 1
    assert "valid_loss" not in fitted.history_
    model = distil(skorch_net(callbacks=callbacks), *multiclass)
    assert epochs_of(model) == 1


@pytest.mark.parametrize("fit", [teach, distil])
def test_net_without_epochs(fit, multiclass):
    """An IndexError of an empty history."""
    message = says("the net has max_epochs=0, so that nothing was learnt", "1 or more")
    with pytest.raises(RuntimeError, match=message):
        fit(skorch_net(max_epochs=0), *multiclass)


@pytest.mark.parametrize("fit", [teach, distil])
def test_net_without_callbacks(fit, multiclass):
    """The loss of an epoch was looked for where only a callback writes it."""
    module = nn.Linear(6, 3)
    curves = []
    for callbacks in (None, "disable"):
        net = skorch_net(module, callbacks=callbacks, batch_size=-1)
        fitted = fit(net, *multiclass)
        assert epochs_of(fitted) == 3
        curves.append([epoch["train_loss"] for epoch in fitted.net_.history])
    assert_allclose(*curves)


def test_best_epoch_counts_whatever_tol_is(multiclass):
    """skorch's EarlyStopping kept weights only if better by more than ``tol``.

    With a tol of 10 no epoch after the first could be the best one.
    """
    settings = {"early_stopping": True, "learning_rate_init": 0.01, "max_iter": 8}
    loose, tight = (student(tol=tol, **settings).fit(*multiclass) for tol in (10.0, 0))
    assert loose.history_["valid_loss"].argmin() > 0
    assert_allclose(loose.loss_curve_, tight.loss_curve_)
    assert_array_equal(*(m.predict_proba(multiclass[0]) for m in (loose, tight)))


def test_stop_in_the_best_epoch_keeps_it(multiclass):
    settings = {"early_stopping": True, "max_iter": 8, "learning_rate": "constant"}
    stopped = student(callbacks=[At("on_epoch_end", stop, 4)], **settings)
    short = student(**settings | {"max_iter": 4})
    fitted = [
        model.fit(*multiclass).predict_proba(multiclass[0])
        for model in (stopped, short)
    ]
    assert short.history_["valid_loss"].argmin() == 3, "the test wants a falling loss"
    assert_array_equal(*fitted)


# Callbacks that ship with skorch.


@pytest.mark.parametrize(
    "callback", [EpochScoring("accuracy"), BatchScoring("accuracy"), PassthroughScoring]
)
def test_scoring_on_the_built_in_networks_is_refused(callback, multiclass):
    """They failed in the middle of a fit with errors about TensorRows."""
    message = says("MLPStudent: callbacks=[", "Scoring", "history_", "skorch net")
    with pytest.raises(ValueError, match=message):
        student(callbacks=[("score", callback)]).fit(*multiclass)


@pytest.mark.parametrize(
    "names", [["early_stopping"], ["print_log"], ["best_weights"], ["mine", "mine"]]
)
def test_name_of_a_callback_that_is_taken(names, multiclass):
    """skorch's message spoke of duplicates that the user had not made."""
    callbacks = [(name, Callback()) for name in names]
    message = says("MLPStudent: callbacks=[", f"named {names[0]!r}", "different name")
    with pytest.raises(ValueError, match=message):
        student(callbacks=callbacks).fit(*multiclass)


@pytest.mark.parametrize("watched", [False, True])
def test_checkpoint_saves_the_best_epoch(watched, multiclass, tmp_path):
    """It monitors ``valid_loss_best``, which was not in the history."""
    callbacks = [Checkpoint(dirname=tmp_path)]
    if watched:
        callbacks.append(At("on_batch_end", noop))
    settings = {"early_stopping": True, "learning_rate_init": 0.1, "max_iter": 30}
    model = student(
        callbacks=callbacks, encoding=None, learning_rate="constant", tol=0, **settings
    ).fit(*multiclass)
    assert model.history_["valid_loss"].argmin() < model.n_iter_ - 1
    saved = torch.load(tmp_path / "params.pt", weights_only=True)
    kept = [*model.coefs_, *model.intercepts_]
    for array, tensor in zip(kept, saved.values(), strict=True):
        assert_allclose(array, tensor.numpy(), rtol=1e-6)


@pytest.mark.parametrize("fit", [teach, distil])
def test_checkpoint_pickles_a_net_as_the_users_own_class(fit, multiclass, tmp_path):
    """The class that is made for a fit has no place that pickle could find."""
    path = tmp_path / "net.pkl"
    files = {"f_params": None, "f_optimizer": None, "f_criterion": None}
    save = Checkpoint(monitor=None, f_history=None, f_pickle=str(path), **files)
    fitted = fit(skorch_net(callbacks=[save]), *multiclass)
    net = pickle.loads(path.read_bytes())
    assert type(net) is NeuralNetClassifier
    X = multiclass[0].astype(np.float32)
    assert_array_equal(net.forward(X), fitted.net_.forward(X))


# Parameters of the net.


@pytest.mark.parametrize("name", ["lr", "batch_size", "max_epochs", "optimizer"])
@pytest.mark.parametrize(
    "network", [LinearStudent(), MLPStudent(solver="lbfgs")], ids=["linear", "mlp"]
)
def test_lbfgs_takes_no_parameters_of_the_net(network, name, multiclass):
    """It did, and a batch_size made its fit one of the first batch."""
    value = torch.optim.SGD if name == "optimizer" else 2
    network.set_params(net_params={name: value})
    message = says(type(network).__name__, repr(name), "'lbfgs'", "solver='adam'")
    with pytest.raises(ValueError, match=message):
        network.fit(*multiclass)


@pytest.mark.parametrize("name", ["lr", "optimizer__lr"])
def test_message_of_a_divergence_names_the_lr_that_was_used(name, multiclass):
    """It named learning_rate_init, which had no say."""
    network = student(
        net_params={"optimizer": torch.optim.SGD, name: 1e30}, max_iter=10
    )
    message = says("MLPStudent diverged", "Lower the lr in net_params (it is 1e+30)")
    with pytest.raises(TrainingDivergedError, match=message):
        network.fit(*multiclass)


def test_both_names_of_the_lr_are_one(multiclass):
    """The cycle of the step size went by ``lr`` where ``optimizer__lr`` was given."""
    settings = {"learning_rate": "one_cycle"}
    models = [
        student(net_params={name: 0.05}, **settings).fit(*multiclass)
        for name in ("lr", "optimizer__lr")
    ]
    assert_array_equal(*(model.loss_curve_ for model in models))


def test_frozen_weights_stay_as_they_are(multiclass):
    """The gradients made by hand were set also where none was asked for."""
    seen = []

    class First(Callback):
        def on_train_begin(self, net, **_):
            seen.append(net.module_.weights[0].detach().clone())

    settings = {"learning_rate": "constant", "encoding": None}
    model = student(callbacks=[Freezer("weights.0"), First()], **settings)
    model.fit(*multiclass)
    assert_array_equal(model.coefs_[0], seen[0].numpy())
    model = student(callbacks=[First()], **settings).fit(*multiclass)
    assert np.abs(model.coefs_[0] - seen[1].numpy()).max() > 1e-3


def test_hooks_on_the_module_are_called(multiclass):
    """Gradients made by hand do not call the module, and nor were hooks."""
    calls = []

    class Hook(Callback):
        def on_train_begin(self, net, **_):
            net.module_.register_forward_hook(lambda *_: calls.append(1))

    watched = student(callbacks=[Hook()]).fit(*multiclass)
    assert len(calls) > 3
    plain = student().fit(*multiclass)
    assert_allclose(
        watched.predict_proba(multiclass[0]),
        plain.predict_proba(multiclass[0]),
        atol=1e-4,
    )


@pytest.mark.parametrize(
    "callback", [LRScheduler("StepLR", step_size=1), EarlyStopping(), Checkpoint()]
)
def test_full_batch_training_has_no_epochs_to_look_at(callback, multiclass):
    message = says("LinearStudent: callbacks=", type(callback).__name__, "'lbfgs'")
    with pytest.raises(ValueError, match=message):
        LinearStudent(callbacks=[callback]).fit(*multiclass)


@pytest.mark.parametrize("params", [{"batch_size": 0}, {"max_epochs": 1.5}])
def test_sizes_in_net_params_are_whole_numbers(params, multiclass):
    message = says("MLPStudent: net_params has", "expected an integer >= 1")
    with pytest.raises(ValueError, match=message):
        student(net_params=params).fit(*multiclass)


@pytest.mark.parametrize(
    "kind", ["register_hook", "register_post_accumulate_grad_hook"]
)
def test_hooks_on_a_parameter_are_called(kind, multiclass):
    """They were not: only hooks on modules let autograd find the gradients."""
    calls = []

    class Masking(Callback):
        def on_train_begin(self, net, **kwargs):
            getattr(net.module_.weights[0], kind)(self.mask)

        def mask(self, given):
            calls.append(1)
            return given * 0 if kind == "register_hook" else None

    student(callbacks=[Masking()]).fit(*multiclass)
    assert calls
