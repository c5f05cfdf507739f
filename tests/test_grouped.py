"""Stacks on rows of their own as one net, against each by itself."""

from itertools import chain

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from skorch.callbacks import EpochTimer

from sk_distill import DistilledClassifierCV, LinearStudent, MLPStudent, MLPTeacher
from sk_distill.encoding import TableEncoder
from sk_distill.encoding.table import Table
from sk_distill.knowledge import check_knowledge, tell
from sk_distill.networks.knowledge import SOFT_TARGETS_ALONE, Knowledge
from sk_distill.networks.mlp import ACTIVATIONS, make_perceptron
from sk_distill.networks.paths import Lesson
from sk_distill.nn import GroupedMLP, StackedMLP
from sk_distill.progress import running_task
from sk_distill.students import side_by_side
from sk_distill.training import Objective, grouped, stacks, tensor_net
from sk_distill.training.batches import TensorBatches, TensorRows
from sk_distill.training.grouped import GroupedNet, GroupedObjective

RNG = np.random.default_rng(0)
CANDIDATES = [(0.0, 1.0), (0.5, 1.0), (1.0, 3.0), (np.inf, 1.0)]
MLP = MLPStudent(8, batch_size=32, max_iter=5, random_state=0)


def rows_of(*sizes, n_columns=5):
    return [torch.from_numpy(RNG.normal(size=(n, n_columns))).float() for n in sizes]


def stacks_of(*n_members, widths=(5, 7, 6, 3), **params):
    """The same stacks each time: weights, and a generator for each."""
    stacks = []
    for seed, n in enumerate(n_members):
        torch.manual_seed(seed)
        stack = StackedMLP(widths, n_members=n, alike=True, **params)
        stack.generator = torch.Generator().manual_seed(seed)
        # What is alike would hide a member in another's place.
        with torch.no_grad():
            for parameter in stack.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
        stacks.append(stack)
    return stacks


@pytest.fixture
def nets(monkeypatch):
    """The nets of groups that are trained, as the members of each of their groups."""
    trained = []
    run = GroupedNet.run

    def noted(net, train_rows, validation_rows):
        run(net, train_rows, validation_rows)
        trained.append([stack.n_members for stack in net.module_.stacks])

    monkeypatch.setattr(GroupedNet, "run", noted)
    return trained


# The module.


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_members", [(3, 3), (1, 4, 1), (2,), (1,)])
def test_each_group_is_the_stack_that_it_was(n_members, activation, dropout):
    """There and back: batches of different sizes, each with shares of its own."""
    rows = rows_of(*(11 - i for i in range(len(n_members))))
    params = {"activation": activation, "dropout": dropout}
    alone = stacks_of(*n_members, **params)
    grouped = GroupedMLP(stacks_of(*n_members, **params))
    logits, back = grouped.forward_and_back(rows)
    gradients = [torch.randn(z.shape) for z in logits]
    back(gradients)
    for i, (stack, batch) in enumerate(zip(alone, rows, strict=True)):
        expected, back = stack.forward_and_back(batch)
        assert_allclose(logits[i], expected, atol=1e-6)
        back(gradients[i])
    for i, stack in enumerate(alone):
        layers = zip(grouped.weights, grouped.biases, strict=True)
        for j, (weight, bias) in enumerate(layers, start=1):
            members = grouped.members[i]
            assert_allclose(weight.grad[members], stack.weights[j].grad, atol=1e-4)
            assert_allclose(bias.grad[members], stack.biases[j].grad, atol=1e-4)
        first = grouped.stacks[i]
        assert_allclose(first.weights[0].grad, stack.weights[0].grad, atol=1e-4)
        assert_allclose(first.biases[0].grad, stack.biases[0].grad, atol=1e-4)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_way_back_is_autograds(dropout):
    rows = rows_of(11, 9, 10)
    gradients = [torch.randn(3, 11, 3), torch.randn(9, 3), torch.randn(2, 10, 3)]
    by_hand, by_autograd = (
        GroupedMLP(stacks_of(3, 1, 2, dropout=dropout)) for _ in range(2)
    )
    _, back = by_hand.forward_and_back(rows)
    back(gradients)
    torch.autograd.backward(by_autograd(rows), gradients)
    for mine, theirs in zip(
        by_hand.parameters(), by_autograd.parameters(), strict=True
    ):
        assert_allclose(mine.grad, theirs.grad, atol=1e-4)


def test_each_group_may_have_a_layout_of_its_own():
    encoders = []
    for n_bins in (3, 9):
        table = Table(RNG.normal(size=(60, 4)), {})
        encoder = TableEncoder().fit(table, np.ones((60, 1)), None, "quantile", n_bins)
        encoders.append(
            (encoder, torch.from_numpy(encoder.positions(table, np.float32)))
        )
    alone = [make_perceptron(e, [6, 2], n_members=2) for e, _ in encoders]
    rows = [positions for _, positions in encoders]
    expected = [stack(part).detach() for stack, part in zip(alone, rows, strict=True)]
    for mine, theirs in zip(GroupedMLP(alone)(rows), expected, strict=True):
        assert_allclose(mine.detach(), theirs, atol=1e-6)


