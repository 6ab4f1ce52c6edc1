"""ECSV: CSV with units, types and descriptions in its header, for ``astropy.table.Table.read``.

It is not written by astropy, because importing its tables takes half a second and they hold all frames in memory.

Source: Taylor et al., "Astropy Proposal for Enhancement 6: Enhanced Character Separated Values table format" (2020).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from novacli.batch.records import LedgerEntry
from novacli.batch.reports import Summary
from novacli.batch.reports.columns import COLUMNS, NAMES, Column, Value, utc_text, values
from novacli.text.printable import printable_line


def write(entries: Iterable[LedgerEntry], summary: Summary, stream: BinaryIO, _scratch: Path) -> None:
    """Write the header, then one row per frame."""
    for line in _header(summary):
        stream.write(f"# {line}\n".encode())
    stream.write((",".join(NAMES) + "\n").encode())
    for entry in entries:
        stream.write((",".join(map(_cell, values(entry))) + "\n").encode())


def _header(summary: Summary) -> Iterator[str]:
    """Yield the lines of the YAML header; every JSON string is a YAML string too."""
    yield "%ECSV 1.0"
    yield "---"
    yield "delimiter: ','"
    yield "datatype:"
    yield from map(_column_line, COLUMNS)
    yield "meta:"
    yield f"  title: {json.dumps(printable_line(summary.title))}"
    yield f"  made: {json.dumps(utc_text(summary.made_s))}"
    yield f"  elapsed_s: {'null' if summary.elapsed_s is None else float(summary.elapsed_s)}"
    yield "schema: astropy-2.0"


def _column_line(column: Column) -> str:
    parts = {"name": column.name, "unit": column.unit, "datatype": column.datatype, "description": column.meaning}
    return "- {" + ", ".join(f"{key}: {json.dumps(part)}" for key, part in parts.items() if part is not None) + "}"


def _cell(value: Value) -> str:
    """Return a cell; text is always quoted, because a row that begins with # would be a comment."""
    if value is None:
        return ""
    return '"' + value.replace('"', '""') + '"' if isinstance(value, str) else repr(value)
