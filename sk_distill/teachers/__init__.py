"""Teachers: the default one, and whatever the user brings."""

from sk_distill.teachers.mlp import MLPTeacher
from sk_distill.teachers.prepare import (
    holds_frozen,
    holds_net,
    is_frozen,
    prepare_splitter,
    prepare_teacher,
)

__all__ = [
    "MLPTeacher",
    "holds_frozen",
    "holds_net",
    "is_frozen",
    "prepare_splitter",
    "prepare_teacher",
]
