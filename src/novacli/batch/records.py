"""The records between the parts of a batch: frames, what the ledger knows of them, tasks and what came of them.

Light and picklable: tasks and answers travel between processes, perhaps between machines.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from novacli.records.result import FAILED, SOLVED, UNSOLVED, ErrorRecord, Result

if TYPE_CHECKING:
    from novacli.config import Config
    from novacli.records.params import SolveParams

#: What became of a frame, besides solved, unsolved and failed.  ``RETRIABLE``: it failed in a way that may pass, as
#: on a full disk; ``WAITING``: its turn has not come, or was not finished; ``OURS``: nova wrote it, so it is no frame;
#: ``GONE``: it was removed before its turn.
RETRIABLE, WAITING, OURS, GONE = "retriable", "waiting", "ours", "gone"
FATES = (SOLVED, UNSOLVED, FAILED, RETRIABLE, WAITING, OURS, GONE)
#: Which job directories stay.
KEEP_ALL, KEEP_FAILURES, KEEP_NONE = "all", "failures", "none"
KEEPS = (KEEP_ALL, KEEP_FAILURES, KEEP_NONE)


@dataclass(frozen=True, slots=True)
class FrameFile:
    """A file as it lies on the disk: absolute path, size in bytes, time of the last change in nanoseconds.

    ``root`` is the folder below which it was found; None for a file that was named itself.
    """

    path: str
    size: int
    mtime_ns: int
    root: str | None = None


@dataclass(frozen=True, slots=True)
class BatchOutputs:
    """What is written of each solved frame: files by their names in results (``wcs``, ``new_fits`` …), and where.

    ``update`` puts the solution into the frame itself.  Files go beside the frame, or below ``out_dir`` as the frames
    lie below their folders.
    """

    kinds: tuple[str, ...] = ()
    update: bool = False
    out_dir: str | None = None

    @property
    def asked(self) -> frozenset[str]:
        """Words for all that is written, which the ledger keeps: other places are other outputs."""
        where = "" if self.out_dir is None else f":{self.out_dir}"
        return frozenset({*(kind + where for kind in self.kinds), *(("update",) if self.update else ())})


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """What the ledger holds of a frame, its result aside.

    Attributes
    ----------
    size, mtime_ns
        Of the file when its result was kept; after ``--update``, with the solution in it.
    sha256
        Of its content then, in hexadecimal; None where it was not read.
    params
        Fingerprint of the parameters that make a difference to the answer.
    outputs
        What was written, by the words of :attr:`BatchOutputs.asked`.
    fate
        One of ``FATES``.
    exit_code
        What this frame alone would end ``nova submit`` with.
    tries
        How often it was tried with this content and these parameters.
    """

    size: int
    mtime_ns: int
    sha256: str | None
    params: str
    outputs: frozenset[str]
    fate: str
    exit_code: int
    tries: int


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A row of the ledger: a frame, what is known of it, its JSON line and when that was (seconds since 1970)."""

    path: str
    known: FrameRecord
    line: str | None = None
    finished_s: float | None = None

    @property
    def result(self) -> Result | None:
        """The result that the line is of, one that says so where it is damaged; None where its turn has not come."""
        if self.line is None:
            return None
        try:
            return Result.from_json(json.loads(self.line))
        except ValueError:
            message = "its line in the ledger is damaged: solve it again with --force"
            return Result(self.path, FAILED, error=ErrorRecord(message, 70, retry_is_safe=True))


@dataclass(frozen=True, slots=True)
class RunSetup:
    """What all tasks of a run share.

    ``jobs_dir`` is where jobs are kept, ``work_dir`` where they are worked on, on the same disk; ``key`` tells one
    setup from another in a worker that has served several.
    """

    key: str
    place: str
    config: Config
    params: SolveParams
    outputs: BatchOutputs
    keep: str
    jobs_dir: str
    work_dir: str


@dataclass(frozen=True, slots=True)
class SequenceHint:
    """What a solved frame says of the next ones of its sequence.

    ``rig`` is the camera's key (:func:`novacli.rigs.store.identify_rig`) and ``target`` the header's OBJECT.
    ``aimed_deg`` is the pointing in the header and ``centre_deg`` the solved centre; both are (right ascension,
    declination), or None if unknown.  ``parity`` is the sign of det(CD).
    """

    rig: str
    target: str
    aimed_deg: tuple[float, float] | None
    centre_deg: tuple[float, float] | None
    pixscale_arcsec: float
    parity: int


@dataclass(frozen=True, slots=True)
class FrameTask:
    """One frame to be solved; a worker needs nothing else.

    ``files`` are the outputs to write, by their names in results.  ``known_sha256`` is the content that has its result
    already, so that a file that was merely touched is let be.  ``may_be_ours`` has the worker look first whether nova
    wrote the file.  ``engines`` is how many may run for it at once: one where other frames keep the cores busy, None
    where it may have those that are idle.  ``taught`` is what earlier frames of its sequence did, the nearest first.
    """

    setup: RunSetup
    frame: FrameFile
    files: tuple[tuple[str, str], ...] = ()
    known_sha256: str | None = None
    may_be_ours: bool = False
    engines: int | None = None
    taught: tuple[SequenceHint, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What came of a task; ``result`` is None where the frame has its result already, or nova wrote it (``ours``).

    ``frame`` and ``sha256`` are of the file afterwards, with the solution in it after ``--update``; ``changed`` says
    that somebody else wrote into it meanwhile, so that the result is of a file that is no more; ``written`` that all
    outputs are in place; ``taught`` what it says of the next ones of its sequence.
    """

    frame: FrameFile
    sha256: str | None = None
    result: Result | None = None
    ours: bool = False
    changed: bool = False
    written: bool = False
    taught: SequenceHint | None = None


def fate_of(result: Result) -> str:
    """Return what a result means for a frame."""
    if result.error is not None:
        return RETRIABLE if result.error.retry_is_safe else FAILED
    return result.status if result.status in (SOLVED, UNSOLVED) else RETRIABLE
