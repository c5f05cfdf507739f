"""Packages that only a part of this one needs: imported then, or explained."""

from importlib import import_module
from types import ModuleType


def import_optional(module: str, *, extra: str, needed_by: str) -> ModuleType:
    """Return a module, or say how to install it.

    Parameters
    ----------
    module : str
        Its dotted name.
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
            f"{needed_by} needs {module.partition('.')[0]}, which cannot be imported "
            f'({error}). Install it with: pip install "sk-distill[{extra}]"'
        ) from error
