"""How this very installation is started by sshd: the interpreter and the program by absolute paths."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import solvehost
from solvehost.errors import UnavailableError


def archive() -> Path | None:
    """Return the zipapp that this program runs from, None where it is installed."""
    for folder in Path(solvehost.__file__).parents:
        if folder.is_file():
            return folder.resolve()
    return None


def program() -> list[str]:
    """Return the words that start this program in isolation from the caller's environment and directories.

    Raises
    ------
    UnavailableError
        Where the interpreter does not know its own path.
    """
    if not sys.executable:
        raise UnavailableError("this Python does not know its own path: start solvehost as /path/to/python3 -I ...")
    python = os.path.abspath(sys.executable)  # noqa: PTH100 - a virtual environment's link must stay one
    found = archive()
    return [python, "-I", *([str(found)] if found else ["-m", "solvehost"])]