def test_a_part_is_the_stack_again():
    rows = rows_of(6, 6)
    alone, grouped = stacks_of(3, 1), GroupedMLP(stacks_of(3, 1))
    for i, stack in enumerate(alone):
        part = grouped.part(i)
        assert [p.shape for p in part.parameters()] == [
            p.shape for p in stack.parameters()
        ]
        assert_array_equal(part(rows[i]).detach(), stack(rows[i]).detach())


def test_the_objective_of_each_group():
    objectives = [Objective(0.0), Objective(2.0)]
    codes, proba = RNG.integers(0, 3, 20), RNG.dirichlet(np.ones(3), size=20)
    targets = [
        {k: torch.from_numpy(v) for k, v in o.make_targets(codes, proba, None).items()}
        for o in objectives
    ]
    logits = [torch.from_numpy(RNG.normal(size=(20, 3))) for _ in objectives]
    grouped = GroupedObjective(objectives)
    values, gradients = grouped.value_and_gradient(logits, targets)
    assert_allclose(grouped(logits, targets), values)
    for i, objective in enumerate(objectives):
        value, gradient = objective.value_and_gradient(logits[i], targets[i])
        assert_allclose(values[i], value)
        assert_array_equal(gradients[i], gradient)


def test_batches_are_drawn_from_the_generator_of_their_own():
    rows = TensorRows(torch.arange(10.0)[:, None], {})

    def order(seed):
        generator = torch.Generator().manual_seed(seed)
        batches = TensorBatches(rows, 3, shuffle=True, generator=generator)
        return [inputs[:, 0].tolist() for inputs, _ in batches]

    assert order(1) == order(1) != order(2)
    assert sorted(chain(*order(1))) == list(range(10))


# The paths of several lessons.


def lessons_of(X, y, folds, knowledge=SOFT_TARGETS_ALONE, weight=None, transfer=None):
    """And what a student is fitted to for the same."""
    lessons, known = [], []
    for i, (train, _) in enumerate(folds):
        noise = np.random.default_rng(i).dirichlet(np.ones(3), size=len(X))
        proba = 0.4 * noise + 0.6 * np.eye(3)[y]
        more = (None, None) if transfer is None else (transfer, proba[: len(transfer)])
        told = knowledge
        if knowledge is not SOFT_TARGETS_ALONE:
            told = knowledge._replace(
                hints=None if knowledge.hints is None else knowledge.hints[train],
                first_layer=None
                if knowledge.first_layer is None
                else knowledge.first_layer[train],
            )
        weights = None if weight is None else weight[train]
        lesson = Lesson(
            running_task(), X[train], y[train], weights, proba[train], *more, told
        )
        lessons.append(lesson)
        known.append(lesson._asdict())
        del known[-1]["task"]
    return lessons, known


def assert_paths_are_single_fits(student, lessons, known, X, atol=2e-5):
    paths = [
        path
        for together in student.fit_paths(iter(lessons), candidates=CANDIDATES)
        for path in together
    ]
    assert len(paths) == len(lessons)
    for path, params in zip(paths, known, strict=True):
        for fitted, (weight, temperature) in zip(path, CANDIDATES, strict=True):
            single = clone(student).fit(
                **params, distillation_weight=weight, temperature=temperature
            )
            assert_allclose(fitted.predict_proba(X), single.predict_proba(X), atol=atol)
            assert fitted.n_iter_ == single.n_iter_
            for name, curve in single.history_.items():
                assert_allclose(fitted.history_[name], curve, atol=atol)
    return paths


STUDENTS = {
    "as it comes": MLP,
    "two layers": clone(MLP).set_params(hidden_layer_sizes=(8, 6), activation="tanh"),
    "L2": clone(MLP).set_params(alpha=10.0, weight_decay=0.5, encoding=None),
    "nothing held out": clone(MLP).set_params(
        early_stopping=False, encoding="standard"
    ),
    "stops early": clone(MLP).set_params(
        learning_rate="constant", tol=1e-2, n_iter_no_change=2, max_iter=30
    ),
}


@pytest.mark.parametrize("name", STUDENTS)
def test_folds_of_unequal_size_are_one_net_of_single_fits(multiclass, name, nets):
    """The rows of a last batch differ in number, and so do the order and the dropout
    that are drawn."""
    X, y = multiclass
    folds = list(KFold(7).split(X))
    lessons, known = lessons_of(X, y, folds)
    assert len({len(lesson.X) for lesson in lessons}) == 2
    assert_paths_are_single_fits(STUDENTS[name], lessons, known, X)
    assert len(nets) == 1
    n_members = 4 if name == "nothing held out" else 3
    assert nets[0].count(n_members) == 7
    assert sum(nets[0]) == 7 * 4


