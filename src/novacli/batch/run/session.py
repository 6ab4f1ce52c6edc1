"""One run of ``nova batch`` from beginning to end: list, lock, plan, run, report."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from novacli.batch import executors
from novacli.batch.frames import output_paths
from novacli.batch.frames.header_reader import ExposureReader
from novacli.batch.frames.listing import FoundFrames, find_frames
from novacli.batch.ledger.database import Ledger
from novacli.batch.ledger.lock import locked
from novacli.batch.ledger.plan import NOT_BEGUN, BatchPlan, PlannedFrame, PlanOptions, exit_code, fingerprint, plan
from novacli.batch.records import GONE, OURS, WAITING, BatchOutputs, FrameRecord, LedgerEntry, RunSetup
from novacli.batch.run.display import QuietDisplay
from novacli.batch.run.loop import FrameLoop, StopConditions
from novacli.batch.run.queues import FifoQueue, FrameFeed, FrameQueue, ListFeed
from novacli.batch.run.recorder import Recorder, RunCounts
from novacli.batch.run.sequences import SequenceQueue
from novacli.batch.run.summary import BatchOutcome
from novacli.config import Config
from novacli.errors import NovaError, OutputError, RetryLaterError
from novacli.records.params import SolveParams
from novacli.text.printable import shown_name
from novacli.text.quantities import count_text
from solvehost.formats.jobdir import remove_tree

#: A disk with less room than this is full.
_FULL_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What a run is asked for.

    ``given`` are the paths as they were named, with the lists that others came from, ``paths`` all of them; times in
    seconds, ``newer_s`` since 1970.
    """

    given: tuple[str, ...]
    paths: tuple[str, ...]
    params: SolveParams
    config: Config
    ledger: Path
    place: str = "local"
    patterns: tuple[str, ...] = ()
    newer_s: float | None = None
    outputs: BatchOutputs = field(default_factory=BatchOutputs)
    keep: str = "failures"
    retry: frozenset[str] = frozenset()
    force: bool = False
    settle_s: float = 2.0
    sequence: bool = True
    max_time_s: float = float("inf")
    wait: bool = True
    workers: int | None = None
    executor: str = "pool"
    address: str | None = None


def run_batch(request: BatchRequest, show: QuietDisplay, say: Callable[[str], None]) -> BatchOutcome:
    """Do what a request asks for; ``say`` hears what a person should know at once.

    Raises
    ------
    NovaError
        Where it cannot begin, or the ledger cannot be written.
    """
    began_s = time.monotonic()
    orders = StopConditions(began_s + request.max_time_s)
    with locked(request.ledger, wait=request.wait, until_s=orders.until_s, say=say):
        exclude = [] if request.outputs.out_dir is None else [request.outputs.out_dir]
        found = find_frames(request.paths, patterns=request.patterns, newer_s=request.newer_s, exclude=exclude)
        with opened(request.ledger) as ledger:
            known = ledger.known()
            _refuse_empty_mount(request, found, known)
            wanted = wanted_of(request)
            made = plan(found.frames, known, wanted)
            tally, done = RunCounts(), dict[str, FrameRecord]()
            session = BatchSession(request, found, known, wanted, ledger, orders)
            session.tidy()
            if made.todo:
                tally, done = session.work(made.todo, show)
    return BatchOutcome(
        tally=tally,
        exit_code=_exit_code(made, done, found, orders),
        elapsed_s=time.monotonic() - began_s,
        left=len(made.left) - made.ours,
        ours=made.ours + sum(known.fate == OURS for known in done.values()),
        remarks=found.remarks,
    )


def opened(path: Path) -> Ledger:
    """Return the ledger of a run, and have those who ask for all ledgers find it."""
    ledger = Ledger.open(path)
    output_paths.remember(path)
    return ledger


def wanted_of(request: BatchRequest) -> PlanOptions:
    """Return what the plan needs to know of a request."""
    params = fingerprint(request.params, request.config)
    outputs = request.outputs
    may_write = functools.partial(output_paths.may_write, outputs=outputs)
    return PlanOptions(params, outputs.asked, request.retry, request.force, may_write)


def _refuse_empty_mount(request: BatchRequest, found: FoundFrames, known: Mapping[str, FrameRecord]) -> None:
    """Hold a folder that was full of frames to have some still: an empty one is where a disk should be mounted."""
    frames = sum(row.fate not in (OURS, GONE) for row in known.values())
    if frames and not found.frames and not request.patterns and request.newer_s is None:
        there = f"there is no frame any more, of {count_text(frames, 'frame')} that were there"
        raise RetryLaterError(f"{shown_name(request.given[0])}: {there}: check the mount")


def _exit_code(made: BatchPlan, done: Mapping[str, FrameRecord], found: FoundFrames, orders: StopConditions) -> int:
    if orders.signal is not None:
        return 128 + orders.signal
    if found.remarks:  # what could not be looked at is to be tried again
        return RetryLaterError.exit_code
    return exit_code([*made.left.values(), *(done.get(todo.frame.path, NOT_BEGUN) for todo in made.todo)])


