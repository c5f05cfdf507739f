"""Fitted students, ready to leave this package."""

from sk_distill.export.python_file import to_python

__all__ = ["to_python"]
