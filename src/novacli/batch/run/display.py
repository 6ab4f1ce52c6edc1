"""Displays of a run: a bar on a terminal, a line a frame, a JSON object a frame, or nothing.

Each collects the frames that were not solved, for the paragraph at the end of the run.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TextIO

from novacli.batch.records import RETRIABLE, LedgerEntry
from novacli.batch.run.recorder import RunCounts
from novacli.batch.run.summary import ProblemSummary
from novacli.records.result import Result
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from novacli.text.printable import printable_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def frame_line(entry: LedgerEntry, result: Result | None) -> str:
    """Return one line of text about a frame and its fate."""
    fate, path = entry.record.fate, entry.path
    if result is None:
        text = f"{path}: {fate}"
    elif fate == SOLVED and result.calibration is not None:
        c = result.calibration
        place = f'RA {c.ra:.5f}° Dec {c.dec:+.5f}°, {c.pixscale:.4g}"/pixel'
        text = f"{path}: solved, {place}{_seconds(result)}"
    elif fate == UNSOLVED and result.error is None:
        text = f"{path}: unsolved ({result.reason}){_seconds(result)}"
    elif result.error is not None:
        message = result.error.message
        text = message if message.startswith(path) else f"{path}: {message}"
    else:
        text = f"{path}: {fate}"
    return printable_line(text)


def _seconds(result: Result) -> str:
    total_s = result.timing.total_s
    return "" if total_s is None else f", {total_s:.2f} s"


class QuietDisplay:
    """Shows nothing, but collects the frames that are reported at the end."""

    #: True if the user sees each frame that was not solved as soon as it is done.
    reports_at_once = False

    def __init__(self) -> None:
        self.problems = ProblemSummary()

    def begin(self, total: int) -> None:
        """Start; ``total`` is the number of frames to do."""

    def frame(self, entry: LedgerEntry, result: Result) -> None:
        """Collect a frame that was not solved."""
        self.problems.add(entry, result)

    def passed(self, path: str, why: str) -> None:
        """Collect a frame that is left for the next run."""
        self.problems.passed(path, why)

    def tick(self, counts: RunCounts) -> None:
        """Ignore the progress of the run."""

    def end(self) -> None:
        """Do nothing."""


class JsonDisplay(QuietDisplay):
    """Writes a frame's JSON object on a line, as the ledger stores it."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def frame(self, entry: LedgerEntry, result: Result) -> None:
        """Write the line."""
        super().frame(entry, result)
        self._stream.write(f"{entry.line}\n")
        self._stream.flush()


class LineDisplay(QuietDisplay):
    """Writes a line of text for each frame."""

    reports_at_once = True

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def frame(self, entry: LedgerEntry, result: Result) -> None:
        """Write the line."""
        super().frame(entry, result)
        self._write(frame_line(entry, result))

    def passed(self, path: str, why: str) -> None:
        """Write the line."""
        super().passed(path, why)
        self._write(printable_line(f"{path}: {why}"))

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


class ProblemDisplay(LineDisplay):
    """Writes a line of text for each frame that was not solved."""

    def frame(self, entry: LedgerEntry, result: Result) -> None:
        """Write the line, unless the frame was solved."""
        if entry.record.fate == SOLVED:
            self.problems.add(entry, result)
        else:
            super().frame(entry, result)


class BarDisplay(QuietDisplay):
    """Draws a bar on a terminal, with a line above it for each frame that was not solved.

    ``inner``, if given, shows the frames in place of those lines.
    """

    def __init__(self, stream: TextIO, inner: QuietDisplay | None = None) -> None:
        super().__init__()
        self._stream, self._inner = stream, inner
        self.reports_at_once = inner is None or inner.reports_at_once
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._began_s = time.monotonic()

    def begin(self, total: int) -> None:
        """Draw the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns: tuple[Any, ...] = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        # The bar is drawn by tick: a thread for it would be a risk in a program that starts processes.
        self._progress = Progress(*columns, console=Console(file=self._stream), auto_refresh=False, transient=True)
        self._progress.start()
        self._task = self._progress.add_task("starting", total=total)
        self._began_s = time.monotonic()
        self._progress.refresh()

    def frame(self, entry: LedgerEntry, result: Result) -> None:
        """Show a frame that was not solved, above the bar."""
        super().frame(entry, result)
        if self._inner is not None:
            self._inner.frame(entry, result)
        elif entry.record.fate != SOLVED:
            self._say(frame_line(entry, result))

    def passed(self, path: str, why: str) -> None:
        """Show why a frame is left, above the bar."""
        super().passed(path, why)
        if self._inner is not None:
            self._inner.passed(path, why)
        else:
            self._say(printable_line(f"{path}: {why}"))

    def _say(self, line: str) -> None:
        from rich.text import Text

        if self._progress is not None:
            self._progress.console.print(Text(line), soft_wrap=True)

    def tick(self, counts: RunCounts) -> None:
        """Draw the bar anew."""
        if self._progress is None or self._task is None:
            return
        self._progress.update(
            self._task, completed=counts.done, total=counts.total, description=self._words(counts), refresh=True
        )

    def _words(self, counts: RunCounts) -> str:
        failed = counts[FAILED] + counts[RETRIABLE]
        text = f"{counts[SOLVED]} solved, {counts[UNSOLVED]} unsolved, {failed} failed"
        elapsed_s = time.monotonic() - self._began_s
        if not counts.done or elapsed_s <= 0:
            return text
        rate = counts.done / elapsed_s
        return f"{text}; {rate:.2g} a second, {_left_text(counts.left / rate)} left"

    def end(self) -> None:
        """Remove the bar."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _left_text(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
