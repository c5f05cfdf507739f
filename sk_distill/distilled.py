"""The estimator: a teacher, a student, and the objective between them."""

from __future__ import annotations

from pickle import PicklingError
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
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
from sklearn.utils.validation import check_memory, validate_data

from sk_distill._sklearn import num_samples
from sk_distill.networks.parameters import check_objective, weigh_rows
from sk_distill.soft_targets import check_teacher_cv, teach, weight_params
from sk_distill.students.prepare import prepare_student
from sk_distill.teachers import (
    holds_frozen,
    holds_net,
    is_frozen,
    prepare_teacher,
    seed_parts,
    seed_splitter,
)
from sk_distill.transfer_sets import Munge, prepare_transfer_set
from sk_distill.validation import (
    check_cache,
    check_jobs,
    check_probabilities,
    check_sample_weight,
    check_seed,
    draw_seed,
    encode_labels,
    name_of,
    unchanged_on_failure,
)


class DistilledClassifier(ClassifierMixin, BaseEstimator):
    r"""Fit a teacher, then a small student on its labels and on the teacher.

    The student's distribution :math:`Q = \text{softmax}(z)` minimises

    .. math::

        L = \text{CE}(y, Q) - λ T^2 \sum_k P_k^{(T)} \log \text{softmax}(z / T)_k,
        \qquad P^{(T)} \propto P^{1 / T}

    where P is the teacher's distribution: at T = 1 it is
    :math:`L_\text{student} - λ \sum_k P_k \log Q_k`. What is minimised is
    :math:`L / (1 + λ)`, so that the step size does not depend on λ, and λ = inf, the
    teacher alone, is a value like any other; λ = 0 is the same student without a
    teacher.

    Parameters
    ----------
    teacher : classifier, list, nn.Module, skorch net or None, default=None
        What to learn from; it is cloned before it is fitted, and gets X as it came.

        - None: an :class:`MLPTeacher`.
        - Any classifier with ``predict_proba``, pipelines included.
        - ``FrozenEstimator(classifier)``: a fitted classifier, used as it is.
        - A list of ``(name, classifier)``: their mean, by ``VotingClassifier``.
        - An ``nn.Module`` class, or one of its instances that is trained already (a
          class is called as ``Module(n_features, n_classes)``, trained on standardised
          columns; an instance is used as it is). Modules return logits.
        - A skorch net: fitted on float32 rows and the labels' numbers.

        To search over a part's parameters pass an instance: ``teacher__max_iter``
        belongs to ``MLPTeacher()``, not to None.
    student : {"linear", "mlp"}, student, nn.Module or skorch net, default="mlp"
        What to fit: a :class:`LinearStudent` or an :class:`MLPStudent` (by name with
        their defaults), an ``nn.Module`` instance, which is copied and trained from
        the weights it has, or a class as above, or a skorch net, whose optimiser,
        schedule and callbacks are kept. It is cloned, so that a ``warm_start`` of its
        own starts anew; its own ``class_weight`` multiplies the one below.
    distillation_weight : float, default=1.0
        λ, from 0 to inf.
    temperature : float, default=1.0
        T > 0. Above 1 the teacher's small probabilities count for more. Far above 100
        nothing changes but rounding, and in single precision a warning says so.
    loss : {"soft_cross_entropy", "kl"} or callable, default="soft_cross_entropy"
        The distillation loss. "kl" differs by the teacher's entropy and has the same
        gradient. A callable gets ``(student_logits, teacher_logits, hard_targets)``,
        tensors with the logits already divided by T and labels that are -100 for
        transfer rows, and returns a value for each row. A teacher's logits are its
        centred log-probabilities, clipped at 1e-7.
    teacher_cv : int, splitter or None, default=None
        None: the teacher labels the rows that it was fitted on. Else each row is
        labelled by a clone fitted on other folds, so that a teacher that knows its
        rows by heart still says what it does not know (Dao et al. 2021,
        arXiv:2104.09732); ``teacher_`` is fitted on all rows. For groups pass their
        splits, ``list(GroupKFold().split(X, y, groups))``. A row that no fold holds
        out, as the first ones in order of time, has its label for a soft target.
    transfer_set : {"munge"}, Munge, rows or None, default=None
        More rows for the teacher to label, each of which weighs in the distillation
        loss as much as the mean labelled row: a :class:`Munge` makes them ("munge" with
        its defaults), or they are an array or a frame of unlabelled rows with the
        columns of X. They have no part in the first term, and λ = 0 has no use of them.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in both terms of the objective. The teacher is not
        weighted by it; it has parameters of its own.
    memory : str or joblib.Memory, default=None
        Caches the fitted teacher and its soft targets, so that a search over λ, T or
        the student fits one teacher a fold.
    n_jobs : int, default=None
        Folds of ``teacher_cv`` fitted at once.
    random_state : int, RandomState or None, default=None
        Seed of everything that is random: it is handed to the student, and to every
        part of the teacher whose own ``random_state`` is None.
    verbose : int, default=0
        1 prints a line for each epoch of a student given by name.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    teacher_ : classifier
        The fitted teacher; not set by ``fit(..., teacher_proba=P)``.
    student_ : classifier
        The fitted student: a classifier that needs neither teacher nor, if it is a
        built-in one, torch. This is what you ship.
    coef_, intercept_ : ndarray
        Of a linear student, in units of the input, of shapes ``(1, n_features)`` or
        ``(n_classes, n_features)``, and ``(1,)`` or ``(n_classes,)``.
    n_iter_ : int
        Epochs or iterations of the student.
    loss_curve_ : ndarray of shape (n_iter_,)
        L / (1 + λ) on the training rows.
    history_ : dict of ndarray
        ``"train_loss"`` and, with early stopping, ``"valid_loss"``.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if X had names that are all strings.

    See Also
    --------
    LinearStudent, MLPStudent : The students, classifiers of their own.
    MLPTeacher : The default teacher.

    References
    ----------
    Hinton, Vinyals & Dean (2015), "Distilling the Knowledge in a Neural Network",
    arXiv:1503.02531, section 2.1.

    Dao, Kamath, Syrgkanis & Mackey (2021), "Knowledge Distillation as Semiparametric
    Inference", arXiv:2104.09732.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.model_selection import train_test_split
    >>> from sk_distill import DistilledClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=y)
    >>> forest = RandomForestClassifier(random_state=0)
    >>> model = DistilledClassifier(forest, "linear", distillation_weight=3.0)
    >>> model = model.fit(X, y)
    >>> model.coef_.shape
    (10, 64)
    >>> bool(model.score(X_test, y_test) > 0.94)
    True
    """

    classes_: NDArray[Any]
    student_: Any
    teacher_: Any

    def __init__(
        self,
        teacher: Any = None,
        student: Any = "mlp",
        *,
        distillation_weight: float = 1.0,
        temperature: float = 1.0,
        loss: Any = "soft_cross_entropy",
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
        self.distillation_weight = distillation_weight
        self.temperature = temperature
        self.loss = loss
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
        """Fit the teacher, ask it, and fit the student.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            Rows. The student takes numbers, booleans, strings, categoricals and missing
            values (see its ``encoding``); the teacher gets them as they come.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the teacher and in both terms of the student's
            objective. A teacher whose ``fit`` takes none goes without, with a warning.
        teacher_proba : array-like of shape (n_samples, n_classes), default=None
            Probabilities from elsewhere, columns in the order of ``np.unique(y)``. No
            teacher is fitted.

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
            check_objective(self, self.distillation_weight, self.temperature, self.loss)
            check_seed(self, self.random_state)
            check_jobs(self, self.n_jobs)
            check_cache(self, self.memory)
            validate_data(self, X, skip_check_array=True)
            student = prepare_student(self, self.student, self.verbose)
            table = student._check_before_fit(X)
            classes, codes = encode_labels(self, table, y)
            check_teacher_cv(self, self.teacher_cv, codes)
            student._check_module(table, len(classes))
            labels = classes[codes]
            weight = check_sample_weight(self, sample_weight, len(labels))
            student_weight = weigh_rows(self, self.class_weight, classes, codes, weight)
            seed = None if self.random_state is None else draw_seed(self.random_state)

            transfer_set = self._check_transfer_set(teacher_proba, seed)

            teacher = transfer_X = transfer_proba = None
            if teacher_proba is None:
                teacher, proba, transfer_X, transfer_proba = self._teach(
                    X, labels, classes, weight, transfer_set, seed
                )
            else:
                proba = check_probabilities(
                    f"{name_of(self)}: teacher_proba",
                    teacher_proba,
                    len(labels),
                    len(classes),
                )

            if student.random_state is None:
                student.set_params(random_state=seed)
            student.fit(
                X,
                labels,
                student_weight,
                soft_targets=proba,
                transfer_X=transfer_X,
                transfer_targets=transfer_proba,
                distillation_weight=self.distillation_weight,
                temperature=self.temperature,
                loss=self.loss,
            )
            if not (table.has_missing or _allows_missing(teacher)):
                student.allow_missing_ = False
            self._keep(classes, teacher, student)
        return self

    def __sklearn_tags__(self) -> Tags:
        """Say that missing values are welcome where student and teacher take them."""
        tags = super().__sklearn_tags__()
        student = prepare_student(self, self.student, self.verbose)
        inputs = get_tags(student).input_tags
        teacher = prepare_teacher(self.teacher)
        tags.input_tags.allow_nan = inputs.allow_nan and _allows_missing(teacher)
        tags.input_tags.string = inputs.string
        return tags

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
        return self._fitted_student().predict_proba(X)

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithm of the student's probability of each class.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._fitted_student().predict_log_proba(X)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the student's logits.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        logits : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the log-odds of ``classes_[1]``.
        """
        return self._fitted_student().decision_function(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the student's most probable class of each row.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        return self._fitted_student().predict(X)

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
        transfer_set: Any,
        seed: int | None,
    ) -> tuple[Any, NDArray[np.float64], Any, NDArray[np.float64] | None]:
        """Return the fitted teacher, its soft targets and the labelled transfer set."""
        teacher = prepare_teacher(self.teacher)
        if holds_frozen(teacher) and self.teacher_cv is not None:
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
        memory = check_memory(self.memory)
        try:
            fitted, *answers = memory.cache(teach, ignore=["n_jobs", "verbose"])(
                teacher,
                X,
                y,
                classes,
                fit_params,
                seed_splitter(self.teacher_cv, seed),
                transfer_set,
                seed if holds_net(teacher) else None,
                self.n_jobs,
                self.verbose,
            )
        except PicklingError as error:
            raise ValueError(
                f"{name_of(self)}: memory={self.memory!r} cannot tell this teacher "
                "from another, since a part of it cannot be pickled. Define its class "
                "or function at the top of a module, or set memory=None."
            ) from error
        # A cache answers with a copy; what the user froze is kept as it is.
        return (teacher if isinstance(teacher, FrozenEstimator) else fitted), *answers

    def _check_transfer_set(self, teacher_proba: Any, seed: int | None) -> Any:
        """Return what makes or is the transfer set; λ = 0 has no use of any."""
        transfer_set = prepare_transfer_set(self, self.transfer_set, seed)
        if transfer_set is None:
            return None
        if self.distillation_weight == 0 and self.memory is None:
            # With a cache it is made all the same: the other λ of a search find it.
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
            validate_data(self, transfer_set, reset=False, skip_check_array=True)
        return transfer_set

    def _keep(self, classes: NDArray[Any], teacher: Any, student: Any) -> None:
        """Set the fitted attributes."""
        for name in ("teacher_", "coef_", "intercept_"):
            if hasattr(self, name):
                delattr(self, name)
        self.classes_ = classes
        if teacher is not None:
            self.teacher_ = teacher
        self.student_ = student
        for name in ("n_iter_", "loss_curve_", "history_", "coef_", "intercept_"):
            if hasattr(student, name):
                setattr(self, name, getattr(student, name))

    def _fitted_student(self) -> Any:
        if "student_" not in vars(self):
            raise NotFittedError(
                f"This {name_of(self)} instance is not fitted yet. Call 'fit' with "
                "appropriate arguments before using this estimator."
            )
        return self.student_


def _allows_missing(teacher: Any) -> bool:
    """Whether a teacher says that it takes missing values; no teacher minds none."""
    return teacher is None or get_tags(teacher).input_tags.allow_nan
