"""Several teachers as one: an average of what they say."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import ClassifierMixin
from sklearn.utils import Bunch, Tags, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from sk_distill._sklearn import BaseComposition
from sk_distill.encoding import check_columns
from sk_distill.inference import MostProbableMixin
from sk_distill.knowledge import ONLY_PROBABILITIES
from sk_distill.progress import Task, WatchedMixin, fit_task
from sk_distill.seeding import isolated_seed, seed_parts
from sk_distill.soft_targets import (
    check_folds,
    fit_teacher,
    label_rows,
    weight_params,
)
from sk_distill.teachers.averages import average_answers, learn_weights
from sk_distill.teachers.prepare import (
    holds_frozen,
    holds_net,
    is_frozen,
    prepare_members,
    prepare_splitter,
)
from sk_distill.teaching import held_out_folds, teach
from sk_distill.validation import (
    check_choice,
    check_jobs,
    check_sample_weight,
    check_seed,
    draw_seed,
    encode_labels,
    name_of,
    unchanged_on_failure,
)

Members = list[tuple[str, Any]]


class VotingTeacher(WatchedMixin, MostProbableMixin, ClassifierMixin, BaseComposition):
    r"""Average of several teachers.

    .. math::

        P(x) = \sum_m w_m P_m(x)
        \qquad \text{or} \qquad
        P(x) = \text{softmax}\left(\sum_m w_m \log P_m(x)\right)

    with weights :math:`w_m \ge 0` that sum to one. The second is the geometric mean,
    scaled to sum to one: a class that one teacher rules out is ruled out.

    A member gets X and the labels as they are, and its columns are put in order by its
    ``classes_``.

    Parameters
    ----------
    estimators : list of (str, teacher)
        Names and members, each of them whatever the ``teacher`` of a
        :class:`DistilledClassifier` may be.
    weights : array-like of shape (n_members,), "learned" or None, default=None
        None: all the same. An array is scaled to sum to one. "learned": those that
        minimise the log loss of the average on rows whose labels the members have not
        seen (stacking: Wolpert 1992; Breiman 1996, "Stacked Regressions", for weights
        >= 0), below 1e-6 set to 0.
    average : {"probabilities", "logits"}, default="probabilities"
        What is averaged. Logits are log-probabilities, clipped at 1e-7.
    cv : int, splitter or None, default=5
        Folds on which weights are learned: each row is labelled by clones fitted on
        the others. None: members label the rows that they are fitted on, which is right
        for frozen ones that have seen none of these rows. It is not used with other
        weights.
    n_jobs : int, default=None
        Members fitted at once.
    random_state : int, RandomState or None, default=None
        Seed of folds that shuffle, and of every part of the members whose own
        ``random_state`` is None.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    estimators_ : list of classifier
        The members, fitted on all rows.
    named_estimators_ : Bunch
        The same by name.
    weights_ : ndarray of shape (n_members,)
        Their weights, which sum to one. A member of weight 0 is not asked.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X had names that are all strings.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sk_distill import VotingTeacher
    >>> X, y = load_wine(return_X_y=True)
    >>> members = [("bayes", GaussianNB()), ("prior", DummyClassifier())]
    >>> vote = VotingTeacher(members, weights="learned").fit(X, y)
    >>> [float(weight.round(1)) for weight in vote.weights_]
    [1.0, 0.0]
    """

    classes_: NDArray[Any]
    estimators_: list[Any]
    weights_: NDArray[np.float64]

    def __init__(
        self,
        estimators: Members,
        *,
        weights: Any = None,
        average: str = "probabilities",
        cv: Any = 5,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimators = estimators
        self.weights = weights
        self.average = average
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep`` the members', by their names, too."""
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also of members: ``forest__max_depth=3``."""
        self._set_params("estimators", **params)
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how metadata is routed: ``sample_weight`` to the members' ``fit``."""
        router = MetadataRouter(owner=name_of(self))
        for name, member in self._prepare_members():
            router.add(
                **{name: member},
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
        return router

    def __sklearn_tags__(self) -> Tags:
        """Say that missing values and strings are welcome if all members take them."""
        tags = super().__sklearn_tags__()
        inputs = [get_tags(member).input_tags for _, member in self._prepare_members()]
        tags.input_tags.allow_nan = all(tag.allow_nan for tag in inputs)
        tags.input_tags.string = all(tag.string for tag in inputs)
        tags.input_tags.sparse = all(tag.sparse for tag in inputs)
        return tags

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit a clone of each member, and learn the weights if they are to be learned.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            Rows, handed on as they come.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the members and in the log loss of "learned". A
            member whose ``fit`` takes none goes without, with a warning.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError, TypeError
            For input or a parameter that cannot be used; an earlier fit stays.
        """
        with unchanged_on_failure(self):
            members = self._prepare_members()
            weights = self._check_weights([name for name, _ in members])
            check_choice(self, "average", self.average, ("probabilities", "logits"))
            check_jobs(self, self.n_jobs)
            check_seed(self, self.random_state)
            check_columns(self, X)
            classes, codes = encode_labels(self, X, y)
            row_weight = check_sample_weight(self, sample_weight, len(codes))
            seeds = self._seed_members(members)
            folds = None
            if weights is None:
                folds = self._make_folds(members, X, classes[codes], codes, seeds[0])

            params = self._fit_params(members, row_weight)
            names = [name for name, _ in members]
            with fit_task(self, X, y, sample_weight, len(members)) as task:
                # Made before the first of them goes to another process.
                n_subtasks = 1 if weights is None else 0
                tasks = [task.subtask(name, n_subtasks) for name in names]
                fitted = Parallel(n_jobs=self.n_jobs)(
                    delayed(_fit_member)(
                        member,
                        X,
                        classes[codes],
                        classes,
                        params[name],
                        folds,
                        seed if holds_net(member) else None,
                        part,
                        asked=weights is None,
                    )
                    for (name, member), seed, part in zip(
                        members, seeds, tasks, strict=True
                    )
                )
                self.estimators_ = [member for member, _ in fitted]
                if weights is None:
                    answers = np.stack([answer for _, answer in fitted])
                    weights = learn_weights(answers, codes, row_weight, self.average)
                self.classes_, self.weights_ = classes, weights
                self.named_estimators_ = Bunch(
                    **dict(zip(names, self.estimators_, strict=True))
                )
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the average of the members' probabilities.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        asked = np.flatnonzero(self.weights_)
        answers = np.stack(
            [label_rows(self.estimators_[m], X, self.classes_) for m in asked]
        )
        return average_answers(answers, self.weights_[asked], self.average)

    def _prepare_members(self) -> Members:
        return prepare_members(f"{name_of(self)}: estimators", self.estimators)

    def _check_weights(self, names: list[str]) -> NDArray[np.float64] | None:
        """Return the weights, scaled to sum to one; None if they are to be learned."""
        if self.weights is None:
            return np.full(len(names), 1 / len(names))
        also = "an array of one number >= 0 a member"
        if isinstance(self.weights, str):
            check_choice(self, "weights", self.weights, (None, "learned"), also)
            return None
        message = (
            f"{name_of(self)}: weights={self.weights!r} must be None, 'learned', or "
            f"{also} ({', '.join(names)}), not all of them 0."
        )
        try:
            weights = np.asarray(self.weights, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(message) from error
        usable = weights.shape == (len(names),) and np.isfinite(weights).all()
        if not usable or weights.min() < 0 or weights.sum() == 0:
            raise ValueError(message)
        return weights / weights.sum()

    def _seed_members(self, members: Members) -> list[int | None]:
        """Give seeds to the members' parts; return one for each member."""
        if self.random_state is None:
            return [None] * len(members)
        source = np.random.RandomState(draw_seed(self.random_state))
        seeds: list[int | None] = [source.randint(2**31 - 1) for _ in members]
        for (_, member), seed in zip(members, seeds, strict=True):
            seed_parts(member, seed)
        return seeds

    def _make_folds(
        self,
        members: Members,
        X: Any,
        y: NDArray[Any],
        codes: NDArray[Any],
        seed: int | None,
    ) -> Any:
        """Return the folds on which weights are learned, the same for all members."""
        check_folds(self, "cv", self.cv, codes)
        if self.cv is None:
            return None
        frozen = [name for name, member in members if holds_frozen(member)]
        if frozen:
            raise ValueError(
                f"{name_of(self)}: cv={self.cv!r} would fit the members on folds, but "
                f"these are frozen, or hold a part that is: {frozen}. Set cv=None if "
                "they have not seen these rows, pass them unfitted, or give weights."
            )
        name = f"{name_of(self)}: cv"
        return held_out_folds(name, prepare_splitter(self.cv, seed), X, y)

    def _fit_params(
        self, members: Members, sample_weight: NDArray[np.float64] | None
    ) -> dict[str, dict[str, Any]]:
        """Return what each member's ``fit`` gets beside X and y."""
        if sample_weight is None:
            return {name: {} for name, _ in members}
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=sample_weight)
            return {name: routed[name].fit for name, _ in members}
        return {
            name: {} if is_frozen(member) else weight_params(member, sample_weight)
            for name, member in members
        }


def _fit_member(
    member: Any,
    X: Any,
    y: NDArray[Any],
    classes: NDArray[Any],
    fit_params: dict[str, Any],
    folds: Any,
    seed: int | None,
    task: Task,
    *,
    asked: bool,
) -> tuple[Any, NDArray[np.float64] | None]:
    """Return the fitted member and, if it is asked, its probabilities for the rows."""
    if not asked:
        with isolated_seed(seed), task.fits(member):
            fit_teacher(member, X, y, fit_params)
        return member, None
    rows = [np.arange(len(y))]
    with task:
        member, (said,) = teach(
            member,
            X,
            y,
            classes,
            fit_params,
            rows,
            folds,
            None,
            ONLY_PROBABILITIES,
            seed,
            None,
            0,
        )
    return member, said.proba
