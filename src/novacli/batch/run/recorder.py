"""Records the outcome of each frame in the ledger, shows it, and recognises failures common to all frames."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from novacli.batch.frames.listing import identity_of
from novacli.batch.ledger.database import Ledger
from novacli.batch.ledger.plan import PlannedFrame
from novacli.batch.records import (
    GONE,
    OWN_OUTPUT,
    RETRIABLE,
    UNCHANGED,
    WAITING,
    FileContent,
    FrameFile,
    FrameRecord,
    LedgerEntry,
    RunSetup,
    TaskOutcome,
    fate_of,
    fate_of_result,
)
from novacli.errors import NovaError, OutputError, RetryLaterError, TransferError, UnavailableError
from novacli.jobs.store import JobStore
from novacli.records.result import Result, error_of
from novacli.records.status import FAILED, SOLVED
from novacli.records.timing import Timing
from novacli.text.printable import shown_name
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir

#: After this many consecutive failures for a reason that lies outside the frames, the run stops.
_MAX_COMMON_FAILURES = 3
#: Exit codes of such failures: no engine, a broken connection, busy servers.
_COMMON_FAILURES = frozenset({UnavailableError.exit_code, TransferError.exit_code, RetryLaterError.exit_code})
#: After this many tries that did not end, a frame is failed: a hanging disk recovers, and a file that makes its reader
#: hang does not.
_MAX_HANGS = 3


class RunCounts:
    """The progress of a run.  Each planned frame counts once, under its latest fate.

    Attributes
    ----------
    planned
        The paths of the frames that the run has to do.
    running
        The number of frames in progress.
    stopped
        Why the run ended before it did all its frames; None if it did.
    """

    def __init__(self, planned: Iterable[str] = (), fates: Mapping[str, str] | None = None) -> None:
        self.planned = set(planned)
        self._fates = dict(fates or {})
        self._counts = Counter(self._fates.values())
        self.running = 0
        self.stopped: str | None = None

    def plan(self, paths: Iterable[str]) -> None:
        """Add frames that the run has to do."""
        self.planned.update(paths)

    def set_fate(self, path: str, fate: str) -> None:
        """Count a frame under this fate, in place of an earlier one."""
        before = self._fates.get(path)
        if before is not None:
            self._counts[before] -= 1
        self._fates[path] = fate
        self._counts[fate] += 1

    def has_fate(self, path: str) -> bool:
        """Return True if a frame has a fate already."""
        return path in self._fates

    def __getitem__(self, fate: str) -> int:
        """Return the number of frames of a fate."""
        return self._counts[fate]

    @property
    def total(self) -> int:
        """The number of frames that the run has to do, without files that turned out to be outputs of nova."""
        return len(self.planned) - self._counts[OWN_OUTPUT]

    @property
    def done(self) -> int:
        """The number of frames that the run has done."""
        return len(self._fates) - self._counts[OWN_OUTPUT]

    @property
    def left(self) -> int:
        """The number of frames that the run has not done."""
        return max(0, self.total - self.done)


class FrameDisplay(Protocol):
    """Something that shows the fates of frames to the user."""

    @property
    def reports_at_once(self) -> bool:
        """True if the user sees each frame that was not solved as soon as it is done."""
        ...

    def frame(self, entry: LedgerEntry, result: Result) -> None:
        """Show a frame that has a result."""
        ...

    def passed(self, path: str, why: str) -> None:
        """Show a frame that is left for the next run, or was removed."""
        ...

    def tick(self, counts: RunCounts) -> None:
        """Show the progress; called a few times a second."""
        ...


class Recorder:
    """Records what happens to the frames of a run.

    Parameters
    ----------
    setup
        What the tasks of the run have in common.
    params
        Fingerprint of the solve parameters.
    ledger
        An open ledger, which only this object writes to.
    display
        Shows each frame.
    full_disk
        Returns a message if a disk that is written to for the frame at a path is full, else None.
    is_watching
        True if the run solves waiting frames itself later.  Then they are not shown, and a folder that is gone does not
        stop the run.

    Attributes
    ----------
    counts
        The progress of the run.
    records
        The records of the frames that were done, by path.
    written
        The paths of the outputs that this run and earlier ones have written.
    """

    def __init__(
        self,
        setup: RunSetup,
        params: str,
        ledger: Ledger,
        display: FrameDisplay,
        full_disk: Callable[[str], str | None] = lambda _path: None,
        *,
        is_watching: bool = False,
    ) -> None:
        self._setup, self._params, self._ledger, self._display = setup, params, ledger, display
        self._full_disk = full_disk
        self._is_watching = is_watching
        self._folders: dict[str, tuple[int, int] | None] = {}
        self._common_failures = 0
        self.counts = RunCounts()
        self.written = set(ledger.written_outputs()) if setup.outputs.kinds else set[str]()
        self.records: dict[str, FrameRecord] = {}

    def expect(self, planned: PlannedFrame) -> None:
        """Remember the identity of a frame's folder, to distinguish a removed frame from a disk that is gone."""
        folder = _folder(planned.frame)
        if folder not in self._folders:
            self._folders[folder] = identity_of(folder)

    def forget_folder(self, folder: str) -> None:
        """Forget the identity of a folder whose disk was mounted again, perhaps as another device."""
        self._folders.pop(folder, None)

    def record(self, planned: PlannedFrame, outcome: TaskOutcome) -> None:
        """Record what a worker returned for a frame."""
        path = planned.frame.path
        fate = fate_of(outcome, exists=os.path.lexists(path))
        if fate == OWN_OUTPUT:
            self._store(LedgerEntry(path, self._record(planned, outcome.frame, fate, 0), finished_s=time.time()))
        elif fate == UNCHANGED:
            self._record_unchanged(planned, outcome)
        elif fate == GONE:
            self.record_gone(planned)
        elif fate == WAITING or outcome.result is None:
            why = "it was written to while it was being solved" if outcome.has_changed else "it was cancelled"
            self.record_waiting(planned, outcome.frame, why, outcome.written)
        else:
            self._record_result(planned, outcome, outcome.result, outcome.written)

    def record_failure(
        self, planned: PlannedFrame, error: NovaError, *, elapsed_s: float = 0.0, is_final: bool = False
    ) -> None:
        """Record that a task ended without an outcome.

        Parameters
        ----------
        planned
            The frame.
        error
            What happened; the frame's path is added to its message.
        elapsed_s
            The seconds since the task was submitted, for the result's timing.
        is_final
            True if another try would not help.
        """
        failure = error_of(type(error)(f"{shown_name(planned.frame.path)}: {error}"))
        failure = replace(failure, retry_is_safe=not is_final)
        result = Result(planned.frame.path, FAILED, error=failure, timing=Timing(total_s=round(elapsed_s, 4)))
        self._record_result(planned, TaskOutcome(planned.frame), result, written=None)

    def record_hang(self, planned: PlannedFrame, how: str, *, elapsed_s: float = 0.0) -> None:
        """Record that a task exceeded its time limit; ``how`` follows "it did not end"."""
        error = RetryLaterError(f"it did not end {how}: check its disk")
        is_final = self._tries(planned, None) >= _MAX_HANGS
        self.record_failure(planned, error, elapsed_s=elapsed_s, is_final=is_final)

    def record_waiting(self, planned: PlannedFrame, frame: FrameFile, why: str, written: Iterable[str] = ()) -> None:
        """Record that a frame is left for the next run, although its outputs may have been ``written``."""
        record = self._record(planned, frame, WAITING, RetryLaterError.exit_code)
        self._store(LedgerEntry(frame.path, record), written=written)
        if not self._is_watching:
            self._display.passed(frame.path, f"{why}; left for the next run")

    def record_gone(self, planned: PlannedFrame) -> None:
        """Record that a frame was removed; or, if its folder is gone too, that the disk is gone."""
        folder = _folder(planned.frame)
        if identity_of(folder) != self._folders.get(folder):
            if not self._is_watching:
                self.counts.stopped = f"{shown_name(folder)} does not exist any more: check the mount"
            self.record_waiting(planned, planned.frame, "its folder is gone")
            return
        self._store(LedgerEntry(planned.frame.path, self._record(planned, planned.frame, GONE, 0)))
        if not self._is_watching:
            self._display.passed(planned.frame.path, "it was removed before it was solved")

    def _record_unchanged(self, planned: PlannedFrame, outcome: TaskOutcome) -> None:
        path = planned.frame.path
        self._ledger.refresh(outcome.frame, outcome.content)
        if not self.counts.has_fate(path):
            self.counts.set_fate(path, UNCHANGED)
        if planned.record is not None:
            self.records[path] = planned.record

    def _record_result(
        self, planned: PlannedFrame, outcome: TaskOutcome, result: Result, written: Iterable[str] | None
    ) -> None:
        outputs = self._setup.outputs.words if outcome.has_outputs else frozenset()
        fate = fate_of_result(result)
        record = self._record(planned, outcome.frame, fate, result.exit_code, outcome.content, outputs)
        line = json.dumps(result.to_json(), allow_nan=False)
        entry = LedgerEntry(outcome.frame.path, record, line, time.time())
        earlier = None if planned.record is None else self._ledger.entry(entry.path)
        self._store(entry, is_reported=fate == SOLVED or self._display.reports_at_once, written=written)
        self._remove_job(earlier)
        self._display.frame(entry, result)
        self._look_for_common_failure(entry, result)

    def _record(
        self,
        planned: PlannedFrame,
        frame: FrameFile,
        fate: str,
        exit_code: int,
        content: FileContent | None = None,
        outputs: frozenset[str] = frozenset(),
    ) -> FrameRecord:
        sha256, digest = (None, None) if content is None else (content.sha256, content.digest)
        tries = self._tries(planned, sha256)
        return FrameRecord(frame.size, frame.mtime_ns, sha256, self._params, outputs, fate, exit_code, tries, digest)

    def _tries(self, planned: PlannedFrame, sha256: str | None) -> int:
        """Return how many times this content was tried with these parameters, this time included."""
        before = planned.record
        if before is None or before.params != self._params or sha256 not in (None, before.sha256):
            return 1
        return before.tries + 1

    def _store(self, entry: LedgerEntry, *, is_reported: bool = True, written: Iterable[str] | None = ()) -> None:
        self._ledger.put(entry, is_reported=is_reported, written=written)
        self.written.update(written or ())
        self.records[entry.path] = entry.record
        self.counts.set_fate(entry.path, entry.record.fate)

    def _remove_job(self, earlier: LedgerEntry | None) -> None:
        """Remove the job of a frame's earlier result, so that a frame that fails every night leaves one job only."""
        if earlier is None or earlier.line is None:
            return
        with contextlib.suppress(NovaError, OSError, ValueError, TypeError, AttributeError):
            job = json.loads(earlier.line).get("job")
            if isinstance(job, str) and jobdir.is_id(job):
                store = JobStore(Path(self._setup.jobs_dir))
                store.remove(JobDir(store.root / job))

    def _look_for_common_failure(self, entry: LedgerEntry, result: Result) -> None:
        """Stop the run if the next frames would fail as the last ones did; they are left as they are."""
        record = entry.record
        if record.fate != RETRIABLE or result.error is None:
            self._common_failures = 0
        elif record.exit_code == OutputError.exit_code:
            self.counts.stopped = self.counts.stopped or self._full_disk(entry.path)
        elif record.exit_code in _COMMON_FAILURES:
            self._common_failures += 1
            if self._common_failures >= _MAX_COMMON_FAILURES and self.counts.stopped is None:
                self.counts.stopped = f"{self._common_failures} frames in a row failed, and so would the others"


def _folder(frame: FrameFile) -> str:
    return frame.root or os.path.dirname(frame.path)  # noqa: PTH120 - a plain string may hold any bytes
