"""A path over λ and T: what it is learnt from, and what is trained for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import ArrayLike

from sk_distill.networks.knowledge import Knowledge
from sk_distill.progress import Task

if TYPE_CHECKING:
    from sk_distill.training import Objective, TrainingData


class Lesson(NamedTuple):
    """What the students of a path learn from, such as the training rows of a fold.

    Attributes
    ----------
    task : Task
        What the path is a part of.
    X, y, sample_weight, soft_targets, transfer_X, transfer_targets, knowledge
        As for ``fit`` of a student.
    """

    task: Task
    X: Any
    y: Any
    sample_weight: ArrayLike | None
    soft_targets: ArrayLike
    transfer_X: Any
    transfer_targets: ArrayLike | None
    knowledge: Knowledge


class Path(NamedTuple):
    """A path that is ready to be trained.

    Attributes
    ----------
    student : classifier
        Has the encoding; copies of it are trained.
    data : TrainingData
        The encoded rows.
    objectives : sequence of Objective
        Those to train on, in the order of the candidates.
    seed : int
        Of every training.
    weights : sequence of float
        λ of each candidate.
    task : Task
        What it is a part of.
    plain : Path or None
        That of the student at λ = 0, if it is wanted and sees rows of its own, or the
        same ones encoded for the labels; else it is the first objective.
    """

    student: Any
    data: TrainingData
    objectives: Sequence[Objective]
    seed: int
    weights: Sequence[float]
    task: Task
    plain: Path | None = None

    @property
    def parts(self) -> list[Path]:
        """Return what is trained on rows of its own, λ = 0 first."""
        parts = (self.plain, self._replace(plain=None))
        return [part for part in parts if part is not None and part.objectives]

    def in_order(self, trained: Iterator[Any]) -> list[Any]:
        """Return a student for each candidate, from those that were trained.

        Of these the one at λ = 0 comes first, then those of the other objectives.
        """
        plain = next(trained) if any(map(is_nothing, self.weights)) else None
        return [plain if is_nothing(w) else next(trained) for w in self.weights]


def is_nothing(distillation_weight: float) -> bool:
    """Whether λ is so small that the teacher has no say at all."""
    return 1 + distillation_weight == 1
