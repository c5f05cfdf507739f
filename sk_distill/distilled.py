"""The estimator: a teacher, a student, and the objective between them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_memory

from sk_distill.distilled_base import BaseDistilledClassifier, allows_missing
from sk_distill.encoding import check_columns
from sk_distill.joint import SCHEDULES, check_joint, fit_jointly
from sk_distill.knowledge import check_knowledge
from sk_distill.networks.parameters import check_loss, check_objective, weigh_rows
from sk_distill.plain_student import warn_of_teacher
from sk_distill.progress import fit_task
from sk_distill.soft_targets import check_folds
from sk_distill.students.prepare import prepare_student
from sk_distill.teachers import prepare_splitter
from sk_distill.validation import (
    check_cache,
    check_choice,
    check_jobs,
    check_sample_weight,
    check_seed,
    draw_seed,
    encode_labels,
    unchanged_on_failure,
)


class DistilledClassifier(BaseDistilledClassifier):
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
        - A list of ``(name, teacher)``: their mean, a :class:`VotingTeacher`, which can
          also weigh them; :class:`FusedTeacher` averages the weights of networks.
        - An ``nn.Module`` class, or one of its instances that is trained already (a
          class is called as ``Module(n_features, n_classes)``, trained on standardised
          columns; an instance is used as it is). Modules return logits.
        - A skorch net: fitted on float32 rows and the labels' numbers.

        To search over a part's parameters pass an instance: ``teacher__max_iter``
        belongs to ``MLPTeacher()``, not to None.
    student : str, student, classifier, nn.Module or skorch net, default="mlp"
        What to fit; it is cloned, so that a ``warm_start`` of its own starts anew.

        - "linear" or "mlp", a :class:`LinearStudent` or an :class:`MLPStudent` with
          their defaults, or one of them; its own ``class_weight`` multiplies the one
          below.
        - An ``nn.Module`` instance, which is copied and trained from the weights it
          has, or a class as above.
        - A skorch net, whose optimiser, schedule and callbacks are kept.
        - Any other classifier with ``predict_proba`` whose ``fit``, or whose last
          step's as a pipeline, takes ``sample_weight``: a ``DecisionTreeClassifier``,
          a boosted tree, ``GaussianNB``. It gets X as it came, each row once for each
          class with the blend :math:`(y + λ P) / (1 + λ)` for a weight, so that what
          it minimises is L / (1 + λ) where that is a log loss; classes of less than
          1e-6 of a row's weight are left out. What counts rows instead of weighing
          them, such as ``min_samples_leaf``, counts each of these; T is 1.
    distillation_weight : float, default=1.0
        λ, from 0 to inf.
    temperature : float, default=1.0
        T > 0. Above 1 the teacher's small probabilities count for more. Far above 100
        nothing changes but rounding, and in single precision a warning says so.
    loss : str or callable, default="soft_cross_entropy"
        The distillation loss:

        - "soft_cross_entropy": the formula above.
        - "kl": less by the teacher's entropy; the same gradient, and so the same
          student.
        - "logit_mse": half the mean squared difference of centred logits. It does not
          depend on T, and has the gradient that "soft_cross_entropy" tends to as T
          grows.
        - "decoupled": KL in two parts, how sure the teacher is of the row's class and
          what it says of the others, which count eight times. For two classes it is
          "kl".
        - "dist": correlations of the probabilities, within a row and within a class.
        - :class:`sk_distill.losses.Decoupled` and :class:`sk_distill.losses.Dist`: the
          same with weights of your own;
          :class:`sk_distill.losses.StandardizedLogits`: any of these on standardised
          logits, for three classes or more. These and "dist" leave the scale of the
          logits to the labels: at λ = inf the probabilities are not calibrated.
        - A callable: it gets ``(student_logits, teacher_logits, hard_targets)``,
          tensors with the logits already divided by T and labels that are -100 where a
          row has none, as transfer rows and all rows at λ = inf, and returns a value
          for each row.

        A teacher's logits are its centred log-probabilities, clipped at 1e-7.
    knowledge : str, Features or dict, default="probabilities"
        What the teacher hands on; λ multiplies the whole. A dict gives each kind its
        weight, as ``{"probabilities": 1.0, "features": 0.5}``.

        - "probabilities": soft targets, by the ``loss``.
        - "features": the last hidden layer of an :class:`MLPStudent` is to tell, by a
          linear map that is dropped after training, what the teacher makes of a row
          (hints: Romero et al. 2015, arXiv:1412.6550): half the mean squared distance
          to the input of its last linear layer, or to its trees' leaves, reduced to 32
          components and scaled. :class:`Features` names another layer.
        - "weights": the first layer begins with the teacher's, or what comes nearest on
          the student's encoding, and is pulled there: half the squared distance over
          the squared norm (Li et al. 2018, arXiv:1802.01483). A
          :class:`LinearStudent` begins as the least-squares fit to the teacher's
          logits, of any teacher.

        Features and weights are those of the teacher that is fitted on all rows, with
        ``teacher_cv`` too.
    schedule : {"teacher_first", "joint", "mutual"}, default="teacher_first"
        When the teacher learns. "joint": teacher and student step on the same batches,
        the teacher from the labels alone, the student from the labels and from what the
        teacher says at that step. "mutual": the teacher learns from the student too, by
        the same objective (Zhang et al. 2018, arXiv:1706.00384). Both are for an
        :class:`MLPTeacher` or an ``nn.Module`` class as the teacher and a student that
        is trained on batches. Of the teacher's training parameters only the weight
        decay counts: batches, epochs, step size and early stopping are the student's.
        ``history_`` has the teacher's losses beside the student's.
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
        1 prints a line for each epoch of a student given by name and of a teacher that
        is None or an ``nn.Module`` class, 2 also one for each part of the fit when it
        is done: teachers, student. Other parts have a ``verbose`` of their own. With
        scikit-learn >= 1.9
        ``set_callbacks(ProgressBar(max_propagation_depth=None))`` shows teachers, folds
        and epochs as bars (see :mod:`sklearn.callback`).

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    teacher_ : classifier
        The fitted teacher; not set by ``fit(..., teacher_proba=P)``.
    student_ : classifier
        The fitted student: a classifier that needs neither teacher nor, unless it is a
        net of the user's, torch. This is what you ship. A classifier from elsewhere is
        itself: ``sklearn.tree.export_text(model.student_)`` prints a tree's rules.
    coef_, intercept_ : ndarray
        Of a linear student, in units of the input, of shapes ``(1, n_features)`` or
        ``(n_classes, n_features)``, and ``(1,)`` or ``(n_classes,)``.
    n_iter_ : int
        Epochs or iterations of the student; what a classifier from elsewhere says of
        itself, if it does.
    loss_curve_ : ndarray of shape (`n_iter_`,)
        L / (1 + λ) on the training rows; of built-in students and nets.
    history_ : dict of ndarray
        ``"train_loss"`` and, with early stopping, ``"valid_loss"``; of built-in
        students and nets. Of a teacher that is trained beside the student,
        ``"teacher_train_loss"`` and so on.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X had names that are all strings.

    See Also
    --------
    LinearStudent, MLPStudent : The students, classifiers of their own.
    MLPTeacher : The default teacher.
    VotingTeacher, FusedTeacher : Several teachers as one.

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

    def __init__(
        self,
        teacher: Any = None,
        student: Any = "mlp",
        *,
        distillation_weight: float = 1.0,
        temperature: float = 1.0,
        loss: Any = "soft_cross_entropy",
        knowledge: Any = "probabilities",
        schedule: str = "teacher_first",
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
        self.knowledge = knowledge
        self.schedule = schedule
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
            values (see its ``encoding``); the teacher, and a student that is a
            classifier from elsewhere, get them as they come.
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

        Warns
        -----
        DistillationWarning
            Where a built-in student predicts better, fitted on the labels of some
            rows (3,000 at most), than the teacher's soft targets do, on others: then
            distilling may hurt. Only ``teacher_cv`` lets it see through a teacher that
            knows its rows by heart.
        """
        with unchanged_on_failure(self), fit_task(self, X, y, sample_weight, 2) as task:
            check_objective(self, self.distillation_weight, self.temperature, self.loss)
            check_choice(self, "schedule", self.schedule, SCHEDULES)
            inquiry = check_knowledge(self, self.knowledge)
            check_seed(self, self.random_state)
            check_jobs(self, self.n_jobs)
            check_cache(self, self.memory)
            check_columns(self, X)
            student = prepare_student(self, self.student, self.verbose)
            student._check_objective(self.temperature, self.loss)
            question = self._check_inquiry(
                inquiry, student, teacher_proba, np.isinf(self.distillation_weight)
            )
            if self.schedule != "teacher_first":
                check_joint(self, student, teacher_proba)
            table = student._check_before_fit(X)
            classes, codes = encode_labels(self, table, y)
            check_loss(self, self.loss, len(classes))
            check_folds(self, "teacher_cv", self.teacher_cv, codes)
            student._check_module(table, len(classes))
            labels = classes[codes]
            weight = check_sample_weight(self, sample_weight, len(labels))
            student_weight = weigh_rows(self, self.class_weight, classes, codes, weight)
            seed = None if self.random_state is None else draw_seed(self.random_state)

            cv = prepare_splitter(self.teacher_cv, seed)
            transfer_set = None
            # λ = 0 has no use of one; with a cache the other λ of a search find it.
            if self.distillation_weight > 0 or self.memory is not None:
                transfer_set = self._check_transfer_set(
                    teacher_proba, seed, student, table
                )

            if student.random_state is None:
                student.set_params(random_state=seed)
            # At λ = 0 neither looks at the other: they may as well learn in turn.
            if self.schedule != "teacher_first" and self.distillation_weight > 0:
                fellow = fit_jointly(
                    self, student, X, labels, weight, student_weight, transfer_set, seed
                )
                self._keep(classes, fellow, student)
                return self

            teacher = None
            if teacher_proba is None:
                all_rows = [np.arange(len(labels))]
                teacher, (said,) = self._teach(
                    X,
                    labels,
                    classes,
                    weight,
                    all_rows,
                    cv,
                    transfer_set,
                    question,
                    seed,
                )
            else:
                said = self._check_teacher_proba(teacher_proba, labels, classes)

            if self.distillation_weight > 0:
                warn_of_teacher(
                    self,
                    student,
                    X,
                    labels,
                    classes,
                    student_weight,
                    soft_targets=said.proba,
                    cv=cv,
                    memory=check_memory(self.memory),
                )
            with task.subtask("student").fits(student):
                student.fit(
                    X,
                    labels,
                    student_weight,
                    soft_targets=said.proba,
                    transfer_X=said.transfer_X,
                    transfer_targets=said.transfer_proba,
                    distillation_weight=self.distillation_weight,
                    temperature=self.temperature,
                    loss=self.loss,
                    knowledge=said.knowledge(inquiry),
                )
            if not (table.has_missing or allows_missing(teacher)):
                student.allow_missing_ = False
            self._keep(classes, teacher, student)
        return self
