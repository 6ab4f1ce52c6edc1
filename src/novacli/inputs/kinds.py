"""The three kinds of input: a file, a URL and a stream, each a type of its own.

Code that was handed a ``UrlInput`` cannot be made to read a file, whatever the URL says.  ``parse_input`` is the only
place that tells the kinds apart by what a user typed; a server makes the records itself.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import field
from typing import BinaryIO

from novacli.errors import InputMissingError, UsageError
from novacli.files.urls import USER_POLICY, UrlPolicy, mask_credentials
from solvehost.record import record

STANDARD_INPUT = "-"
_HTTP_URL = re.compile(r"https?://", re.IGNORECASE)


@record
class FileInput:
    """A file on this machine; ``path`` is used as it stands, whatever characters it holds."""

    path: str

    @property
    def name(self) -> str:
        """What results and messages call it."""
        return self.path


@record
class UrlInput:
    """A URL to download; the default ``policy`` lets it lead to the public internet alone."""

    url: str
    policy: UrlPolicy = field(default_factory=UrlPolicy)

    @property
    def name(self) -> str:
        """The URL without its credentials."""
        return mask_credentials(self.url)


@record
class StreamInput:
    """Bytes that can be read once, such as standard input or an upload.

    ``name`` is what results call it, ``label`` what messages about reading call it.  ``open`` returns the stream; it
    is called when the input is read.
    """

    name: str
    open: Callable[[], BinaryIO]
    label: str


Input = FileInput | UrlInput | StreamInput


def parse_input(text: str) -> Input:
    """Return the input that a user named: ``-`` for standard input, an http or https URL, else a file's path.

    A URL may lead to private addresses too, since the user of this machine typed it.
    """
    if text == STANDARD_INPUT:
        return StreamInput(STANDARD_INPUT, _standard_input, "standard input")
    return UrlInput(text, USER_POLICY) if _HTTP_URL.match(text) else FileInput(text)


def _standard_input() -> BinaryIO:
    stream: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if stream is None or sys.stdin.closed:
        raise InputMissingError("standard input is closed: pipe an image into nova, or name a file")
    if sys.stdin.isatty():
        raise UsageError("standard input is a terminal: pipe an image into nova, or name a file")
    return stream
