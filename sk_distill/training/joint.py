"""Teacher and student in one loop: each batch teaches both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sk_distill.inference import PROBABILITY_FLOOR
from sk_distill.training.data import UNLABELLED
from sk_distill.training.objective import Objective, both_columns
from sk_distill.training.tensor_net import TensorNet

Targets = dict[str, Tensor]


class JointModule(nn.Module):
    """A teacher and a student, each on columns of its own.

    Shape: ``(n_rows, n_teacher_columns + n_student_columns)`` -> the student's logits
    and the teacher's.

    Parameters
    ----------
    teacher, student : nn.Module
    n_teacher_columns : int
        The first columns, which are the teacher's.
    """

    def __init__(self, teacher: Any, student: Any, n_teacher_columns: int) -> None:
        super().__init__()
        self.teacher = teacher
        self.student = student
        self.n_teacher_columns = n_teacher_columns
        self.goes_back_by_hand = all(
            getattr(part, "goes_back_by_hand", False) for part in (teacher, student)
        )

    def _columns(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        n = self.n_teacher_columns
        return rows[:, n:], rows[:, :n]

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both."""
        of_student, of_teacher = self._columns(rows)
        return self.student(of_student), self.teacher(of_teacher)

    def forward_and_back(
        self, rows: Tensor
    ) -> tuple[tuple[Tensor, Tensor], Callable[[tuple[Tensor, Tensor]], None]]:
        """Return the logits of both, and the way back from their gradients."""
        of_student, of_teacher = self._columns(rows)
        student, student_back = self.student.forward_and_back(of_student)
        teacher, teacher_back = self.teacher.forward_and_back(of_teacher)

        def back(gradients: tuple[Tensor, Tensor]) -> None:
            student_back(gradients[0])
            teacher_back(gradients[1])

        return (student, teacher), back

    def n_products(self, n_rows: int, device_type: str) -> int:
        """Return the multiplications that a batch takes."""
        parts = (self.teacher, self.student)
        if self.goes_back_by_hand:
            return sum(part.n_products(n_rows, device_type) for part in parts)
        return n_rows * sum(p.numel() for p in self.parameters())


