"""Several networks of one architecture, made one."""

from __future__ import annotations

from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import Tags, get_tags, indexable
from sklearn.utils.validation import check_is_fitted

from sk_distill._sklearn import safe_indexing
from sk_distill.encoding import check_columns
from sk_distill.inference import MostProbableMixin
from sk_distill.networks.mlp import write_weights
from sk_distill.networks.module import ModuleClassifier
from sk_distill.progress import Task, WatchedMixin, fit_task
from sk_distill.seeding import isolated_seed
from sk_distill.teachers.alignment import Chain, fuse_chains
from sk_distill.teachers.chains import parts_of, read_chain, write_chain
from sk_distill.teachers.mlp import MLPTeacher
from sk_distill.validation import (
    check_integer,
    check_sample_weight,
    check_seed,
    draw_seed,
    encode_labels,
    is_torch_module_class,
    name_of,
    unchanged_on_failure,
)

if TYPE_CHECKING:
    from sk_distill.networks.knowledge import Anchor
    from sk_distill.nn import StackedMLP

# Rows on which units are compared: enough for a correlation, and small in memory.
_MOST_ROWS = 5_000

# Small enough to stay near the average; it is trained at a constant step size.
_FINE_TUNING_RATE = 1e-3


class FusedTeacher(WatchedMixin, MostProbableMixin, ClassifierMixin, BaseEstimator):
    r"""Average of the weights of several networks, which is one network.

    Networks of one architecture are trained from different seeds. The hidden units of
    each are put in the order that maximises their correlation with the first network's
    on the training rows, layer by layer, and the weights are averaged:

    .. math::

        W^{(l)} = \frac{1}{M} \sum_m Π_m^{(l)\top} W_m^{(l)} Π_m^{(l - 1)}

    where the permutations :math:`Π_m`, none of inputs and of logits, are optimal
    transport between units of equal mass (Singh & Jaggi 2020, arXiv:1910.05653). A few
    epochs of training from there, on labels and on the networks' mean probabilities
    alike, mend what averaging costs.

    The average alone is near one network where layers are wide, and can be far from it
    where there are two or more hidden ones. The tuned one is mostly better than a
    network trained alone, and a little worse than the ensemble, which costs
    ``n_teachers`` times as much to ask: where that is no matter use
    :class:`MLPTeacher` or :class:`VotingTeacher`.

    Parameters
    ----------
    estimator : MLPTeacher, nn.Module class or None, default=None
        The architecture. None is an ``MLPTeacher()``, whose ``n_members`` are not used.
        A class is called as ``Module(n_features, n_classes)``, trained on standardised
        columns, and must be an ``nn.Sequential`` of ``nn.Linear`` and of element-wise
        activations.
    n_teachers : int, default=4
        Networks, at least 2.
    fine_tuning_epochs : int, default=5
        Epochs of training after averaging; 0 leaves the average as it is.
    random_state : int, RandomState or None, default=None
        Seed of everything that is random; an ``MLPTeacher`` with a seed keeps it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    estimator_ : MLPTeacher of one member, or classifier with a ``module_``
        The one network. Its ``n_iter_``, ``loss_curve_`` and ``history_`` are those of
        the fine-tuning; without any it has none.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X had names that are all strings.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sk_distill import FusedTeacher, MLPTeacher
    >>> X, y = load_wine(return_X_y=True)
    >>> fused = FusedTeacher(MLPTeacher((64,)), n_teachers=3, random_state=0).fit(X, y)
    >>> fused.estimator_.coefs_[1].shape
    (64, 3)
    >>> bool(fused.score(X, y) > 0.98)
    True
    """

    classes_: NDArray[Any]
    estimator_: Any
    n_features_in_: int

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_teachers: int = 4,
        fine_tuning_epochs: int = 5,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.n_teachers = n_teachers
        self.fine_tuning_epochs = fine_tuning_epochs
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        """Say that missing values and strings are welcome where the networks' are."""
        tags = super().__sklearn_tags__()
        inputs = get_tags(self._prepare_estimator()).input_tags
        tags.input_tags.allow_nan = inputs.allow_nan
        tags.input_tags.string = inputs.string
        return tags

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Train the networks, average them, and fine-tune the average.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. A row of weight 0 is a row that is not there.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError, TypeError
            For input or a parameter that cannot be used; an earlier fit stays.
        TrainingDivergedError
            When the training loss is no longer a finite number; an earlier fit stays.
        """
        with unchanged_on_failure(self):
            estimator = self._prepare_estimator()
            check_integer(self, "n_teachers", self.n_teachers, 2)
            check_integer(self, "fine_tuning_epochs", self.fine_tuning_epochs, 0)
            check_seed(self, self.random_state)
            check_columns(self, X)
            table = estimator._check_before_fit(X)
            classes, codes = encode_labels(self, table, y)
            weight = check_sample_weight(self, sample_weight, len(codes))
            rng = np.random.RandomState(draw_seed(self.random_state))
            if isinstance(estimator, ModuleClassifier):
                self._check_architecture(estimator, len(classes))

            labels = classes[codes]
            # Networks of this package's are trained side by side.
            n_fits = 1 if isinstance(estimator, MLPTeacher) else self.n_teachers
            n_subtasks = n_fits + (self.fine_tuning_epochs > 0)
            with fit_task(self, X, y, sample_weight, n_subtasks) as task:
                (X,) = indexable(X)
                teachers = self._fit_teachers(estimator, X, labels, weight, rng, task)
                some = safe_indexing(X, _some_rows(weight, codes, rng))
                fused = _fuse(teachers, some)
                if self.fine_tuning_epochs:
                    said = np.mean([t.predict_proba(X) for t in teachers], axis=0)
                    n_epochs = self.fine_tuning_epochs
                    _fine_tune(fused, X, labels, weight, said, n_epochs, task)
                self.classes_, self.estimator_ = classes, fused
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the one network's probability of each class.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    def _prepare_estimator(self) -> MLPTeacher | ModuleClassifier:
        if self.estimator is None:
            return MLPTeacher()
        if isinstance(self.estimator, MLPTeacher):
            return clone(self.estimator)
        if is_torch_module_class(self.estimator):
            return ModuleClassifier(self.estimator)
        raise TypeError(
            f"{name_of(self)}: estimator={self.estimator!r} is no architecture that "
            "can be trained several times and averaged; expected None, an MLPTeacher, "
            "or an nn.Module class. To average what any teachers say use VotingTeacher."
        )

    def _check_architecture(self, estimator: ModuleClassifier, n_classes: int) -> None:
        with isolated_seed(0, "cpu"):
            module = estimator._make_module(self.n_features_in_, n_classes)
        parts_of(name_of(self), module)

    def _fit_teachers(
        self,
        estimator: MLPTeacher | ModuleClassifier,
        X: Any,
        y: NDArray[Any],
        weight: NDArray[np.float64] | None,
        rng: np.random.RandomState,
        task: Task,
    ) -> list[Any]:
        """Return the networks, of which each is a classifier with its own encoder."""
        seeds = rng.randint(2**31 - 1, size=self.n_teachers).tolist()
        if isinstance(estimator, MLPTeacher):
            if estimator.random_state is None:
                estimator.set_params(random_state=seeds[0])
            estimator.set_params(n_members=self.n_teachers)
            with task.subtask("networks").fits(estimator):
                estimator.fit(X, y, weight)
            return _members(estimator)
        networks = [clone(estimator).set_params(random_state=seed) for seed in seeds]
        for network in networks:
            with task.subtask("network").fits(network):
                network.fit(X, y, weight)
        return networks


class TunedTeacher(MLPTeacher):
    """One that goes on from the weights and the encoding that it has.

    Messages and bars show its name.
    """

    warm_start = True

    def _build_module(
        self, n_outputs: int, warm: bool, anchor: Anchor | None
    ) -> StackedMLP:
        module = super()._build_module(n_outputs, warm, anchor)
        write_weights(self, module, self.encoder_, self.coefs_, self.intercepts_)
        return module


def _some_rows(
    weight: NDArray[np.float64] | None,
    codes: NDArray[Any],
    rng: np.random.RandomState,
) -> NDArray[np.int64]:
    """Return the numbers of rows that weigh something, 5,000 at most."""
    rows = np.arange(len(codes)) if weight is None else np.flatnonzero(weight)
    if len(rows) > _MOST_ROWS:
        rows = np.sort(rng.choice(rows, _MOST_ROWS, replace=False))
    return rows


def _members(ensemble: MLPTeacher) -> list[MLPTeacher]:
    """Return each network of an ensemble as a teacher of its own."""
    members = []
    for m in range(ensemble.n_members):
        member = copy(ensemble).set_params(n_members=1)
        member.coefs_ = [coef[m] for coef in ensemble.coefs_]
        member.intercepts_ = [intercept[m] for intercept in ensemble.intercepts_]
        members.append(member)
    return members


def _fuse(teachers: list[Any], X: Any) -> Any:
    """Return a copy of the first teacher with the average of all weights."""
    fused = copy(teachers[0])
    chains, hidden = zip(*[_read(teacher, X) for teacher in teachers], strict=True)
    chain = fuse_chains(chains, hidden)
    if isinstance(fused, MLPTeacher):
        fused.coefs_, fused.intercepts_ = chain
    else:
        fused.module_ = deepcopy(fused.module_)
        write_chain(parts_of(name_of(fused), fused.module_), chain)
    # They were another network's.
    del fused.n_iter_, fused.loss_curve_, fused.history_
    return fused


def _read(teacher: Any, X: Any) -> tuple[Chain, list[NDArray[Any]]]:
    """Return the weights of a network, and its hidden units' values for some rows."""
    if isinstance(teacher, MLPTeacher):
        return Chain(teacher.coefs_, teacher.intercepts_), teacher._hidden_layers(X)
    module, rows = teacher._module_and_rows(X)
    return read_chain(parts_of(name_of(teacher), module), rows)


def _fine_tune(
    fused: Any,
    X: Any,
    y: NDArray[Any],
    weight: NDArray[np.float64] | None,
    said: NDArray[np.float64],
    n_epochs: int,
    task: Task,
) -> None:
    """Train a fused teacher on labels and soft targets, from the weights that it has.

    Labels and soft targets count alike, λ = 1.
    """
    params = fused.get_params(deep=False) | {
        "learning_rate": "constant",
        "learning_rate_init": _FINE_TUNING_RATE,
        "max_iter": n_epochs,
    }
    tuned: Any
    if isinstance(fused, MLPTeacher):
        tuned = TunedTeacher(**params)
        vars(tuned).update(_fitted(fused))
    else:
        # An instance is trained from the weights that it has.
        tuned = ModuleClassifier(**params | {"module": fused.module_})
    with task.subtask("fine-tuning").fits(tuned):
        tuned.fit(X, y, weight, soft_targets=said)
    vars(fused).update(_fitted(tuned))


def _fitted(estimator: Any) -> dict[str, Any]:
    """Return the attributes that a fit has set."""
    return {name: value for name, value in vars(estimator).items() if name[-1] == "_"}
