"""Formats for results; a new one is a module here and a line in ``MODULES``.

Each module has ``open_report(stream) -> Report``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, TextIO

from novacli.records.result import Result

MODULES = {"table": "novacli.reports.results.table", "json": "novacli.reports.results.jsonlines"}


class Report(Protocol):
    """Shows each result as soon as it is known."""

    def add(self, result: Result) -> None:
        """Show one result."""
        ...


def open_report(name: str, stream: TextIO) -> Report:
    """Return the report called ``name``, writing to ``stream``."""
    report: Report = import_module(MODULES[name]).open_report(stream)
    return report