def test_weights_and_transfer_rows(multiclass, weight, nets):
    """λ = 0 has fewer batches than the others, and is a net of its own."""
    X, y = multiclass
    more = np.random.default_rng(9).normal(size=(90, 6))
    folds = list(KFold(3).split(X))
    lessons, known = lessons_of(X, y, folds, weight=weight, transfer=more)
    student = clone(MLP).set_params(class_weight="balanced")
    assert_paths_are_single_fits(student, lessons, known, X)
    assert sorted(nets) == [[1, 1, 1], [3, 3, 3]]


@pytest.mark.parametrize("kind", ["features", "weights"])
def test_hints_and_pulls(multiclass, kind, nets):
    X, y = multiclass
    teacher = MLPTeacher(8, n_members=1, max_iter=5, random_state=0).fit(X, y)
    inquiry = check_knowledge(None, {"probabilities": 1.0, kind: 2.0})
    told = tell(teacher, X, None, inquiry.question(8))
    given = Knowledge(
        1.0, told.hints, None, inquiry.features, told.first_layer, inquiry.weights
    )
    lessons, known = lessons_of(X, y, list(KFold(3).split(X)), given)
    assert_paths_are_single_fits(MLP, lessons, known, X)
    assert [3, 3, 3] in nets


def test_folds_that_take_other_steps_are_other_nets(multiclass, nets):
    X, y = multiclass
    folds = [(np.arange(120), None), (np.arange(240), None), (np.arange(118), None)]
    lessons, known = lessons_of(X, y, folds)
    assert_paths_are_single_fits(MLP, lessons, known, X)
    assert nets == [[1, 3, 1, 3], [1, 3]]


def test_folds_that_memory_does_not_hold_are_trained_one_after_the_other(
    multiclass, nets, monkeypatch
):
    X, y = multiclass
    lessons, known = lessons_of(X, y, list(KFold(5).split(X)))
    path = MLP._begin_path(lessons[0], CANDIDATES, "soft_cross_entropy")
    of_fold, of_member = side_by_side._n_values(path), side_by_side._of_member(path)
    assert 4 * of_member < of_fold < 6 * of_member
    two, one = [1, 3, 1, 3], [1, 3]
    # Where a single fold is too large, its candidates are trained in parts.
    for limit, expected in (
        (2.5 * of_fold, [two, two, one]),
        (1.5 * of_fold, [one] * 5),
        (2.5 * of_member, [[2], [1]] * 5),
    ):
        nets.clear()
        monkeypatch.setattr(side_by_side, "_MOST_VALUES", int(limit))
        assert_paths_are_single_fits(MLP, lessons, known, X)
        assert nets == expected


def test_wide_networks_take_memory_for_their_hidden_units(multiclass):
    """Only weights and rows were counted: twenty λ of 512 units in five folds took a
    gigabyte more than one fold after the other, of which the estimate said nothing."""
    X, y = multiclass
    (lesson,), _ = lessons_of(X, y, [(np.arange(240), None)])
    student = clone(MLP).set_params(hidden_layer_sizes=(50, 70), batch_size=100)
    path = student._begin_path(lesson, CANDIDATES, "soft_cross_entropy")
    n_weights = path.student.encoder_.n_units * 50 + 50 * 70 + 70 * 3
    assert side_by_side._of_member(path) == n_weights + 100 * (50 + 70)
    many = path._replace(data=path.data._replace(inputs=np.zeros((60_000, 6))))
    # Of 6,000 held-out rows half as much is kept as of rows to learn from.
    assert side_by_side._of_member(many) == n_weights + 3_000 * (50 + 70)


def test_folds_whose_held_out_rows_make_other_batches_are_other_nets(
    multiclass, nets, monkeypatch
):
    """They were cut into as many batches of other sizes, of which one fold could have
    too few: an error from within zip."""
    for module in (tensor_net, grouped, stacks):
        monkeypatch.setattr(module, "VALIDATION_ROWS", 5)
    X, y = multiclass
    folds = [(np.arange(240), None), (np.arange(110), None)]
    lessons, known = lessons_of(X, y, folds)
    student = clone(MLP).set_params(batch_size=512)
    assert_paths_are_single_fits(student, lessons, known, X)
    assert nets == [[1, 3], [1, 3]]


