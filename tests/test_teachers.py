"""Whatever the teacher is, the student is the one taught its probabilities by hand."""

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

from classifiers import Backwards
from sk_distill import DistillationWarning, DistilledClassifier, LinearStudent
from sk_distill import MLPTeacher as MLP


def distilled(teacher, **params):
    return DistilledClassifier(teacher, "linear", **params)


def assert_learned(model, X, y, proba, weight=None):
    by_hand = LinearStudent().fit(X, y, weight, soft_targets=proba)
    assert_allclose(model.coef_, by_hand.coef_, atol=1e-6)
    assert_allclose(model.intercept_, by_hand.intercept_, atol=1e-6)


def proba_of(classifier, X, y, **fit_params):
    return clone(classifier).fit(X, y, **fit_params).predict_proba(X)


class Net(nn.Sequential):
    """Logits; dropout makes them random for who forgets to switch it off."""

    def __init__(self, n_features, n_classes):
        layers = nn.Linear(n_features, 8), nn.Tanh(), nn.Dropout(0.5)
        super().__init__(*layers, nn.Linear(8, n_classes))


def logits_of(module, X):
    module = clone(module, safe=False).eval().double()
    return module(torch.tensor(X)).detach().numpy()


BAYES = GaussianNB()
FOREST = RandomForestClassifier(5, max_depth=2, random_state=0)
PIPELINE = make_pipeline(StandardScaler(), PCA(2), LogisticRegression())
torch.manual_seed(0)
MODULE = Net(6, 3).train()
# Nothing is random: all rows at once, from the weights of one module.
SKORCH = NeuralNetClassifier(
    nn.Linear(6, 3),
    criterion=nn.CrossEntropyLoss,
    max_epochs=5,
    lr=0.5,
    batch_size=-1,
    train_split=None,
    verbose=0,
)
BY_HAND = {
    "module": lambda X, y: softmax(logits_of(MODULE, X), axis=1),
    "skorch": lambda X, y: proba_of(SKORCH, X.astype("f4"), y),
    "list": lambda X, y: (proba_of(BAYES, X, y) + proba_of(FOREST, X, y)) / 2,
    "list of kinds": lambda X, y: np.mean(
        [proba_of(BAYES, X, y), BY_HAND["module"](X, y), BY_HAND["skorch"](X, y)],
        axis=0,
    ),
}
TEACHERS = {
    "classifier": BAYES,
    "pipeline": PIPELINE,
    "search": GridSearchCV(BAYES, {"var_smoothing": [1e-9, 0.5]}, cv=3),
    "vote": VotingClassifier([("a", BAYES), ("b", FOREST)], voting="soft"),
    "list": [("a", BAYES), ("b", FOREST)],
    "list of kinds": [("a", BAYES), ("b", MODULE), ("c", SKORCH)],
    "module": MODULE,
    "skorch": SKORCH,
}


@pytest.mark.parametrize("kind", TEACHERS)
def test_student_learns_what_the_teacher_says(multiclass, kind):
    X, y = multiclass
    teacher, names = TEACHERS[kind], np.array(["ash", "beech", "cedar"])
    before = joblib.hash(teacher)
    model = distilled(teacher, random_state=0).fit(X, names[y])
    assert joblib.hash(teacher) == before, (
        "the user's own is neither fitted nor changed"
    )
    proba = BY_HAND[kind](X, y) if kind in BY_HAND else proba_of(teacher, X, y)
    assert_learned(model, X, y, proba)
    assert_allclose(model.teacher_.predict_proba(X), proba, atol=1e-6)


def test_no_teacher_is_an_mlp_teacher(multiclass):
    X, y = multiclass[0][:100], multiclass[1][:100]
    model = distilled(None, random_state=0).fit(X, y)
    by_hand = MLP(random_state=model.teacher_.random_state)
    assert_learned(model, X, y, proba_of(by_hand, X, y))


def test_module_class_is_trained_on_standardised_rows(multiclass):
    X, y = multiclass[0][:100] * 50.0 + 7.0, multiclass[1][:100]
    model = distilled(Net, random_state=0).fit(X, y)
    logits = logits_of(model.teacher_.module_, StandardScaler().fit_transform(X))
    assert_learned(model, X, y, softmax(logits, axis=1))
    assert model.teacher_.score(X, y) > 0.8
    assert_array_equal(distilled(Net, random_state=0).fit(X, y).coef_, model.coef_)


def test_one_logit_is_that_of_the_second_class(binary):
    X, y = binary
    module = Net(6, 1)
    second = expit(logits_of(module, X))
    assert_learned(distilled(module).fit(X, y), X, y, np.hstack([1 - second, second]))


