"""What is found inside a teacher: its features, and its first layer."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

from sk_distill import DistilledClassifier, Features, MLPStudent, MLPTeacher
from sk_distill.knowledge import tell, watching
from sk_distill.knowledge.inside import FirstLayer, features_of, first_layer_of
from sk_distill.knowledge.kinds import Inquiry
from sk_distill.knowledge.tell import choose_units, reduce_features

RNG = np.random.default_rng(0)
X, Y = load_iris(return_X_y=True)
SMALL = {"max_iter": 5, "random_state": 0, "early_stopping": False}
TEACHER = MLPTeacher(8, n_members=2, **SMALL).fit(X, Y)


class Chain(nn.Module):
    """A network with a layer that has a name."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_features, 6), nn.Tanh())
        self.head = nn.Linear(6, n_classes)

    def forward(self, x):
        return self.head(self.body(x))


def distil(teacher, knowledge):
    student = MLPStudent(**SMALL)
    model = DistilledClassifier(teacher, student, knowledge=knowledge, random_state=0)
    return model.fit(X, Y)


def test_features_of_a_network_are_its_last_hidden_layer():
    (features,) = features_of(TEACHER, X, None)
    assert features.shape == (150, 16)
    logits = [
        np.maximum(features[:, 8 * m : 8 * m + 8], 0) @ TEACHER.coefs_[1][m]
        + TEACHER.intercepts_[1][m]
        for m in range(2)
    ]
    proba = np.mean([np.exp(log_softmax(z, axis=1)) for z in logits], axis=0)
    assert_allclose(proba, TEACHER.predict_proba(X), atol=1e-6)


def test_a_layer_that_is_never_called_has_no_output():
    """What the last linear layer gets was taken in its place, without a word."""
    module = Chain(4, 3)
    module.idle = torch.nn.Linear(4, 4)
    teacher = distil(module, "probabilities").teacher_
    with pytest.raises(ValueError, match="'idle' for a layer, but never calls it"):
        features_of(teacher, X, "idle")
    with pytest.raises(ValueError, match="layer='' is the whole module"):
        features_of(teacher, X, "")


def test_a_layer_may_be_called_by_keyword():
    """Its first argument was looked for among the positional ones."""

    class ByKeyword(Chain):
        def forward(self, x):
            return self.head(input=self.body(x))

    torch.manual_seed(0)
    chain = Chain(4, 3)
    module = ByKeyword(4, 3)
    module.load_state_dict(chain.state_dict())
    found = [
        features_of(distil(m, "features").teacher_, X, layer)[0]
        for m in (chain, module)
        for layer in (None, "head")
    ]
    assert_array_equal(found[0], found[2])
    assert_array_equal(found[1], found[3])


class Recurrent(nn.Module):
    """A module without a linear layer, whose named layer returns a tuple."""

    def __init__(self, n_features, n_classes, batch_first=True):
        super().__init__()
        self.lstm = nn.LSTM(1, 5, batch_first=batch_first)
        self.last = nn.LSTM(5, n_classes, batch_first=batch_first)

    def forward(self, x):
        rows, _ = self.lstm(x[:, :, None])
        return self.last(rows)[0][:, -1]


def test_a_named_layer_needs_no_linear_layer_beside_it():
    """A module without an nn.Linear was refused, and a layer's tuple crashed."""
    model = distil(Recurrent, Features("lstm"))
    (features,) = features_of(model.teacher_, X, "lstm")
    module, rows = model.teacher_._module_and_rows(X)
    with torch.no_grad():
        expected = module.lstm(torch.from_numpy(rows)[:, :, None])[0]
    assert_array_equal(features, expected.numpy().reshape(150, -1))
    with pytest.raises(TypeError, match=r"without an nn\.Linear .*Features\(layer="):
        features_of(model.teacher_, X, None)


def test_a_layer_whose_output_is_no_row_for_each_is_refused():
    class TimeFirst(nn.Module):
        def __init__(self, n_features, n_classes):
            super().__init__()
            self.lstm = nn.LSTM(1, n_classes)

        def forward(self, x):
            return self.lstm(x.T[:, :, None])[0][-1]

    with pytest.raises(
        ValueError, match=r"shape \(4, 150, 3\) for 150 rows.*batch_fir"
    ):
        distil(TimeFirst, Features("lstm"))


