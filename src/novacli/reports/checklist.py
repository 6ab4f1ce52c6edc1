"""Write checks with ticks: coloured on a terminal, plain in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from novacli.text.printable import printable_line

if TYPE_CHECKING:
    from novacli.records.check import Check

_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("!", "yellow")}


def write(checks: Sequence[Check], stream: TextIO) -> None:
    """Write one line for each check, and its remedy below it."""
    if stream.isatty():
        _draw(checks, stream)
        return
    width = max(len(check.name) for check in checks)
    for check in checks:
        stream.write(f"{_MARKS[check.ok][0]} {check.name.ljust(width)}  {printable_line(check.detail)}\n")
        if check.remedy:
            stream.write(f"  {'':{width}}  → {printable_line(check.remedy)}\n")


def _draw(checks: Sequence[Check], stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for check in checks:
        mark, colour = _MARKS[check.ok]
        table.add_row(Text(mark, colour), Text(check.name), Text(printable_line(check.detail), overflow="fold"))
        if check.remedy:
            table.add_row("", "", Text(f"→ {printable_line(check.remedy)}", "bold", overflow="fold"))
    Console(file=stream, highlight=False).print(table)
