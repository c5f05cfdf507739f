"""Any classifier that takes weights, as a student: soft targets become weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, get_tags, indexable
from sklearn.utils.validation import has_fit_parameter

from sk_distill._sklearn import check_parameters, safe_indexing
from sk_distill.encoding import Table, append_rows, check_table
from sk_distill.networks.knowledge import SOFT_TARGETS_ALONE, Knowledge
from sk_distill.networks.paths import Lesson, is_nothing
from sk_distill.seeding import seed_parts
from sk_distill.validation import (
    check_probabilities,
    check_sample_weight,
    draw_seed,
    encode_labels,
    name_of,
)

# A row is handed over once for each class that has at least this share of its weight. A
# network is never quite certain, and would make of each row as many as there are
# classes; its probabilities are rounded to six digits by this, which is about what it
# computed them to.
FLOOR = 1e-6

# Those of which the objective is a weighted sum of -log Q_k, at T = 1; "kl" but for a
# constant.
_LOSSES = ("soft_cross_entropy", "kl")


class ExpandedStudent(BaseEstimator):
    r"""Hand a classifier each row once per class, with the targets as weights.

    It is what ``student=DecisionTreeClassifier()`` becomes. At T = 1 the objective of
    :class:`sk_distill.DistilledClassifier` is

    .. math::

        \frac{L}{1 + λ} = -\sum_i \sum_k w_i \frac{y_{ik} + λ P_{ik}}{1 + λ}
        \log Q_k(x_i)

    (Hinton, Vinyals & Dean 2015, arXiv:1503.02531, section 2.1), which is the log loss
    of as many labelled rows as there are pairs of i and k, with the factor before the
    logarithm for a weight. A classifier that takes weights learns it by whatever it
    does to labelled rows.

    Parameters
    ----------
    estimator : classifier
        Cloned before it is fitted; see :func:`takes_weights`. A ``class_weight`` of its
        own weighs the copies of a row, each by its class.
    random_state : int, RandomState or None, default=None
        Seed of its parts whose own ``random_state`` is None.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    allow_missing_ : bool
        Whether it may be asked about missing values, as far as anybody knows.
    """

    allow_missing_: bool

    _wraps = "estimator"

    def __init__(self, estimator: Any, *, random_state: Any = None) -> None:
        self.estimator = estimator
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        soft_targets: ArrayLike,
        transfer_X: Any = None,
        transfer_targets: ArrayLike | None = None,
        distillation_weight: float = 1.0,
        temperature: float = 1.0,
        loss: Any = "soft_cross_entropy",
        knowledge: Knowledge = SOFT_TARGETS_ALONE,
    ) -> Self:
        """Fit the classifier to labels and soft targets.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            Rows; the classifier gets them as they come.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. A row of weight 0 is a row that is not there.
        soft_targets : array-like of shape (n_samples, n_classes)
            A teacher's probabilities, columns in the order of ``np.unique(y)``.
        transfer_X : array-like or frame of shape (n_transfer, n_features), default=None
            More rows, without labels. Each weighs in the distillation loss as much as
            the mean labelled row.
        transfer_targets : array-like of shape (n_transfer, n_classes), default=None
            The teacher's probabilities for them.
        distillation_weight : float, default=1.0
            λ. 0 hands over the labels alone, each row once; inf the teacher alone.
        temperature : float, default=1.0
            T; 1 is the only one.
        loss : str, default="soft_cross_entropy"
            "soft_cross_entropy", or "kl", which has the same minimiser.
        knowledge : Knowledge
            How much the probabilities count; it has nothing to say of its inside.

        Returns
        -------
        self : object
        """
        self._check_objective(temperature, loss)
        distillation_weight *= knowledge.probabilities
        (X,) = indexable(X)
        classes, codes = encode_labels(self, X, y)
        weight = check_sample_weight(self, sample_weight, len(codes))
        n_classes = len(classes)
        if is_nothing(distillation_weight):
            expanded = expand_labels(codes, n_classes, weight)
        else:
            proba = check_probabilities(
                "soft_targets", soft_targets, len(codes), n_classes
            )
            expanded = expand_targets(
                codes, proba, weight, transfer_targets, distillation_weight
            )
            if transfer_X is not None:
                X = append_rows(X, transfer_X)

        estimator = clone(self.estimator)
        if self.random_state is not None:
            seed_parts(estimator, draw_seed(self.random_state))
        params = {}
        if expanded.weight is not None:
            params[_weight_parameter(estimator)] = expanded.weight
        # A pipeline's last step is the one that takes the weights, whoever else has
        # asked for some.
        rows = safe_indexing(X, expanded.rows)
        with config_context(enable_metadata_routing=False), self._needs_numbers(X):
            self.estimator_ = estimator.fit(rows, classes[expanded.codes], **params)
        self.allow_missing_ = True
        return self

    def fit_path(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        soft_targets: ArrayLike,
        transfer_X: Any = None,
        transfer_targets: ArrayLike | None = None,
        candidates: Sequence[tuple[float, float]],
        loss: Any = "soft_cross_entropy",
        knowledge: Knowledge = SOFT_TARGETS_ALONE,
    ) -> list[Any]:
        """Fit a clone of the classifier for each pair of λ and T, one after the other.

        Parameters
        ----------
        candidates : sequence of (float, float)
            λ and T of each clone.
        X, y, sample_weight, soft_targets, transfer_X, transfer_targets, loss, \
        knowledge
            As in :meth:`fit`.

        Returns
        -------
        fitted : list of classifier
            In the order of the candidates.
        """
        seeded = clone(self).set_params(random_state=draw_seed(self.random_state))
        return [
            clone(seeded)
            .fit(
                X,
                y,
                sample_weight,
                soft_targets=soft_targets,
                transfer_X=transfer_X,
                transfer_targets=transfer_targets,
                distillation_weight=distillation_weight,
                temperature=temperature,
                loss=loss,
                knowledge=knowledge,
            )
            .estimator_
            for distillation_weight, temperature in candidates
        ]

    def fit_paths(
        self,
        lessons: Iterable[Lesson],
        *,
        candidates: Sequence[tuple[float, float]],
        loss: Any = "soft_cross_entropy",
    ) -> Iterator[list[list[Any]]]:
        """Fit a path for each lesson, one after the other.

        Parameters
        ----------
        lessons : iterable of Lesson
            What the classifiers of each path learn from.
        candidates, loss
            As in :meth:`fit_path`.

        Yields
        ------
        paths : list of list of classifier
            The path of the next lesson, alone in its list.
        """
        for lesson in lessons:
            path = self.fit_path(
                lesson.X,
                lesson.y,
                lesson.sample_weight,
                soft_targets=lesson.soft_targets,
                transfer_X=lesson.transfer_X,
                transfer_targets=lesson.transfer_targets,
                candidates=candidates,
                loss=loss,
                knowledge=lesson.knowledge,
            )
            yield [path]

    @contextmanager
    def _needs_numbers(self, X: Any) -> Iterator[None]:
        """Say what to do where a classifier fails on a table that has text."""
        try:
            yield
        except (ValueError, TypeError) as error:
            table = check_table(self, X, allow_missing=True)
            if not table.categories:
                raise
            raise ValueError(
                f"{name_of(self)} as a student gets the rows as they come, and failed "
                f"on a table that has columns of text or categories: {error}. Put an "
                "encoder before it (a Pipeline of a ColumnTransformer with an "
                "OrdinalEncoder for them, and the classifier), or choose 'linear' or "
                "'mlp', which encode by themselves."
            ) from error

    def _check_objective(self, temperature: float, loss: Any) -> None:
        """Refuse what is no weighted log loss of labelled rows."""
        name = name_of(self)
        if temperature != 1:
            raise ValueError(
                f"{name} as a student: temperature={temperature!r} must be 1. Soft "
                "targets become weights of its rows, and a cross-entropy at another "
                "temperature is no weighted one. Set it to 1, or choose "
                "student='linear' or 'mlp'."
            )
        if loss not in _LOSSES:
            raise ValueError(
                f"{name} as a student: loss={loss!r} must be 'soft_cross_entropy' or "
                "'kl', which are the same to it. Soft targets become weights of its "
                "rows, and its own fit says what is minimised. Set one of the two, or "
                "choose student='linear' or 'mlp'."
            )

    def _check_knowledge(self, features: bool, weights: bool) -> None:
        """Refuse to learn more of a teacher than its probabilities."""
        if features or weights:
            kind = "features" if features else "weights"
            raise ValueError(
                f"{name_of(self)} as a student cannot learn "
                f"knowledge={kind!r}: only a network has layers that could. Choose "
                "student='mlp', or knowledge='probabilities'."
            )

    def _n_first_units(self) -> int:
        """Return 0: it has no first layer."""
        return 0

    def _check_before_fit(self, X: Any) -> Table:
        """Refuse parameters and rows that cannot be used; return the rows."""
        check_parameters(self.estimator)
        name = name_of(self)
        for key, value in self.estimator.get_params(deep=True).items():
            if key.split("__")[-1] == "class_weight" and isinstance(value, str):
                raise ValueError(
                    f"{name} as a student: its {key}={value!r} would count rows, each "
                    "of which it gets once for each class. Set class_weight="
                    "'balanced' of the estimator that distils instead, or pass a dict."
                )
        table = check_table(self, X, allow_missing=True)
        self._check_missing(table)
        return table

    def _check_missing(self, table: Table) -> None:
        """Refuse missing values where the classifier would, as far as one can tell."""
        parts = self.estimator.get_params(deep=True).values()
        # What is made of parts may mend its rows before any of them minds.
        may_mend = any(hasattr(part, "fit") for part in parts)
        allows = may_mend or get_tags(self.estimator).input_tags.allow_nan
        if table.has_missing and not allows:
            raise ValueError(
                f"{name_of(self)} as a student takes no missing values, and "
                "X contains NaN. Fill them in (a Pipeline of a SimpleImputer and the "
                "classifier), or choose a student that takes them: "
                "HistGradientBoostingClassifier, DecisionTreeClassifier, 'linear' or "
                "'mlp'."
            )

    def _check_module(self, table: Table, n_classes: int) -> None:
        """Check nothing: it is no module."""

    def _read_transfer(self, X: Any, table: Table) -> Table:
        """Return transfer rows, with the categorical columns of the labelled ones."""
        transfer = check_table(
            self, X, allow_missing=True, categorical=table.categories, reset=False
        )
        self._check_missing(transfer)
        return transfer

    def _shipped(self) -> Any:
        return self.estimator_

    def __sklearn_tags__(self) -> Tags:
        """Say what the classifier says of its input."""
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


class ExpandedRows(NamedTuple):
    """Labelled rows that stand for rows with soft targets.

    Attributes
    ----------
    rows : ndarray of shape (n_expanded,)
        The number of each row in the table; transfer rows follow the labelled ones.
    codes : ndarray of shape (n_expanded,)
        Its label, as a number from 0.
    weight : ndarray of shape (n_expanded,) or None
        Its weight; None where every row weighs the same.
    """

    rows: NDArray[np.int64]
    codes: NDArray[Any]
    weight: NDArray[np.float64] | None


def expand_labels(
    codes: NDArray[Any], n_classes: int, weight: NDArray[np.float64] | None
) -> ExpandedRows:
    """Return rows that have nothing but their labels, each once.

    See :func:`expand_targets` for the parameters.
    """
    if weight is None:
        return ExpandedRows(np.arange(len(codes)), codes, None)
    return _expand(np.eye(n_classes)[codes], weight)


def expand_targets(
    codes: NDArray[Any],
    soft_targets: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    transfer_targets: ArrayLike | None,
    distillation_weight: float,
) -> ExpandedRows:
    """Return each row once for each class of its blend of label and soft targets.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        The label of each row, as a column of ``soft_targets``.
    soft_targets : ndarray of shape (n_samples, n_classes)
        The teacher's probabilities.
    weight : ndarray of shape (n_samples,) or None
        Weights of the rows. Those of weight 0 are left out.
    transfer_targets : array-like of shape (n_transfer, n_classes) or None
        The teacher's probabilities for the transfer rows, which have no label. Each
        weighs λ / (1 + λ) times as much as the mean labelled row that weighs anything.
    distillation_weight : float
        λ > 0.

    Returns
    -------
    expanded : ExpandedRows
        Row by row, and its classes in ascending order. The weights of a row sum to
        that of the row. They are at least ``FLOOR`` times as much; a class that no row
        is left of has its likeliest row, at that weight if need be, so that the
        classifier knows of it.
    """
    hard_share = 1 / (1 + distillation_weight)
    soft_share = 1 - hard_share
    if weight is None:
        weight = np.ones(len(codes))
    blend = soft_share * soft_targets
    blend[np.arange(len(codes)), codes] += hard_share
    if transfer_targets is not None:
        blend = np.concatenate([blend, np.asarray(transfer_targets)])
        each = soft_share * weight[weight > 0].mean()
        weight = np.append(weight, np.full(len(blend) - len(codes), each))
    return _expand(blend, weight)


def _expand(targets: NDArray[np.float64], weight: NDArray[np.float64]) -> ExpandedRows:
    """Return the pairs of a row and a class that weigh something.

    ``targets``, of shape (n_rows, n_classes), sum to one in each row.
    """
    present = np.flatnonzero(weight > 0)
    share = targets[present]
    kept = share >= FLOOR
    lost = np.flatnonzero(~kept.any(axis=0))
    kept[share.argmax(axis=0)[lost], lost] = True
    share = np.where(kept, np.maximum(share, FLOOR), 0)
    weights = share * (weight[present] / share.sum(axis=1))[:, None]
    rows, codes = np.nonzero(kept)
    return ExpandedRows(present[rows], codes, weights[rows, codes])


def takes_weights(estimator: Any) -> bool:
    """Whether ``estimator.fit`` takes weights of rows; of a pipeline its last step."""
    if isinstance(estimator, Pipeline):
        return takes_weights(estimator.steps[-1][1])
    return has_fit_parameter(estimator, "sample_weight")


def _weight_parameter(estimator: Any) -> str:
    """Return the parameter of ``estimator.fit`` that takes the weights."""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return f"{name}__{_weight_parameter(last)}"
    return "sample_weight"
