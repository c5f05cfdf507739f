"""Teachers: the default one, and whatever the user brings."""

from sk_distill.teachers.fused import FusedTeacher
from sk_distill.teachers.mlp import MLPTeacher
from sk_distill.teachers.prepare import (
    holds_frozen,
    holds_net,
    is_frozen,
    is_made_here,
    prepare_splitter,
    prepare_teacher,
)
from sk_distill.teachers.voting import VotingTeacher

__all__ = [
    "FusedTeacher",
    "MLPTeacher",
    "VotingTeacher",
    "holds_frozen",
    "holds_net",
    "is_frozen",
    "is_made_here",
    "prepare_splitter",
    "prepare_teacher",
]
