"""What a server sent back, checked beside and then put into the job directory, the WCS last.

A server is hostile until checked: nothing of its reply is visible in the directory before the whole of it has been
held to what the local engine's results are held to.  Nothing of its manifest is kept as it stands, either.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from novacli.backends.base import UnusableReplyError
from novacli.backends.ssh.packing import Packet
from novacli.errors import DataError, NovaError
from novacli.solution.reading import read_solution
from solvehost.engine import records, result_files
from solvehost.engine.logs import label_of
from solvehost.engine.manifest import build_manifest
from solvehost.engine.records import AttemptOutcome, RaceResult
from solvehost.errors import DiskError, SolvehostError
from solvehost.formats import axy
from solvehost.formats.jobdir import LOG, MANIFEST, OUTPUTS, RDLS, WCS, JobDir
from solvehost.wire import Reply, escape

_OUTCOMES = (records.SOLVED, records.EXHAUSTED, records.CRASHED, records.NO_INDEX, records.STOPPED, records.DOUBTFUL)
#: A race of 16 attempts with its second looks has fewer.
_MAX_OUTCOMES = 64
_MAX_INDEXES = 10_000
_STAGING = ".run-reply"


def unpack(job: JobDir, packet: Packet, reply: Reply, server: str, earlier: RaceResult | None = None) -> RaceResult:
    """Put the reply to ``packet`` into the job directory, and return how the race went, ``earlier`` ones included.

    Raises
    ------
    UnusableReplyError
        Where the reply is not what a solve leaves; the directory is as before.
    DiskError
        Where it cannot be written: this machine's fault, so no other server is asked.
    """
    race = read_race(job, packet, reply, server)
    place(job, reply.files, race.winner, server)
    if earlier is not None:
        race = _joined(earlier, race)
    manifest = reply.manifest or {}
    described = build_manifest(job, race, engine=_text(manifest.get("engine")), client=_text(manifest.get("client")))
    job.write_json(MANIFEST, {**described, "version": _text(manifest.get("version"))})
    return race


def read_race(job: JobDir, packet: Packet, reply: Reply, server: str) -> RaceResult:
    """Return how the race went, by its manifest, under the job's own numbers and labels of the attempts.

    Raises
    ------
    UnusableReplyError
        Where the manifest says what cannot be.
    """
    manifest = reply.manifest
    if manifest is None:
        raise UnusableReplyError(f"{server}: it sent no manifest: it speaks another protocol than it said")
    winner = None if manifest["winner"] is None else packet.own_number(manifest["winner"])
    if (winner is None) == (manifest["status"] == records.SOLVED):
        raise UnusableReplyError(f"{server}: it says that an attempt solved which was not sent: do not trust it")
    return RaceResult(
        status=manifest["status"],
        reason=manifest["reason"],
        winner=winner,
        attempts=tuple(_outcome(job, packet, a) for a in manifest["attempts"][:_MAX_OUTCOMES]),
        indexes=_names(manifest["indexes"]["loaded"]),
        indexes_failed=_names(manifest["indexes"]["failed"]),
        seconds=round(float(manifest["seconds"]), 3),
        cpu_s=round(float(manifest["cpu_s"]), 3),
    )


def _joined(earlier: RaceResult, race: RaceResult) -> RaceResult:
    return replace(
        race,
        attempts=(*earlier.attempts, *race.attempts),
        indexes=tuple(sorted({*earlier.indexes, *race.indexes})),
        indexes_failed=tuple(sorted({*earlier.indexes_failed, *race.indexes_failed})),
        seconds=round(earlier.seconds + race.seconds, 3),
        cpu_s=round(earlier.cpu_s + race.cpu_s, 3),
    )


def _outcome(job: JobDir, packet: Packet, said: Mapping[str, Any]) -> AttemptOutcome:
    number = packet.own_number(said["number"])
    label = escape(said["label"], 60) if number is None else label_of(job, number)
    outcome = said["outcome"] if said["outcome"] in _OUTCOMES else records.STOPPED
    shown = min(max(said["number"], 0), 10**6) if number is None else number
    return AttemptOutcome(shown, label, outcome, round(float(said["seconds"]), 3), round(float(said["cpu_s"]), 3))


def _names(names: list[str]) -> tuple[str, ...]:
    return tuple(escape(name, 255) for name in names[:_MAX_INDEXES])


def _text(value: object) -> str:
    return escape(value, 255) if isinstance(value, str) else ""


def place(
    job: JobDir,
    files: Mapping[str, bytes],
    winner: int | None,
    server: str,
    doubts: Callable[[Path], bool] = lambda _folder: False,
) -> bool:
    """Check result files and put them into the job directory; the log is added to what is there.

    Return False, and keep none, where ``doubts`` says of the folder in which they lie until then that they are not
    to be believed.

    Raises
    ------
    UnusableReplyError
        Where they are not what a solve leaves; the directory is as before.
    DiskError
        Where they cannot be written.
    """
    # Without a solution there is nothing that the others could be held to.
    wanted = (LOG,) if winner is None else (LOG, *OUTPUTS)
    try:
        with _staging(job) as folder:
            for name in wanted:
                if name in files:
                    data = _log_so_far(job) + files[name] if name == LOG else files[name]
                    (folder / name).write_bytes(data)
            if winner is not None:
                _check(job, folder, winner, server)
                if doubts(folder):
                    return False
            _move(job, folder)
            return True
    except OSError as exc:
        raise DiskError(f"{job.path}: {exc.strerror or exc}: the results cannot be put in place") from exc


@contextlib.contextmanager
def _staging(job: JobDir) -> Iterator[Path]:
    """Make a hidden directory that a later run clears away if this one does not live to."""
    folder = job.path / _STAGING
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _log_so_far(job: JobDir) -> bytes:
    """Return the log of earlier requests of the same job; never that of a file elsewhere."""
    return job.log.read_bytes() if result_files.is_plain_file(job.log) else b""


def _check(job: JobDir, folder: Path, winner: int, server: str) -> None:
    try:
        result_files.check_wcs(folder / WCS)
        solution = read_solution(folder, is_fits_like=True)
        sent = axy.read(job.axy(winner))
        if (solution.tan_sip.width, solution.tan_sip.height) != (sent.width, sent.height):
            raise DataError(f"{WCS} is of an image of another size")
        if solution.files.rdls is not None:
            _check_table(solution.files.rdls)
    except (NovaError, SolvehostError, ArithmeticError, ValueError) as exc:
        why = str(exc).replace(f"{folder}/", "").removesuffix("; solve the image again")
        raise UnusableReplyError(f"{server}: what it sent back cannot be used: {escape(why, 300)}") from exc


def _check_table(rdls: bytes) -> None:
    from novacli.fits import tables

    try:
        tables.read_table(rdls)
    except DataError as exc:
        raise DataError(f"{RDLS}: {exc}") from exc


def _move(job: JobDir, folder: Path) -> None:
    """Rename the files into place, the WCS last; all or none of the results."""
    try:
        for name in (LOG, *OUTPUTS):
            if (folder / name).exists():
                (folder / name).replace(job.path / name)
    except OSError:
        for name in OUTPUTS:
            with contextlib.suppress(OSError):
                (job.path / name).unlink(missing_ok=True)
        raise
