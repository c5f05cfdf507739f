"""Modules of an extra: imported when they are needed, or explained."""

from importlib import import_module
from types import ModuleType


def import_optional(module: str, *, extra: str, needed_by: str) -> ModuleType:
    """Return the module, or say what to install.

    Parameters
    ----------
    module : str
        Its dotted name.
    extra : str
        The extra of this package that brings it.
    needed_by : str
        What cannot do without it, for the message.

    Raises
    ------
    ImportError
        Where it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{needed_by} needs {module.partition('.')[0]}, which is not installed. "
            f'Install it with: pip install "sk-distill[{extra}]"'
        ) from error
