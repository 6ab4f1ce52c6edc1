"""Reports over all frames of a batch; the file name's suffix selects the format (docs/reference/batch-report.md).

``columns`` defines the values of a frame; ``csvtable``, ``ecsv`` and ``jsonlines`` write tables; ``page`` writes HTML
with ``pagecells`` (its columns), ``pagestyle`` (style sheet, script), ``pagepaths``, ``folders`` and ``sky`` (the map).
A new format is one module and one line in ``MODULES``.  Its function ``write(entries, summary, stream, scratch)``
writes bytes to ``stream`` entry by entry, and may keep temporary files in the folder ``scratch``, so that 20,000 frames
are never all in memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import field
from importlib import import_module
from pathlib import Path

from novacli.batch.records import OWN_OUTPUT, LedgerEntry
from novacli.errors import UsageError
from novacli.records.status import SOLVED, UNSOLVED
from solvehost.record import record

MODULES = {
    ".csv": "novacli.batch.reports.csvtable",
    ".ecsv": "novacli.batch.reports.ecsv",
    ".jsonl": "novacli.batch.reports.jsonlines",
    ".html": "novacli.batch.reports.page",
}


@record
class Summary:
    """Facts about the batch as a whole; the reports count the fates themselves.

    Attributes
    ----------
    title
        The paths that the user gave, or the path of the ledger.
    elapsed_s
        Wall-clock seconds of the run; None if the report was made from a ledger.
    made_s
        Time when the report was made, seconds since 1970.
    """

    title: str
    elapsed_s: float | None = None
    made_s: float = field(default_factory=time.time)


def check_path(path: Path) -> None:
    """Check the suffix of a report's file name, before any frame is solved.

    Raises
    ------
    UsageError
        If no format has this suffix; the message lists the formats.
    """
    if path.suffix.lower() not in MODULES:
        raise UsageError(f"{path}: the report's format is unknown: give a name that ends in {', '.join(MODULES)}")


def write_report(entries: Iterable[LedgerEntry], summary: Summary, path: Path) -> None:
    """Write the report of a batch; if that fails, ``path`` keeps its previous content.

    Parameters
    ----------
    entries
        The frames in the order of the report; read once, one at a time.  Files that nova wrote are left out.
    summary
        Facts about the batch as a whole.
    path
        Its suffix is one of ``MODULES``, in upper or lower case.

    Raises
    ------
    UsageError
        If no format has this suffix, or ``path`` is one of the frames.
    OutputError
        If the report cannot be written, or the disk is full.
    """
    from novacli.files.atomic import as_output_error, replacing

    check_path(path)
    module = import_module(MODULES[path.suffix.lower()])
    with replacing(path) as stream:
        frames = (entry for entry in _without(path, entries) if entry.record.fate != OWN_OUTPUT)
        try:
            module.write(frames, summary, stream, path.resolve().parent)
        except OSError as exc:  # of a temporary file beside the report
            raise as_output_error(path, exc) from exc


def check_not_a_frame(path: Path, frames: Iterable[str]) -> None:
    """Raise UsageError if a report would replace one of the frames, however the two are spelled."""
    from novacli.exports.targets import file_identity

    if path.exists() and file_identity(path) in map(file_identity, frames):
        raise UsageError(f"{path}: this is a frame of the batch, which the report would replace: give another name")


def _without(path: Path, entries: Iterable[LedgerEntry]) -> Iterator[LedgerEntry]:
    """Yield the entries; raise UsageError if one of them is the file that the report would replace.

    A file that failed may be an earlier report in a folder of star lists, so it may be replaced.
    """
    size = path.stat().st_size if path.exists() else None
    for entry in entries:
        if entry.record.size == size and entry.record.fate in (SOLVED, UNSOLVED):
            check_not_a_frame(path, [entry.path])
        yield entry
