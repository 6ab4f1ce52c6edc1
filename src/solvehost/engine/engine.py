"""One attempt and ``astrometry-engine``: find the engine, start it on an axy, judge what it left.

Success is a whole, finite wcs.fits, never the exit code: the engine exits 0 whether or not it solved.
"""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
import stat
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from solvehost.engine import sandbox
from solvehost.engine.exec_helper import EXIT_NOT_STARTED
from solvehost.engine.process import Child, Limits
from solvehost.errors import DataError, DiskError, UnavailableError
from solvehost.formats import axy, fitsfile, star_table
from solvehost.formats.jobdir import OUTPUTS, RUN_LOG, WCS, JobDir
from solvehost.indexes import index_file, selection

SOLVED, EXHAUSTED, CRASHED, NO_INDEX, STOPPED = "solved", "exhausted", "crashed", "no-index", "stopped"
#: It found a match that rests on clumps (see ``clumps.py``), which is none.
DOUBTFUL = "doubtful"

_CONFIG = "engine.cfg"
#: A disk with less room than this has been filled.
_FULL_BYTES = 64 * 2**10
#: Of a longer log, this much of its beginning and of its end is kept: an engine may write megabytes a second.
_LOG_END_BYTES = 2**19
_FAILED_INDEX = re.compile(rb'(?:Failed to (?:add|load)|Couldn\'t find) index (?:from path )?"?([^"\n]+?)"?\.?\n')
#: The cards of a TAN solution, in the order in which ``Attempt.verify_wcs`` holds them.
WCS_CARDS = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")


@dataclass(frozen=True, slots=True)
class Plan:
    """An attempt with the index files that serve it, in the order in which the engine takes them."""

    number: int
    attempt: axy.Attempt
    files: tuple[index_file.IndexFile, ...]

    @property
    def label(self) -> str:
        """What logs and progress lines call it."""
        return self.attempt.schedule.label or f"attempt {self.number}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended: solved, doubtful, exhausted, crashed, no-index or stopped (by another, or time was up)."""

    number: int
    label: str
    outcome: str
    seconds: float
    cpu_s: float


def find(name: str = "astrometry-engine", search: str | None = None) -> Path:
    """Return the engine's path: ``name`` itself if it has a slash, else looked up in ``search`` (None: on PATH).

    Raises
    ------
    UnavailableError
        With what to install.
    """
    found = shutil.which(name, path=search)
    if found is None:
        raise UnavailableError(
            f"{name} was not found: install it (Debian, Ubuntu: apt install astrometry.net; "
            "macOS: brew install astrometry-net; conda: conda install -c conda-forge astrometry)"
        )
    return Path(found).absolute()


def plan(job: JobDir, number: int, files: tuple[index_file.IndexFile, ...]) -> Plan:
    """Read attempt ``number`` of a job and choose its index files."""
    attempt = axy.read(job.axy(number))
    return Plan(number, attempt, selection.select(attempt, files))


def start(job: JobDir, todo: Plan, engine: Path, limits: Limits) -> Child:
    """Start the engine on an attempt, in a working directory of the attempt's own.

    Raises
    ------
    DiskError
        Where that directory cannot be made.
    UnavailableError
        Where no process can be started.
    """
    where = job.run_dir(todo.number)
    try:
        where.mkdir(mode=0o700)
        parallel = "inparallel\n" if todo.attempt.schedule.parallel else ""
        config = parallel + "".join(f"index {f.path}\n" for f in todo.files)
        (where / _CONFIG).write_bytes(os.fsencode(config))
    except OSError as exc:
        raise DiskError(f"{where}: {exc.strerror}: the engine's working directory cannot be made") from exc
    command = [str(engine), "-c", _CONFIG, f"../{job.axy(todo.number).name}"]
    reads = (job.axy(todo.number), *(f.path for f in todo.files))
    rules = sandbox.rules(engine, where, reads) if limits.confined else ""
    return Child(command, where, where / RUN_LOG, limits, rules)


