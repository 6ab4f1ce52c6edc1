"""One run of ``nova batch --watch`` from beginning to end: as :mod:`novacli.batch.run.session`, over what lands."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from novacli.batch.frames import output_paths
from novacli.batch.frames.listing import find_frames
from novacli.batch.frames.watch import WatchFeed, WatchSettings
from novacli.batch.ledger.lock import locked
from novacli.batch.ledger.plan import NOT_BEGUN, PlannedFrame, PlanOptions, exit_code, plan
from novacli.batch.records import OURS, BatchOutputs, FrameFile, FrameRecord, TaskOutcome
from novacli.batch.run.display import QuietDisplay
from novacli.batch.run.loop import StopConditions
from novacli.batch.run.queues import FrameQueue
from novacli.batch.run.recorder import Recorder
from novacli.batch.run.session import BatchRequest, BatchSession, opened, wanted_of
from novacli.batch.run.summary import BatchOutcome
from novacli.errors import UsageError
from novacli.text.printable import shown_name

_Files = dict[str, tuple[tuple[str, str], ...]]


def watch_batch(
    request: BatchRequest, terms: WatchSettings, show: QuietDisplay, say: Callable[[str], None]
) -> BatchOutcome:
    """Solve frames as they land in the folders of a request, until it is time, or a signal says so.

    Raises
    ------
    NovaError
        Where it cannot begin, or the ledger cannot be written.
    """
    began_s = time.monotonic()
    orders = StopConditions(began_s + request.max_time_s, finishes=True)
    folders = _folders(request.paths)
    exclude = () if request.outputs.out_dir is None else (request.outputs.out_dir,)
    terms = dataclasses.replace(terms, patterns=request.patterns, newer_s=request.newer_s, exclude=exclude)
    with locked(request.ledger, wait=request.wait, until_s=orders.until_s, say=say):
        # What is wrong with the folders is said at once.
        found = find_frames(folders, patterns=terms.patterns, newer_s=terms.newer_s, exclude=exclude)
        with opened(request.ledger) as ledger:
            known = ledger.known()
            wanted = wanted_of(request)
            session = BatchSession(request, found, known, wanted, ledger, orders)
            session.tidy()
            night = _Night(session, session.notes(show, is_watching=True), known, wanted, request.outputs)
            watch = night.watch = WatchFeed(folders, terms, night, say)
            say(f"watching {', '.join(map(shown_name, request.paths))}; Ctrl-C or SIGTERM ends it")
            tally = session.over(watch, _Heard(session.queue(), night), night.files, night.notes, show)
    if tally.stopped == "it was interrupted":
        tally.stopped = "it was told to end"
    left = {path: row for path in watch.seen if (row := known.get(path)) and path not in night.given}
    return BatchOutcome(
        tally=tally,
        exit_code=night.exit_code(found.frames),
        elapsed_s=time.monotonic() - began_s,
        left=sum(row.fate != OURS for row in left.values()),
        ours=sum(row.fate == OURS for row in (*left.values(), *night.notes.known.values())),
    )


def _folders(paths: Sequence[str]) -> list[str]:
    for path in paths:
        if os.path.lexists(path) and not os.path.isdir(path):  # noqa: PTH112 - may hold any bytes
            raise UsageError(f"{shown_name(path)} is no folder: --watch is for folders")
    return list(dict.fromkeys(os.path.abspath(path) for path in paths))  # noqa: PTH100


class _Night:
    """What is known of the frames of a run while it goes on; ``files`` are the outputs of those that are to be done."""

    watch: WatchFeed

    def __init__(
        self,
        session: BatchSession,
        notes: Recorder,
        known: Mapping[str, FrameRecord],
        wanted: PlanOptions,
        outputs: BatchOutputs,
    ) -> None:
        self._session, self._before, self._wanted, self._outputs = session, known, wanted, outputs
        self.notes = notes
        self.files: _Files = {}
        self.given: set[str] = set()

    def known(self, path: str) -> FrameRecord | None:
        """Return what is known of a frame."""
        return self.notes.known.get(path) or self._before.get(path)

    def anew(self, paths: Iterable[str]) -> None:
        """Hear that folders are there again."""
        for path in paths:
            self.notes.look_anew(path)

    def todo(self, frames: Sequence[FrameFile]) -> Sequence[PlannedFrame]:
        """Return what is to be done of frames that have settled, their outputs and their turn noted."""
        # What the user wants done again is done again once.
        once = dataclasses.replace(self._wanted, retry=frozenset(), force=False)
        rows = {frame.path: row for frame in frames if (row := self.known(frame.path)) is not None}
        first = [frame for frame in frames if frame.path not in self.notes.known]
        later = [frame for frame in frames if frame.path in self.notes.known]
        todo = [*plan(first, rows, self._wanted).todo, *plan(later, rows, once).todo]
        todo = [item for item in todo if self._has_place(item)] if self._outputs.kinds else todo
        self._session.await_turn(todo)
        self.notes.tally.total += sum(item.frame.path not in self.given for item in todo)
        self.given |= {item.frame.path for item in todo}
        return todo

    def _has_place(self, todo: PlannedFrame) -> bool:
        """Find the outputs of a frame, which hang on what else lies in its folder; False where there is no place."""
        folder = os.path.dirname(todo.frame.path)  # noqa: PTH120
        beside = [frame for frame in self.watch.siblings if os.path.dirname(frame.path) == folder]  # noqa: PTH120
        others = [frame for frame in beside if frame.path in self.given and frame.path != todo.frame.path]
        try:
            self.files[todo.frame.path] = output_paths.output_files([*others, todo.frame], self._outputs)[
                todo.frame.path
            ]
        except UsageError as exc:
            self.notes.tally.total += todo.frame.path not in self.given
            self.given.add(todo.frame.path)
            self.notes.failure(todo, exc, is_final=True)
            return False
        return True

    def exit_code(self, first: Iterable[FrameFile]) -> int:
        """Return the exit code of all frames that were seen, and of those that were there at ``first``."""
        unseen = {frame.path for frame in first} - self.watch.seen.keys()
        left = {path for path in unseen | self.watch.young.keys() if os.path.lexists(path)}
        done = (self.watch.seen.keys() | self.given) - left - self.watch.under_way
        rows = [self.known(path) or NOT_BEGUN for path in done]
        return exit_code([*rows, *(NOT_BEGUN for _ in left | self.watch.under_way)])


class _Heard:
    """A queue whose watch hears when a frame is done with."""

    def __init__(self, queue: FrameQueue, night: _Night) -> None:
        self._queue, self._night = queue, night
        self.add, self.take, self.taught = queue.add, queue.take, queue.taught

    def settled(self, todo: PlannedFrame, done: TaskOutcome | None) -> None:
        """Pass it on."""
        self._queue.settled(todo, done)
        self._night.files.pop(todo.frame.path, None)
        self._night.watch.settled(todo, done)

    @property
    def ready(self) -> int:
        """How many could be begun now."""
        return self._queue.ready

    def __len__(self) -> int:
        """Return how many are not begun."""
        return len(self._queue)
