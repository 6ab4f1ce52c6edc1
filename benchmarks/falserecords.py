"""The state file of ``false_solutions.py``: one JSON line per image, so that a later run continues from there.

A whole solve is one line.  The trials of one image share a line, which has their common values once and the values of
each trial in the order of ``_COLUMNS``; :func:`read` returns them as separate records.
"""

from __future__ import annotations

import fcntl
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import reporting

Record = Mapping[str, Any]

_COMMON = ("mode", "kind", "number", "size", "drawn")
#: Words that come again and again in the trials of a picture, and stand in a list of the line's.
_WORDS = ("member", "settings", "index", "end")
_COLUMNS = (*_WORDS, "depth", "stars", "named_from", "tuned_from", "accept_from", "cpu_s", "matches")


def read(path: Path) -> list[Record]:
    """Return the records of a state file; a truncated last line is skipped."""
    if not path.exists():
        return []
    records: list[Record] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        records += _unpacked(record) if "trials" in record else [record]
    return records


def append(path: Path, records: Sequence[Record]) -> None:
    """Append the record of one image in a single write, since other processes may write to the same file."""
    line = _packed(records) if "member" in records[0] else records[0]
    text = json.dumps(reporting.as_plain(line), separators=(",", ":"), ensure_ascii=False) + "\n"
    with path.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        if stream.tell() and not _ends_in_newline(path):
            stream.write(b"\n")  # a truncated line stays a line of its own
        stream.write(text.encode())


def _ends_in_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        return stream.read(1) == b"\n"


def _packed(records: Sequence[Record]) -> dict[str, Any]:
    words = list(dict.fromkeys(record[name] for record in records for name in _WORDS))
    trials = [[words.index(r[name]) if name in _WORDS else r.get(name) for name in _COLUMNS] for r in records]
    return {**{name: records[0][name] for name in _COMMON}, "words": words, "trials": trials}


def _unpacked(line: Record) -> list[Record]:
    common = {name: line[name] for name in _COMMON}
    records: list[Record] = []
    for trial in line["trials"]:
        values = dict(zip(_COLUMNS, trial, strict=True))
        records.append({**common, **values, **{name: line["words"][values[name]] for name in _WORDS}})
    return records


def to_do(mode: str, kinds: Sequence[str], share: tuple[int, int], state: Path) -> Iterator[tuple[str, int]]:
    """Yield (kind, number) endlessly, kinds in turn, except those in ``state`` and those of other processes' shares."""
    part, parts = share
    done = {(r["kind"], r["number"]) for r in read(state) if r["mode"] == mode}
    pictures = ((kind, number) for number in itertools.count(1) for kind in kinds)
    for turn, picture in enumerate(pictures):
        if turn % parts == part and picture not in done:
            yield picture
