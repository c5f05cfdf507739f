"""What distilling kept and what it lost, on rows that nobody was fitted on."""

from sk_distill.report.making import distillation_report
from sk_distill.report.result import DistillationReport

__all__ = ["DistillationReport", "distillation_report"]