def judge(job: JobDir, number: int, exit_status: int) -> str:
    """Say how an attempt whose engine has ended came out: solved, exhausted or crashed.

    Raises
    ------
    UnavailableError
        Where the engine is no program that can be run.
    DiskError
        Where it failed on a full disk.
    """
    if exit_status == EXIT_NOT_STARTED:
        reason = log_text(job, number).decode(errors="replace").strip()
        raise UnavailableError(f"the engine cannot be run ({reason}): install it again, or name another")
    wcs = job.run_dir(number) / WCS
    solved = _has_solution(wcs)
    left = [wcs.with_name(name) for name in OUTPUTS if os.path.lexists(wcs.with_name(name))]
    if not solved or not all(map(is_whole, left)):
        _refuse_full_disk(wcs.parent)
    if solved:
        return SOLVED
    return EXHAUSTED if exit_status == 0 and wcs not in left else CRASHED


def _has_solution(wcs: Path) -> bool:
    try:
        check_wcs(wcs)
    except (DataError, OSError):
        return False
    return True


def _refuse_full_disk(where: Path) -> None:
    """Say so where a disk is full, before what filled it goes: the engine leaves half a file then, and exits 0."""
    try:
        found = os.statvfs(where)
    except OSError:
        return
    if found.f_blocks and found.f_bavail * found.f_frsize < _FULL_BYTES:
        raise DiskError(f"{where.parent}: the disk is full: make room")


def is_plain_file(path: Path) -> bool:
    """Say whether ``path`` is a regular file of one name: no link to elsewhere, no pipe, no device."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def open_plain_file(path: Path) -> BinaryIO:
    """Open what :func:`is_plain_file` says yes to, and nothing else, though an engine changes it at this moment.

    Raises
    ------
    OSError
        Where it is something else, or not there; a pipe is not waited for.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no regular file of one name", str(path))
    return os.fdopen(fd, "rb")


def read_matches(corr: Path, names: tuple[str, ...]) -> list[array[float]]:
    """Return columns of a corr.fits, which an engine left, so it may be anything.

    Raises
    ------
    DataError
        Where it is no plain file, or has no such columns.
    """
    if not is_plain_file(corr):  # a pipe would be waited for, for ever
        raise DataError(f"{corr.name} is no regular file")
    return star_table.read_columns(corr, names)


def is_whole(path: Path) -> bool:
    """Say whether a result file is a plain file, and FITS to its end; ``check_wcs`` looks closer at the solution."""
    if not is_plain_file(path):
        return False
    try:
        with path.open("rb") as stream:
            return path.name == WCS or len(list(fitsfile.iter_hdus(stream))) > 0
    except (DataError, OSError):
        return False


def check_wcs(path: Path) -> None:
    """Hold a wcs.fits to what a whole one has: whole blocks, an END card, finite numbers, an invertible CD matrix.

    Raises
    ------
    DataError
        Saying what is wrong.
    """
    if not is_plain_file(path):
        raise DataError(f"{path.name} is no regular file")
    size = path.stat().st_size
    if size == 0 or size % fitsfile.BLOCK:
        raise DataError(f"{path.name} has {size} bytes, which is no whole number of FITS blocks")
    header = fitsfile.read_primary_header(path)
    values = [header.get(k) for k in WCS_CARDS]
    numbers = [float(v) for v in values if not isinstance(v, str) and v is not None]
    if len(numbers) < len(WCS_CARDS) or not all(map(math.isfinite, numbers)):
        raise DataError(f"{path.name} has no finite solution in it")
    *_, cd11, cd12, cd21, cd22 = numbers
    if cd11 * cd22 - cd12 * cd21 == 0:
        raise DataError(f"{path.name} has a CD matrix that cannot be inverted")


def log_text(job: JobDir, number: int) -> bytes:
    """Return what the engine of an attempt has logged so far, the middle of a very long log left out."""
    try:
        with open_plain_file(job.run_dir(number) / RUN_LOG) as stream:
            head = stream.read(_LOG_END_BYTES)
            left_out = stream.seek(0, os.SEEK_END) - 2 * _LOG_END_BYTES
            stream.seek(max(len(head), left_out + _LOG_END_BYTES))
            tail = stream.read(_LOG_END_BYTES)
    except OSError:
        return b""
    return head + (b"\n... %d bytes left out ...\n" % left_out if left_out > 0 else b"") + tail


def failed_indexes(log: bytes) -> set[str]:
    """Return the index files that the engine's log says did not load."""
    return {m.decode(errors="replace") for m in _FAILED_INDEX.findall(log)}
