"""Paths as the page shows them: relative to the folder that holds all frames, so that a mailed page does not
describe the computer that made it.
"""

from __future__ import annotations

import re

#: The folders at the beginning of an absolute path; the path starts a word or follows a quote or a parenthesis.
_FOLDERS = re.compile(r"(?<![^\s\"'(])/(?:[^\s/]+/)*(?=[^\s/])")
_ELSEWHERE = "…/"


class CommonFolder:
    """The deepest folder that holds all files seen so far, kept up to date file by file."""

    def __init__(self) -> None:
        self._prefix: str | None = None

    def add(self, path: str) -> None:
        """Take a file into account."""
        prefix = _folder(path) if self._prefix is None else self._prefix
        while not path.startswith(prefix):
            prefix = _folder(prefix.rstrip("/"))
        self._prefix = prefix

    def relative(self, path: str) -> str:
        """Return the path of a file, relative to the common folder."""
        return path.removeprefix(self._prefix or "")

    def shorten(self, message: str) -> str:
        """Return a message in which paths are relative, and paths outside of the common folder begin with ``…/``."""
        if self._prefix and self._prefix != "/":
            message = message.replace(self._prefix, "")
        return _FOLDERS.sub(_ELSEWHERE, message)


def names_only(title: str) -> str:
    """Return a list of paths, separated by blanks, without the folders of the absolute ones."""
    return _FOLDERS.sub("", title)


def _folder(path: str) -> str:
    """Return everything up to and including the last slash."""
    return path[: path.rfind("/") + 1]
