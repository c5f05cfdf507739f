"""Fitted students, ready to leave this package."""

from sk_distill.export.files import load, load_teacher, save
from sk_distill.export.python_file import to_python

__all__ = ["load", "load_teacher", "save", "to_python"]
