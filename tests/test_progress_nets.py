"""What skorch nets of the user's tell of their epochs, as teachers and as students."""

import pickle
from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, Checkpoint
from torch import nn

from nets import skorch_net
from recorders import Recorder, epochs_within
from sk_distill import DistilledClassifier, DistilledClassifierCV
from sk_distill.students.skorch_net import SkorchStudent
from sk_distill.teachers.skorch_net import SkorchTeacher

pytest.importorskip("sklearn.callback")

X, Y = make_classification(200, 6, n_informative=4, random_state=0)
X = X.astype(np.float32)

kinds = pytest.mark.parametrize("kind", [SkorchTeacher, SkorchStudent])


def net(**params):
    shape = {"module__in_features": 6, "module__out_features": 2}
    return skorch_net(nn.Linear, **{"lr": 0.1} | shape | params)


def test_a_net_that_teaches_and_one_that_learns_tell_of_their_epochs():
    """A net was one task, however long it took."""
    recorder = Recorder()
    model = DistilledClassifier(net(max_epochs=3), net(max_epochs=2), random_state=0)
    model.set_callbacks(recorder).fit(X, Y)
    teacher, student = ("fit", "teachers", "teacher"), ("fit", "student")
    epochs = [(*teacher, "epoch")] * 3 + [teacher, ("fit", "teachers")]
    epochs += [(*student, "epoch")] * 2 + [student, ("fit",)]
    assert recorder.ended == epochs
    assert Counter(recorder.begun) == Counter(recorder.ended)


def test_nets_within_a_search_tell_of_their_epochs():
    recorder = Recorder()
    model = DistilledClassifier(net(), net(max_epochs=2), random_state=0)
    search = GridSearchCV(model, {"distillation_weight": [1.0, 2.0]}, cv=2)
    search.set_callbacks(recorder).fit(X, Y)
    assert epochs_within(recorder, "candidate-split-evaluation") == {
        (number, trained): n_epochs
        for number in range(4)
        for trained, n_epochs in (("teacher", 3), ("student", 2))
    }


def test_a_path_over_nets_has_their_epochs_in_its_folds():
    recorder = Recorder()
    model = DistilledClassifierCV(
        GaussianNB(), net(), distillation_weights=[1.0], cv=2, random_state=0
    )
    with pytest.warns(UserWarning, match="distilling does not help"):
        model.set_callbacks(recorder).fit(X, Y)
    # λ = 0, 1 and inf, one after the other.
    assert epochs_within(recorder, "fold") == {(0, "fold"): 9, (1, "fold"): 9}


@kinds
def test_a_callback_can_stop_a_net(kind):
    recorder = Recorder(stop_at="epoch")
    fitted = kind(net(), random_state=0).set_callbacks(recorder).fit(X, Y)
    assert len(fitted.net_.history) == 1
    assert recorder.ended == [("fit", "epoch"), ("fit",)]
    assert fitted.predict_proba(X).shape == (200, 2)


def test_a_stop_of_a_teachers_epoch_ends_that_training_alone():
    recorder = Recorder(stop_at="epoch")
    student = DecisionTreeClassifier(max_depth=2)
    model = DistilledClassifier(net(), student, teacher_cv=2, random_state=0)
    model.set_callbacks(recorder).fit(X, Y)
    assert Counter(recorder.ended)["fit", "teachers", "teacher", "epoch"] == 3
    assert len(model.teacher_.net_.history) == 1


@kinds
def test_an_epoch_in_which_a_callback_of_skorch_stops_is_ended_once(kind):
    class Enough(Callback):
        def on_epoch_end(self, net, **_):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    recorder = Recorder()
    fitted = kind(net(callbacks=[Enough]), random_state=0)
    fitted.set_callbacks(recorder).fit(X, Y)
    assert recorder.begun == [("fit",)] + [("fit", "epoch")] * 2
    assert recorder.ended == [("fit", "epoch")] * 2 + [("fit",)]


@kinds
def test_an_interrupt_of_a_callback_ends_more_than_the_net(kind):
    recorder = Recorder(fail_at=3, error=KeyboardInterrupt("enough"))
    fitted = kind(net(), random_state=0).set_callbacks(recorder)
    with pytest.raises(KeyboardInterrupt, match="enough"):
        fitted.fit(X, Y)
    assert recorder.n_running == 0
    assert not hasattr(fitted, "net_")


@kinds
def test_what_a_callback_may_score_is_the_net_as_it_was_then(kind):
    recorder = Recorder()
    fitted = kind(net(max_epochs=4), random_state=0)
    fitted.set_callbacks(recorder).fit(X, Y)
    *epochs, whole = [each.predict_proba(X) for each in recorder.fitted]
    assert len({log_loss(Y, proba) for proba in epochs}) == 4
    assert_array_equal(whole, fitted.predict_proba(X))
    assert_allclose(epochs[-1], whole, atol=1e-7)


@kinds
def test_who_watches_a_net_leaves_nothing_in_it(kind, tmp_path):
    """Neither in the net nor in what a callback of skorch saves of it meanwhile."""
    saved = tmp_path / "net.pkl"
    checkpoint = Checkpoint(
        monitor=None,
        f_params=None,
        f_optimizer=None,
        f_criterion=None,
        f_history=None,
        f_pickle=str(saved),
    )
    plain, watched = (kind(net(callbacks=[checkpoint]), random_state=0) for _ in "ab")
    plain.fit(X, Y)
    kept = saved.read_bytes()
    watched.set_callbacks(Recorder()).fit(X, Y)
    assert len(saved.read_bytes()) == pytest.approx(len(kept), rel=0.01)
    assert vars(watched.net_).keys() == vars(plain.net_).keys()
    assert type(watched.net_) is type(pickle.loads(saved.read_bytes()))
    assert type(watched.net_) is NeuralNetClassifier
    names = [[name for name, _ in each.net_.callbacks_] for each in (plain, watched)]
    assert names[0] == names[1]
    histories = [[row.keys() for row in each.net_.history] for each in (plain, watched)]
    assert histories[0] == histories[1]
    assert_array_equal(watched.predict_proba(X), plain.predict_proba(X))


def test_a_loop_of_the_users_own_may_have_more_epochs():
    """A task of three epochs takes no fourth: to be watched ended the fit."""

    class Twice(NeuralNetClassifier):
        def fit_loop(self, X, y=None, epochs=None, **params):
            super().fit_loop(X, y, epochs, **params)
            return super().fit_loop(X, y, epochs, **params)

    recorder = Recorder()
    SkorchTeacher(skorch_net(nn.Linear(6, 2), Twice)).set_callbacks(recorder).fit(X, Y)
    assert recorder.ended.count(("fit", "epoch")) == 6


def test_a_search_around_a_net_tells_of_no_epochs():
    recorder = Recorder()
    teacher = SkorchTeacher(GridSearchCV(net(), {"lr": [0.1, 0.2]}, cv=2))
    teacher.set_callbacks(recorder).fit(X, Y)
    assert recorder.ended == [("fit",)]


@pytest.mark.parametrize("verbose", [0, 1])
def test_a_net_prints_by_its_own_verbose(verbose, capsys):
    model = DistilledClassifier(net(verbose=verbose), "linear", verbose=2)
    model.fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    epochs = [line for line in lines if line.split()[:1] in (["1"], ["2"], ["3"])]
    assert len(epochs) == 3 * verbose + 1  # That of "linear".
