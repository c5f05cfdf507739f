"""The package's warnings and errors."""

from sklearn.exceptions import ConvergenceWarning


class DistillationWarning(UserWarning):
    """Something about a fit that its user should know, with the way out."""


class DistillationConvergenceWarning(DistillationWarning, ConvergenceWarning):
    """A solver stopped at its iteration limit, before the optimum."""


class TrainingDivergedError(ArithmeticError):
    """The training loss is no longer a finite number; nothing was kept."""
