import pickle
import sys
from collections import Counter
from types import SimpleNamespace

import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from skorch.callbacks import Callback
from torch import nn

from recorders import Listener, Recorder, epochs_within
from sk_distill import (
    DistilledClassifier,
    DistilledClassifierCV,
    LinearStudent,
    MLPStudent,
    MLPTeacher,
)

X, Y = make_classification(200, 6, n_informative=4, random_state=0)
NETWORK = MLPTeacher(4, n_members=1, max_iter=3, random_state=0)
STUDENT = MLPStudent(4, max_iter=5, random_state=0)


def test_verbose_2_says_what_is_done_when_it_is_done(capsys):
    DistilledClassifier(GaussianNB(), STUDENT, teacher_cv=2, verbose=2).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert all(line.endswith(" s") for line in lines)
    done = [line.rsplit(", ", 1)[0] for line in lines]
    parts = ["teacher", "teacher", "teacher", "teachers", "student", "fit"]
    assert done == [f"DistilledClassifier: {part}" for part in parts]


def test_lines_are_written_in_one_piece(monkeypatch):
    """Processes that write at a time put the line of one into the middle of another."""
    written = []
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(write=written.append))
    DistilledClassifier(GaussianNB(), STUDENT, verbose=2).fit(X, Y)
    lines = [text for text in written if text]
    assert len(lines) == 4
    assert all(line.endswith(" s\n") for line in lines)


def n_tables(capsys):
    """Count the trainings of which each epoch is printed as a line of a table."""
    lines = capsys.readouterr().out.splitlines()
    return sum(line.split()[:1] == ["epoch"] for line in lines)


@pytest.mark.parametrize("folds", [None, 2])
def test_verbose_1_prints_the_epochs_of_a_teacher_without_a_verbose(folds, capsys):
    """Nothing was said while the default teacher, or a module's class, was trained."""
    model = DistilledClassifier(
        nn.Linear, STUDENT, teacher_cv=folds, random_state=0, verbose=1
    )
    model.fit(X, Y)
    assert n_tables(capsys) == (3 if folds else 1)
    assert model.teacher_.verbose == 0


@pytest.mark.parametrize("verbose", [0, 1])
def test_a_teacher_of_the_users_prints_by_its_own_verbose(verbose, capsys):
    teacher = clone(NETWORK).set_params(verbose=verbose)
    DistilledClassifier(teacher, STUDENT, verbose=1).fit(X, Y)
    DistilledClassifier([("network", teacher)], STUDENT, verbose=1).fit(X, Y)
    assert n_tables(capsys) == 2 * verbose


def test_a_cache_knows_a_teacher_whether_it_prints_or_not(tmp_path, capsys):
    model = DistilledClassifier(
        nn.Linear, STUDENT, memory=str(tmp_path), random_state=0
    )
    before = model.fit(X, Y).predict_proba(X)
    model.set_params(verbose=1).fit(X, Y)
    assert n_tables(capsys) == 0
    assert_array_equal(model.predict_proba(X), before)


def test_less_than_verbose_2_says_nothing_of_it(capsys):
    DistilledClassifier(GaussianNB(), STUDENT, verbose=1).fit(X, Y)
    assert "fit" not in capsys.readouterr().out


callbacks = pytest.importorskip("sklearn.callback")


def test_epochs_of_a_student_are_steps_of_its_fit():
    recorder = Recorder()
    student = clone(STUDENT).set_callbacks(recorder).fit(X, Y)
    assert recorder.begun == [("fit",)] + [("fit", "epoch")] * student.n_iter_
    assert recorder.ended == [("fit", "epoch")] * student.n_iter_ + [("fit",)]
    assert recorder.n_running == 0
    assert [name for name in vars(student) if name.startswith("_")] == [
        "_skl_callbacks"
    ]


def test_an_epoch_that_early_stopping_ends_is_ended_once():
    recorder = Recorder()
    student = MLPStudent(
        4, learning_rate="constant", max_iter=50, n_iter_no_change=1, tol=0.1
    )
    student.set_callbacks(recorder).fit(X, Y)
    assert student.n_iter_ < 50
    assert Counter(recorder.begun) == Counter(recorder.ended)
    assert recorder.begun.count(("fit", "epoch")) == student.n_iter_


def test_iterations_of_lbfgs_are_steps_too():
    recorder = Recorder()
    student = LinearStudent().set_callbacks(recorder).fit(X, Y)
    assert recorder.ended.count(("fit", "iteration")) == student.n_iter_ > 2


@pytest.mark.parametrize(
    ("student", "step"), [(STUDENT, "epoch"), (LinearStudent(), "iteration")]
)
def test_a_callback_can_stop_a_fit(student, step):
    student = clone(student).set_callbacks(Recorder(stop_at=step)).fit(X, Y)
    assert student.n_iter_ == 1
    assert student.predict_proba(X).shape == (200, 2)