def test_fitted_teacher_is_the_users_own_and_as_it_was(multiclass):
    X, y = multiclass
    frozen = FrozenEstimator(clone(BAYES).fit(X[:50], y[:50]))
    before = joblib.hash(frozen)
    model = distilled(frozen, random_state=0).fit(X, y)
    assert model.teacher_ is frozen
    assert joblib.hash(frozen) == before
    assert_learned(model, X, y, frozen.predict_proba(X))
    assert distilled(MODULE).fit(X, y).teacher_.module is MODULE

    net = clone(SKORCH).fit(X[:50].astype("f4"), y[:50])
    proba = net.predict_proba(X.astype("f4"))
    assert_learned(distilled(FrozenEstimator(net)).fit(X, y), X, y, proba)
    assert_array_equal(net.predict_proba(X.astype("f4")), proba)


def test_teacher_proba_needs_no_teacher(multiclass):
    X, y = multiclass
    model = distilled(BAYES).fit(X, y)
    proba = proba_of(FOREST, X, y)
    proba.setflags(write=False)
    assert hasattr(model, "teacher_")
    model.fit(X, y, teacher_proba=proba)
    assert not hasattr(model, "teacher_")
    assert_learned(model, X, y, proba)


ODD, EVEN = np.arange(1, 240, 2), np.arange(0, 240, 2)


@pytest.mark.parametrize(
    "cv",
    [4, StratifiedKFold(3, shuffle=True, random_state=1), [(ODD, EVEN), (EVEN, ODD)]],
)
def test_out_of_fold_targets_are_cross_val_predict(multiclass, cv):
    X, y = multiclass
    proba = cross_val_predict(BAYES, X, y, cv=cv, method="predict_proba")
    with joblib.parallel_config("threading"):
        one, two = (distilled(BAYES, teacher_cv=cv, n_jobs=n).fit(X, y) for n in (1, 2))
    assert_learned(one, X, y, proba)
    assert_array_equal(one.coef_, two.coef_)
    assert_array_equal(one.teacher_.theta_, clone(BAYES).fit(X, y).theta_)


@pytest.mark.parametrize("step", ["", "gaussiannb__"])
@pytest.mark.parametrize("cv", [None, 3])
def test_weights_reach_the_teacher_also_in_folds(multiclass, weight, cv, step):
    X, y = multiclass
    teacher = make_pipeline(PCA(3), BAYES) if step else BAYES
    folds = StratifiedKFold(cv).split(X, y) if cv else [(np.arange(240),) * 2]
    proba = np.empty((240, 3))
    for train, test in folds:
        of_fold = {f"{step}sample_weight": weight[train]}
        by_hand = clone(teacher).fit(X[train], y[train], **of_fold)
        proba[test] = by_hand.predict_proba(X[test])
    model = distilled(teacher, teacher_cv=cv).fit(X, y, weight)
    assert_learned(model, X, y, proba, weight)


def test_weights_reach_all_teachers_of_a_list(multiclass, weight):
    X, y = multiclass
    probas = [proba_of(t, X, y, sample_weight=weight) for t in (BAYES, FOREST)]
    model = distilled([("a", BAYES), ("b", FOREST)]).fit(X, y, weight)
    assert_learned(model, X, y, np.mean(probas, axis=0), weight)


@pytest.mark.parametrize(
    ("teacher", "name"),
    [
        (KNeighborsClassifier(), "KNeighborsClassifier"),
        (make_pipeline(PCA(3), KNeighborsClassifier()), "Pipeline"),
    ],
)
def test_teacher_that_takes_no_weights_goes_without(multiclass, weight, teacher, name):
    X, y = multiclass
    unweighted = distilled(teacher).fit(X, y).teacher_.predict_proba(X)
    with pytest.warns(DistillationWarning, match=f"teacher {name} takes no sample_we"):
        model = distilled(teacher).fit(X, y, weight)
    assert_learned(model, X, y, unweighted, weight)


def test_a_list_weights_those_that_can_be(multiclass, weight):
    X, y = multiclass
    neighbours = KNeighborsClassifier()
    model = distilled([("a", BAYES), ("b", neighbours)])
    with pytest.warns(DistillationWarning, match="teacher KNeighborsClassifier takes"):
        model.fit(X, y, weight)
    probas = [proba_of(BAYES, X, y, sample_weight=weight), proba_of(neighbours, X, y)]
    assert_learned(model, X, y, np.mean(probas, axis=0), weight)