def test_a_member_that_has_stopped_may_go_where_there_is_no_loss(multiclass):
    """It goes through the steps of the others; their mean was checked with its loss."""
    X, y = multiclass

    def loss(z, v, labels):
        far = z.square().mean() > 5.3
        z = torch.where(far, torch.full_like(z, torch.nan), z)
        return -(v.softmax(-1) * z.log_softmax(-1)).sum(-1)

    student = MLPStudent(
        16,
        learning_rate="constant",
        learning_rate_init=0.02,
        n_iter_no_change=1,
        tol=2e-2,
        max_iter=60,
        early_stopping=False,
        encoding="standard",
        random_state=0,
    )
    proba = 0.7 * np.eye(3)[y] + 0.1
    candidates = [(1.0, 1.0), (np.inf, 0.5)]
    path = student.fit_path(X, y, soft_targets=proba, candidates=candidates, loss=loss)
    assert [fitted.n_iter_ for fitted in path] == [5, 4]
    for fitted, (weight, temperature) in zip(path, candidates, strict=True):
        single = clone(student).fit(
            X,
            y,
            soft_targets=proba,
            distillation_weight=weight,
            temperature=temperature,
            loss=loss,
        )
        assert fitted.n_iter_ == single.n_iter_
        assert_allclose(fitted.predict_proba(X), single.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize(
    "student",
    [
        LinearStudent(),
        MLPStudent(8, solver="lbfgs", alpha=100.0, tol=1e-3, random_state=0),
        clone(MLP).set_params(callbacks=[EpochTimer()]),
    ],
    ids=["linear", "lbfgs", "callbacks"],
)
def test_what_is_not_stacked_is_trained_fold_after_fold(multiclass, student, nets):
    X, y = multiclass
    lessons, known = lessons_of(X, y, list(KFold(3).split(X)))
    taken = []

    def watched():
        for i, lesson in enumerate(lessons):
            taken.append(i)
            yield lesson

    paths = student.fit_paths(watched(), candidates=CANDIDATES)
    assert len(next(paths)) == 1
    assert taken == [0]
    for (path,), params in zip(paths, known[1:], strict=True):
        for fitted, (weight, temperature) in zip(path, CANDIDATES, strict=True):
            single = clone(student).fit(
                **params, distillation_weight=weight, temperature=temperature
            )
            assert_allclose(fitted.predict_proba(X), single.predict_proba(X), atol=1e-5)
    assert nets == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_folds_are_single_fits_on_a_gpu(multiclass, nets):
    X, y = multiclass
    lessons, known = lessons_of(X, y, list(KFold(7).split(X)))
    student = clone(MLP).set_params(device="cuda")
    assert_paths_are_single_fits(student, lessons, known, X, atol=1e-3)
    assert len(nets) == 1


# The search.


@pytest.mark.filterwarnings("ignore:.*does not help")
def test_a_search_trains_all_candidates_of_all_folds_as_one_net(multiclass, nets):
    X, y = multiclass
    model = DistilledClassifierCV(
        GaussianNB(), MLP, distillation_weights=[0.3, 1, 3], refit=False, random_state=0
    )
    scores = model.fit(X, y).scores_path_
    assert len(nets) == 1
    assert sorted(nets[0]) == [1] * 5 + [4] * 5
    two = clone(model).set_params(n_jobs=2).fit(X, y)
    assert_allclose(two.scores_path_, scores, atol=1e-5)
    n_seconds = len(set(model.cv_results_["mean_fit_time"]))
    assert n_seconds == 1


@pytest.mark.filterwarnings("ignore:.*does not help")
def test_a_generator_of_the_students_is_one_seed_for_all_folds(multiclass):
    """It was drawn from fold by fold, and anew in each process: scores depended on
    n_jobs, and were not those of GridSearchCV."""
    X, y = multiclass
    student = clone(MLP).set_params(random_state=np.random.RandomState(5))
    model = DistilledClassifierCV(
        GaussianNB(), student, distillation_weights=[1], cv=4, random_state=0
    )
    scores = model.fit(X, y).scores_path_
    two = clone(model).set_params(n_jobs=2).fit(X, y)
    assert_allclose(two.scores_path_, scores, atol=1e-5)
    seed = np.random.RandomState(5).randint(2**31 - 1)
    seeded = clone(model).set_params(student__random_state=seed).fit(X, y)
    assert_allclose(seeded.scores_path_, scores, atol=1e-5)
    assert_array_equal(seeded.predict_proba(X), model.predict_proba(X))


@pytest.mark.filterwarnings("ignore:.*does not help")
def test_a_line_an_epoch_has_the_mean_of_all_losses(multiclass, capsys):
    """It had every loss of every candidate, over several lines."""
    X, y = multiclass
    student = clone(MLP).set_params(verbose=1)
    DistilledClassifierCV(
        GaussianNB(), student, distillation_weights=3, refit=False, random_state=0
    ).fit(X, y)
    header, _, *lines = capsys.readouterr().out.strip().splitlines()
    assert header.split() == ["epoch", "train_loss", "valid_loss", "dur"]
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4", "5"]
