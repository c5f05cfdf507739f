"""Teachers: the default one, and whatever the user brings."""

from sk_distill.teachers.mlp import MLPTeacher
from sk_distill.teachers.prepare import is_frozen, prepare_teacher, seed_parts

__all__ = ["MLPTeacher", "is_frozen", "prepare_teacher", "seed_parts"]
