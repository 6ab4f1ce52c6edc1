"""The state file of ``false_solutions.py``: a JSON line for each picture, so that a later run goes on from there.

A whole solve is a line as it is.  The trials at one picture share a line: what they have in common stands once, and of
each trial only the values, in the order of ``_COLUMNS``; :func:`read` gives them back as records of their own.
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
    """Return the records of a state file; a last line that was cut short is passed over."""
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
    """Append what came of one picture, in one go: others may write to the same file."""
    line = _packed(records) if "member" in records[0] else records[0]
    text = json.dumps(reporting.as_plain(line), separators=(",", ":"), ensure_ascii=False) + "\n"
    with path.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        if stream.tell() and not _ends_in_newline(path):
            stream.write(b"\n")  # what was cut short stays a line of its own
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
    """Yield (kind, number) without end, all kinds in turn, but those that ``state`` holds and others' shares."""
    part, parts = share
    done = {(r["kind"], r["number"]) for r in read(state) if r["mode"] == mode}
    pictures = ((kind, number) for number in itertools.count(1) for kind in kinds)
    for turn, picture in enumerate(pictures):
        if turn % parts == part and picture not in done:
            yield picture