@pytest.mark.parametrize("others", [[], [callbacks.ProgressBar()]], ids=["", "a bar"])
def test_a_callback_that_is_not_handed_on_hears_of_no_epochs(others):
    """Whoever else is told: beside a bar it heard less than without one."""
    listener = Listener(stop_at="epoch")
    model = DistilledClassifier(NETWORK, STUDENT, random_state=0)
    model.set_callbacks(listener, *others).fit(X, Y)
    parts = [("fit", "teachers", "teacher"), ("fit", "teachers"), ("fit", "student")]
    assert listener.ended == [*parts, ("fit",)]


def test_a_callback_stops_the_parts_that_it_is_not_handed_on_to():
    class Shallow(Recorder):
        max_propagation_depth = 0

    recorder = Shallow(stop_at="epoch")
    model = DistilledClassifier(NETWORK, STUDENT, random_state=0)
    model.set_callbacks(recorder).fit(X, Y)
    assert model.student_.n_iter_ == model.teacher_.n_iter_ == 1
    teacher = ("fit", "teachers", "teacher", "MLPTeacher", "epoch")
    student = ("fit", "student", "MLPStudent", "epoch")
    told = [path for path in recorder.ended if path[-1] == "epoch"]
    assert told == [teacher, student]
    assert Counter(recorder.begun) == Counter(recorder.ended)


@pytest.mark.parametrize("student", [STUDENT, LinearStudent(), NETWORK])
def test_an_interrupt_of_a_callback_is_raised(student):
    """It was taken for one of skorch's stops: a search went on, one epoch each."""
    recorder = Recorder(fail_at=3, error=KeyboardInterrupt("enough"))
    student = clone(student).set_callbacks(recorder)
    with pytest.raises(KeyboardInterrupt, match="enough"):
        student.fit(X, Y)
    assert recorder.n_running == 0
    assert not hasattr(student, "n_iter_")


@pytest.mark.parametrize("student", [STUDENT, LinearStudent(), NETWORK])
def test_what_a_callback_may_score_is_what_was_trained_so_far(student):
    recorder = Recorder()
    student = clone(student).set_callbacks(recorder).fit(X, Y)
    *steps, whole = [each.predict_proba(X) for each in recorder.fitted]
    assert_array_equal(whole, student.predict_proba(X))
    losses = [log_loss(Y, proba) for proba in steps]
    assert len(set(losses)) == len(losses)
    # With no epoch better than the last one, nothing is put back at the end.
    if "valid_loss" not in student.history_ or (
        student.history_["valid_loss"].argmin() == student.n_iter_ - 1
    ):
        assert_allclose(steps[-1], whole, atol=1e-12)


def test_a_search_tells_of_the_epochs_of_each_candidate_and_fold():
    recorder = Recorder()
    distilled = DistilledClassifier(NETWORK, STUDENT, teacher_cv=2, random_state=0)
    search = GridSearchCV(distilled, {"distillation_weight": [1.0, 2.0]}, cv=2)
    search.set_callbacks(recorder).fit(X, Y)
    assert Counter(recorder.begun) == Counter(recorder.ended)
    evaluation = "candidate-split-evaluation"
    counts = Counter(recorder.begun)
    assert counts["fit", "search", evaluation, "teachers", "teacher"] == 4 * 3
    # Three teachers of three epochs: two label the rows out of fold, one is kept.
    assert epochs_within(recorder, evaluation) == {
        (number, trained): n_epochs
        for number in range(4)
        for trained, n_epochs in (("teacher", 3 * 3), ("student", 5))
    }
    assert counts["fit", "refit-with-best-params", "student", "epoch"] == 5
    assert recorder.n_running == 0
    assert not hasattr(search.best_estimator_, "_skl_callbacks")


def test_a_path_tells_of_the_epochs_of_each_fold():
    recorder = Recorder()
    model = DistilledClassifierCV(NETWORK, STUDENT, cv=2, random_state=0)
    with pytest.warns(UserWarning, match="distilling does not help"):
        model.set_callbacks(recorder).fit(X, Y)
    counts = Counter(recorder.begun)
    assert counts["fit", "teachers", "teacher", "epoch"] == 3 * 3
    # All λ are trained in one net, but for λ = 0, whose bins are others.
    assert epochs_within(recorder, "fold") == {(0, "fold"): 2 * 5, (1, "fold"): 2 * 5}
    assert counts["fit", "student", "epoch"] == 5
    assert recorder.n_running == 0


