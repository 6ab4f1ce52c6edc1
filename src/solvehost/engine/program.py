"""Find the engine's program, ``astrometry-engine``."""

from __future__ import annotations

import shutil
from pathlib import Path

from solvehost.errors import UnavailableError


def find_engine(name: str = "astrometry-engine", search: str | None = None) -> Path:
    """Return the absolute path of the engine.

    Parameters
    ----------
    name
        A path if it contains a slash, else the name of a program that is looked up.
    search
        Directories to look in, separated by colons; None for those on PATH.

    Raises
    ------
    UnavailableError
        If there is no such program; the message says what to install.
    """
    found = shutil.which(name, path=search)
    if found is None:
        raise UnavailableError(
            f"{name} was not found: install it (Debian, Ubuntu: apt install astrometry.net; "
            "macOS: brew install astrometry-net; conda: conda install -c conda-forge astrometry)"
        )
    return Path(found).absolute()
