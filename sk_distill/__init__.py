"""Distil an accurate classifier into a small, fast, explainable one."""

from sk_distill.compression import CompressedStudent, compress
from sk_distill.distilled import DistilledClassifier
from sk_distill.distilled_cv import DistilledClassifierCV
from sk_distill.exceptions import DistillationWarning, TrainingDivergedError
from sk_distill.knowledge import Features
from sk_distill.report import DistillationReport, distillation_report
from sk_distill.students import LinearStudent, MLPStudent
from sk_distill.teachers import FusedTeacher, MLPTeacher, VotingTeacher
from sk_distill.transfer_sets import Munge

__version__ = "0.1.0.dev0"

__all__ = [
    "CompressedStudent",
    "DistillationReport",
    "DistillationWarning",
    "DistilledClassifier",
    "DistilledClassifierCV",
    "Features",
    "FusedTeacher",
    "LinearStudent",
    "MLPStudent",
    "MLPTeacher",
    "Munge",
    "TrainingDivergedError",
    "VotingTeacher",
    "compress",
    "distillation_report",
]
