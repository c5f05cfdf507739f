"""Packages that only a part of this one needs."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def import_optional(module: str, *, extra: str, needed_by: str) -> ModuleType:
    """Return a module, or say how to install it.

    Parameters
    ----------
    module : str
        Its full name.
    extra : str
        The extra of sk-distill that installs it.
    needed_by : str
        What asks for it, for the message.

    Raises
    ------
    ImportError
        Where it cannot be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{needed_by} needs {module}, which cannot be imported ({error}). Install "
            f'it by pip install "sk-distill[{extra}]".'
        ) from error
