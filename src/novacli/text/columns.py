"""Write rows of text in columns, without control codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO


def write_aligned(rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    """Write rows with the same number of cells, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        stream.write(padded.rstrip() + "\n")