def test_weights_of_a_teacher_that_is_not_fitted_are_no_matter(multiclass, weight):
    """A trained module was said to go without weights, and to be replaced for it."""
    X, y = multiclass
    skorch = FrozenEstimator(clone(SKORCH).fit(X.astype(np.float32), y))
    for teacher in (MODULE, skorch):
        distilled(teacher).fit(X, y, weight)


@pytest.mark.parametrize("teacher_cv", [None, 3])
@pytest.mark.parametrize("in_a_list", [False, True])
def test_columns_follow_the_teachers_classes(multiclass, in_a_list, teacher_cv):
    """Out of fold and inside a list they were taken to be in ascending order."""
    X, y = multiclass

    def fit(member):
        teacher = [("a", member), ("b", FOREST)] if in_a_list else member
        return distilled(teacher, teacher_cv=teacher_cv).fit(X, y)

    assert_allclose(fit(Backwards()).coef_, fit(BAYES).coef_, atol=1e-6)


def test_a_member_of_a_list_that_knows_other_classes_is_refused(multiclass):
    """The vote gave members numbers for labels: all of them seemed to know 0, 1, 2."""
    X, y = multiclass
    frozen = FrozenEstimator(clone(BAYES).fit(X, y))
    message = r"teacher FrozenEstimator has never seen the classes \['ash'"
    with pytest.raises(ValueError, match=message):
        distilled([("a", frozen)]).fit(X, np.array(["ash", "beech", "cedar"])[y])


@pytest.mark.parametrize("in_a_list", [False, True])
@pytest.mark.parametrize("teacher_cv", [None, 3])
def test_the_teacher_gets_the_labels_as_they_are(multiclass, in_a_list, teacher_cv):
    """Its class weights are by name; out of fold and in a list it got numbers."""
    X, y = multiclass
    weights = {"ash": 1.0, "beech": 2.0, "cedar": 3.0}
    teacher = LogisticRegression(class_weight=weights)
    model = distilled([("a", teacher)] if in_a_list else teacher, teacher_cv=teacher_cv)
    model.fit(X, np.array(sorted(weights))[y])
    assert model.score(X, np.array(sorted(weights))[y]) > 0.7


@pytest.mark.parametrize("asked", [True, False, None])
@pytest.mark.parametrize("kind", ["classifier", "pipeline", "list"])
def test_routing_gives_weights_to_who_asks(multiclass, weight, kind, asked):
    X, y = multiclass
    with config_context(enable_metadata_routing=True):
        bayes = GaussianNB().set_fit_request(sample_weight=asked)
        kinds = {"pipeline": make_pipeline(bayes), "list": [("a", bayes)]}
        model = distilled(kinds.get(kind, bayes))
        if asked is None:
            with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
                model.fit(X, y, weight)
            return
        model.fit(X, y, weight)
    proba = proba_of(BAYES, X, y, sample_weight=weight if asked else None)
    assert_learned(model, X, y, proba, weight)


def test_seed_goes_to_the_parts_without_one(multiclass):
    X, y = multiclass
    teacher = [("a", FOREST), ("b", make_pipeline(PCA(2), RandomForestClassifier(3)))]
    models = [distilled(teacher, random_state=seed).fit(X, y) for seed in (0, 0, 1)]
    seeds = []
    for a, (pca, forest) in (model.teacher_.estimators_ for model in models):
        assert a.random_state == FOREST.random_state
        seeds += [pca.random_state, forest.random_state]
    assert seeds[:2] == seeds[2:4]
    assert len(set(seeds)) == 4
    assert None not in seeds
    assert_array_equal(models[0].coef_, models[1].coef_)
    assert np.abs(models[0].coef_ - models[2].coef_).max() > 0.01
    unseeded = distilled(RandomForestClassifier(3)).fit(X, y)
    assert unseeded.teacher_.random_state is None


@pytest.mark.parametrize("table", ["binary", "multiclass"])
def test_mlp_teacher_is_the_mean_of_its_members_by_hand(request, table):
    X, y = request.getfixturevalue(table)
    settings = {"encoding": "standard", "max_iter": 3, "random_state": 0}
    teacher = MLP((8, 4), "tanh", n_members=3, **settings).fit(X, y)
    (u, v, w), (a, b, c) = teacher.coefs_, teacher.intercepts_
    members = []
    for m in range(3):
        z = np.tanh(StandardScaler().fit_transform(X) @ u[m] + a[m])
        z = np.tanh(z @ v[m] + b[m]) @ w[m] + c[m]
        z = np.hstack([np.zeros_like(z), z]) if table == "binary" else z
        members.append(softmax(z, axis=1))
    assert np.abs(members[0] - members[1]).max() > 0.01
    assert_allclose(teacher.predict_proba(X), np.mean(members, axis=0), atol=1e-10)


