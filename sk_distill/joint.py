"""Fitting a teacher and a student in one loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sk_distill._sklearn import safe_indexing
from sk_distill.networks import NetworkClassifier, n_outputs
from sk_distill.networks.knowledge import SOFT_TARGETS_ALONE
from sk_distill.networks.module import ModuleClassifier
from sk_distill.networks.parameters import warn_of_rounding
from sk_distill.networks.rows import Rows
from sk_distill.progress import running_task
from sk_distill.seeding import seed_parts
from sk_distill.students import LinearStudent, MLPStudent
from sk_distill.teachers import MLPTeacher, prepare_teacher
from sk_distill.transfer_sets import Munge
from sk_distill.validation import draw_seed, name_of

if TYPE_CHECKING:
    from sk_distill.training import TrainingData

SCHEDULES = ("teacher_first", "joint", "mutual")


def check_joint(owner: Any, student: Any, teacher_proba: Any) -> None:
    """Refuse a teacher, a student or a parameter that has no place in one loop.

    Raises
    ------
    ValueError, TypeError
        Naming the owner's parameter, and what would do.
    """
    shown = f"{name_of(owner)}: schedule={owner.schedule!r}"
    teacher = prepare_teacher(owner.teacher)
    if teacher_proba is not None:
        raise ValueError(
            f"{shown} trains a teacher beside the student, but teacher_proba took its "
            "place. Pass a teacher, or set schedule='teacher_first'."
        )
    if not isinstance(teacher, MLPTeacher | ModuleClassifier):
        raise TypeError(
            f"{shown} trains the teacher batch by batch beside the student, which "
            f"{name_of(teacher)} does not let it do. Choose an MLPTeacher or an "
            "nn.Module class, or schedule='teacher_first'."
        )
    trains = isinstance(student, MLPStudent | LinearStudent | ModuleClassifier)
    solver = getattr(student, "solver", "adam")
    if isinstance(student, LinearStudent) and solver == "auto":
        solver = "lbfgs"
    if not trains or solver == "lbfgs":
        raise TypeError(
            f"{shown} trains the student on batches, which {student!r} is not. Choose "
            "an MLPStudent, LinearStudent(solver='adam') or an nn.Module, or "
            "schedule='teacher_first'."
        )
    if owner.schedule == "mutual" and np.isinf(owner.distillation_weight):
        raise ValueError(
            f"{shown} lets each learn from the other, and at distillation_weight=inf "
            "neither sees a label. Choose a finite distillation_weight, or "
            "schedule='joint'."
        )
    own = ("callbacks", "net_params")
    if any(getattr(teacher, name) for name in own):
        raise ValueError(
            f"{shown} trains the teacher in the student's net, which knows nothing of "
            "the teacher's own callbacks and net_params. Give them to the student, or "
            "set schedule='teacher_first'."
        )
    for name, alone in (("teacher_cv", None), ("knowledge", "probabilities")):
        value = getattr(owner, name)
        if value is not alone and value != alone:
            raise ValueError(
                f"{shown} asks the teacher for what it says at each step, and knows no "
                f"{name}={value!r}. Leave it out, or set schedule='teacher_first'."
            )


def fit_jointly(
    owner: Any,
    student: Any,
    X: Any,
    y: NDArray[Any],
    weight: NDArray[np.float64] | None,
    student_weight: NDArray[np.float64] | None,
    transfer_set: Any,
    seed: int | None,
) -> NetworkClassifier:
    """Fit a teacher, and a student in place, both of them on each batch.

    The student's batches, steps and epochs are those of both, and its cross-entropy
    with held-out labels chooses the epoch; the teacher has its own layers, dropout and
    weight decay.

    Parameters
    ----------
    owner : DistilledClassifier
        Has the teacher, and the parameters of the objective.
    student : MLPStudent, LinearStudent or ModuleClassifier
    X : array-like or frame of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
        Labels.
    weight, student_weight : ndarray of shape (n_rows,) or None
        Weights of the rows, for the teacher and for the student.
    transfer_set : None, Munge or rows
        More rows, of which the student learns what the teacher says at each step.
    seed : int or None
        Of the teacher; the student's own decides of the batches.

    Returns
    -------
    teacher : MLPTeacher or ModuleClassifier
        Fitted.
    """
    from sk_distill.training import JointModule, Objective, TrainingData, train_joint

    teacher = prepare_teacher(owner.teacher)
    seed_parts(teacher, seed)
    transfer_X = transfer_set
    if isinstance(transfer_set, Munge):
        # Rows without weight are not there.
        known = X if weight is None else safe_indexing(X, np.flatnonzero(weight))
        transfer_X = transfer_set.sample(known)
    if (weight is None) != (student_weight is None):
        weight = np.ones(len(y))
    objective = Objective(owner.distillation_weight, owner.temperature, owner.loss)
    if objective.soft_share > 0:
        warn_of_rounding(owner, owner.temperature)
    of_teacher, of_student = (
        _read(part, X, y, part_weight, transfer_X)
        for part, part_weight in ((teacher, weight), (student, student_weight))
    )
    if len(of_teacher.inputs) != len(of_student.inputs):
        raise ValueError(
            f"{name_of(owner)}: schedule={owner.schedule!r} trains both on the same "
            "rows, but a class_weight of 0 leaves some out for one of them. Give every "
            "class a weight > 0, or set schedule='teacher_first'."
        )
    data = TrainingData(
        np.hstack([of_teacher.inputs, of_student.inputs]),
        of_student.codes,
        weight=of_student.weight,
    )

    def build() -> JointModule:
        outputs = n_outputs(student.classes_)
        return JointModule(
            teacher._build_module(outputs, False, None),
            student._build_module(outputs, False, None),
            of_teacher.inputs.shape[1],
        )

    n_steps = student._n_steps(len(data.inputs))
    with running_task().subtask("teacher and student", n_steps):
        trained = train_joint(
            build,
            objective,
            data,
            student._plan(len(data.inputs), draw_seed(student.random_state)),
            owner=name_of(owner),
            mutual=owner.schedule == "mutual",
            n_classes=len(student.classes_),
            teacher_weight=of_teacher.weight,
            teacher_decay=teacher._plan(len(y), 0).weight_decay,
        )
    both: Any = trained.module
    teacher._keep(both.teacher)
    student._keep(both.student)
    curves = {k: v for k, v in trained.history.items() if k.startswith("teacher_")}
    teacher._note_training(
        trained.n_iter, {k.removeprefix("teacher_"): v for k, v in curves.items()}
    )
    student._note_training(trained.n_iter, trained.history)
    return teacher


def _read(
    part: NetworkClassifier,
    X: Any,
    y: NDArray[Any],
    weight: NDArray[np.float64] | None,
    transfer_X: Any,
) -> TrainingData:
    """Let a network look at the rows and learn its encoding of them."""
    table = part._check_before_fit(X)
    rows, _ = part._read(table, y, weight, None, None, None, SOFT_TARGETS_ALONE)
    part._learn_encoding(rows)
    if transfer_X is None:
        return part._encode(rows, None)
    # Nothing is known of them before training: the teacher speaks at each step.
    transfer = Rows(part._read_transfer(transfer_X, table), None, None)
    return part._encode(rows, transfer)