@pytest.mark.parametrize(
    ("student", "step"), [(STUDENT, "epoch"), (LinearStudent(), "iteration")]
)
def test_a_path_has_folds_and_the_steps_of_their_students(student, step):
    recorder = Recorder()
    model = DistilledClassifierCV(
        GaussianNB(), student, distillation_weights=3, cv=2, random_state=0
    )
    with pytest.warns(UserWarning, match="distilling does not help"):
        model.set_callbacks(recorder).fit(X, Y)
    counts = Counter(recorder.ended)
    assert counts[("fit", "teachers", "teacher")] == 3
    assert counts[("fit", "folds", "fold")] == 2
    assert counts[("fit", "folds", "fold", step)] > 2
    assert counts[("fit", "student", step)] == model.student_.n_iter_


def test_one_loop_for_both_has_epochs():
    recorder = Recorder()
    model = DistilledClassifier(NETWORK, STUDENT, schedule="joint", random_state=0)
    model.set_callbacks(recorder).fit(X, Y)
    both = ("fit", "teacher and student")
    assert recorder.ended == [(*both, "epoch")] * 5 + [both, ("fit",)]


def test_a_teacher_that_knows_no_callbacks_is_one_task():
    recorder = Recorder()
    model = DistilledClassifier(GaussianNB(), STUDENT).set_callbacks(recorder)
    model.fit(X, Y)
    assert recorder.ended[:2] == [("fit", "teachers", "teacher"), ("fit", "teachers")]


def test_a_teacher_of_scikit_learn_tells_of_its_iterations():
    recorder = Recorder()
    DistilledClassifier(LogisticRegression(), STUDENT).set_callbacks(recorder).fit(X, Y)
    assert ("fit", "teachers", "teacher", "lbfgs-iter") in recorder.ended


def test_callbacks_do_not_make_a_cache_fit_teachers_again(tmp_path):
    recorder = Recorder()
    model = DistilledClassifier(
        GaussianNB(), STUDENT, memory=str(tmp_path), random_state=0
    )
    model.fit(X, Y)
    before = model.predict_proba(X)
    model.set_callbacks(recorder).fit(X, Y)
    assert ("fit", "student") in recorder.ended
    assert ("fit", "teachers") not in recorder.ended
    assert_array_equal(model.predict_proba(X), before)


def test_being_watched_changes_no_result():
    watched = DistilledClassifier(NETWORK, STUDENT, teacher_cv=2, random_state=0)
    plain = clone(watched).fit(X, Y)
    watched.set_callbacks(Recorder()).fit(X, Y)
    assert_array_equal(watched.predict_proba(X), plain.predict_proba(X))


def test_a_failed_fit_tears_down_and_leaves_the_earlier_one():
    """What tears down stood among the attributes that a failed fit puts back."""
    model = DistilledClassifier(GaussianNB(), STUDENT, random_state=0).fit(X, Y)
    before = model.predict_proba(X)
    recorder = Recorder(fail_at=5)
    with pytest.raises(ZeroDivisionError):
        model.set_callbacks(recorder).fit(X, Y)
    assert recorder.n_running == 0
    assert_array_equal(model.predict_proba(X), before)
    model.set_callbacks(Recorder()).fit(X, Y)


def test_a_watched_student_can_be_pickled_and_cloned():
    monitor = callbacks.ScoringMonitor(scoring="neg_log_loss")
    student = clone(STUDENT).set_callbacks(monitor).fit(X, Y)
    again = pickle.loads(pickle.dumps(student))
    assert_array_equal(again.predict_proba(X), student.predict_proba(X))
    assert clone(student)._skl_callbacks == [monitor]


def test_the_question_whether_the_teacher_is_any_good_is_not_told_of():
    """The plain student that answers it is a clone, and had the user's callbacks."""
    recorder = Recorder()
    student = clone(STUDENT).set_callbacks(recorder)
    recorder.max_propagation_depth = 0
    DistilledClassifier(GaussianNB(), student, random_state=0).fit(X, Y)
    assert recorder.ended.count(("fit",)) == 1


def test_a_module_has_epochs_and_a_callback_of_skorch_beside_them():
    class Count(Callback):
        n_epochs = 0

        def on_epoch_end(self, net, **_):
            Count.n_epochs += 1

    recorder = Recorder()
    student = MLPStudent(4, max_iter=3, callbacks=[Count])
    model = DistilledClassifier(nn.Linear, student, random_state=0)
    model.set_callbacks(recorder).fit(X, Y)
    assert Count.n_epochs == 3
    counts = Counter(recorder.ended)
    assert counts[("fit", "student", "epoch")] == 3
    assert counts[("fit", "teachers", "teacher", "epoch")] == model.teacher_.n_iter_