class JointObjective(Objective):
    """The student's objective and the teacher's, on one batch.

    The student learns from the labels and from what the teacher says of the batch now;
    nothing of that goes back into the teacher. The teacher learns from the labels
    alone or, if it is ``mutual``, by the same objective from the student (Zhang et al.
    2018, arXiv:1706.00384, section 2.2).

    Parameters
    ----------
    objective : Objective
        The student's.
    mutual : bool
        Whether the teacher learns from the student too.
    n_classes : int
        Number of classes.
    teacher_weight : ndarray of shape (n_rows,) or None
        Weights of the rows for the teacher, where rows have weights.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        mutual: bool,
        n_classes: int,
        teacher_weight: NDArray[Any] | None = None,
    ) -> None:
        nn.Module.__init__(self)
        self.objective = objective
        self.of_teacher = objective if mutual else Objective(0.0)
        self.of_labels = Objective(0.0)
        self.mutual = mutual
        self.n_classes = n_classes
        self.teacher_weight = teacher_weight

    def make_targets(
        self,
        codes: NDArray[Any] | None,
        soft_targets: NDArray[Any] | None,
        sample_weight: NDArray[Any] | None,
        hints: NDArray[Any] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Return the arrays of a batch; the weights are the student's.

        What learns from labels alone has no use of a row without one, and loses
        nothing by it: its mean is over labelled rows.
        """
        assert codes is not None
        labels = np.zeros((len(codes), self.n_classes))
        labelled = np.flatnonzero(codes != UNLABELLED)
        labels[labelled, codes[labelled]] = 1
        targets = {
            "labels": labels,
            "labels_alone": labels * (len(codes) / len(labelled)),
            "codes": codes.astype(np.int64),
        }
        if sample_weight is not None:
            assert self.teacher_weight is not None
            for name, weight in (
                ("weight", sample_weight),
                ("teacher_weight", self.teacher_weight),
            ):
                targets[name] = weight * (len(weight) / weight.sum())
        return targets

    def forward(self, logits: Any, targets: Any) -> Tensor:
        """Return the student's loss, the teacher's, and the student's with the labels.

        The last one has no gradient.
        """
        of_student, of_teacher = self._targets(logits[0], logits[1], targets)
        student = self.objective(logits[0], of_student)
        teacher = self.of_teacher(logits[1], of_teacher)
        labels = self._with_labels(logits[0], targets)
        return torch.stack([student, teacher.mean(), labels])

    @torch.no_grad()
    def value_and_gradient(self, logits: Any, targets: Any) -> tuple[Tensor, Any]:
        """Return what :meth:`forward` returns, and the gradient of each for its net."""
        of_student, of_teacher = self._targets(logits[0], logits[1], targets)
        student, to_student = self.objective.value_and_gradient(logits[0], of_student)
        teacher, to_teacher = self.of_teacher.value_and_gradient(logits[1], of_teacher)
        labels = self._with_labels(logits[0], targets)
        losses = torch.stack([student, teacher.mean(), labels])
        return losses, (to_student, to_teacher)

    @torch.no_grad()
    def _with_labels(self, student: Tensor, targets: Targets) -> Tensor:
        """Return the student's cross-entropy with the labels, whatever it learns."""
        wanted = {"blend": targets["labels_alone"]}
        if "weight" in targets:
            wanted["weight"] = targets["weight"]
        return self.of_labels(student, wanted)

    def _targets(
        self, student: Tensor, teacher: Tensor, targets: Targets
    ) -> tuple[Targets, Targets]:
        """Return what each learns, from the labels and from the other."""
        of_student = self._learn_from(self.objective, probabilities(teacher), targets)
        if self.mutual:
            said = probabilities(student)
            of_teacher = self._learn_from(self.of_teacher, said, targets)
        else:
            of_teacher = {"blend": targets["labels_alone"]}
        if "weight" in targets:
            of_student["weight"] = targets["weight"]
            of_teacher["weight"] = targets["teacher_weight"]
        return of_student, of_teacher

    @staticmethod
    def _learn_from(objective: Objective, said: Tensor, targets: Targets) -> Targets:
        if objective.blends:
            labels = objective.hard_share * targets["labels"]
            return {"blend": labels + objective.soft_share * said}
        logits = said.clamp(min=PROBABILITY_FLOOR).log()
        logits = logits - logits.mean(dim=-1, keepdim=True)
        return {"teacher_logits": logits, "codes": targets["codes"]}


@torch.no_grad()
def probabilities(logits: Tensor) -> Tensor:
    """Return the probabilities, of several members the mean, of which no gradient goes.

    Shape: ``(n_rows, n_outputs)`` or ``(n_members, n_rows, n_outputs)`` ->
    ``(n_rows, n_classes)``.
    """
    proba = both_columns(logits).softmax(dim=-1)
    return proba.mean(dim=0) if proba.ndim == 3 else proba


class JointNet(TensorNet):
    """A :class:`TensorNet` of a :class:`JointModule`.

    Its losses are the student's; those of the teacher are recorded beside them. Early
    stopping watches neither: what the student learns from the teacher changes with it,
    and is learnt best while both know nothing. It watches the student's cross-entropy
    with the labels.

    Parameters
    ----------
    teacher_decay : float
        The weight decay of the teacher.
    """

    def __init__(self, *args: Any, teacher_decay: float = 0.0, **kwargs: Any) -> None:
        self.teacher_decay = teacher_decay
        super().__init__(*args, **kwargs)

    def _record(self, prefix: str, losses: NDArray[Any]) -> float:
        student, teacher, labels = losses
        self.history.record(f"teacher_{prefix}_loss", float(teacher))
        self.history.record(f"label_{prefix}_loss", float(labels))
        return super()._record(prefix, student)

    def _penalties_of(self, name: str) -> tuple[float, float]:
        if name.startswith("teacher."):
            return 0.0, self.teacher_decay
        return super()._penalties_of(name)