@pytest.mark.parametrize("kind", ["module", "net"])
def test_a_mistyped_layer_of_what_is_trained_is_refused_before_work(kind):
    """It was found after the soft targets of a whole table were computed."""

    class Unasked(Chain):
        def forward(self, x):
            assert len(x) < 100, "asked about the table"
            return super().forward(x)

    teacher = Unasked(4, 3)
    if kind == "net":
        net = NeuralNetClassifier(Chain, module__n_features=4, module__n_classes=3)
        net.initialize().module_ = teacher
        teacher = FrozenEstimator(net)
    named = "Unasked" if kind == "module" else "NeuralNetClassifier"
    with pytest.raises(ValueError, match=f"teacher {named} has no layer 'boddy'"):
        distil(teacher, Features("boddy"))


def test_a_dropped_member_has_no_features():
    """The word "drop" was looked into as if it were a classifier."""
    forest = RandomForestClassifier(5, random_state=0)
    vote = VotingClassifier([("a", forest), ("b", "drop")], voting="soft")
    model = distil(vote, "features")
    assert [part.shape for part in features_of(model.teacher_, X, None)] == [(150, 5)]


def test_features_of_a_module_are_what_its_last_linear_layer_gets():
    torch.manual_seed(0)
    module = Chain(4, 3)
    rows = torch.from_numpy(X).float()
    with torch.no_grad():
        body, first = module.body(rows).numpy(), module.body[0](rows).numpy()
        head = module.head(rows @ torch.zeros(4, 6) + torch.from_numpy(body)).numpy()
    teacher = distil(module, "features").teacher_
    assert_allclose(features_of(teacher, X, None)[0], body, atol=1e-6)
    assert_allclose(features_of(teacher, X, "head")[0], head, atol=1e-6)
    assert_allclose(first_layer_of(teacher, X).units, first, atol=1e-6)
    with pytest.raises(ValueError, match=r"no layer 'tail'; its module has \['body'"):
        features_of(teacher, X, "tail")


def test_features_of_skorch_nets_pipelines_searches_and_frozen_teachers():
    scaled = StandardScaler().fit_transform(X).astype(np.float32)
    net = NeuralNetClassifier(
        Chain(4, 3), criterion=nn.CrossEntropyLoss, max_epochs=1, verbose=0
    )
    model = DistilledClassifier(net, MLPStudent(**SMALL), knowledge="features")
    teacher = model.fit(scaled, Y).teacher_
    with torch.no_grad():
        body = teacher.net_.module_.body(torch.from_numpy(scaled)).numpy()
    assert_allclose(features_of(teacher, scaled, None)[0], body, atol=1e-6)

    forest = RandomForestClassifier(5, random_state=0)
    pipe = make_pipeline(StandardScaler(), forest).fit(X, Y)
    leaves = pipe[-1].apply(StandardScaler().fit_transform(X))
    assert_array_equal(features_of(FrozenEstimator(pipe), X, None)[0], leaves)
    search = GridSearchCV(forest, {"max_depth": [2]}).fit(X, Y)
    assert_array_equal(features_of(search, X, None)[0], search.best_estimator_.apply(X))


def test_several_teachers_tell_side_by_side():
    members = [("net", MLPTeacher(8, n_members=1, **SMALL)), ("two", TEACHER)]
    teacher = distil(members, "features").teacher_
    shapes = [part.shape for part in features_of(teacher, X, None)]
    assert shapes == [(150, 8), (150, 16)]
    assert first_layer_of(teacher, X).units.shape == (150, 24)


def test_reduced_features_are_centred_and_of_mean_square_one():
    units = RNG.normal(3, 2, size=(50, 4))
    reduced = reduce_features([units], 4, 50)
    centred = units - units.mean(axis=0)
    assert_allclose(reduced, centred / np.sqrt(np.square(centred).mean()), atol=1e-5)
    fewer = reduce_features([units], 2, 50)
    assert_allclose(fewer.mean(axis=0), 0, atol=1e-6)
    assert_allclose(np.square(fewer).mean(), 1, rtol=1e-5)
    # The two components that keep most of the centred units.
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    kept = (left * size)[:, :2]
    scale = np.sqrt(np.square(kept).mean())
    assert_allclose(np.abs(fewer), np.abs(kept / scale), atol=1e-4)


