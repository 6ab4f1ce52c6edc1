"""What a run has to do: each frame as it lies on the disk held against what the ledger knows of it.  Light."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from novacli.batch.records import GONE, OURS, RETRIABLE, WAITING, FrameFile, FrameRecord
from novacli.config import Config
from novacli.errors import DeniedError, OutputError, RetryLaterError
from novacli.records.params import SolveParams
from novacli.records.result import FAILED, SOLVED, UNSOLVED

#: What ``--retry`` takes → the fates that are tried again.
RETRIES = {
    "unsolved": frozenset({UNSOLVED}),
    "failed": frozenset({FAILED}),
    "all": frozenset({UNSOLVED, FAILED}),
}
#: What counts as known of a frame that a run did not come to.
NOT_BEGUN = FrameRecord(0, 0, None, "", frozenset(), WAITING, RetryLaterError.exit_code, 0)
#: A frame that permissions were against so often, though they seemed to allow it here, is left: it is another machine,
#: a worker's or a file server's, that has the last word.
_MOST_DENIALS = 3
_UNFINISHED = frozenset({WAITING, RETRIABLE, GONE})


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What a run is asked for: parameters by their fingerprint, outputs by their words, what is to be done again.

    ``may_write`` says of a frame whether permissions allow these outputs.
    """

    params: str
    outputs: frozenset[str] = frozenset()
    retry: frozenset[str] = frozenset()
    force: bool = False
    may_write: Callable[[FrameFile], bool] = lambda _frame: True


@dataclass(frozen=True, slots=True)
class PlannedFrame:
    """A frame that has to be done; ``known`` is what the ledger has of it.

    ``known_sha256`` and ``may_be_ours`` are those of :class:`~novacli.batch.records.FrameTask`.
    """

    frame: FrameFile
    known: FrameRecord | None = None
    known_sha256: str | None = None
    may_be_ours: bool = False


@dataclass(slots=True)
class BatchPlan:
    """Frames to do, new ones first; those left alone, by path; how many of them nova wrote itself."""

    todo: list[PlannedFrame] = field(default_factory=list)
    left: dict[str, FrameRecord] = field(default_factory=dict)
    ours: int = 0


def fingerprint(params: SolveParams, config: Config) -> str:
    """Return what tells parameters apart that make a difference to the answer.

    The time limit is none of them: a solved frame is as good under another.  Nor is the place to solve at.
    """
    given = params.to_json()
    given["indexes"] = tuple(os.path.abspath(path) for path in config["index"])  # noqa: PTH100 - may hold any bytes
    given["engine_config"] = None if config["engine_config"] is None else str(config["engine_config"].absolute())
    # What is left at its default is left out: a later version's new parameter is no reason to solve all again.
    usual = SolveParams(timeout_s=params.timeout_s).to_json()
    value = {name: wish for name, wish in given.items() if wish != usual[name]}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def plan(frames: Iterable[FrameFile], known: Mapping[str, FrameRecord], wanted: PlanOptions) -> BatchPlan:
    """Return what is to be done of ``frames``, and what is left as it is."""
    made = BatchPlan()
    again: list[PlannedFrame] = []
    for frame in frames:
        row = known.get(frame.path)
        todo = PlannedFrame(frame, None, None, _may_be_ours(None, wanted)) if row is None else _todo(frame, row, wanted)
        if todo is None and row is not None:
            made.left[frame.path] = row
            made.ours += row.fate == OURS
        elif todo is not None:
            # What failed before would fail first again, and with a short --max-time nothing else had its turn.
            (again if row is not None and row.fate == RETRIABLE else made.todo).append(todo)
    made.todo += again
    return made


def is_denied(known: FrameRecord) -> bool:
    """Say whether permissions may be what kept a frame from being done.

    They are no part of what a ledger compares: a file has neither another size nor another time by them.
    """
    return known.fate == FAILED and known.exit_code in (DeniedError.exit_code, OutputError.exit_code)


def _todo(frame: FrameFile, known: FrameRecord, wanted: PlanOptions) -> PlannedFrame | None:
    """Return what is to be done of a frame that the ledger knows, None for nothing."""
    is_same = (frame.size, frame.mtime_ns) == (known.size, known.mtime_ns)
    todo = PlannedFrame(frame, known, None, _may_be_ours(known, wanted))
    if known.fate == OURS:
        return None if is_same and not wanted.force else todo
    if wanted.force or known.fate in _UNFINISHED or _is_outdated(frame, known, wanted):
        return todo
    if is_same:
        return None
    may_be_touched = frame.size == known.size and known.sha256 is not None
    return PlannedFrame(frame, known, known.sha256) if may_be_touched else todo


def _is_outdated(frame: FrameFile, known: FrameRecord, wanted: PlanOptions) -> bool:
    """Say whether a frame is to be done again though nobody changed it."""
    if known.fate in wanted.retry:
        return True
    if is_denied(known) and known.tries < _MOST_DENIALS:
        may_read = known.exit_code == DeniedError.exit_code and os.access(frame.path, os.R_OK)
        if may_read or (known.exit_code == OutputError.exit_code and wanted.may_write(frame)):
            return True
    # Whoever tries other parameters on the unsolved ones does not mean all the others, too.
    if known.params != wanted.params and not wanted.retry:
        return True
    return known.fate == SOLVED and not wanted.outputs <= known.outputs


def _may_be_ours(known: FrameRecord | None, wanted: PlanOptions) -> bool:
    """Say whether to look if nova wrote a file: one that is not known for a frame.

    One that was named may be, too: in ``night/*.fits`` it is the shell that names the copies of the last run.
    """
    is_known = known is not None and known.fate not in (OURS, WAITING)
    return not is_known and not wanted.force


def exit_code(knowns: Iterable[FrameRecord]) -> int:
    """Return the exit code of a batch over frames that are known so.

    75 where some are to be tried again, for then the others are not the last word; else the hardest failure's; else 1
    where some are unsolved; else 0.  Files that nova wrote, and those that are gone, count for nothing.
    """
    codes = {RetryLaterError.exit_code if k.fate in (WAITING, RETRIABLE) else k.exit_code
             for k in knowns if k.fate not in (OURS, GONE)}  # fmt: skip
    return RetryLaterError.exit_code if RetryLaterError.exit_code in codes else max(codes, default=0)
