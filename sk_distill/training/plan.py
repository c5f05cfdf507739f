"""How a network is trained, as one value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TrainingPlan:
    """The settings of one training run, all of them decided.

    ``schedule`` names how the step size changes from ``learning_rate``, its largest;
    ``alpha`` is the strength of the L2 penalty, divided by the total weight of the
    rows; ``weight_decay`` is AdamW's, decoupled from the loss. ``step`` is told of each
    epoch, or iteration of "lbfgs" (see :class:`EpochSteps`).
    """

    solver: str
    max_iter: int
    tol: float
    seed: int
    alpha: float = 0.0
    weight_decay: float = 0.0
    batch_size: int = 128
    learning_rate: float = 1e-3
    schedule: str = "constant"
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    device: str = "auto"
    callbacks: Sequence[Any] = ()
    net_params: Mapping[str, Any] = field(default_factory=dict)
    verbose: int = 0
    step: Callable[[str], Callable[[Any], bool]] | None = None

    @property
    def n_steps(self) -> int:
        """Return the epochs or iterations that it takes at most."""
        return int(self.net_params.get("max_epochs", self.max_iter))
