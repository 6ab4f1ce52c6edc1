"""Plans a run: compares each frame on disk with its record in the ledger."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from novacli.batch.records import (
    GONE,
    OWN_OUTPUT,
    RETRIABLE,
    WAITING,
    FileContent,
    FrameFile,
    FrameRecord,
    worst_exit_code,
)
from novacli.config import Config
from novacli.errors import DeniedError, OutputError, RetryLaterError
from novacli.records.params import SolveParams
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from solvehost.record import record

#: The value of ``--retry`` → the fates that are tried again.
RETRIES = {
    "unsolved": frozenset({UNSOLVED}),
    "failed": frozenset({FAILED}),
    "all": frozenset({UNSOLVED, FAILED}),
}
#: The record of a frame that a run did not begin.
NOT_BEGUN = FrameRecord(0, 0, None, "", frozenset(), WAITING, RetryLaterError.exit_code, 0)
#: How many times a frame is tried if permissions seem to allow it here and still refuse it.  Then another machine, such
#: as a worker's or a file server's, decides about the permissions.
_MAX_DENIALS = 3


class Reason(StrEnum):
    """Why a frame is solved, compared with the content that its result belongs to, or skipped."""

    NEW = "it is new"
    WAITING = "no run has solved it yet"
    RETRIABLE = "it failed for a reason that may pass"
    GONE = "it was removed before and exists again"
    FORCED = "--force"
    RETRY = "--retry"
    PERMISSIONS = "permissions or existing files do not prevent it any more"
    PARAMETERS = "the solve parameters have changed"
    OUTPUTS = "it lacks some of the outputs"
    CHANGED = "it has changed"
    TOUCHED = "its size or its time has changed"
    DONE = "it has its result"
    OWN_OUTPUT = "nova wrote it"


_UNFINISHED = {WAITING: Reason.WAITING, RETRIABLE: Reason.RETRIABLE, GONE: Reason.GONE}


@record
class PlanOptions:
    """What a run asks for.

    Attributes
    ----------
    params
        Fingerprint of the solve parameters.
    outputs
        The outputs, in the words of :attr:`~novacli.batch.records.BatchOutputs.words`.
    retry
        Fates that are tried again.
    force
        True if all frames are solved again.
    may_write
        Returns True if permissions and existing files allow to write the outputs of a frame.
    """

    params: str
    outputs: frozenset[str] = frozenset()
    retry: frozenset[str] = frozenset()
    force: bool = False
    may_write: Callable[[FrameFile], bool] = lambda _frame: True


@record
class PlannedFrame:
    """A frame that a run has to solve, or to compare with the content that its result belongs to.

    ``record`` is the frame's record in the ledger, None for a new frame.  ``known_content`` and ``may_be_own_output``
    are those of :class:`~novacli.batch.records.FrameTask`.
    """

    frame: FrameFile
    record: FrameRecord | None = None
    known_content: FileContent | None = None
    may_be_own_output: bool = False
    reason: Reason = Reason.NEW


@dataclass(slots=True)
class BatchPlan:
    """The frames to solve, new ones first, and the records of the frames that are skipped, by path."""

    planned: list[PlannedFrame] = field(default_factory=list)
    skipped: dict[str, FrameRecord] = field(default_factory=dict)

    @property
    def own_outputs(self) -> int:
        """The number of skipped files that nova wrote."""
        return sum(record.fate == OWN_OUTPUT for record in self.skipped.values())


def fingerprint(params: SolveParams, config: Config) -> str:
    """Return a digest of the solve parameters that influence the answer.

    The time limit and the place to solve at are not among them: a solved frame is as good under another limit.
    """
    given = params.to_json()
    given["indexes"] = tuple(os.path.abspath(path) for path in config["index"])  # noqa: PTH100 - may hold any bytes
    given["engine_config"] = None if config["engine_config"] is None else str(config["engine_config"].absolute())
    # Defaults are left out, so that a new parameter of a later version does not make all frames outdated.
    usual = SolveParams(timeout_s=params.timeout_s).to_json()
    value = {name: wish for name, wish in given.items() if wish != usual[name]}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def plan(frames: Iterable[FrameFile], records: Mapping[str, FrameRecord], options: PlanOptions) -> BatchPlan:
    """Return which frames are to be solved and which are skipped.

    Parameters
    ----------
    frames
        The frames on disk.
    records
        The ledger's records, by path.
    options
        What the run asks for.
    """
    made = BatchPlan()
    retriable: list[PlannedFrame] = []
    for frame in frames:
        record = records.get(frame.path)
        planned = _planned(frame, record, options)
        if planned is not None:
            # A frame that failed before would fail first again, and use up a short --max-time.
            (retriable if record is not None and record.fate == RETRIABLE else made.planned).append(planned)
        elif record is not None:
            made.skipped[frame.path] = record
    made.planned += retriable
    return made


def is_denied(record: FrameRecord) -> bool:
    """Return True if the frame may have failed because of permissions.

    A change of permissions changes neither the size nor the time of a file, which the ledger compares.
    """
    return record.fate == FAILED and record.exit_code in (DeniedError.exit_code, OutputError.exit_code)


def _planned(frame: FrameFile, record: FrameRecord | None, options: PlanOptions) -> PlannedFrame | None:
    """Return the plan for a frame, None if it is skipped."""
    may_be_own_output = not options.force and (record is None or record.fate in (OWN_OUTPUT, WAITING))
    if record is None:
        return PlannedFrame(frame, None, None, may_be_own_output)
    is_same = (frame.size, frame.mtime_ns) == (record.size, record.mtime_ns)
    reason = _reason(frame, record, options)
    if reason is not None:
        return PlannedFrame(frame, record, None, may_be_own_output, reason)
    if is_same:
        return None
    content = record.content
    if record.fate == OWN_OUTPUT or content is None or not (frame.size == record.size or content.digest):
        return PlannedFrame(frame, record, None, may_be_own_output, Reason.CHANGED)
    return PlannedFrame(frame, record, content, reason=Reason.TOUCHED)


def _reason(frame: FrameFile, record: FrameRecord, options: PlanOptions) -> Reason | None:
    """Return why a frame is solved again although its file is the same; None if it is not."""
    if options.force:
        return Reason.FORCED
    if record.fate in _UNFINISHED or record.fate == OWN_OUTPUT:
        return _UNFINISHED.get(record.fate)
    if record.fate in options.retry:
        return Reason.RETRY
    if _may_be_allowed_now(frame, record, options):
        return Reason.PERMISSIONS
    # A user who retries the unsolved frames with other parameters does not want to solve the others again.
    if record.params != options.params and not options.retry:
        return Reason.PARAMETERS
    return Reason.OUTPUTS if record.fate == SOLVED and not options.outputs <= record.outputs else None


def _may_be_allowed_now(frame: FrameFile, record: FrameRecord, options: PlanOptions) -> bool:
    if not is_denied(record) or record.tries >= _MAX_DENIALS:
        return False
    if record.exit_code == OutputError.exit_code:
        return options.may_write(frame)
    return os.access(frame.path, os.R_OK)


def exit_code(records: Iterable[FrameRecord]) -> int:
    """Return the exit code of a batch over frames with these records.

    It is 75 if some frames are to be tried again, because then the others are not final; else the code of the most
    serious failure; else 1 if some are unsolved; else 0.  Files that nova wrote and files that are gone do not count.
    """
    codes = {
        RetryLaterError.exit_code if record.fate in (WAITING, RETRIABLE) else record.exit_code
        for record in records
        if record.fate not in (OWN_OUTPUT, GONE)
    }
    return worst_exit_code(codes)
