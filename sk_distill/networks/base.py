"""The way of the data through every classifier that is a torch network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from sk_distill.encoding import TARGET_AWARE
from sk_distill.networks.knowledge import (
    SOFT_TARGETS_ALONE,
    Anchor,
    Knowledge,
    least_squares,
)
from sk_distill.networks.parameters import (
    check_loss,
    check_objective,
    warn_of_rounding,
)
from sk_distill.networks.paths import Lesson, Path, is_nothing
from sk_distill.networks.reading import ReadingClassifier
from sk_distill.networks.rows import Rows
from sk_distill.progress import WatchedMixin, fit_task, running_task
from sk_distill.validation import draw_seed, name_of, unchanged_on_failure

if TYPE_CHECKING:
    from torch import nn

    from sk_distill.nn import SlotRows
    from sk_distill.training import Objective, TrainingData, TrainingPlan


class NetworkClassifier(WatchedMixin, ReadingClassifier):
    """A classifier that is trained as a torch network on labels, soft targets or both.

    A subclass says how its parameters are checked (:meth:`_check_parameters`) and
    become a plan (:meth:`_plan`), how its module is built (:meth:`_build_module`),
    what is kept of it (:meth:`_keep`), and how what was kept turns rows into logits
    (:meth:`_block_logits`).
    """

    n_iter_: int
    loss_curve_: NDArray[np.float64]
    history_: dict[str, NDArray[np.float64]]

    n_bins: int
    random_state: Any

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        soft_targets: ArrayLike | None = None,
        transfer_X: Any = None,
        transfer_targets: ArrayLike | None = None,
        distillation_weight: float = 1.0,
        temperature: float = 1.0,
        loss: Any = "soft_cross_entropy",
        knowledge: Knowledge = SOFT_TARGETS_ALONE,
    ) -> Self:
        """Fit to labels, to soft targets, or to both.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            Rows: numbers, booleans, strings, categoricals, missing values. Infinite
            numbers and dates are refused.
        y : array-like of shape (n_samples,) or None
            Class labels. None, with ``soft_targets``, learns from these alone; the
            classes are then ``0 .. n_classes - 1``.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in both terms of the objective. A row of weight 0 is a
            row that is not there.
        soft_targets : array-like of shape (n_samples, n_classes), default=None
            A teacher's probabilities, columns in the order of ``np.unique(y)``.
        transfer_X : array-like or frame of shape (n_transfer, n_features), default=None
            More rows, without labels. Each weighs in the distillation loss as much as
            the mean labelled row.
        transfer_targets : array-like of shape (n_transfer, n_classes), default=None
            The teacher's probabilities for them.
        distillation_weight : float, default=1.0
            λ of the objective; without ``soft_targets`` it is not used. ``inf`` leaves
            the labels out.
        temperature : float, default=1.0
            T of the objective.
        loss : str or callable, default="soft_cross_entropy"
            The distillation loss: a name, one of :mod:`sk_distill.losses`, or any
            callable; see :class:`sk_distill.DistilledClassifier`.
        knowledge : Knowledge
            What the teacher tells of its inside, and how much each kind counts; by
            default the soft targets alone.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError, TypeError
            For input or a parameter that cannot be used; the earlier fit stays.
        TrainingDivergedError
            When the training loss is no longer a finite number; the earlier fit stays.
        """
        if soft_targets is None:
            distillation_weight = 0.0
        elif y is None:
            distillation_weight = np.inf
        with unchanged_on_failure(self):
            check_objective(self, distillation_weight, temperature, loss)
            table = self._check_before_fit(X)
            if is_nothing(distillation_weight):
                distillation_weight, transfer_X, transfer_targets = 0.0, None, None
            rows, transfer = self._read(
                table,
                y,
                sample_weight,
                soft_targets,
                transfer_X,
                transfer_targets,
                knowledge,
            )
            check_loss(self, loss, len(self.classes_))
            if distillation_weight == 0:
                rows = rows.alone()
            if rows.soft_targets is not None and self._dtype() is np.float32:
                warn_of_rounding(self, temperature)
            warm = self._starts_warm()
            if not warm:
                self._learn_encoding(rows)

            from sk_distill.training import Objective

            objective = Objective(
                distillation_weight, temperature, loss, knowledge.shares
            )
            data, seed = self._encode(rows, transfer), draw_seed(self.random_state)
            n_steps = self._n_steps(len(data.inputs))
            with fit_task(self, X, y, sample_weight, n_steps, self._as_fitted):
                self._train_alone(data, objective, seed, warm=warm)
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
    ) -> list[Self]:
        """Fit a clone for each pair of λ and T, as :meth:`fit` would.

        Rows are checked and encoded once, and what can be trained side by side is. The
        classifier itself is left as it was.

        Parameters
        ----------
        candidates : sequence of (float, float)
            λ and T of each clone.
        y : array-like of shape (n_samples,)
            Class labels.
        X, sample_weight, soft_targets, transfer_X, transfer_targets, loss, knowledge
            As in :meth:`fit`.

        Returns
        -------
        fitted : list of classifier
            In the order of the candidates.
        """
        lesson = Lesson(
            running_task(),
            X,
            y,
            sample_weight,
            soft_targets,
            transfer_X,
            transfer_targets,
            knowledge,
        )
        ((fitted,),) = self.fit_paths([lesson], candidates=candidates, loss=loss)
        return fitted

    def fit_paths(
        self,
        lessons: Iterable[Lesson],
        *,
        candidates: Sequence[tuple[float, float]],
        loss: Any = "soft_cross_entropy",
    ) -> Iterator[list[list[Self]]]:
        """Fit a path for each lesson, as :meth:`fit_path` would.

        Lessons are taken one by one. Those that can be trained side by side are, as
        many as memory allows.

        Parameters
        ----------
        lessons : iterable of Lesson
            What the students of each path learn from.
        candidates, loss
            As in :meth:`fit_path`.

        Yields
        ------
        paths : list of list of classifier
            A path for each of the next lessons, which were trained together.
        """
        for distillation_weight, temperature in candidates:
            check_objective(self, distillation_weight, temperature, loss)
        if self._dtype() is np.float32:
            warn_of_rounding(self, max(temperature for _, temperature in candidates))
        paths = (self._begin_path(lesson, candidates, loss) for lesson in lessons)
        for together in self._side_by_side(paths):
            trained = self._train_together(together)
            yield [
                path.in_order(students)
                for path, students in zip(together, trained, strict=True)
            ]

    def _begin_path(
        self, lesson: Lesson, candidates: Sequence[tuple[float, float]], loss: Any
    ) -> Path:
        """Check and encode the rows of a path."""
        task, X, y, *known, knowledge = lesson
        if y is None:
            raise ValueError(
                f"{name_of(self)}: a path over λ needs labels, but y is None. Pass y, "
                "or fit on soft targets alone."
            )
        seed = draw_seed(self.random_state)
        student = clone(self).set_params(random_state=seed)
        table = student._check_before_fit(X)
        rows, transfer = student._read(table, y, *known, knowledge)
        check_loss(self, loss, len(student.classes_))
        student._learn_encoding(rows)

        from sk_distill.training import Objective

        taught = [
            Objective(weight, temperature, loss, knowledge.shares)
            for weight, temperature in candidates
            if not is_nothing(weight)
        ]
        wants_plain = len(taught) < len(candidates)
        same_module = rows.hints is None and rows.first_layer is None
        joins = wants_plain and same_module and student._sees_the_same_alone(transfer)
        alone = Objective(0.0, 1.0, loss)
        weights = [weight for weight, _ in candidates]
        plain = None
        if joins:
            taught.insert(0, alone)
        elif wants_plain:
            other, labelled = copy(student), rows.alone()
            if self.encoding in TARGET_AWARE:
                other._learn_encoding(labelled)
            encoded = other._encode(labelled, None)
            plain = Path(other, encoded, [alone], seed, [0.0], task)
        data = student._encode(rows, transfer)
        return Path(student, data, taught, seed, weights, task, plain)

    def _check_objective(self, temperature: float, loss: Any) -> None:
        """Check nothing: a network learns by any loss, at any temperature."""

    def _learn_encoding(self, rows: Rows) -> None:
        """Learn what becomes of the columns."""
        self.encoder_ = rows.fit_encoder(self.encoding, self.n_bins, len(self.classes_))
        self.allow_missing_ = self.encoding is not None

    def _encode(self, rows: Rows, transfer: Rows | None) -> TrainingData:
        """Return the rows, and the transfer rows after them, as the net wants them."""
        from sk_distill.training import UNLABELLED, TrainingData

        positions = self.encoder_.positions(rows.table, self._dtype())
        anchor = None
        if rows.first_layer is not None:
            anchor = least_squares(
                self.encoder_, positions, rows.weight, rows.first_layer
            )
        if transfer is None:
            return TrainingData(self._inputs(positions), *rows[1:5], anchor)
        more = self.encoder_.positions(transfer.table, self._dtype())
        n_more = len(more)
        codes, weight = rows.codes, rows.weight
        if codes is not None:
            codes = np.append(codes, np.full(n_more, UNLABELLED))
        if weight is not None:
            weight = np.append(weight, np.full(n_more, weight.mean()))
        soft_targets = rows.soft_targets
        if soft_targets is not None:
            soft_targets = np.concatenate([soft_targets, transfer.soft_targets])
        hints = rows.hints
        if hints is not None:
            hints = np.concatenate([hints, transfer.hints])
        return TrainingData(
            self._inputs(np.concatenate([positions, more])),
            codes,
            soft_targets,
            weight,
            hints,
            anchor,
        )

    def _inputs(self, positions: NDArray[Any]) -> NDArray[Any] | SlotRows:
        """Return the positions in the form that the module takes."""
        return positions

    def _train(
        self, data: TrainingData, objective: Objective, seed: int, *, warm: bool
    ) -> tuple[int, dict[str, NDArray[np.float64]]]:
        """Train, keep the result, return the number of iterations and the curves."""
        from sk_distill.training import train_module

        trained = train_module(
            lambda: self._build_module(self._n_outputs(data), warm, data.anchor),
            objective,
            data,
            self._plan(len(data.inputs), seed),
            owner=name_of(self),
        )
        self._keep(trained.module)
        return trained.n_iter, trained.history

    def _sees_the_same_alone(self, transfer: Rows | None) -> bool:
        """Whether at λ = 0 it would be trained on the same rows, encoded alike.

        Then that is one objective of a path among others.
        """
        return False

    def _side_by_side(self, paths: Iterable[Path]) -> Iterator[list[Path]]:
        """Yield the paths, those that are to be trained together in a list."""
        for path in paths:
            yield [path]

    def _train_together(self, paths: Sequence[Path]) -> list[Iterator[Self]]:
        """Return a fitted copy for each objective of each path, λ = 0 first."""
        trained = []
        for path in paths:
            students, plain = [], None
            with path.task.running():
                if path.plain is not None:
                    plain = path.plain.student
                    plain._train_alone(
                        path.plain.data, path.plain.objectives[0], path.seed
                    )
                    students.append(plain)
                students += path.student._train_path(path, plain)
            trained.append(iter(students))
        return trained

    def _train_path(self, path: Path, plain: Self | None) -> Iterator[Self]:
        """Yield a fitted copy for each objective.

        ``plain`` is the student at λ = 0 if that is not one of them.
        """
        for objective in path.objectives:
            student = copy(self)
            student._train_alone(path.data, objective, path.seed)
            yield student

    def _train_alone(
        self, data: TrainingData, objective: Objective, seed: int, *, warm: bool = False
    ) -> None:
        """Train on one objective and set what a fit says of it."""
        self._note_training(*self._train(data, objective, seed, warm=warm))

    def _note_training(
        self, n_iter: int, history: dict[str, NDArray[np.float64]]
    ) -> None:
        """Set what a training says of itself."""
        self.n_iter_, self.history_ = n_iter, history
        self.loss_curve_ = history["train_loss"]

    def _as_fitted(self, module: Any) -> dict[str, Any]:
        """Return the attributes that the classifier would have with a module kept."""
        fitted = copy(self)
        fitted._keep(deepcopy(module).to("cpu").eval())
        return dict(vars(fitted))

    def _n_steps(self, n_rows: int) -> int | None:
        """Return the epochs or iterations of a training at most; None: nobody knows."""
        return self._plan(n_rows, 0).n_steps

    def _shipped(self) -> Self:
        """Return what a user ships: the classifier itself."""
        return self

    def _n_outputs(self, data: TrainingData) -> int:
        """Return the outputs that training takes: logits, then hints."""
        n_hints = 0 if data.hints is None else data.hints.shape[1]
        return n_outputs(self.classes_) + n_hints

    def _dtype(self) -> type:
        """Return the dtype of training."""
        return np.float32

    def _plan(self, n_rows: int, seed: int) -> TrainingPlan:
        """Return how to train."""
        raise NotImplementedError

    def _build_module(
        self, n_outputs: int, warm: bool, anchor: Anchor | None
    ) -> nn.Module:
        """Return the module, with the earlier fit's weights if ``warm``."""
        raise NotImplementedError

    def _keep(self, module: Any) -> None:
        """Store what predicting needs of the trained module."""
        raise NotImplementedError


def n_outputs(classes: NDArray[Any]) -> int:
    """Return the logits that a network needs: for two classes one will do."""
    return 1 if len(classes) == 2 else len(classes)
