"""CSV as spreadsheets expect it: RFC 4180, UTF-8 without a byte-order mark, a header row, no cell that is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from novacli.batch.records import LedgerEntry
from novacli.batch.reports import Summary
from novacli.batch.reports.columns import NAMES, Value, values

#: What spreadsheets take for the beginning of a formula, the wide forms of East Asian keyboards among them.
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def write(entries: Iterable[LedgerEntry], _summary: Summary, stream: BinaryIO, _scratch: Path) -> None:
    """Write a row a frame."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    try:
        writer = csv.writer(text)  # its dialect is RFC 4180's: CR LF, quotes doubled
        writer.writerow(NAMES)
        for entry in entries:
            writer.writerow([_harmless(value) for value in values(entry)])
    finally:
        text.detach()  # flushes; the stream is not ours to close


def _harmless(value: Value) -> Value:
    """Return a cell that no spreadsheet runs: text that would be a formula gets an apostrophe in front."""
    if isinstance(value, str) and value.lstrip().startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
