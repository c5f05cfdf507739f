"""Displays of what was distilled, in scikit-learn's manner; the extra is ``plot``."""

from sk_distill.plot.effects import FeatureEffectsDisplay
from sk_distill.plot.fidelity import FidelityDisplay
from sk_distill.plot.path import DistillationPathDisplay
from sk_distill.plot.training import TrainingCurveDisplay

__all__ = [
    "DistillationPathDisplay",
    "FeatureEffectsDisplay",
    "FidelityDisplay",
    "TrainingCurveDisplay",
]
