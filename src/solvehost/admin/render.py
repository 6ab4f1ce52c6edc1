"""Printing of results: the only place where what the sysadmin's commands return becomes text or JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TextIO

from solvehost.admin.records import (
    AuthorizeResult,
    CheckReport,
    FileText,
    Finding,
    GcResult,
    JobRow,
    JobTable,
    Result,
    SettingRow,
    SettingTable,
)
from solvehost.wire.escaping import escape

_TICKS: dict[bool | None, str] = {True: "✔", False: "✘", None: "–"}
_WORDS: dict[bool | None, str] = {True: "ok", False: "BAD", None: "--"}
_ARROW, _PLAIN_ARROW = "→", "->"
_MAX_CELL = 2000


def write(result: Result, stream: TextIO, *, as_json: bool = False) -> None:
    """Write a result as text for people, or as JSON; a table becomes one JSON object per line."""
    if as_json:
        for value in _json_objects(result):
            stream.write(json.dumps(value, default=str) + "\n")
        return
    for line in _WRITERS[type(result)](result, stream):
        stream.write(line + "\n")


def notes(result: Result) -> tuple[str, ...]:
    """Return the notes that belong on standard error, beside the result."""
    return result.notes if isinstance(result, AuthorizeResult) else ()


def printable(text: str, stream: TextIO) -> str:
    """Return text of unknown origin as one line that is safe to print; escape it only if necessary."""
    return text if text.isprintable() and _can_encode(stream, text) else escape(text, _MAX_CELL)


def _json_objects(result: Result) -> Iterator[dict[str, Any]]:
    if isinstance(result, JobTable | SettingTable):
        yield from (dataclasses.asdict(row) for row in result.rows)
    elif isinstance(result, CheckReport):
        yield {"ok": not result.exit_code, "exit_code": result.exit_code, **dataclasses.asdict(result)}
    else:
        yield dataclasses.asdict(result)


def _can_encode(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _report_lines(report: CheckReport, stream: TextIO) -> Iterator[str]:
    can_tick = _can_encode(stream, "".join((*_TICKS.values(), _ARROW)))
    marks, arrow = (_TICKS, _ARROW) if can_tick else (_WORDS, _PLAIN_ARROW)
    mark_width = max(map(len, marks.values()))
    width = max((len(finding.name) for finding in report.checks), default=0)
    for finding in report.checks:
        detail = printable(finding.detail, stream)
        yield f"{marks[finding.ok].ljust(mark_width)} {finding.name.ljust(width)}  {detail}"
        if finding.remedy:
            yield f"{'':{mark_width}} {'':{width}}  {arrow} {printable(finding.remedy, stream)}"
    yield ""
    yield _summary(report.checks)


def _summary(findings: Sequence[Finding]) -> str:
    failed, unknown = (sum(finding.ok is ok for finding in findings) for ok in (False, None))
    warnings = f"; {unknown} worth knowing" if unknown else ""
    checks = f"{len(findings)} check{'' if len(findings) == 1 else 's'}"
    return f"{checks}: {f'{failed} failed' if failed else 'none failed'}{warnings}"


def _authorize_lines(result: AuthorizeResult, stream: TextIO) -> Iterator[str]:
    if result.path is None:
        yield result.line
        return
    outcome = {"added": "added to", "replaced": "replaced in", "unchanged": "already in"}[result.outcome]
    yield f"{result.fingerprint} (client {result.client}): {outcome} {printable(str(result.path), stream)}"
    yield result.line


def _job_lines(table: JobTable, stream: TextIO) -> Iterator[str]:
    rows = [_job_cells(row, stream) for row in table.rows]
    yield from _table(("CLIENT", "ID", "STATE", "CREATED", "MB", "MESSAGE"), rows, right={4})


def _job_cells(row: JobRow, stream: TextIO) -> tuple[str, ...]:
    cells = (row.client or "-", row.id or "-", row.state, _local_minute(row.created), _mb(row.size_bytes), row.message)
    return tuple(printable(cell, stream) for cell in cells)


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f}"


def _local_minute(created: str) -> str:
    """Return an ISO 8601 time in the local time zone, without seconds."""
    try:
        return f"{datetime.fromisoformat(created).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return created or "-"


def _setting_lines(table: SettingTable, stream: TextIO) -> Iterator[str]:
    rows = [tuple(printable(cell, stream) for cell in _setting_cells(row)) for row in table.rows]
    yield from _table(("SETTING", "VALUE", "FROM", "MEANING"), rows)


def _setting_cells(row: SettingRow) -> tuple[str, ...]:
    value = "-" if row.value is None else str(row.value).lower() if isinstance(row.value, bool) else f"{row.value}"
    return row.name, value, row.source, row.meaning


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: frozenset[int] | set[int] = frozenset()
           ) -> Iterator[str]:  # fmt: skip
    """Yield the lines of a table; ``right`` holds the numbers of right-aligned columns, from 0."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = (c.rjust(w) if at in right else c.ljust(w) for at, (c, w) in enumerate(zip(row, widths, strict=True)))
        yield "  ".join(cells).rstrip()


def _gc_lines(result: GcResult, stream: TextIO) -> Iterator[str]:
    verb = "would be removed" if result.is_dry_run else "removed"
    jobs = "1 expired job" if result.expired_jobs == 1 else f"{result.expired_jobs} expired jobs"
    stale = "1 directory" if result.stale_directories == 1 else f"{result.stale_directories} directories"
    yield f"{verb}: {jobs} and {stale} left behind by crashes, {_mb(result.freed_bytes)} MB in total"
    if result.failed:
        yield f"{result.failed} could not be removed: they are in use, or belong to another user"
        yield from (f"  {printable(str(path), stream)}" for path in result.kept)


def _file_lines(result: FileText, _stream: TextIO) -> Iterator[str]:
    yield result.text.rstrip("\n")


_WRITERS: dict[type, Callable[[Any, TextIO], Iterator[str]]] = {
    CheckReport: _report_lines,
    AuthorizeResult: _authorize_lines,
    JobTable: _job_lines,
    GcResult: _gc_lines,
    SettingTable: _setting_lines,
    FileText: _file_lines,
}
