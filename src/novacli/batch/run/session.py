"""One run of ``nova batch`` from beginning to end: lock, list, plan, solve, report."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import FrameType

from novacli.batch import executors
from novacli.batch.frames import output_paths
from novacli.batch.frames.disk_room import full_disk
from novacli.batch.frames.existing_outputs import FrameFiles
from novacli.batch.frames.header_reader import ExposureReader
from novacli.batch.frames.listing import FoundFrames, find_frames
from novacli.batch.ledger.database import Ledger
from novacli.batch.ledger.lock import locked
from novacli.batch.ledger.plan import NOT_BEGUN, BatchPlan, PlannedFrame, PlanOptions, exit_code, fingerprint, plan
from novacli.batch.records import (
    GONE,
    OWN_OUTPUT,
    WAITING,
    FrameFile,
    FrameRecord,
    LedgerEntry,
    RunSetup,
)
from novacli.batch.run.display import QuietDisplay
from novacli.batch.run.loop import FrameLoop, StopConditions
from novacli.batch.run.queues import FifoQueue, FrameFeed, FrameQueue, ListFeed
from novacli.batch.run.recorder import Recorder, RunCounts
from novacli.batch.run.request import BatchRequest
from novacli.batch.run.sequences import SequenceQueue
from novacli.batch.run.summary import BatchOutcome, ProblemSummary
from novacli.errors import NovaError, OutputError, RetryLaterError, fault_text
from novacli.text.printable import shown_name
from novacli.text.quantities import count_text
from solvehost.formats.trees import remove_tree

ReportOutcome = Callable[[BatchOutcome], None]


def run_batch(
    request: BatchRequest,
    display: QuietDisplay,
    say: Callable[[str], None],
    report_outcome: ReportOutcome = lambda _outcome: None,
) -> BatchOutcome:
    """Solve the frames that a request asks for, and return how that went.

    Parameters
    ----------
    request
        What the user asks for.
    display
        Shows each frame as it is done.
    say
        Shows a line to the user at once.
    report_outcome
        Shows the outcome to the user; called while the ledger is locked, which then records what was reported.

    Raises
    ------
    NovaError
        If the run cannot begin, or the ledger cannot be written.
    """
    began_s = time.monotonic()
    stop = StopConditions(began_s + request.max_time_s)
    with locked(request.ledger, wait=request.wait, until_s=stop.until_s, say=say):
        found = frames_of(request)
        with opened(request.ledger) as ledger:
            records, unreported = ledger.records(), ledger.unreported()
            check_mount(request, found, records)
            options = plan_options(request, ledger.written_outputs())
            made = plan(found.frames, records, options)
            counts, done = RunCounts(), dict[str, FrameRecord]()
            session = BatchSession(request, found, records, options, ledger, stop)
            session.remove_leftovers()
            if made.planned:
                counts, done = session.solve(made.planned, display)
            outcome = BatchOutcome(
                counts=counts,
                exit_code=_exit_code(made, done, found, stop),
                elapsed_s=time.monotonic() - began_s,
                skipped=len(made.skipped) - made.own_outputs,
                own_outputs=made.own_outputs + sum(record.fate == OWN_OUTPUT for record in done.values()),
                remarks=found.remarks,
                new_remarks=tuple(remark for remark in found.remarks if remark not in ledger.reported_remarks()),
                earlier=problems_of([entry for entry in unreported if entry.path not in done]),
                ledger=request.ledger,
            )
            report_outcome(outcome)
            ledger.mark_reported(found.remarks)
    return outcome


def frames_of(request: BatchRequest) -> FoundFrames:
    """Return the frames that a request names."""
    exclude = [] if request.outputs.out_dir is None else [request.outputs.out_dir]
    return find_frames(request.paths, patterns=request.patterns, newer_s=request.newer_s, exclude=exclude)


def opened(path: Path) -> Ledger:
    """Return a run's ledger, and make it known to ``nova batch status``."""
    ledger = Ledger.open(path)
    output_paths.remember(path)
    return ledger


def plan_options(request: BatchRequest, written: Set[str]) -> PlanOptions:
    """Return the options of the plan; ``written`` are the outputs that the ledger lists."""
    params = fingerprint(request.params, request.config)
    outputs = request.outputs

    def may_write(frame: FrameFile) -> bool:
        return output_paths.refusal(frame, written, outputs) is None

    return PlanOptions(params, outputs.words, request.retry, request.force, may_write)


