"""The one place where the sysadmin's commands become text or JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TextIO

from solvehost.admin.records import (
    Authorized,
    Check,
    Collected,
    FileText,
    JobRow,
    JobTable,
    Report,
    Result,
    Setting,
    SettingTable,
)
from solvehost.wire.escaping import escape

_TICKS: dict[bool | None, str] = {True: "✔", False: "✘", None: "–"}
_WORDS: dict[bool | None, str] = {True: "ok", False: "BAD", None: "--"}
_ARROW, _PLAIN_ARROW = "→", "->"
_MAX_CELL = 2000


def write(result: Result, stream: TextIO, *, as_json: bool = False) -> None:
    """Write a result: as text for people, or as JSON, of which a table is one object a line."""
    if as_json:
        for value in _objects(result):
            stream.write(json.dumps(value, default=str) + "\n")
        return
    for line in _TEXTS[type(result)](result, stream):
        stream.write(line + "\n")


def _objects(result: Result) -> Iterator[dict[str, Any]]:
    if isinstance(result, JobTable | SettingTable):
        yield from (dataclasses.asdict(row) for row in result.rows)
    elif isinstance(result, Report):
        yield {"ok": not result.exit_code, "exit_code": result.exit_code, **dataclasses.asdict(result)}
    else:
        yield dataclasses.asdict(result)


def _can_show(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _shown(text: str, stream: TextIO) -> str:
    """Return what others may have chosen, in one line that does nothing to a terminal."""
    return text if text.isprintable() and _can_show(stream, text) else escape(text, _MAX_CELL)


def _report(report: Report, stream: TextIO) -> Iterator[str]:
    can_tick = _can_show(stream, "".join((*_TICKS.values(), _ARROW)))
    marks, arrow = (_TICKS, _ARROW) if can_tick else (_WORDS, _PLAIN_ARROW)
    mark_width = max(map(len, marks.values()))
    width = max((len(check.name) for check in report.checks), default=0)
    for check in report.checks:
        yield f"{marks[check.ok].ljust(mark_width)} {check.name.ljust(width)}  {_shown(check.detail, stream)}"
        if check.remedy:
            yield f"{'':{mark_width}} {'':{width}}  {arrow} {_shown(check.remedy, stream)}"
    yield ""
    yield _verdict(report.checks)


def _verdict(checks: Sequence[Check]) -> str:
    bad, unknown = sum(check.ok is False for check in checks), sum(check.ok is None for check in checks)
    remarks = f"; {unknown} worth a look" if unknown else ""
    return f"{len(checks)} check{'' if len(checks) == 1 else 's'}: {f'{bad} failed' if bad else 'none failed'}{remarks}"


def _authorized(result: Authorized, stream: TextIO) -> Iterator[str]:
    if result.path is None:
        yield result.line
        return
    said = {"added": "added to", "replaced": "replaced in", "unchanged": "already in"}[result.outcome]
    yield f"{result.fingerprint} (client {result.client}): {said} {_shown(str(result.path), stream)}"
    yield result.line


def _jobs(table: JobTable, stream: TextIO) -> Iterator[str]:
    rows = [_job(row, stream) for row in table.rows]
    yield from _table(("CLIENT", "ID", "STATE", "CREATED", "MB", "MESSAGE"), rows, right={4})


def _job(row: JobRow, stream: TextIO) -> tuple[str, ...]:
    size = f"{row.size_bytes / 1e6:.1f}"
    cells = (row.client or "-", row.id or "-", row.state, _minute(row.created), size, row.message)
    return tuple(_shown(cell, stream) for cell in cells)


def _minute(created: str) -> str:
    """Return a time in the sysadmin's own time zone, the seconds left out."""
    try:
        return f"{datetime.fromisoformat(created).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return created or "-"


def _settings(table: SettingTable, stream: TextIO) -> Iterator[str]:
    rows = [tuple(_shown(cell, stream) for cell in _setting(row)) for row in table.rows]
    yield from _table(("SETTING", "VALUE", "FROM", "MEANING"), rows)


def _setting(row: Setting) -> tuple[str, ...]:
    value = "-" if row.value is None else str(row.value).lower() if isinstance(row.value, bool) else f"{row.value}"
    return row.name, value, row.source, row.meaning


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: frozenset[int] | set[int] = frozenset()
           ) -> Iterator[str]:  # fmt: skip
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = (c.rjust(w) if at in right else c.ljust(w) for at, (c, w) in enumerate(zip(row, widths, strict=True)))
        yield "  ".join(cells).rstrip()


def _collected(result: Collected, _stream: TextIO) -> Iterator[str]:
    verb = "would be removed" if result.is_dry_run else "removed"
    jobs = "1 job" if result.expired_jobs == 1 else f"{result.expired_jobs} jobs"
    stale = "1 directory" if result.stale_directories == 1 else f"{result.stale_directories} directories"
    yield f"{verb}: {jobs} beyond their days, {stale} that crashes left, {result.freed_bytes / 1e6:.1f} MB together"
    if result.failed:
        yield f"{result.failed} could not be removed: somebody works on them, or they are not the server's own"


def _file(result: FileText, _stream: TextIO) -> Iterator[str]:
    yield result.text.rstrip("\n")


_TEXTS: dict[type, Callable[[Any, TextIO], Iterator[str]]] = {
    Report: _report,
    Authorized: _authorized,
    JobTable: _jobs,
    Collected: _collected,
    SettingTable: _settings,
    FileText: _file,
}


def remarks(result: Result) -> tuple[str, ...]:
    """Return what is to be said beside the result, on standard error."""
    return result.notes if isinstance(result, Authorized) else ()
