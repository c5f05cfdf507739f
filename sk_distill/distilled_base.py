"""What estimators that distil have in common: asking the teacher, and answering."""

from __future__ import annotations

from collections.abc import Sequence
from pickle import PicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_memory

from sk_distill._sklearn import num_samples
from sk_distill.diagram import teacher_to_student
from sk_distill.encoding import Table, check_columns, check_table
from sk_distill.knowledge import Inquiry, check_inside
from sk_distill.progress import WatchedMixin
from sk_distill.seeding import seed_parts
from sk_distill.soft_targets import weight_params
from sk_distill.students.prepare import has_decision_function, prepare_student
from sk_distill.students.protocol import Student
from sk_distill.teachers import (
    holds_frozen,
    holds_net,
    is_frozen,
    is_made_here,
    prepare_teacher,
)
from sk_distill.teaching import SoftTargets, teach
from sk_distill.transfer_sets import Munge, prepare_transfer_set
from sk_distill.validation import check_probabilities, name_of

# What the estimator has of its student, if that has it.
_OF_STUDENT = ("n_iter_", "loss_curve_", "history_", "coef_", "intercept_")


def _has_decision_function(model: Any) -> bool:
    return has_decision_function(vars(model).get("student_", model.student))


class BaseDistilledClassifier(WatchedMixin, ClassifierMixin, BaseEstimator):
    """A classifier that has fitted a teacher and answers through its student."""

    classes_: NDArray[Any]
    student_: Any
    teacher_: Any
    _refuses_missing: bool

    def __sklearn_tags__(self) -> Tags:
        """Say that missing values are welcome where student and teacher take them."""
        tags = super().__sklearn_tags__()
        try:
            student = prepare_student(self, self.student, self.verbose)
            teacher = prepare_teacher(self.teacher)
        except (TypeError, ValueError):
            # What is wrong is said by fit; a notebook can show it before.
            return tags
        inputs = get_tags(student).input_tags
        tags.input_tags.allow_nan = inputs.allow_nan and allows_missing(teacher)
        tags.input_tags.string = inputs.string
        return tags

    def _sk_visual_block_(self) -> Any:
        """Show teacher, λ and student in a notebook."""
        return teacher_to_student(self)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the student's probability of each class.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._asked(X).predict_proba(X)

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithm of the student's probability of each class.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; -inf where a probability is zero.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @available_if(_has_decision_function)
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the student's logits, if it has any.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        logits : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the log-odds of ``classes_[1]``.
        """
        return self._asked(X).decision_function(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the student's most probable class of each row.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        return self._asked(X).predict(X)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how metadata is routed: ``sample_weight`` to the teacher's ``fit``."""
        return (
            MetadataRouter(owner=name_of(self))
            .add_self_request(self)
            .add(
                teacher=prepare_teacher(self.teacher),
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
        )

    def _teach(
        self,
        X: Any,
        y: NDArray[Any],
        classes: NDArray[Any],
        weight: NDArray[np.float64] | None,
        subsets: Sequence[NDArray[np.int64]],
        cv: Any,
        transfer_set: Any,
        question: Inquiry,
        seed: int | None,
    ) -> tuple[Any, list[SoftTargets]]:
        """Return the fitted teacher, and the soft targets of each subset of rows."""
        teacher = prepare_teacher(self.teacher)
        if holds_frozen(teacher) and cv is not None:
            raise ValueError(
                f"{name_of(self)}: teacher_cv={self.teacher_cv!r} would fit the "
                "teacher on folds, but the teacher is frozen, or holds a part that is. "
                "Set teacher_cv=None, or pass the teacher unfitted."
            )
        seed_parts(teacher, seed)
        if weight is None or is_frozen(teacher):
            fit_params = {}
        elif get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", sample_weight=weight).teacher.fit
        else:
            fit_params = weight_params(teacher, weight)
        # What is fitted on nothing says the same of a row wherever it is asked.
        asks_once = is_frozen(teacher) and not isinstance(transfer_set, Munge)
        memory = check_memory(self.memory)
        try:
            ignored = ["n_jobs", "verbose", "teacher_verbose"]
            fitted, soft_targets = memory.cache(teach, ignore=ignored)(
                teacher,
                X,
                y,
                classes,
                fit_params,
                [np.arange(len(y))] if asks_once else subsets,
                cv,
                transfer_set,
                question,
                seed if holds_net(teacher) else None,
                self.n_jobs,
                self.verbose,
                self.verbose if is_made_here(self.teacher) else 0,
            )
        except PicklingError as error:
            raise ValueError(
                f"{name_of(self)}: memory={self.memory!r} cannot tell this teacher "
                "from another, since a part of it cannot be pickled. Define its class "
                "or function at the top of a module, or set memory=None."
            ) from error
        if asks_once:
            soft_targets = [soft_targets[0].take(rows) for rows in subsets]
        # A cache answers with a copy; what the user froze is kept as it is.
        keeps = isinstance(teacher, FrozenEstimator)
        return teacher if keeps else fitted, soft_targets

    def _check_inquiry(
        self, inquiry: Inquiry, student: Any, teacher_proba: Any, alone: bool
    ) -> Inquiry:
        """Return what the teacher is asked; refuse what nobody could answer or learn.

        ``alone`` says that at some λ the teacher speaks and the labels do not.
        """
        student._check_knowledge(inquiry.features > 0, inquiry.weights > 0)
        question = inquiry.question(student._n_first_units())
        shown = f"{name_of(self)}: knowledge={self.knowledge!r}"
        if question.is_of_the_inside and teacher_proba is not None:
            raise ValueError(
                f"{shown} needs a teacher to look into, but teacher_proba took its "
                "place. Pass a teacher, or knowledge='probabilities'."
            )
        if question.is_of_the_inside:
            check_inside(prepare_teacher(self.teacher), question)
        if inquiry.probabilities == 0 and alone:
            raise ValueError(
                f"{shown} says nothing of the classes, and at distillation_weight=inf "
                "no label does. Give 'probabilities' a weight."
            )
        return question

    def _check_transfer_set(
        self, teacher_proba: Any, seed: int | None, student: Student, table: Table
    ) -> Any:
        """Return what makes or is the transfer set.

        The student has looked at the labelled rows, ``table``, already.
        """
        transfer_set = prepare_transfer_set(self, self.transfer_set, seed)
        if transfer_set is None:
            return None
        if teacher_proba is not None:
            raise ValueError(
                f"{name_of(self)}: transfer_set={self.transfer_set!r} needs a teacher "
                "that labels it, but teacher_proba took the teacher's place. Pass a "
                "teacher (FrozenEstimator, if it is fitted), or transfer_set=None."
            )
        if not isinstance(transfer_set, Munge):
            if num_samples(transfer_set) == 0:
                raise ValueError(
                    f"{name_of(self)}: transfer_set has no rows. Pass None, or rows."
                )
            try:
                check_columns(self, transfer_set, reset=False)
                student._read_transfer(transfer_set, table)
            except (ValueError, TypeError) as error:
                raise type(error)(
                    f"{name_of(self)}: transfer_set cannot be learned from. {error}"
                ) from error
        return transfer_set

    def _check_teacher_proba(
        self, teacher_proba: Any, y: NDArray[Any], classes: NDArray[Any]
    ) -> SoftTargets:
        """Return probabilities from elsewhere as soft targets."""
        owner = f"{name_of(self)}: teacher_proba"
        proba = check_probabilities(owner, teacher_proba, len(y), len(classes))
        return SoftTargets(proba)

    def _forget(self) -> None:
        """Delete what an earlier fit has left."""
        for name in ("classes_", "teacher_", "student_", *_OF_STUDENT):
            if name in vars(self):
                delattr(self, name)

    def _keep(self, classes: NDArray[Any], teacher: Any, student: Student) -> None:
        """Set the fitted attributes."""
        self._forget()
        self.classes_ = classes
        if teacher is not None:
            self.teacher_ = teacher
        shipped = student._shipped()
        self.student_ = shipped
        # A network refuses by itself what neither it nor the teacher has seen.
        self._refuses_missing = shipped is not student and not student.allow_missing_
        for name in _OF_STUDENT:
            if hasattr(shipped, name):
                setattr(self, name, getattr(shipped, name))

    def _asked(self, X: Any) -> Any:
        """Return the fitted student, for rows that it may be asked about."""
        student = self._fitted_student()
        if self._refuses_missing:
            check_table(self, X, allow_missing=False, reset=False)
        return student

    def _fitted_student(self) -> Any:
        if "student_" not in vars(self):
            raise NotFittedError(
                f"This {name_of(self)} instance is not fitted yet. Call 'fit' with "
                "appropriate arguments before using this estimator."
            )
        return self.student_


def allows_missing(teacher: Any) -> bool:
    """Whether a teacher says that it takes missing values; no teacher minds none."""
    return teacher is None or get_tags(teacher).input_tags.allow_nan
