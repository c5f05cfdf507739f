"""Students: classifiers that learn from labels, from soft targets, or from both."""

from sk_distill.students.linear import LinearStudent
from sk_distill.students.mlp import MLPStudent

__all__ = ["LinearStudent", "MLPStudent"]