def test_leaves_are_one_column_each_and_rows_of_the_same_leaves_are_alike():
    leaves = np.array([[1, 7], [1, 7], [2, 7], [2, 9], [1, 9]])
    reduced = reduce_features([leaves], 32, 5)
    assert reduced.shape == (5, 4)
    assert_array_equal(reduced[0], reduced[1])
    distance = np.square(reduced[:, None] - reduced[None]).sum(axis=-1)
    # Of two trees one differs, or both.
    assert_allclose(distance[0, 3] / distance[0, 2], 2, rtol=1e-5)
    # A leaf that none of the known rows is in has no column.
    more = reduce_features([np.vstack([leaves, [[5, 5]]])], 32, 5)
    assert_allclose(more[:5], reduced, atol=1e-6)


def test_the_units_chosen_are_those_that_say_most():
    a, b, c = RNG.uniform(1, 2, size=(3, 200))
    first = FirstLayer(np.column_stack([a, a, b, 0.01 * c]), np.ones(4))
    chosen = choose_units(first, 2)
    assert 2 in chosen
    assert len(set(chosen) & {0, 1}) == 1  # Of two alike only one is.
    louder = choose_units(first._replace(importance=np.array([1, 1, 1, 1000.0])), 1)
    assert_array_equal(louder, [3])
    assert_array_equal(choose_units(first, 9), np.arange(4))


def test_the_units_chosen_are_those_that_move_what_comes_after():
    """All units but two are silenced: what follows gets nothing of them."""
    teacher = deepcopy(TEACHER)
    quiet = np.ones((2, 8, 1), dtype=bool)
    quiet[0, 3] = quiet[1, 5] = False
    teacher.coefs_[1] = np.where(quiet, 0, teacher.coefs_[1])
    first = first_layer_of(teacher, X)
    lengths = [np.linalg.norm(w) for member in teacher.coefs_[1] for w in member]
    assert_allclose(first.importance, lengths, rtol=1e-6)
    told = tell(teacher, X, None, Inquiry(weights=1.0, n_units=2))
    assert_allclose(told.first_layer, first.units[:, [3, 8 + 5]], rtol=1e-6)


def test_what_is_seen_of_a_module_is_each_rows_own(monkeypatch):
    """Rows go through in blocks, of which each is forgotten before the next."""
    torch.manual_seed(0)
    teacher = distil(Chain(4, 3), "probabilities").teacher_

    def seen():
        named = features_of(teacher, X, "body")
        return [
            *named,
            *features_of(teacher, X, None),
            first_layer_of(teacher, X).units,
        ]

    at_once = seen()
    monkeypatch.setattr(watching, "BLOCK_ROWS", 40)
    for blocks, whole in zip(seen(), at_once, strict=True):
        assert_allclose(blocks, whole, atol=1e-6)


@pytest.mark.parametrize("kind", ["network", "trees"])
def test_transfer_rows_have_no_say_in_what_features_are(kind):
    trees = RandomForestClassifier(5, random_state=0)
    teacher = TEACHER if kind == "network" else trees.fit(X, Y)
    far = RNG.normal(0, 5, size=(300, 4))
    for n_components in (3, 99):
        inquiry = Inquiry(features=1.0, of=Features(n_components=n_components))
        alone, told = (tell(teacher, X, rows, inquiry) for rows in (None, far))
        assert_allclose(told.hints, alone.hints, atol=1e-5)
        assert np.abs(told.transfer_hints.mean(axis=0)).max() > 0.1


def test_what_is_told_of_some_rows_is_theirs():
    rows = np.array([1, 2, 7])
    inquiry = Inquiry(features=1.0, weights=1.0, n_units=4)
    told = tell(TEACHER, X, X[:5] + 0.1, inquiry)
    some = told.take(rows)
    assert_array_equal(some.hints, told.hints[rows])
    assert_array_equal(some.first_layer, told.first_layer[rows])
    assert_array_equal(some.transfer_hints, told.transfer_hints)
    assert tell(TEACHER, X, None, Inquiry()).take(rows) == (None, None, None)