@pytest.fixture
def bars(monkeypatch, capsys):
    """Return the bars that scikit-learn shows of a fit, and how each of them grew."""
    progress = pytest.importorskip("rich.progress", reason="ProgressBar needs rich")
    update, steps = progress.Progress.update, {}

    def noted(self, task_id, **changes):
        update(self, task_id, **changes)
        bar = self.tasks[task_id]
        grown = steps.setdefault((task_id, bar.description.strip()), [])
        grown.append((bar.completed, bar.total))

    def fit(model, depth=None):
        bar = callbacks.ProgressBar(max_propagation_depth=depth)
        model.set_callbacks(bar).fit(X, Y)
        lines = capsys.readouterr().out.splitlines()
        return [line.split("━")[0].rstrip() for line in lines if "100%" in line], steps

    monkeypatch.setattr(progress.Progress, "update", noted)
    pytest.importorskip("rich").reconfigure(width=200)
    return fit


def epochs_of(n_epochs):
    """Return how a bar of so many epochs grows, its end included."""
    return [*((epoch, n_epochs) for epoch in range(1, n_epochs + 1)), (1, 1)]


def test_the_progress_bar_of_scikit_learn_around_a_grid_search(bars):
    distilled = DistilledClassifier(NETWORK, STUDENT, random_state=0)
    search = GridSearchCV(distilled, {"distillation_weight": [1.0, 2.0]}, cv=2)
    shown, steps = bars(search)
    fitted = [
        "DistilledClassifier - teachers #0",
        "  DistilledClassifier - teacher | MLPTeacher - fit #0",
        "DistilledClassifier - student | MLPStudent - fit #1",
    ]
    expected = ["GridSearchCV - fit", "  GridSearchCV - search #0"]
    evaluation = "candidate-split-evaluation | DistilledClassifier - fit"
    for number in range(4):
        expected.append(f"    GridSearchCV - {evaluation} #{number}")
        expected += [f"      {line}" for line in fitted]
    refit = "refit-with-best-params | DistilledClassifier - fit #1"
    expected.append(f"  GridSearchCV - {refit}")
    expected += [f"    {line}" for line in fitted]
    assert shown == expected
    for name, n_epochs in (("MLPTeacher", 3), ("MLPStudent", 5)):
        grown = [steps[bar] for bar in steps if f"| {name} - fit" in bar[1]]
        assert grown == [epochs_of(n_epochs)] * 5


def test_bars_as_they_come_reach_epochs_within_a_grid_search(bars):
    """By itself a bar goes one estimator deep: it showed a search no student."""
    distilled = DistilledClassifier(NETWORK, STUDENT, random_state=0)
    search = GridSearchCV(distilled, {"distillation_weight": [1.0]}, cv=2)
    shown, steps = bars(search, depth=1)
    fitted = [
        "DistilledClassifier - teachers #0",
        "  DistilledClassifier - teacher #0",
        "    DistilledClassifier - MLPTeacher #0",
        "DistilledClassifier - student #1",
        "  DistilledClassifier - MLPStudent #0",
    ]
    assert [line for line in shown if "GridSearchCV" not in line] == [
        *(f"      {line}" for line in 2 * fitted),
        *(f"    {line}" for line in fitted),
    ]
    for name, n_epochs in (("MLPTeacher", 3), ("MLPStudent", 5)):
        grown = [steps[bar] for bar in steps if f"- {name} #" in bar[1]]
        assert grown == [epochs_of(n_epochs)] * 3


def test_a_teacher_of_scikit_learn_has_no_bar_where_none_is_handed_on(bars):
    """It merges its tasks with those around it, which have to be leaves."""
    distilled = DistilledClassifier(LogisticRegression(), "linear", random_state=0)
    shown, _ = bars(GridSearchCV(distilled, {"temperature": [1.0]}, cv=2), depth=1)
    assert [line.strip() for line in shown if "LogisticRegression" in line] == []
    student = "DistilledClassifier - LinearStudent #0"
    assert [line.strip() for line in shown if "LinearStudent" in line] == [student] * 3


def test_the_progress_bar_of_scikit_learn_for_a_path(bars):
    model = DistilledClassifierCV(NETWORK, STUDENT, cv=2, random_state=0)
    with pytest.warns(UserWarning, match="distilling does not help"):
        shown, steps = bars(model)
    teacher = "    DistilledClassifierCV - teacher | MLPTeacher - fit"
    assert shown == [
        "DistilledClassifierCV - fit",
        "  DistilledClassifierCV - teachers #0",
        *(f"{teacher} #{number}" for number in range(3)),
        "  DistilledClassifierCV - folds #1",
        "    DistilledClassifierCV - fold #0",
        "    DistilledClassifierCV - fold #1",
        "  DistilledClassifierCV - student | MLPStudent - fit #2",
    ]
    student = [steps[bar] for bar in steps if "| MLPStudent - fit" in bar[1]]
    assert student == [epochs_of(5)]
