"""CSV for spreadsheets: RFC 4180, UTF-8 without a byte-order mark, a header row, and no cell that acts as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from novacli.batch.records import LedgerEntry
from novacli.batch.reports import Summary
from novacli.batch.reports.columns import NAMES, Value, values

#: Characters that begin a formula in spreadsheets, including the full-width forms of East Asian keyboards.
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def write(entries: Iterable[LedgerEntry], _summary: Summary, stream: BinaryIO, _scratch: Path) -> None:
    """Write one row per frame."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    try:
        writer = csv.writer(text)  # the default dialect is RFC 4180's: CR LF, quotes doubled
        writer.writerow(NAMES)
        for entry in entries:
            writer.writerow([_harmless(value) for value in values(entry)])
    finally:
        text.detach()  # flushes, and leaves the stream open for the caller


def _harmless(value: Value) -> Value:
    """Return a cell that no spreadsheet evaluates: text that looks like a formula gets an apostrophe in front."""
    if isinstance(value, str) and value.lstrip().startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