def check_mount(request: BatchRequest, found: FoundFrames, records: Mapping[str, FrameRecord]) -> None:
    """Raise RetryLaterError if the folders held frames and are empty now; their disk is probably not mounted."""
    if found.frames or not request.paths or request.patterns or request.newer_s is not None:
        return
    frames = sum(record.fate not in (OWN_OUTPUT, GONE) for record in records.values())
    if frames:
        gone = f"it has no frame, although the ledger has {count_text(frames, 'frame')}"
        raise RetryLaterError(f"{shown_name(request.given[0])}: {gone}: check the mount")


def problems_of(entries: Sequence[LedgerEntry]) -> ProblemSummary:
    """Return a summary of the rows of frames that were not solved."""
    problems = ProblemSummary()
    for entry in entries:
        if entry.result is not None:
            problems.add(entry, entry.result)
    return problems


def _exit_code(made: BatchPlan, done: Mapping[str, FrameRecord], found: FoundFrames, stop: StopConditions) -> int:
    if stop.signal is not None:
        return 128 + stop.signal
    of_frames = exit_code(
        [*made.skipped.values(), *(done.get(planned.frame.path, NOT_BEGUN) for planned in made.planned)]
    )
    return of_frames or found.exit_code  # the frames' own code is of more use


class BatchSession:
    """A run that holds the lock of its ledger.

    Parameters
    ----------
    request
        What the user asks for.
    found
        The frames on disk.
    records
        The ledger's records at the beginning, by path.
    options
        The options of the plan.
    ledger
        The open ledger.
    stop
        When the run has to stop.
    """

    def __init__(
        self,
        request: BatchRequest,
        found: FoundFrames,
        records: Mapping[str, FrameRecord],
        options: PlanOptions,
        ledger: Ledger,
        stop: StopConditions,
    ) -> None:
        self._request, self._found, self._records, self._options = request, found, records, options
        self._ledger, self._stop = ledger, stop
        self._exposures = ExposureReader()
        jobs_dir = Path(os.path.abspath(request.config["jobs_dir"]))  # noqa: PTH100 - keeps symbolic links
        self._work_dir = jobs_dir / f".batch-{_digest(str(request.ledger.absolute()))}"
        self._setup = RunSetup(
            key=os.urandom(8).hex(),
            place=request.place,
            config=request.config,
            params=request.params,
            outputs=request.outputs,
            keep=request.keep,
            jobs_dir=str(jobs_dir),
            work_dir=str(self._work_dir),
        )

    def solve(self, planned: Sequence[PlannedFrame], display: QuietDisplay) -> tuple[RunCounts, dict[str, FrameRecord]]:
        """Do the planned frames; return the number of frames of each fate, and the records of those that were done."""
        files = output_paths.output_files(self._found.frames, self._request.outputs)
        recorder = self.recorder(display)
        recorder.counts.plan(item.frame.path for item in planned)
        feed = ListFeed(planned, self._request.settle_s, lambda item, is_gone: _leave(recorder, item, is_gone))
        self.add_waiting(planned, files)
        return self.run_loop(feed, self.queue(), files, recorder, display), recorder.records

    def add_waiting(self, planned: Sequence[PlannedFrame], files: Mapping[str, FrameFiles]) -> None:
        """Add new frames to the ledger as waiting, and the outputs that are going to be written for all of them."""
        new = [item.frame for item in planned if item.record is None]
        paths = [(item.frame.path, path) for item in planned for _, path in files.get(item.frame.path, ())]
        expected = [(frame, path) for frame, path in paths if not os.path.lexists(path)]
        self._ledger.add_waiting(new, self._options.params, expected)

    def recorder(self, display: QuietDisplay, *, is_watching: bool = False) -> Recorder:
        """Return a recorder for this run."""
        params = self._options.params
        return Recorder(self._setup, params, self._ledger, display, self._full_disk, is_watching=is_watching)

    def run_loop(
        self,
        feed: FrameFeed,
        queue: FrameQueue,
        files: Mapping[str, FrameFiles],
        recorder: Recorder,
        display: QuietDisplay,
    ) -> RunCounts:
        """Do all frames that come from a feed.

        Parameters
        ----------
        feed, queue
            Where frames come from, and where they wait.
        files
            The outputs to write, by the frame's path.
        recorder, display
            Record and show each frame.
        """
        self._record_gone_frames()
        total = recorder.counts.total
        what = [os.path.abspath(path) for path in self._request.given]  # noqa: PTH100 - may hold any bytes
        number = self._ledger.begin_run(total, what)
        try:
            if self._request.executor == executors.HERE:
                self._check_place()
            with (
                self._working_directory(),
                signals_noted(self._stop),
                _shown(display, total),
                contextlib.closing(self._exposures),
            ):
                executor = executors.open_executor(
                    self._request.executor, self._setup, self._workers(), self._request.address
                )
                counts = FrameLoop(self._setup, files, executor, recorder, display, self._stop).run(feed, queue)
        except BaseException as exc:
            with contextlib.suppress(NovaError):  # the ledger itself may be what cannot be written
                self._ledger.end_run(number, _outcome_text(exc))
            raise
        self._ledger.forget_expected(counts.planned - recorder.records.keys())
        self._ledger.end_run(number, counts.stopped or "finished")
        return counts

    def remove_leftovers(self) -> None:
        """Remove the unfinished jobs of a run that was killed."""
        if self._work_dir.is_dir():
            remove_tree(self._work_dir)

    def _check_place(self) -> None:
        """Raise if frames cannot be solved at the place, before the first of thousands fails there."""
        from novacli import backends

        backends.connect(self._request.place, self._request.config).index_files()

    def _record_gone_frames(self) -> None:
        """Record that waiting frames are gone, if they were removed before this run."""
        there = {frame.path for frame in self._found.frames}
        for path, record in self._records.items():
            if record.fate == WAITING and path not in there and not os.path.lexists(path):
                self._ledger.put(LedgerEntry(path, dataclasses.replace(record, fate=GONE, exit_code=0)))

    def queue(self) -> FrameQueue:
        """Return a queue that makes sequences, or a plain one if the user's options leave no use for them."""
        params = self._request.params
        is_sequence = self._request.sequence and params.fallback and not params.blind
        return SequenceQueue(self._exposures.read) if is_sequence else FifoQueue()

    def _workers(self) -> int:
        if self._request.workers is None and self._request.executor != executors.HERE:
            return 0
        return self._request.workers or int(self._request.config["slots"])

    @contextlib.contextmanager
    def _working_directory(self) -> Iterator[None]:
        """Create the directory of jobs in progress, and remove it at the end."""
        try:
            self._work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise OutputError(
                f"{self._work_dir}: {exc.strerror}: jobs cannot be worked on there; see --jobs-dir"
            ) from exc
        try:
            yield
        finally:
            remove_tree(self._work_dir)

    def _full_disk(self, path: str) -> str | None:
        """Return a message if a disk that is written to for the frame at a path is full, else None."""
        folders = [self._setup.jobs_dir, str(self._request.ledger.parent)]
        return full_disk(FrameFile(path, 0, 0), self._request.outputs, folders)


def _outcome_text(exc: BaseException) -> str:
    """Return what the ledger stores of a run that an exception ended."""
    if isinstance(exc, NovaError):
        return str(exc)
    if isinstance(exc, BrokenPipeError):
        return "its output was closed"
    return fault_text(exc) if isinstance(exc, Exception) else "it was interrupted"


@contextlib.contextmanager
def _shown(display: QuietDisplay, total: int) -> Iterator[None]:
    display.begin(total)
    try:
        yield
    finally:
        display.end()


def _leave(recorder: Recorder, planned: PlannedFrame, is_gone: bool) -> None:
    """Record that a frame was written to or removed before it was begun."""
    recorder.expect(planned)
    if is_gone:
        recorder.record_gone(planned)
    else:
        recorder.record_waiting(planned, planned.frame, "it is still being written")


@contextlib.contextmanager
def signals_noted(stop: StopConditions) -> Iterator[None]:
    """Note the first signal to end in ``stop``; a second one of the same kind ends the program at once."""
    before: dict[int, object] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        stop.signal = number
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(one) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            before[one] = signal.signal(one, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
