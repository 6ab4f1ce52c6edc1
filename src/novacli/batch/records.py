"""The records between the parts of a batch: a frame as it lies on the disk, and what the ledger knows of it.  Light."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from novacli.result import FAILED, SOLVED, UNSOLVED, Result

#: What became of a frame.  ``RETRIABLE`` ones failed in a way that may pass: a full disk, a lost server, a dead worker.
RETRIABLE = "retriable"
FATES = (SOLVED, UNSOLVED, RETRIABLE, FAILED)


@dataclass(frozen=True, slots=True)
class Frame:
    """A file as it lies on the disk: absolute path, size in bytes, time of the last change in nanoseconds."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger holds of a frame.

    Attributes
    ----------
    frame
        As it was when its result was kept; after ``--update``, with the solution in it.
    sha256
        Of its content then, in hexadecimal; None where it could not be read.
    params
        Fingerprint of the parameters and outputs that it was solved with.
    fate
        One of ``FATES``.
    tries
        How often it was tried with this content and these parameters.
    line
        The frame's JSON line, as ``nova batch --json`` prints it.
    finished_s
        When, in seconds since 1970.
    """

    frame: Frame
    sha256: str | None
    params: str
    fate: str
    tries: int
    line: str
    finished_s: float

    @property
    def result(self) -> Result:
        """The result that the line is of."""
        value: dict[str, Any] = json.loads(self.line)
        return Result.from_json(value)


def fate_of(result: Result) -> str:
    """Return what a result means for a frame."""
    if result.error is not None:
        return RETRIABLE if result.error["retry_is_safe"] else FAILED
    return result.status if result.status in FATES else RETRIABLE
