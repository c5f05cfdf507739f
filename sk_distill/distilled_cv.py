"""The estimator that chooses λ and T by cross-validation."""

from __future__ import annotations

import warnings
from itertools import chain
from time import perf_counter
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils import indexable

from sk_distill.candidates import (
    SELECTIONS,
    DistillationGain,
    gain_over_plain,
    make_grid,
    make_scorer_of,
    tabulate,
)
from sk_distill.distilled_base import BaseDistilledClassifier, allows_missing
from sk_distill.encoding import check_columns
from sk_distill.exceptions import DistillationWarning
from sk_distill.folds import Fold, make_folds, score_folds, share_out
from sk_distill.knowledge import check_knowledge
from sk_distill.networks.parameters import check_loss, check_objective, weigh_rows
from sk_distill.progress import fit_task
from sk_distill.soft_targets import check_folds
from sk_distill.students.prepare import prepare_student
from sk_distill.teachers import is_frozen, prepare_splitter
from sk_distill.validation import (
    check_boolean,
    check_cache,
    check_choice,
    check_jobs,
    check_sample_weight,
    check_seed,
    draw_seed,
    encode_labels,
    name_of,
    unchanged_on_failure,
)


class DistilledClassifierCV(BaseDistilledClassifier):
    r"""Distil with the λ and T that score best in cross-validation.

    For each fold a teacher is fitted on the other rows, a student for every λ and T
    learns from it and from the labels, and each is scored on the fold. MLP students of
    all folds are trained as one net, as far as memory allows; linear ones each begin
    where those before point to: all cost little more than one a fold. Teachers come
    first; where each student is to have a teacher in its own loop
    (``schedule="joint"``), search by a ``GridSearchCV`` around a
    :class:`DistilledClassifier`.

    Parameters
    ----------
    teacher : classifier, list, nn.Module, skorch net or None, default=None
        What to learn from; see :class:`DistilledClassifier`. One that is fitted already
        should not have seen the labels of these rows: it is used as it is in every
        fold.
    student : str, student, classifier, nn.Module or skorch net, default="mlp"
        What to fit; see :class:`DistilledClassifier`. Candidates of an
        :class:`MLPStudent` with "adam" and without callbacks or ``net_params`` are
        trained as one net; others one after the other.
    distillation_weights : int or array-like of float, default=10
        The λ to try. A number of them is so many from 0.1 to 30, evenly spaced on a
        logarithmic scale. λ = 0, the student without a teacher, and λ = inf, the
        teacher alone, are always among the candidates.
    temperatures : array-like of float, default=(1.0,)
        The T to try with each λ.
    cv : int, splitter, iterable or None, default=None
        The folds: a number of them, stratified by class; a splitter; or (train, test)
        row numbers, as for groups ``list(GroupKFold().split(X, y, groups))``. None is
        5. Every class must be among the rows that a fold trains on.
    scoring : str or callable, default="neg_log_loss"
        What to choose by: a name of ``sklearn.metrics.get_scorer_names()`` or a
        callable ``(estimator, X, y) -> float``, the higher the better. Where there are
        weights of rows or classes it is called with ``sample_weight`` too, if it takes
        that.
    refit : bool, default=True
        Whether to fit teacher and student on all rows once λ and T are chosen. Without,
        there is no ``student_``, and nothing predicts.
    selection : {"best", "one_standard_error"}, default="best"
        Which candidate is chosen: that of the best mean score or, of those within one
        standard error of it, the one with the smallest λ.
    loss : str or callable, default="soft_cross_entropy"
        The distillation loss; see :class:`DistilledClassifier`. One for all candidates:
        search over losses by a ``GridSearchCV`` around a :class:`DistilledClassifier`.
    knowledge : str, Features or dict, default="probabilities"
        What the teachers hand on; see :class:`DistilledClassifier`. "probabilities"
        must have a weight: λ = inf has nothing else for the classes.
    teacher_cv : int, splitter or None, default=None
        None: a fold's teacher labels the rows that it was fitted on. Else each row is
        labelled by a teacher that has seen neither its label nor those of the fold that
        scores the student. Where ``teacher_cv`` and ``cv`` make the same K folds this
        takes K (K - 1) / 2 teachers beside the K of the folds.
    transfer_set : {"munge"}, Munge, rows or None, default=None
        More rows for the teachers to label; see :class:`DistilledClassifier`. Each
        fold's teacher labels its own.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in both terms of the objective, and in the score.
    memory : str or joblib.Memory, default=None
        Caches the teachers' soft targets, so that another search over λ, T or the
        student fits no teacher.
    n_jobs : int, default=None
        Teachers fitted at once, and parts of the folds whose students are.
    random_state : int, RandomState or None, default=None
        Seed of everything that is random; see :class:`DistilledClassifier`.
    verbose : int, default=0
        1 prints a line for each epoch of a student given by name and of a teacher that
        is None or an ``nn.Module`` class, 2 also one for each part of the fit when it
        is done: teachers, student. Other parts have a ``verbose`` of their own. With
        scikit-learn >= 1.9
        ``set_callbacks(ProgressBar(max_propagation_depth=None))`` shows teachers, folds
        and epochs as bars (see :mod:`sklearn.callback`).

    Attributes
    ----------
    distillation_weight_ : float
        The chosen λ.
    temperature_ : float
        The chosen T.
    best_score_ : float
        The chosen candidate's mean score.
    best_index_ : int
        Its row in ``cv_results_``.
    distillation_gain_ : DistillationGain
        What the teacher is worth: ``value``, the chosen candidate's mean score less
        that at λ = 0, and its ``standard_error``. The chosen candidate's is the best of
        many, and so a little better than it will do on rows to come.
    distillation_weights_ : ndarray of shape (n_weights,)
        The λ that were tried, from 0 to inf.
    temperatures_ : ndarray of shape (n_temperatures,)
        The T that were tried.
    scores_path_ : ndarray of shape (n_weights, n_temperatures, n_folds)
        Scores; at λ = 0, which knows no temperature, the same for all.
    cv_results_ : dict of str to ndarray
        Scores and seconds in the layout of ``GridSearchCV``; ``params`` are those of
        :class:`DistilledClassifier`. The time of a fit is an equal share of the time
        that training took for all that were trained as one.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds of the student's fit on all rows.
    classes_, teacher_, student_, coef_, intercept_, n_iter_, loss_curve_, history_
        As in :class:`DistilledClassifier`, if ``refit`` is True.
    n_features_in_, feature_names_in_
        As in :class:`DistilledClassifier`.

    See Also
    --------
    DistilledClassifier : The same for given λ and T.

    References
    ----------
    Hinton, Vinyals & Dean (2015), "Distilling the Knowledge in a Neural Network",
    arXiv:1503.02531, section 2.1.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sk_distill import DistilledClassifierCV, MLPStudent
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = DistilledClassifierCV(
    ...     RandomForestClassifier(),
    ...     MLPStudent(32, max_iter=20),
    ...     distillation_weights=[0.3, 1, 3],
    ...     random_state=0,
    ... )
    >>> model = model.fit(X, y)
    >>> model.scores_path_.shape
    (5, 1, 5)
    >>> bool(model.distillation_gain_.value > 0)
    True
    """

    def __init__(
        self,
        teacher: Any = None,
        student: Any = "mlp",
        *,
        distillation_weights: Any = 10,
        temperatures: Any = (1.0,),
        cv: Any = None,
        scoring: Any = "neg_log_loss",
        refit: bool = True,
        selection: str = "best",
        loss: Any = "soft_cross_entropy",
        knowledge: Any = "probabilities",
        teacher_cv: Any = None,
        transfer_set: Any = None,
        class_weight: Any = None,
        memory: Any = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.distillation_weights = distillation_weights
        self.temperatures = temperatures
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.selection = selection
        self.loss = loss
        self.knowledge = knowledge
        self.teacher_cv = teacher_cv
        self.transfer_set = transfer_set
        self.class_weight = class_weight
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        teacher_proba: ArrayLike | None = None,
    ) -> Self:
        """Choose λ and T by cross-validation, then fit teacher and student.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            Rows. The student takes numbers, booleans, strings, categoricals and missing
            values (see its ``encoding``); the teachers get them as they come.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the teachers, in both terms of the students'
            objective, and in the score.
        teacher_proba : array-like of shape (n_samples, n_classes), default=None
            Probabilities from elsewhere, columns in the order of ``np.unique(y)``. No
            teacher is fitted. They should be out of fold: those of a teacher that has
            seen the labels of these rows make the students score too well.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError, TypeError
            For input or a parameter that cannot be used; an earlier fit stays.
        TrainingDivergedError
            When a training loss is no longer a finite number; an earlier fit stays.

        Warns
        -----
        DistillationWarning
            Where the chosen candidate is not better than λ = 0 by more than one
            standard error: distilling does not help.
        """
        whole = fit_task(self, X, y, sample_weight, 3, predicts=bool(self.refit))
        with unchanged_on_failure(self), whole as task:
            grid = make_grid(self, self.distillation_weights, self.temperatures)
            check_objective(self, 1.0, 1.0, self.loss)
            inquiry = check_knowledge(self, self.knowledge)
            check_choice(self, "selection", self.selection, SELECTIONS)
            check_boolean(self, "refit", self.refit)
            check_seed(self, self.random_state)
            check_jobs(self, self.n_jobs)
            check_cache(self, self.memory)
            check_columns(self, X)
            (X,) = indexable(X)
            student = prepare_student(self, self.student, self.verbose)
            for temperature in grid.temperatures.tolist():
                student._check_objective(temperature, self.loss)
            question = self._check_inquiry(inquiry, student, teacher_proba, True)
            table = student._check_before_fit(X)
            classes, codes = encode_labels(self, table, y)
            check_loss(self, self.loss, len(classes))
            scorer = make_scorer_of(self, self.scoring, classes)
            check_folds(self, "cv", self.cv, codes)
            check_folds(self, "teacher_cv", self.teacher_cv, codes)
            student._check_module(table, len(classes))
            labels = classes[codes]
            weight = check_sample_weight(self, sample_weight, len(labels))
            rows_weight = weigh_rows(self, self.class_weight, classes, codes, weight)
            seed = None if self.random_state is None else draw_seed(self.random_state)
            folds = make_folds(self, X, labels, classes, weight, seed)
            teacher_cv = prepare_splitter(self.teacher_cv, seed)
            transfer_set = self._check_transfer_set(teacher_proba, seed, student, table)

            subsets = [train for train, _ in folds]
            if self.refit:
                subsets.append(np.arange(len(labels)))
            teacher = None
            if teacher_proba is None:
                teacher, said = self._teach(
                    X,
                    labels,
                    classes,
                    weight,
                    subsets,
                    teacher_cv,
                    transfer_set,
                    question,
                    seed,
                )
            else:
                given = self._check_teacher_proba(teacher_proba, labels, classes)
                said = [given.take(rows) for rows in subsets]

            # One seed for all: candidates begin alike, in every fold and process.
            alike = seed if student.random_state is None else student.random_state
            student.set_params(random_state=draw_seed(alike))
            candidates = grid.candidates()
            with task.subtask("folds", len(folds)) as scoring:
                tasks = [scoring.subtask("fold", None) for _ in folds]
                ready = [
                    Fold(
                        fold_task,
                        train,
                        test,
                        # What "balanced" means is for the rows of the fold to say.
                        weigh_rows(
                            self,
                            self.class_weight,
                            classes,
                            codes[train],
                            None if weight is None else weight[train],
                        ),
                        None if rows_weight is None else rows_weight[test],
                        soft_targets,
                    )
                    for fold_task, (train, test), soft_targets in zip(
                        tasks, folds, said, strict=False
                    )
                ]
                outcomes = Parallel(n_jobs=self.n_jobs)(
                    delayed(score_folds)(
                        student,
                        some,
                        X,
                        labels,
                        candidates,
                        self.loss,
                        inquiry,
                        scorer,
                    )
                    for some in share_out(ready, self.n_jobs)
                )
            scores, fit_seconds, score_seconds = (
                np.stack(part, axis=1) for part in zip(*chain(*outcomes), strict=True)
            )
            self._check_scores(scores)
            index = SELECTIONS[self.selection](scores)
            gain = gain_over_plain(scores, index)
            self._warn_of_no_gain(gain, candidates[index], teacher)

            self.cv_results_ = tabulate(candidates, scores, fit_seconds, score_seconds)
            self.distillation_weights_, self.temperatures_ = grid
            self.scores_path_ = grid.path(scores)
            self.n_splits_ = len(folds)
            self.best_index_ = index
            self.best_score_ = float(scores[index].mean())
            self.distillation_gain_ = gain
            self.distillation_weight_, self.temperature_ = candidates[index]
            self._forget()
            self.classes_ = classes
            if self.refit:
                start = perf_counter()
                with task.subtask("student").fits(student):
                    student.fit(
                        X,
                        labels,
                        rows_weight,
                        soft_targets=said[-1].proba,
                        transfer_X=said[-1].transfer_X,
                        transfer_targets=said[-1].transfer_proba,
                        distillation_weight=self.distillation_weight_,
                        temperature=self.temperature_,
                        loss=self.loss,
                        knowledge=said[-1].knowledge(inquiry),
                    )
                refit_time = perf_counter() - start
                if not (table.has_missing or allows_missing(teacher)):
                    student.allow_missing_ = False
                self._keep(classes, teacher, student)
                self.refit_time_ = refit_time
        return self

    def _check_scores(self, scores: NDArray[np.float64]) -> None:
        """Refuse to choose by scores that are none."""
        bad = np.flatnonzero(~np.isfinite(scores).all(axis=0))
        if len(bad):
            raise ValueError(
                f"{name_of(self)}: scoring={self.scoring!r} gave no finite number on "
                f"fold {bad[0]}. Choose a score that can be computed there, or folds "
                "with rows of every class."
            )

    def _warn_of_no_gain(
        self, gain: DistillationGain, chosen: tuple[float, float], teacher: Any
    ) -> None:
        """Tell the user of a teacher that is not worth its while."""
        weight, _ = chosen
        if weight == 0:
            found = (
                "the best candidate is λ = 0"
                if self.selection == "best"
                else "λ = 0 is within one standard error of the best candidate"
            )
        elif gain.value <= gain.standard_error:
            found = (
                f"at λ = {weight:.3g} its score is {gain.value:.3g} better than at "
                f"λ = 0, with a standard error of {gain.standard_error:.2g}"
            )
        else:
            return
        ways = ["Choose a better teacher"]
        if teacher is not None and self.teacher_cv is None and not is_frozen(teacher):
            ways.append("set teacher_cv=5")
        if teacher is not None and self.transfer_set is None:
            ways.append("set transfer_set='munge'")
        warnings.warn(
            f"{name_of(self)}: distilling does not help this student: {found} "
            f"(scoring={self.scoring!r}). {' or '.join(ways)}, or ship the student "
            "without a teacher.",
            DistillationWarning,
            stacklevel=3,
        )

    def _forget(self) -> None:
        super()._forget()
        if hasattr(self, "refit_time_"):
            del self.refit_time_

    def _fitted_student(self) -> Any:
        if hasattr(self, "cv_results_") and "student_" not in vars(self):
            raise NotFittedError(
                f"This {name_of(self)} instance was fitted with refit=False, so that "
                "there is no student to predict with. Set refit=True, or fit a "
                "DistilledClassifier with distillation_weight="
                f"{self.distillation_weight_:.6g} and temperature="
                f"{self.temperature_:.6g}."
            )
        return super()._fitted_student()
