"""The JSON lines that a server answers with: one line for ``info``, one line for each stored job for other commands.

Both ends use these records.  The functions that read them trust nothing that the server sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from solvehost.errors import DataError
from solvehost.formats import jobdir
from solvehost.wire.escaping import escape
from solvehost.wire.json_types import (
    Predicate,
    is_integer_from,
    is_list_of,
    is_match_of,
    is_none_or,
    is_number_below,
    is_object_of,
)

R = TypeVar("R")

#: Limits of an answer: enough for 100,000 jobs or 10,000 index files.
MAX_LINES_BYTES = 32 * 2**20
MAX_LINES = 100_000
#: Limits of one line; parsed JSON can take thirty times its length in memory.
MAX_INFO_BYTES, MAX_JOB_LINE_BYTES = 4 * 2**20, 128 * 2**10
_MAX_TEXT_CHARACTERS = 4096

WAITING, RUNNING, INTERRUPTED = "waiting", jobdir.RUNNING, jobdir.INTERRUPTED
SOLVED, UNSOLVED, FAILED, REMOVED = "solved", "unsolved", "failed", "removed"
#: States of a stored job; ``removed`` occurs only in the answer to ``rm``.
JOB_STATES = (WAITING, RUNNING, SOLVED, UNSOLVED, FAILED, INTERRUPTED, REMOVED)
#: States in which ``fetch`` returns a reply, or fails with the exit code and message of the job.
FINISHED_STATES = frozenset({SOLVED, UNSOLVED, FAILED})


class IndexLine(NamedTuple):
    """One index file of a server; ``healpix`` -1 means the whole sky, the arcminutes are the diameters of its quads."""

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
    """The answer to ``info``.

    ``client`` is the name under which the server knows the caller.  ``running`` of its ``slots`` hold an engine, and
    ``waiting`` jobs wait for a slot.  ``limits`` maps names to numbers, or to None where there is no limit.
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
        """Running and waiting jobs per slot."""
        return (self.running + self.waiting) / self.slots


class JobLine(NamedTuple):
    """A stored job.

    ``created`` and ``finished`` are ISO 8601 in UTC.  A failed job has the ``exit_code`` that a plain ``solve`` would
    have ended with, and a ``message`` with the reason.
    """

    id: str
    state: str
    created: str = ""
    finished: str | None = None
    size_bytes: int = 0
    exit_code: int | None = None
    message: str | None = None


def write_line(record: Info | JobLine) -> bytes:
    """Return a record as one line of JSON."""
    value = record._asdict()
    if isinstance(record, Info):
        value["indexes"] = [index._asdict() for index in record.indexes]
    return json.dumps(value, allow_nan=False).encode("ascii") + b"\n"


def read_info(text: bytes) -> Info:
    """Parse the answer to ``info``.

    Raises
    ------
    DataError
        If it is not one line of JSON, or a value is missing or out of range.
    """
    (value,) = _parse_objects(text, 1, MAX_INFO_BYTES)
    indexes = value.get("indexes")
    if not isinstance(indexes, list) or not all(isinstance(index, dict) for index in indexes):
        raise DataError("the server's answer has no usable 'indexes'")
    lines = tuple(_make_record(IndexLine, index, _INDEX) for index in indexes)
    info = _make_record(Info, {**value, "indexes": lines}, _INFO)
    return info._replace(protocols=tuple(info.protocols))


def read_jobs(text: bytes) -> list[JobLine]:
    """Parse lines about jobs, in their order.

    Raises
    ------
    DataError
        If a line is not JSON, or a value is missing or out of range.
    """
    return [_make_record(JobLine, value, _JOB) for value in _parse_objects(text, MAX_LINES, MAX_JOB_LINE_BYTES)]


def _parse_objects(text: bytes, max_lines: int, max_line_bytes: int) -> Iterator[dict[str, Any]]:
    """Yield the JSON object of each line, one at a time: all of them together may take much memory."""
    if len(text) > MAX_LINES_BYTES:
        raise DataError(f"the server's answer is longer than {MAX_LINES_BYTES:,} bytes")
    lines = [line for line in text.split(b"\n") if line.strip()]
    if len(lines) > max_lines or (max_lines == 1 and not lines):
        raise DataError(f"the server answered with {len(lines):,} lines instead of {max_lines:,}: '{escape(text)}'")
    for line in lines:
        if len(line) > max_line_bytes:
            raise DataError(f"the server's answer has a line longer than {max_line_bytes:,} bytes")
        try:
            value = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as exc:
            raise DataError(f"the server's answer is not valid JSON: '{escape(text)}'") from exc
        if not isinstance(value, dict):
            raise DataError(f"the server's answer is not a JSON object: '{escape(text)}'")
        yield value


def _make_record(kind: Callable[..., R], value: Mapping[str, Any], checks: Mapping[str, Predicate]) -> R:
    for key, is_valid in checks.items():
        if not is_valid(value.get(key)):
            raise DataError(f"the server's answer has no usable '{key}'")
    return kind(**{key: value.get(key) for key in checks})


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT_CHARACTERS


_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_is_number = is_number_below(1e15)


def _is_positive(value: object) -> bool:
    return _is_number(value) and value != 0


_INDEX: dict[str, Predicate] = {
    "name": is_match_of(_FILE_NAME),
    "index_id": is_integer_from(-1),
    "healpix": is_integer_from(-1),
    "nside": is_integer_from(0),
    "low_arcmin": _is_positive,
    "high_arcmin": _is_positive,
    "stars": is_integer_from(0),
    "quads": is_integer_from(0),
    "size_bytes": is_integer_from(0),
}
_INFO: dict[str, Predicate] = {
    "protocols": is_list_of(is_integer_from(0)),
    "version": _is_text,
    "client": _is_text,
    "slots": is_integer_from(1, 10**6),
    "running": is_integer_from(0, 10**9),
    "waiting": is_integer_from(0, 10**9),
    "sandbox": lambda v: isinstance(v, bool),
    "limits": is_object_of(is_none_or(_is_number)),
    "indexes": lambda v: isinstance(v, tuple),
}
_JOB: dict[str, Predicate] = {
    "id": is_match_of(jobdir.ID_PATTERN),
    "state": lambda v: v in JOB_STATES,
    "created": _is_text,
    "finished": is_none_or(_is_text),
    "size_bytes": is_integer_from(0),
    "exit_code": is_none_or(is_integer_from(0, 255)),
    "message": is_none_or(_is_text),
}
