"""Ways to show a run while it goes on: a bar on a terminal, a line a frame, JSON lines, nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TextIO

from novacli.batch.records import RETRIABLE, LedgerEntry
from novacli.batch.run.recorder import RunCounts
from novacli.batch.run.summary import ProblemSummary
from novacli.records.result import FAILED, SOLVED, UNSOLVED, Result
from novacli.text.printable import printable_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def frame_line(entry: LedgerEntry, result: Result | None) -> str:
    """Return the line that says of a frame what became of it."""
    fate, path = entry.known.fate, entry.path
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
    """Shows nothing, but remembers what is to be told at the end."""

    def __init__(self) -> None:
        self.problems = ProblemSummary()

    def begin(self, total: int) -> None:
        """Hear how many frames there are to do."""

    def frame(self, entry: LedgerEntry, result: Result) -> None:
        """Remember a frame that was not solved."""
        self.problems.add(entry, result)

    def passed(self, path: str, why: str) -> None:
        """Remember a frame that is left for the next run."""
        self.problems.passed(path, why)

    def tick(self, tally: RunCounts) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


class JsonDisplay(QuietDisplay):
    """A frame's JSON object on a line, as it is in the ledger."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def frame(self, entry: LedgerEntry, result: Result) -> None:
        """Write the line."""
        super().frame(entry, result)
        self._stream.write(f"{entry.line}\n")
        self._stream.flush()


class LineDisplay(QuietDisplay):
    """A line of text for each frame."""

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
    """A line of text for each frame that was not solved."""

    def frame(self, entry: LedgerEntry, result: Result) -> None:
        """Write the line, if it is due."""
        if entry.known.fate == SOLVED:
            self.problems.add(entry, result)
        else:
            super().frame(entry, result)


class BarDisplay(QuietDisplay):
    """A bar on a terminal, with a line above it for each frame that was not solved; ``inner`` shows the rest."""

    def __init__(self, stream: TextIO, inner: QuietDisplay | None = None) -> None:
        super().__init__()
        self._stream, self._inner = stream, inner
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._began_s = time.monotonic()

    def begin(self, total: int) -> None:
        """Draw it."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns: tuple[Any, ...] = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        # Drawn by tick, for a thread of its own would be one too many where processes are started.
        self._progress = Progress(*columns, console=Console(file=self._stream), auto_refresh=False, transient=True)
        self._progress.start()
        self._task = self._progress.add_task("starting", total=total)
        self._began_s = time.monotonic()
        self._progress.refresh()

    def frame(self, entry: LedgerEntry, result: Result) -> None:
        """Say what became of a frame that was not solved."""
        super().frame(entry, result)
        if self._inner is not None:
            self._inner.frame(entry, result)
        elif entry.known.fate != SOLVED:
            self._say(frame_line(entry, result))

    def passed(self, path: str, why: str) -> None:
        """Say why a frame is left."""
        super().passed(path, why)
        if self._inner is not None:
            self._inner.passed(path, why)
        else:
            self._say(printable_line(f"{path}: {why}"))

    def _say(self, line: str) -> None:
        from rich.text import Text

        if self._progress is not None:
            self._progress.console.print(Text(line), soft_wrap=True)

    def tick(self, tally: RunCounts) -> None:
        """Draw the bar as far as it is."""
        if self._progress is None or self._task is None:
            return
        self._progress.update(
            self._task, completed=tally.done, total=tally.total, description=self._words(tally), refresh=True
        )

    def _words(self, tally: RunCounts) -> str:
        fates = tally.fates
        text = f"{fates[SOLVED]} solved, {fates[UNSOLVED]} unsolved, {fates[FAILED] + fates[RETRIABLE]} failed"
        elapsed_s = time.monotonic() - self._began_s
        if not tally.done or elapsed_s <= 0:
            return text
        rate = tally.done / elapsed_s
        return f"{text}; {rate:.2g} a second, {_left_text(tally.left / rate)} left"

    def end(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _left_text(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
