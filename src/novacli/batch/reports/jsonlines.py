"""JSON lines: the line that ``nova batch --json`` printed for each frame, unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from novacli.batch.records import LedgerEntry
from novacli.batch.reports import Summary


def write(entries: Iterable[LedgerEntry], _summary: Summary, stream: BinaryIO, _scratch: Path) -> None:
    """Write the line of each frame; frames that are still waiting have none."""
    for entry in entries:
        if entry.line is None:
            continue
        # A byte of a file name that is not UTF-8 is a lone surrogate here; it becomes JSON's escape of that character.
        stream.write(entry.line.strip().encode("utf-8", "backslashreplace") + b"\n")
