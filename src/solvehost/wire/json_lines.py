"""The JSON lines of a server: what it is and how busy (``info``), and a line for each stored job (all other verbs).

Both ends use these records; the reading side takes nothing for granted of the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from solvehost.errors import DataError
from solvehost.formats.jobdir import ID_PATTERN
from solvehost.wire.escape import escape

R = TypeVar("R")

#: Longer answers come from nothing that speaks this protocol: 100,000 jobs, or 10,000 index files.
MAX_LINES_BYTES = 32 * 2**20
MAX_LINES = 100_000
#: Nor do longer lines, and JSON may take thirty times its length of memory.
MAX_INFO_BYTES, MAX_JOB_LINE_BYTES = 4 * 2**20, 128 * 2**10

WAITING, RUNNING, SOLVED, UNSOLVED = "waiting", "running", "solved", "unsolved"
FAILED, INTERRUPTED, REMOVED = "failed", "interrupted", "removed"
#: States of a stored job; ``removed`` is only ever the answer to ``rm``.
JOB_STATES = (WAITING, RUNNING, SOLVED, UNSOLVED, FAILED, INTERRUPTED, REMOVED)
#: A job in one of these has a reply (``fetch``), or an exit code that says why not.
FINISHED_STATES = frozenset({SOLVED, UNSOLVED, FAILED})


class IndexLine(NamedTuple):
    """One index file of a server; ``healpix`` -1 is the whole sky, quads are given by their diameters."""

    name: str
    index_id: int
    healpix: int
    nside: int
    low_arcmin: float
    high_arcmin: float
    stars: int
    quads: int
    size_bytes: int


class Info(NamedTuple):
    """What ``info`` answers.

    ``client`` is whom the server takes the caller for; of its ``slots``, ``running`` hold an engine, and ``waiting``
    jobs wait for one; ``limits`` are numbers by name, null where there is none.
    """

    protocols: tuple[int, ...]
    version: str
    client: str
    slots: int
    running: int
    waiting: int
    sandbox: bool
    limits: dict[str, float | None]
    indexes: tuple[IndexLine, ...]

    @property
    def load(self) -> float:
        """Jobs a slot, running and waiting."""
        return (self.running + self.waiting) / self.slots


class JobLine(NamedTuple):
    """A stored job: ``created`` and ``finished`` in ISO 8601 (UTC), ``message`` why it failed, with ``exit_code``."""

    id: str
    state: str
    created: str = ""
    finished: str | None = None
    size_bytes: int = 0
    exit_code: int | None = None
    message: str | None = None


def write_line(record: Info | JobLine) -> bytes:
    """Return a record as one line."""
    value = record._asdict()
    if isinstance(record, Info):
        value["indexes"] = [index._asdict() for index in record.indexes]
    return json.dumps(value, allow_nan=False).encode("ascii") + b"\n"


def read_info(text: bytes) -> Info:
    """Return what a server says of itself.

    Raises
    ------
    DataError
        Where it is no such line, or nonsense.
    """
    (value,) = _objects(text, 1, MAX_INFO_BYTES)
    return _info(value)


def read_jobs(text: bytes) -> list[JobLine]:
    """Return the jobs that lines are about, in their order.

    Raises
    ------
    DataError
        Where a line is none of a job.
    """
    return [_record(JobLine, value, _JOB) for value in _objects(text, MAX_LINES, MAX_JOB_LINE_BYTES)]


def _objects(text: bytes, most: int, line_bytes: int) -> Iterator[dict[str, Any]]:
    """Yield the object of each line, and keep none: all together may take much memory."""
    if len(text) > MAX_LINES_BYTES:
        raise DataError(f"the server's answer is longer than {MAX_LINES_BYTES:,} bytes")
    lines = [line for line in text.split(b"\n") if line.strip()]
    if len(lines) > most or (most == 1 and not lines):
        raise DataError(f"the server answered with {len(lines):,} lines, where {most:,} can be: '{escape(text)}'")
    for line in lines:
        if len(line) > line_bytes:
            raise DataError(f"the server's answer has a line that is longer than {line_bytes:,} bytes")
        try:
            value = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as exc:
            raise DataError(f"the server's answer is no JSON that can be read: '{escape(text)}'") from exc
        if not isinstance(value, dict):
            raise DataError(f"the server's answer is no JSON object: '{escape(text)}'")
        yield value


def _info(value: dict[str, Any]) -> Info:
    indexes = value.get("indexes")
    if not isinstance(indexes, list) or not all(isinstance(index, dict) for index in indexes):
        raise DataError("the server's answer has no 'indexes' that can be used")
    lines = tuple(_record(IndexLine, index, _INDEX) for index in indexes)
    info = _record(Info, {**value, "indexes": lines}, _INFO)
    return info._replace(protocols=tuple(info.protocols))


def _record(kind: Callable[..., R], value: Mapping[str, Any], keys: Mapping[str, Callable[[Any], bool]]) -> R:
    for key, is_right in keys.items():
        if not is_right(value.get(key)):
            raise DataError(f"the server's answer has no '{key}' that can be used")
    return kind(**{key: value.get(key) for key in keys})


def _is_whole(low: int, high: int = 2**62) -> Callable[[object], bool]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 4096


def _or_none(is_right: Callable[[Any], bool]) -> Callable[[object], bool]:
    return lambda v: v is None or is_right(v)


def _is_each(values: Iterable[object], is_right: Callable[[Any], bool]) -> bool:
    return all(map(is_right, values))


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


def _is_name(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda v: isinstance(v, str) and pattern.fullmatch(v) is not None


_INDEX: dict[str, Callable[[Any], bool]] = {
    "name": _is_name(_NAME),
    "index_id": _is_whole(-1),
    "healpix": _is_whole(-1),
    "nside": _is_whole(0),
    "low_arcmin": lambda v: _is_number(v) and v > 0,
    "high_arcmin": lambda v: _is_number(v) and v > 0,
    "stars": _is_whole(0),
    "quads": _is_whole(0),
    "size_bytes": _is_whole(0),
}
_INFO: dict[str, Callable[[Any], bool]] = {
    "protocols": lambda v: isinstance(v, list) and _is_each(v, _is_whole(0)),
    "version": _is_text,
    "client": _is_text,
    "slots": _is_whole(1, 10**6),
    "running": _is_whole(0, 10**9),
    "waiting": _is_whole(0, 10**9),
    "sandbox": lambda v: isinstance(v, bool),
    "limits": lambda v: isinstance(v, dict) and _is_each(v.values(), _or_none(_is_number)),
    "indexes": lambda v: isinstance(v, tuple),
}
_JOB: dict[str, Callable[[Any], bool]] = {
    "id": _is_name(ID_PATTERN),
    "state": lambda v: v in JOB_STATES,
    "created": _is_text,
    "finished": _or_none(_is_text),
    "size_bytes": _is_whole(0),
    "exit_code": _or_none(_is_whole(0, 255)),
    "message": _or_none(_is_text),
}
