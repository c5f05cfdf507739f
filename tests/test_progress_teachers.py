"""What teachers that are made of several tell of their parts and epochs."""

from collections import Counter

import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from recorders import Recorder
from sk_distill import DistilledClassifier, FusedTeacher, MLPTeacher, VotingTeacher

pytest.importorskip("sklearn.callback")

X, Y = make_classification(200, 6, n_informative=4, random_state=0)
NETWORK = MLPTeacher(4, n_members=1, max_iter=3, random_state=0)
MEMBERS = [("network", NETWORK), ("bayes", GaussianNB())]
STUDENT = DecisionTreeClassifier(max_depth=2)

TEACHER = ("fit", "teachers", "teacher")


def listen(model, **params):
    """Return what a callback was told of a fit."""
    recorder = Recorder(**params)
    model.set_callbacks(recorder).fit(X, Y)
    assert Counter(recorder.begun) == Counter(recorder.ended)
    assert recorder.n_running == 0
    return recorder


def test_members_of_a_list_are_parts_of_the_teacher():
    """A list of teachers was one task, however many networks were in it."""
    recorder = listen(DistilledClassifier(MEMBERS, STUDENT, random_state=0))
    network = (*TEACHER, "network")
    assert recorder.ended == [
        *[(*network, "epoch")] * 3,
        network,
        (*TEACHER, "bayes"),
        TEACHER,
        ("fit", "teachers"),
        ("fit", "student"),
        ("fit",),
    ]


def test_a_vote_by_itself_tells_of_its_members_and_of_those_within():
    vote = VotingTeacher([("inner", MEMBERS), ("other", NETWORK)])
    counts = Counter(listen(vote).ended)
    assert counts["fit", "inner", "network", "epoch"] == 3
    assert counts["fit", "inner", "bayes"] == counts["fit", "inner"] == 1
    assert counts["fit", "other", "epoch"] == 3


@pytest.mark.parametrize("depth", [None, 1, 0])
def test_a_vote_that_learns_its_weights_can_be_watched(depth):
    """Its folds were parts of a task that has none: the fit failed."""
    vote = VotingTeacher(MEMBERS, weights="learned", cv=2, random_state=0)
    model = DistilledClassifier(vote, STUDENT, random_state=0)
    recorder = Recorder()
    recorder.max_propagation_depth = depth
    model.set_callbacks(recorder).fit(X, Y)
    assert Counter(recorder.begun) == Counter(recorder.ended)
    # Two teachers label the rows out of fold, one is kept.
    epochs = [path for path in recorder.ended if path[-1] == "epoch"]
    assert len(epochs) == 3 * 3
    named = ("network", "bayes", "teachers")
    parts = Counter(path[-1] for path in recorder.ended if path[-1] in named)
    assert parts == {"network": 1, "bayes": 1, "teachers": 3}


def test_members_within_a_search_have_epochs():
    model = DistilledClassifier(MEMBERS, STUDENT, random_state=0)
    counts = Counter(listen(GridSearchCV(model, {"random_state": [0]}, cv=2)).ended)
    evaluation = ("fit", "search", "candidate-split-evaluation")
    assert counts[*evaluation, *TEACHER[1:], "network", "epoch"] == 2 * 3


def test_a_stop_ends_the_training_of_one_member():
    twice = [("one", NETWORK), ("other", clone(NETWORK))]
    vote = VotingTeacher(twice)
    recorder = listen(vote, stop_at="epoch")
    assert [member.n_iter_ for member in vote.estimators_] == [1, 1]
    assert recorder.ended.count(("fit", "other", "epoch")) == 1


@pytest.mark.parametrize("weights", [None, "learned"])
def test_to_be_watched_changes_no_vote(weights):
    plain, watched = (
        VotingTeacher(MEMBERS, weights=weights, cv=2, random_state=0) for _ in "ab"
    )
    plain.fit(X, Y)
    recorder = listen(watched)
    assert_array_equal(watched.predict_proba(X), plain.predict_proba(X))
    assert_array_equal(recorder.fitted[-1].predict_proba(X), plain.predict_proba(X))


def test_members_in_other_processes_are_fitted_all_the_same():
    vote = VotingTeacher(MEMBERS, n_jobs=2, random_state=0)
    recorder = listen(vote)
    assert recorder.ended == [("fit",)]
    plain = VotingTeacher(MEMBERS, random_state=0).fit(X, Y)
    assert_array_equal(vote.predict_proba(X), plain.predict_proba(X))


def test_a_fused_teacher_tells_of_its_networks_and_of_their_fine_tuning():
    """It was one task. Its networks of this package's are trained as one."""
    fused = FusedTeacher(NETWORK, n_teachers=2, fine_tuning_epochs=2, random_state=0)
    recorder = listen(DistilledClassifier(fused, STUDENT, random_state=0))
    networks, tuning = (*TEACHER, "networks"), (*TEACHER, "fine-tuning")
    epochs = [(*networks, "epoch")] * 3 + [networks]
    epochs += [(*tuning, "epoch")] * 2 + [tuning, TEACHER]
    assert recorder.ended[: len(epochs)] == epochs


def test_modules_that_are_fused_are_trained_one_by_one():
    fused = FusedTeacher(nn.Linear, n_teachers=2, fine_tuning_epochs=0)
    recorder = listen(fused, stop_at="epoch")
    network = ("fit", "network")
    assert recorder.ended == 2 * [(*network, "epoch"), network] + [("fit",)]


def test_to_be_watched_changes_no_fused_teacher():
    plain, watched = (
        FusedTeacher(NETWORK, n_teachers=2, fine_tuning_epochs=2, random_state=0)
        for _ in "ab"
    )
    plain.fit(X, Y)
    recorder = listen(watched)
    assert_array_equal(watched.predict_proba(X), plain.predict_proba(X))
    assert_array_equal(recorder.fitted[-1].predict_proba(X), plain.predict_proba(X))
    assert vars(watched.estimator_).keys() == vars(plain.estimator_).keys()


@pytest.mark.parametrize("member", [False, True])
def test_a_frozen_teacher_is_a_task_and_keeps_its_own_callbacks(member):
    """It was told of by nobody; one that was fitted with bars could not be watched."""
    before = Recorder()
    fitted = clone(NETWORK).set_callbacks(before).fit(X, Y)
    teacher = FrozenEstimator(fitted)
    model = DistilledClassifier(
        [("frozen", teacher)] if member else teacher, STUDENT, random_state=0
    )
    recorder = listen(model)
    assert recorder.ended[0] == ((*TEACHER, "frozen") if member else TEACHER)
    assert before.ended.count(("fit", "epoch")) == len(before.ended) - 1 == 3
    assert fitted._skl_callbacks == [before]
