"""The progress bar of a download: redrawn on a terminal, silent elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from novacli.text.printable import printable_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class DownloadBar:
    """A bar with bytes, speed and remaining time; a context manager.  ``total_bytes`` is an estimate."""

    def __init__(self, total_bytes: int) -> None:
        self._total_bytes = total_bytes
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> DownloadBar:
        if sys.stderr.isatty():
            from rich import progress
            from rich.console import Console

            columns = (progress.BarColumn(), progress.DownloadColumn(), progress.TransferSpeedColumn())
            self._bar = progress.Progress(
                *columns, progress.TimeRemainingColumn(), console=Console(stderr=True), transient=True
            )
            self._task = self._bar.add_task("", total=self._total_bytes)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, received_bytes: int) -> None:
        """Show the number of bytes that are there."""
        if self._bar is not None and self._task is not None:
            total = max(self._total_bytes, received_bytes)
            self._bar.update(self._task, completed=received_bytes, total=total)

    def print_line(self, text: str, *, is_error: bool = False) -> None:
        """Print a line to stdout, or to stderr if it is an error, above the bar."""
        if self._bar is not None:
            self._bar.stop()
        print(printable_line(text), file=sys.stderr if is_error else sys.stdout, flush=True)
        if self._bar is not None:
            self._bar.start()
