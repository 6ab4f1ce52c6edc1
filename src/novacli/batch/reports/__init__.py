"""The report over all frames of a batch, in the format that its name says; see docs/reference/batch-report.md.

A new format is a module here and a line in ``MODULES``.  Each has ``write(entries, summary, stream, scratch)``: it
writes bytes to ``stream`` as the entries come, and may keep what it cannot write yet in files in ``scratch``, a
directory on the same disk, so that twenty thousand frames never lie in memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from novacli.batch.records import OURS, LedgerEntry
from novacli.errors import UsageError

MODULES = {
    ".csv": "novacli.batch.reports.csvtable",
    ".ecsv": "novacli.batch.reports.ecsv",
    ".jsonl": "novacli.batch.reports.jsonlines",
    ".html": "novacli.batch.reports.page",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What a report says of the batch as a whole; how many frames met which fate is counted as they come.

    Attributes
    ----------
    title
        What the batch is of, as the person would call it: the folder, or the ledger.
    elapsed_s
        Wall-clock seconds of the run; None where the report is of a ledger and not of a run.
    made_s
        When the report was made, in seconds since 1970.
    """

    title: str
    elapsed_s: float | None = None
    made_s: float = field(default_factory=time.time)


def check_path(path: Path) -> None:
    """Say at once, before frames are solved for hours, that a report's name is of no known format.

    Raises
    ------
    UsageError
        Where it is; the message names those there are.
    """
    if path.suffix.lower() not in MODULES:
        raise UsageError(f"{path}: a report's name says its format: end it in {', '.join(MODULES)}")


def write_report(entries: Iterable[LedgerEntry], summary: Summary, path: Path) -> None:
    """Write the report of a batch; ``path`` holds the whole of it, or what it held before.

    Parameters
    ----------
    entries
        In the order that the report shall have; read once, and never all held.  Files that nova wrote are left out.
    summary
        What is said of the batch as a whole.
    path
        Ends in one of ``MODULES``; upper and lower case are the same.

    Raises
    ------
    UsageError
        Where it ends in nothing that is known.
    OutputError
        Where it cannot be written, or the disk is full.
    """
    from novacli.files.atomic import replacing

    check_path(path)
    module = import_module(MODULES[path.suffix.lower()])
    with replacing(path) as stream:
        frames = (entry for entry in entries if entry.known.fate != OURS)
        module.write(frames, summary, stream, path.resolve().parent)