def test_mlp_teacher_ends_with_the_weights_of_its_best_epoch(multiclass):
    X, y = multiclass
    settings = {"learning_rate": "constant", "learning_rate_init": 0.05}
    teacher = MLP((32,), max_iter=200, tol=0, random_state=0, **settings).fit(X, y)
    best = int(teacher.history_["valid_loss"].argmin()) + 1
    assert teacher.n_iter_ == best + 10
    stopped_there = clone(teacher).set_params(max_iter=best).fit(X, y)
    for weight, expected in zip(teacher.coefs_, stopped_there.coefs_, strict=True):
        assert_array_equal(weight, expected)


def test_mlp_teacher_decays_weights_apart_from_the_gradient():
    """Columns of zeros have no gradient: their weights shrink by 1 - lr * decay."""
    X, y = np.zeros((40, 3)), np.arange(40) % 2
    settings = {
        "encoding": None,
        "learning_rate": "constant",
        "learning_rate_init": 0.01,
        "batch_size": 40,
    }
    free, decayed = (
        MLP((8,), weight_decay=decay, max_iter=5, random_state=0, **settings).fit(X, y)
        for decay in (0.0, 5.0)
    )
    assert_allclose(decayed.coefs_[0], (1 - 0.05) ** 5 * free.coefs_[0], rtol=1e-5)


def pipeline_of_a_net():
    return make_pipeline(FunctionTransformer(np.float32), clone(SKORCH))


@pytest.mark.filterwarnings("ignore:.*the teacher predicts worse")
@pytest.mark.parametrize("teacher_cv", [None, 2])
@pytest.mark.parametrize("around", ["pipeline", "search", "vote"])
def test_nets_within_a_teacher_are_seeded(multiclass, around, teacher_cv):
    """They drew their weights from torch's own generator, and moved it."""
    X, y = multiclass
    teacher = pipeline_of_a_net()
    if around == "search":
        name = "neuralnetclassifier__lr"
        teacher = GridSearchCV(teacher, {name: [0.1, 0.2]}, cv=2)
    elif around == "vote":
        teacher = VotingClassifier([("net", teacher)], voting="soft")
    before = torch.get_rng_state()
    settings = {"teacher_cv": teacher_cv, "random_state": 0}
    first, second = (distilled(teacher, **settings).fit(X, y) for _ in range(2))
    assert_array_equal(first.coef_, second.coef_)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_splitter_without_a_seed_gets_one(multiclass):
    """It shuffled by numpy's own generator."""
    cv = StratifiedKFold(3, shuffle=True)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    models = [
        distilled(FOREST, teacher_cv=cv, random_state=seed).fit(*multiclass)
        for seed in (0, 0, 1)
    ]
    assert_array_equal(models[0].coef_, models[1].coef_)
    assert np.abs(models[0].coef_ - models[2].coef_).max() > 1e-3
    assert cv.random_state is None
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_wrappers_that_pass_no_weights_on_go_without(multiclass, weight):
    """They take any keyword, and refuse it unless metadata routing is on."""
    X, y = multiclass
    teacher = OneVsRestClassifier(BAYES)
    with pytest.warns(DistillationWarning, match="takes no sample_weight"):
        distilled(teacher).fit(X, y, weight)


@pytest.mark.parametrize("teacher", [None, Net], ids=["default", "module"])
def test_routing_asks_for_teachers_made_here(multiclass, weight, teacher):
    """Nobody could ask on their behalf: the user has no hold of them."""
    X, y = multiclass[0][:60], multiclass[1][:60]
    with config_context(enable_metadata_routing=True):
        routed = distilled(teacher, random_state=0).fit(X, y, weight[:60])
    plain = distilled(teacher, random_state=0).fit(X, y, weight[:60])
    assert_array_equal(routed.coef_, plain.coef_)


def test_a_frozen_part_is_not_fitted_on_folds(multiclass):
    """It labelled rows that it had seen, as if it had not."""
    frozen = FrozenEstimator(clone(FOREST).fit(*multiclass))
    for teacher in ([("a", frozen)], make_pipeline(StandardScaler(), frozen)):
        with pytest.raises(ValueError, match="holds a part that is"):
            distilled(teacher, teacher_cv=3).fit(*multiclass)


def test_members_of_one_name_are_refused(multiclass):
    with pytest.raises(ValueError, match=r"members of one name: \['a', 'a'\]"):
        distilled([("a", BAYES), ("a", FOREST)]).fit(*multiclass)
