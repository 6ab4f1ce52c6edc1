"""The records that the parts of a batch exchange: frames, ledger rows, tasks and their outcomes.

Records are small and picklable, because tasks and outcomes travel between processes and machines.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING

from novacli.errors import InputMissingError, RetryLaterError
from novacli.records.parity import Parity
from novacli.records.result import ErrorRecord, Result
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from solvehost.record import record

if TYPE_CHECKING:
    from novacli.config import Config
    from novacli.records.params import SolveParams

#: Fates of a frame besides solved, unsolved and failed.  ``RETRIABLE``: the solve failed for a reason that may pass,
#: such as a full disk.  ``WAITING``: the frame is not solved yet.  ``OWN_OUTPUT``: nova wrote the file, so it is not a
#: frame.  ``GONE``: the file was removed before it was solved.
RETRIABLE, WAITING, OWN_OUTPUT, GONE = "retriable", "waiting", "ours", "gone"
FATES = (SOLVED, UNSOLVED, FAILED, RETRIABLE, WAITING, OWN_OUTPUT, GONE)
#: The outcome of a task whose frame still has the content that its result belongs to.  It is never stored.
UNCHANGED = "unchanged"
#: Which job directories stay after a run.
KEEP_ALL, KEEP_FAILURES, KEEP_NONE = "all", "failures", "none"
KEEPS = (KEEP_ALL, KEEP_FAILURES, KEEP_NONE)


@record
class FrameFile:
    """A file on disk: absolute path, size in bytes, modification time in nanoseconds since 1970.

    ``root`` is the folder below which the file was found; None for a file that was named itself.
    """

    path: str
    size: int
    mtime_ns: int
    root: str | None = None


@record
class FileContent:
    """Digests of a file's content, in hexadecimal.

    ``sha256`` covers all bytes.  ``digest`` covers the pixels and those header cards that are not part of a solution;
    None if it was not computed or the file is not a FITS file.
    """

    sha256: str
    digest: str | None = None

    def is_same_frame(self, other: FileContent) -> bool:
        """Return True if both have the same bytes, or differ only in the solution that a header holds."""
        return self.sha256 == other.sha256 or (self.digest is not None and self.digest == other.digest)


@record
class BatchOutputs:
    """The files that a run writes for each solved frame, by their names in results (``wcs``, ``new_fits`` …).

    ``update`` also writes the solution into the frame itself.  Files are written beside the frame, or below ``out_dir``
    in the same arrangement as the frames have below their folders.  ``overwrite`` allows to replace files that the
    batch did not write.
    """

    kinds: tuple[str, ...] = ()
    update: bool = False
    out_dir: str | None = None
    overwrite: bool = False

    def word(self, kind: str) -> str:
        """Return the word for an output, as the ledger stores it; another folder makes another word."""
        return kind if self.out_dir is None else f"{kind}:{self.out_dir}"

    @property
    def words(self) -> frozenset[str]:
        """The words for all outputs."""
        return frozenset({*map(self.word, self.kinds), *(("update",) if self.update else ())})


@record
class FrameRecord:
    """The ledger's record of a frame, without its result.

    Attributes
    ----------
    size, mtime_ns
        Of the file when its result was stored; after ``--update``, with the solution in it.
    sha256
        Of the file's content at that time, in hexadecimal; None if it was not read.
    params
        Fingerprint of the solve parameters that influence the answer.
    outputs
        The outputs that were written, in the words of :attr:`BatchOutputs.words`.
    fate
        One of ``FATES``.
    exit_code
        The exit code that ``nova submit`` would give for this frame alone.
    tries
        How many times this content was tried with these parameters.
    digest
        :attr:`FileContent.digest` of the file; None if it was not computed.
    """

    size: int
    mtime_ns: int
    sha256: str | None
    params: str
    outputs: frozenset[str]
    fate: str
    exit_code: int
    tries: int
    digest: str | None = None

    @property
    def content(self) -> FileContent | None:
        """The digests of the file, None if it was not read."""
        return None if self.sha256 is None else FileContent(self.sha256, self.digest)


@record
class LedgerEntry:
    """A row of the ledger: a frame's path, its record, its JSON line, and when it was done (seconds since 1970)."""

    path: str
    record: FrameRecord
    line: str | None = None
    finished_s: float | None = None

    @property
    def result(self) -> Result | None:
        """The result in the JSON line; a failed one if the line is damaged, None if the frame has no result yet."""
        if self.line is None:
            return None
        try:
            return Result.from_json(json.loads(self.line))
        except ValueError:
            message = "its line in the ledger is damaged: solve it again with --force"
            return Result(self.path, FAILED, error=ErrorRecord(message, 70, retry_is_safe=True))


