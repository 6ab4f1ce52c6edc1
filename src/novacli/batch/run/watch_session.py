"""One run of ``nova batch --watch``: like :mod:`novacli.batch.run.session`, but over frames that land."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from novacli.batch.frames import output_paths
from novacli.batch.frames.existing_outputs import FrameFiles, OutputClaims
from novacli.batch.frames.watch import WatchFeed, WatchSettings
from novacli.batch.ledger.lock import locked
from novacli.batch.ledger.plan import NOT_BEGUN, PlannedFrame, PlanOptions, exit_code, plan
from novacli.batch.records import OWN_OUTPUT, BatchOutputs, FrameFile, FrameRecord, SequenceHint, TaskOutcome
from novacli.batch.run.display import QuietDisplay
from novacli.batch.run.loop import StopConditions
from novacli.batch.run.queues import FrameQueue
from novacli.batch.run.recorder import Recorder
from novacli.batch.run.request import BatchRequest
from novacli.batch.run.session import BatchSession, ReportOutcome, frames_of, opened, plan_options, problems_of
from novacli.batch.run.summary import BatchOutcome
from novacli.errors import UsageError
from novacli.text.printable import shown_name


def watch_batch(
    request: BatchRequest,
    settings: WatchSettings,
    display: QuietDisplay,
    say: Callable[[str], None],
    report_outcome: ReportOutcome = lambda _outcome: None,
) -> BatchOutcome:
    """Solve frames as they land in the folders of a request, until it is time or a signal asks to stop.

    Parameters
    ----------
    request, display, say, report_outcome
        As for :func:`novacli.batch.run.session.run_batch`.
    settings
        How to watch the folders.

    Raises
    ------
    NovaError
        If the run cannot begin, or the ledger cannot be written.
    """
    began_s = time.monotonic()
    stop = StopConditions(began_s + request.max_time_s, finishes_on_signal=True)
    request = dataclasses.replace(request, paths=_folders(request.paths))
    exclude = () if request.outputs.out_dir is None else (request.outputs.out_dir,)
    settings = dataclasses.replace(settings, patterns=request.patterns, newer_s=request.newer_s, exclude=exclude)
    with locked(request.ledger, wait=request.wait, until_s=stop.until_s, say=say):
        found = frames_of(request)  # raises at once if the folders cannot be read
        with opened(request.ledger) as ledger:
            records, unreported = ledger.records(), ledger.unreported()
            options = plan_options(request, ledger.written_outputs())
            session = BatchSession(request, found, records, options, ledger, stop)
            session.remove_leftovers()
            recorder = session.recorder(display, is_watching=True)
            planner = LandingPlanner(session, recorder, records, options, request.outputs)
            feed = WatchFeed(request.paths, settings, planner, say)
            say(f"watching {', '.join(map(shown_name, request.paths))}; Ctrl-C or SIGTERM ends it")
            queue = NotifyingQueue(session.queue(), feed, planner)
            counts = session.run_loop(feed, queue, planner.files, recorder, display)
            skipped = [row for path in feed.planned_paths() - planner.planned if (row := records.get(path))]
            own_outputs = sum(row.fate == OWN_OUTPUT for row in (*skipped, *recorder.records.values()))
            outcome = BatchOutcome(
                counts=counts,
                exit_code=_exit_code(found.frames, feed, planner),
                elapsed_s=time.monotonic() - began_s,
                skipped=sum(row.fate != OWN_OUTPUT for row in skipped),
                own_outputs=own_outputs,
                earlier=problems_of([entry for entry in unreported if entry.path not in recorder.records]),
                ledger=request.ledger,
            )
            report_outcome(outcome)
            ledger.mark_reported(())
    return outcome


def _folders(paths: Sequence[str]) -> tuple[str, ...]:
    for path in paths:
        if os.path.lexists(path) and not os.path.isdir(path):  # noqa: PTH112 - may hold any bytes
            raise UsageError(f"{shown_name(path)} is not a folder, and --watch takes folders only")
    return tuple(dict.fromkeys(os.path.abspath(path) if path else path for path in paths))  # noqa: PTH100


def _exit_code(first: Iterable[FrameFile], feed: WatchFeed, planner: LandingPlanner) -> int:
    """Return the exit code of all frames that landed, and of those that were there at first."""
    planned, unfinished = feed.planned_paths(), feed.unfinished_paths()
    missed = {frame.path for frame in first} - planned
    left = [path for path in missed | unfinished if os.path.lexists(path)]
    rows = [planner.record(path) or NOT_BEGUN for path in planned]
    return exit_code([*rows, *(NOT_BEGUN for _ in left)])


class LandingPlanner:
    """Plans frames as they land.

    Parameters
    ----------
    session, recorder
        The run, and the records that it has made.
    before
        The ledger's records at the beginning, by path.
    options
        What the run asks for.
    outputs
        What the run writes for each solved frame.

    Attributes
    ----------
    files
        The outputs of the frames that are planned and not done, by path.
    planned
        The paths of all frames that were planned.
    """

    def __init__(
        self,
        session: BatchSession,
        recorder: Recorder,
        before: Mapping[str, FrameRecord],
        options: PlanOptions,
        outputs: BatchOutputs,
    ) -> None:
        self._session, self._recorder, self._before = session, recorder, before
        self._options, self._outputs = options, outputs
        self._claims = OutputClaims()
        self.files: dict[str, FrameFiles] = {}
        self.planned: set[str] = set()

    def record(self, path: str) -> FrameRecord | None:
        """Return the record of a frame."""
        return self._recorder.records.get(path) or self._before.get(path)

    def forget_folders(self, paths: Iterable[str]) -> None:
        """Accept that folders exist again, perhaps on another device."""
        for path in paths:
            self._recorder.forget_folder(path)

    def plan(self, frames: Sequence[FrameFile], siblings: Sequence[FrameFile]) -> Sequence[PlannedFrame]:
        """Return the plan for settled frames, and add new ones to the ledger."""
        # --retry and --force solve each frame once more, not again and again.
        once = dataclasses.replace(self._options, retry=frozenset(), force=False)
        records = {frame.path: record for frame in frames if (record := self.record(frame.path)) is not None}
        first = [frame for frame in frames if frame.path not in self._recorder.records]
        later = [frame for frame in frames if frame.path in self._recorder.records]
        planned = [*plan(first, records, self._options).planned, *plan(later, records, once).planned]
        if self._outputs.kinds:
            planned = [item for item in planned if self._find_outputs(item, siblings)]
        self._session.add_waiting(planned, self.files)
        paths = [item.frame.path for item in planned]
        self._recorder.counts.plan(paths)
        self.planned.update(paths)
        return planned

    def _find_outputs(self, planned: PlannedFrame, siblings: Sequence[FrameFile]) -> bool:
        """Find a frame's outputs, whose names depend on the other frames of its folder; False if there are none."""
        path = planned.frame.path
        folder = os.path.dirname(path)  # noqa: PTH120
        others = [frame for frame in siblings if frame.path in self.planned and frame.path != path]
        beside = [frame for frame in others if os.path.dirname(frame.path) == folder]  # noqa: PTH120
        try:
            self.files[path] = output_paths.output_files([*beside, planned.frame], self._outputs)[path]
            for _, output in self.files[path]:
                self._claims.claim(path, output)
        except UsageError as exc:
            self._recorder.counts.plan([path])
            self.planned.add(path)
            self._recorder.record_failure(planned, exc, is_final=True)
            return False
        return True

    def finish(self, planned: PlannedFrame) -> None:
        """Forget the outputs of a frame that is done."""
        self.files.pop(planned.frame.path, None)


class NotifyingQueue:
    """A queue that notifies a feed and a planner when a frame is done; otherwise it works as ``queue`` does."""

    def __init__(self, queue: FrameQueue, feed: WatchFeed, planner: LandingPlanner) -> None:
        self._queue, self._feed, self._planner = queue, feed, planner

    def add(self, planned: Iterable[PlannedFrame]) -> None:
        """Add frames."""
        self._queue.add(planned)

    def take(self) -> PlannedFrame | None:
        """Remove and return the next frame to begin; None if none may be begun now."""
        return self._queue.take()

    def finish(self, planned: PlannedFrame, outcome: TaskOutcome | None) -> None:
        """Remove a frame that is done, and notify the feed and the planner."""
        self._queue.finish(planned, outcome)
        self._planner.finish(planned)
        self._feed.finish(planned)

    def hints(self, planned: PlannedFrame) -> tuple[SequenceHint, ...]:
        """Return the hints from other frames for one that was taken."""
        return self._queue.hints(planned)

    @property
    def ready(self) -> int:
        """How many frames could be begun now."""
        return self._queue.ready

    def __len__(self) -> int:
        """Return the number of frames that are not begun."""
        return len(self._queue)
