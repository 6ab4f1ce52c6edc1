"""How sshd starts this installation of ``solvehost``: interpreter and program by absolute paths."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import solvehost
from solvehost.errors import UnavailableError


def zipapp_path() -> Path | None:
    """Return the zipapp from which this program runs, None if it is installed as a package."""
    for folder in Path(solvehost.__file__).parents:
        if folder.is_file():
            return folder.resolve()
    return None


def program() -> list[str]:
    """Return the words that start this program, isolated from the caller's environment and working directory.

    Raises
    ------
    UnavailableError
        If the interpreter does not know its own path.
    """
    if not sys.executable:
        raise UnavailableError("this Python does not know its own path: start solvehost as /path/to/python3 -I ...")
    python = os.path.abspath(sys.executable)  # noqa: PTH100 - resolving the link would leave the virtual environment
    zipapp = zipapp_path()
    return [python, "-I", *([str(zipapp)] if zipapp else ["-m", "solvehost"])]