@record
class RunSetup:
    """The data that all tasks of a run share.

    Attributes
    ----------
    key
        A random word that identifies the run in workers that serve several runs.
    place
        Where the engines run, as given to ``--to``.
    config, params, outputs
        The settings, the solve parameters and the outputs to write.
    keep
        Which job directories stay, one of ``KEEPS``.
    jobs_dir
        The directory of the jobs that stay.
    work_dir
        The directory of the jobs that are in progress, on the same disk.
    """

    key: str
    place: str
    config: Config
    params: SolveParams
    outputs: BatchOutputs
    keep: str
    jobs_dir: str
    work_dir: str


@record
class SequenceHint:
    """A hint from a solved frame for the next frames of its sequence.

    ``rig`` is the camera's key (:func:`novacli.rigs.store.identify_rig`) and ``target`` the header's OBJECT.
    ``aimed_deg`` is the pointing in the header and ``centre_deg`` the solved centre; both are (right ascension,
    declination), or None if unknown.  ``parity`` is the sign of det(CD).
    """

    rig: str
    target: str
    aimed_deg: tuple[float, float] | None
    centre_deg: tuple[float, float] | None
    pixscale_arcsec: float
    parity: Parity


@record
class FrameTask:
    """One frame to be solved; a worker needs no other data.

    Attributes
    ----------
    setup, frame
        The run, and the frame.
    files
        The outputs to write: pairs of their name in results and an absolute path.
    known_content
        The content that already has a result; the worker first compares the file with it.
    may_be_own_output
        True if the worker first checks whether nova wrote the file.
    engines
        How many engines may run for the frame at once: 1 if other frames keep the cores busy, None for all idle cores.
    hints
        Hints from earlier frames of the sequence, the nearest in time first.
    replaceable
        Those paths in ``files`` that the batch itself has written, so that they may be replaced.
    """

    setup: RunSetup
    frame: FrameFile
    files: tuple[tuple[str, str], ...] = ()
    known_content: FileContent | None = None
    may_be_own_output: bool = False
    engines: int | None = None
    hints: tuple[SequenceHint, ...] = ()
    replaceable: tuple[str, ...] = ()


@record
class TaskOutcome:
    """The outcome of a task, as its worker returns it.

    Attributes
    ----------
    frame, content
        The file after the task and its digests; after ``--update`` with the solution in it.
    result
        None if the frame still has the content that its result belongs to, or is an output of nova.
    is_own_output
        True if nova wrote the file.
    has_changed
        True if another program wrote to the file while it was solved, so that the result belongs to older content.
    has_outputs
        True if all outputs were written.
    hint
        The hint for the next frames of its sequence; None if the frame was not solved.
    written
        The paths of the outputs that were written, also if a further one failed.
    """

    frame: FrameFile
    content: FileContent | None = None
    result: Result | None = None
    is_own_output: bool = False
    has_changed: bool = False
    has_outputs: bool = False
    hint: SequenceHint | None = None
    written: tuple[str, ...] = ()


def worst_exit_code(codes: Collection[int]) -> int:
    """Return the exit code of a batch with these codes: 75 if it is among them, else the largest, 0 without any."""
    return RetryLaterError.exit_code if RetryLaterError.exit_code in codes else max(codes, default=0)


def fate_of_result(result: Result) -> str:
    """Return the fate of a frame with this result."""
    if result.error is not None:
        return RETRIABLE if result.error.retry_is_safe else FAILED
    return result.status if result.status in (SOLVED, UNSOLVED) else RETRIABLE


def fate_of(outcome: TaskOutcome, *, exists: bool) -> str:
    """Return the fate of a frame after its task; ``exists`` is True if its file is still on the disk."""
    result = outcome.result
    if outcome.is_own_output:
        return OWN_OUTPUT
    if result is None:
        return UNCHANGED
    if result.exit_code == InputMissingError.exit_code and not exists:
        return GONE
    if outcome.has_changed or result.reason == "cancelled":
        return WAITING
    return fate_of_result(result)
