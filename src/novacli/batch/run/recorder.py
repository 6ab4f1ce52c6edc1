"""What became of each frame, noted in the ledger and shown; and the signs that all others would fare no better."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from novacli.batch.frames.listing import identity_of
from novacli.batch.ledger.database import Ledger
from novacli.batch.ledger.plan import PlannedFrame
from novacli.batch.records import (
    GONE,
    OURS,
    RETRIABLE,
    WAITING,
    FrameFile,
    FrameRecord,
    LedgerEntry,
    RunSetup,
    TaskOutcome,
    fate_of,
)
from novacli.errors import InputMissingError, NovaError, OutputError, RetryLaterError, TransferError, UnavailableError
from novacli.jobs.store import JobStore
from novacli.records.result import FAILED, Result, error_of
from novacli.text.printable import shown_name
from solvehost.errors import SolvehostError
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir

#: So many frames that fail one after the other for a reason which is none of theirs: so would all others.
_SAME_FAULTS = 3
#: Exit codes of failures that may be the place's fault: no engine, a line that broke, servers that are busy.
_FAULTS_OF_THE_PLACE = frozenset({UnavailableError.exit_code, TransferError.exit_code, RetryLaterError.exit_code})
#: A frame that hung so often is failed: a disk that hangs comes back, a file that hangs its reader does not.
_MOST_HANGS = 3


@dataclass(slots=True)
class RunCounts:
    """How far a run is: frames done by fate, those that had only been touched, those that are being worked on.

    ``stopped`` says why the run ended before its work did, None where it did not.
    """

    total: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    running: int = 0
    stopped: str | None = None

    @property
    def done(self) -> int:
        """Frames that are done with for this run."""
        return self.fates.total() + self.unchanged

    @property
    def left(self) -> int:
        """Frames that this run did not come to."""
        return max(0, self.total - self.done)


class Display(Protocol):
    """Who sees what becomes of frames."""

    def frame(self, entry: LedgerEntry, result: Result) -> None:
        """Show a frame that has a result."""
        ...

    def passed(self, path: str, why: str) -> None:
        """Show a frame that is left for the next run, or was removed."""
        ...

    def tick(self, tally: RunCounts) -> None:
        """Show how far the run is; called a few times a second."""
        ...


class Recorder:
    """What became of the frames of a run; ``known`` holds it by path.

    ``params`` is the fingerprint of the parameters; ``full_disk`` names a place without room among those that are
    written to for the frame at a path, None where there is none.  ``is_watching`` where frames that wait have their
    turn in the same run: then nothing is shown of them, and a folder that is gone is waited for.
    """

    def __init__(
        self,
        setup: RunSetup,
        params: str,
        ledger: Ledger,
        show: Display,
        full_disk: Callable[[str], str | None] = lambda _path: None,
        *,
        is_watching: bool = False,
    ) -> None:
        self._setup, self._params, self._ledger, self._show = setup, params, ledger, show
        self._full_disk = full_disk
        self._is_watching = is_watching
        self._roots: dict[str, tuple[int, int] | None] = {}
        self._faults = 0
        self.tally = RunCounts()
        self.known: dict[str, FrameRecord] = {}

    def expect(self, todo: PlannedFrame) -> None:
        """Remember the folder that a frame lies below, to tell a removed frame from a disk that is gone."""
        root = _root(todo.frame)
        if root not in self._roots:
            self._roots[root] = identity_of(root)

    def done(self, todo: PlannedFrame, done: TaskOutcome) -> None:
        """Note what a worker answered."""
        result = done.result
        if done.ours:
            self._ours(todo, done.frame)
        elif result is None:
            self._ledger.touch(done.frame)
            self.tally.unchanged += todo.frame.path not in self.known
            if todo.known is not None:
                self.known[todo.frame.path] = todo.known
        elif result.exit_code == InputMissingError.exit_code and not os.path.lexists(todo.frame.path):
            self.gone(todo)
        elif done.changed:
            self.waiting(todo, done.frame, "it was written to while it was being solved")
        elif result.reason == "cancelled":
            self.waiting(todo, done.frame, "it was cancelled")
        else:
            self._result(todo, done, result)

    def failure(self, todo: PlannedFrame, error: NovaError, *, is_final: bool = False) -> None:
        """Note that a frame came to no answer."""
        record = error_of(type(error)(f"{shown_name(todo.frame.path)}: {error}"))
        record = replace(record, retry_is_safe=not is_final)
        self._result(todo, TaskOutcome(todo.frame), Result(todo.frame.path, FAILED, error=record))

    def hung(self, todo: PlannedFrame, how: str) -> None:
        """Note that a frame did not come to an end, and how that was ended, in words that follow this."""
        error = RetryLaterError(f"it did not come to an end {how}: check its disk")
        self.failure(todo, error, is_final=self._tries(todo, None) >= _MOST_HANGS)

    def waiting(self, todo: PlannedFrame, frame: FrameFile, why: str) -> None:
        """Note that a frame is left for the next run."""
        self._keep(LedgerEntry(frame.path, self._known(frame, WAITING, RetryLaterError.exit_code, todo, None)))
        if not self._is_watching:
            self._show.passed(frame.path, f"{why}; left for the next run")

    def gone(self, todo: PlannedFrame) -> None:
        """Note that a frame was removed before its turn; or, where its folder is gone too, that the disk is."""
        root = _root(todo.frame)
        if identity_of(root) != self._roots.get(root):
            if not self._is_watching:
                self.tally.stopped = f"{shown_name(root)} is not there any more: check the mount"
            self.waiting(todo, todo.frame, "its folder is gone")
            return
        self._keep(LedgerEntry(todo.frame.path, self._known(todo.frame, GONE, 0, todo, None)))
        if not self._is_watching:
            self._show.passed(todo.frame.path, "it was removed before its turn")

    def look_anew(self, root: str) -> None:
        """Take a folder for what it is now: its disk may be there again as another device."""
        self._roots.pop(root, None)

    def _ours(self, todo: PlannedFrame, frame: FrameFile) -> None:
        known = self._known(frame, OURS, 0, todo, None)
        self._ledger.put(LedgerEntry(frame.path, known, finished_s=time.time()))
        self.known[frame.path] = known
        self.tally.total -= 1

    def _result(self, todo: PlannedFrame, done: TaskOutcome, result: Result) -> None:
        outputs = self._setup.outputs.asked if done.written else frozenset()
        known = self._known(done.frame, fate_of(result), result.exit_code, todo, done.sha256, outputs)
        entry = LedgerEntry(done.frame.path, known, json.dumps(result.to_json(), allow_nan=False), time.time())
        earlier = None if todo.known is None else self._ledger.entry(entry.path)
        self._keep(entry)
        self._drop_job(earlier)
        self._show.frame(entry, result)
        self._look_for_common_fault(entry, result)

    def _known(
        self,
        frame: FrameFile,
        fate: str,
        exit_code: int,
        todo: PlannedFrame,
        sha256: str | None,
        outputs: frozenset[str] = frozenset(),
    ) -> FrameRecord:
        tries = self._tries(todo, sha256)
        return FrameRecord(frame.size, frame.mtime_ns, sha256, self._params, outputs, fate, exit_code, tries)

    def _tries(self, todo: PlannedFrame, sha256: str | None) -> int:
        """Return how often this content was tried with these parameters, now included."""
        before = todo.known
        is_same = before is not None and before.params == self._params and (sha256 is None or before.sha256 == sha256)
        return 1 + (before.tries if is_same and before is not None else 0)

    def _keep(self, entry: LedgerEntry) -> None:
        self._ledger.put(entry)
        before = self.known.get(entry.path)
        if before is not None:  # it is counted once, by what became of it last
            self.tally.fates[before.fate] -= 1
        self.known[entry.path] = entry.known
        self.tally.fates[entry.known.fate] += 1

    def _drop_job(self, earlier: LedgerEntry | None) -> None:
        """Remove the job of a frame's earlier result: one that fails each night would have a directory for each."""
        if earlier is None or earlier.line is None:
            return
        with contextlib.suppress(NovaError, SolvehostError, OSError, ValueError, TypeError, AttributeError):
            job = json.loads(earlier.line).get("job")
            if isinstance(job, str) and jobdir.is_id(job):
                store = JobStore(Path(self._setup.jobs_dir))
                store.remove(JobDir(store.root / job))

    def _look_for_common_fault(self, entry: LedgerEntry, result: Result) -> None:
        """Stop the run where the next frames would fail as the last ones did; they are left as they are."""
        known = entry.known
        if known.fate != RETRIABLE or result.error is None:
            self._faults = 0
            return
        if known.exit_code == OutputError.exit_code:
            self.tally.stopped = self.tally.stopped or self._full_disk(entry.path)
        elif known.exit_code in _FAULTS_OF_THE_PLACE:
            self._faults += 1
            if self._faults >= _SAME_FAULTS and self.tally.stopped is None:
                self.tally.stopped = f"{self._faults} frames in a row failed, and so would the others"


def _root(frame: FrameFile) -> str:
    return frame.root or os.path.dirname(frame.path)  # noqa: PTH120 - a plain string may hold any bytes