class BatchSession:
    """A run that holds the lock."""

    def __init__(
        self,
        request: BatchRequest,
        found: FoundFrames,
        known: Mapping[str, FrameRecord],
        wanted: PlanOptions,
        ledger: Ledger,
        orders: StopConditions,
    ) -> None:
        self._request, self._found, self._known, self._wanted = request, found, known, wanted
        self._ledger, self._orders = ledger, orders
        self._glances = ExposureReader()
        jobs_dir = Path(os.path.abspath(request.config["jobs_dir"]))  # noqa: PTH100 - as it stands, links and all
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

    def work(self, todo: Sequence[PlannedFrame], show: QuietDisplay) -> tuple[RunCounts, dict[str, FrameRecord]]:
        """Do what is to be done; return how that went, and what is known of each frame now."""
        files = output_paths.output_files(self._found.frames, self._request.outputs)
        notes = self.notes(show)
        notes.tally.total = len(todo)
        feed = ListFeed(todo, self._request.settle_s, lambda item, is_gone: give_up(notes, item, is_gone))
        self.await_turn(todo)
        return self.over(feed, self.queue(), files, notes, show), notes.known

    def await_turn(self, todo: Sequence[PlannedFrame]) -> None:
        """Note frames that are new, and have not had their turn."""
        self._ledger.add_waiting([item.frame for item in todo if item.known is None], self._wanted.params)

    def notes(self, show: QuietDisplay, *, is_watching: bool = False) -> Recorder:
        """Return who notes what becomes of frames."""
        params = self._wanted.params
        return Recorder(self._setup, params, self._ledger, show, self._full_disk, is_watching=is_watching)

    def over(
        self,
        feed: FrameFeed,
        queue: FrameQueue,
        files: Mapping[str, tuple[tuple[str, str], ...]],
        notes: Recorder,
        show: QuietDisplay,
    ) -> RunCounts:
        """Do what a feed gives, from the first to the last; ``files`` are the outputs to write, by frame."""
        self._forget_gone()
        total = notes.tally.total
        what = [os.path.abspath(path) for path in self._request.given]  # noqa: PTH100 - may hold any bytes
        number = self._ledger.begin_run(total, what)
        try:
            if self._request.executor == executors.HERE:
                self._check_place()
            with (
                self._working_directory(),
                heeding(self._orders),
                contextlib.closing(_Shown(show, total)),
                contextlib.closing(self._glances),
            ):
                executor = executors.open_executor(
                    self._request.executor, self._setup, self._workers(), self._request.address
                )
                run = FrameLoop(self._setup, files, executor, notes, show, self._orders)
                tally = run.over(feed, queue)
        except NovaError as exc:
            with contextlib.suppress(NovaError):  # it may be the ledger itself that cannot be written
                self._ledger.end_run(number, str(exc))
            raise
        self._ledger.end_run(number, tally.stopped or "finished")
        return tally

    def tidy(self) -> None:
        """Remove what a killed run left of the jobs that it worked on."""
        if self._work_dir.is_dir():
            remove_tree(self._work_dir)

    def _check_place(self) -> None:
        """Hold the place to be one where frames can be solved, before the first of thousands fails there."""
        from novacli import backends

        backends.connect(self._request.place, self._request.config).index_files()

    def _forget_gone(self) -> None:
        """Note of frames that waited for this run, and are removed by now, that they are gone."""
        there = {frame.path for frame in self._found.frames}
        for path, known in self._known.items():
            if known.fate == WAITING and path not in there and not os.path.lexists(path):
                self._ledger.put(LedgerEntry(path, dataclasses.replace(known, fate=GONE, exit_code=0)))

    def queue(self) -> FrameQueue:
        """Return the queue: of hints from frame to frame there is no use where the user wants none, or his alone."""
        params = self._request.params
        is_sequence = self._request.sequence and params.fallback and not params.blind
        return SequenceQueue(self._glances.at) if is_sequence else FifoQueue()

    def _workers(self) -> int:
        if self._request.workers is None and self._request.executor != executors.HERE:
            return 0
        return self._request.workers or int(self._request.config["slots"])

    @contextlib.contextmanager
    def _working_directory(self) -> Iterator[None]:
        """Make the directory that jobs are worked on in."""
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
        """Return which disk that nova writes to for a frame is full, None where there is room on all.

        Frames may lie on many disks: the one of the frame that failed is looked at, and no other one.
        """
        outputs = self._request.outputs
        folders = [self._setup.jobs_dir, str(self._request.ledger.parent)]
        if outputs.out_dir is not None:
            folders.append(outputs.out_dir)
        elif outputs.kinds:
            folders.append(os.path.dirname(path))  # noqa: PTH120 - may hold any bytes
        if outputs.update:
            folders.append(os.path.dirname(os.path.realpath(path)))  # noqa: PTH120
        for folder in folders:
            with contextlib.suppress(OSError):
                status = os.statvfs(folder)
                if status.f_bavail * status.f_frsize < _FULL_BYTES:
                    return f"the disk of {shown_name(folder)} is full"
        return None


class _Shown:
    """A show that has begun, to be closed."""

    def __init__(self, show: QuietDisplay, total: int) -> None:
        self._show = show
        show.begin(total)

    def close(self) -> None:
        self._show.end()


def give_up(notes: Recorder, todo: PlannedFrame, is_gone: bool) -> None:
    """Note of a frame that it was written to before it was begun, or removed."""
    notes.expect(todo)
    if is_gone:
        notes.gone(todo)
    else:
        notes.waiting(todo, todo.frame, "it is still being written")


@contextlib.contextmanager
def heeding(orders: StopConditions) -> Iterator[None]:
    """Have the first signal to end noted in the orders; a second one of the same kind ends the program as ever."""
    before: dict[int, object] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        orders.signal = number
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(one) is not signal.SIG_IGN:  # nohup's wish is kept
            before[one] = signal.signal(one, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
