"""JSON lines: what ``nova batch --json`` printed for each frame, as it was."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from novacli.batch.records import LedgerEntry
from novacli.batch.reports import Summary


def write(entries: Iterable[LedgerEntry], _summary: Summary, stream: BinaryIO, _scratch: Path) -> None:
    """Write a line a frame that has one: that of a frame whose turn has not come is still to be made."""
    for entry in entries:
        if entry.line is None:
            continue
        # A byte of a file name that is no UTF-8 becomes JSON's own escape of the same character.
        stream.write(entry.line.strip().encode("utf-8", "backslashreplace") + b"\n")
