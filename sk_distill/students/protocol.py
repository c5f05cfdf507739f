"""What the estimators that distil ask of a student."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from numpy.typing import ArrayLike

from sk_distill.encoding import Table
from sk_distill.networks.knowledge import SOFT_TARGETS_ALONE, Knowledge
from sk_distill.networks.paths import Lesson


class Student(Protocol):
    """An unfitted student, as :func:`prepare_student` makes it.

    Its methods are called in this order; all but the last four before the teacher is
    fitted, so that what cannot be used is refused first.

    Attributes
    ----------
    random_state : int, RandomState or None
        None is replaced by a seed of the estimator's.
    allow_missing_ : bool
        Set by ``fit``: whether the fitted student may be asked about missing values.
        The estimator sets it to False where nothing that was seen had any.
    """

    random_state: Any
    allow_missing_: bool

    def set_params(self, **params: Any) -> Any:
        """Set parameters, as scikit-learn's estimators do."""

    def _check_objective(self, temperature: float, loss: Any) -> None:
        """Raise for a temperature or a loss that it cannot learn by."""

    def _check_knowledge(self, features: bool, weights: bool) -> None:
        """Raise for kinds of knowledge that it cannot learn."""

    def _n_first_units(self) -> int:
        """Return the units of its first layer that a teacher's units can begin."""

    def _check_before_fit(self, X: Any) -> Table:
        """Raise for parameters and rows that cannot be used; return the rows."""

    def _check_module(self, table: Table, n_classes: int) -> None:
        """Raise where it cannot take such rows, or tell so many classes."""

    def _read_transfer(self, X: Any, table: Table) -> Any:
        """Raise for transfer rows that do not go with the labelled ones."""

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
    ) -> Any:
        """Fit to labels and soft targets; see :meth:`LinearStudent.fit`."""

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
        """Return a fitted classifier for each pair of λ and T."""

    def fit_paths(
        self,
        lessons: Iterable[Lesson],
        *,
        candidates: Sequence[tuple[float, float]],
        loss: Any = "soft_cross_entropy",
    ) -> Iterator[list[list[Any]]]:
        """Yield the paths of the next lessons, those that were trained together."""

    def _shipped(self) -> Any:
        """Return the fitted classifier that answers, and that the user ships."""
