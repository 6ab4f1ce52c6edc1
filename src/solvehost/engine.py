"""One attempt and ``astrometry-engine``: find the engine, start it on an axy, judge what it left.

Success is a whole, finite wcs.fits, never the exit code: the engine exits 0 whether or not it solved.
"""

from __future__ import annotations

import math
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from solvehost import axy, fitsfile, indexes
from solvehost.errors import DataError, DiskError, UnavailableError
from solvehost.jobdir import JobDir
from solvehost.process import Child, Limits

SOLVED, EXHAUSTED, CRASHED, NO_INDEX, STOPPED = "solved", "exhausted", "crashed", "no-index", "stopped"

_CONFIG, _LOG = "engine.cfg", "log"
_FAILED_INDEX = re.compile(rb'Failed to (?:add|load) index (?:from path )?"?([^"\n]+?)"?\.?\n')
#: The cards of a TAN solution, in the order in which ``Attempt.verify_wcs`` holds them.
WCS_CARDS = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")


@dataclass(frozen=True, slots=True)
class Plan:
    """An attempt with the index files that serve it, in the order in which the engine takes them."""

    number: int
    attempt: axy.Attempt
    files: tuple[indexes.IndexFile, ...]

    @property
    def label(self) -> str:
        """What logs and progress lines call it."""
        return self.attempt.schedule.label or f"attempt {self.number}"


def find(name: str = "astrometry-engine") -> Path:
    """Return the engine's path: ``name`` itself if it has a slash, else looked up on PATH.

    Raises
    ------
    UnavailableError
        With what to install.
    """
    found = shutil.which(name)
    if found is None:
        raise UnavailableError(
            f"{name} was not found: install it (Debian, Ubuntu: apt install astrometry.net; "
            "macOS: brew install astrometry-net; conda: conda install -c conda-forge astrometry)"
        )
    return Path(found).absolute()


def plan(job: JobDir, number: int, files: tuple[indexes.IndexFile, ...]) -> Plan:
    """Read attempt ``number`` of a job and choose its index files."""
    attempt = axy.read(job.axy(number))
    return Plan(number, attempt, indexes.select(attempt, files))


def start(job: JobDir, todo: Plan, engine: Path, limits: Limits) -> Child:
    """Start the engine on an attempt, in a working directory of the attempt's own.

    Raises
    ------
    DiskError
        Where that directory cannot be made.
    """
    where = job.run_dir(todo.number)
    try:
        where.mkdir(mode=0o700)
        parallel = "inparallel\n" if todo.attempt.schedule.parallel else ""
        (where / _CONFIG).write_text(parallel + "".join(f"index {f.path}\n" for f in todo.files))
    except OSError as exc:
        raise DiskError(f"{where}: {exc.strerror}: the engine's working directory cannot be made") from exc
    command = [str(engine), "-c", _CONFIG, f"../{job.axy(todo.number).name}"]
    return Child(command, where, where / _LOG, limits)


def judge(job: JobDir, number: int, exit_status: int) -> str:
    """Say how an attempt whose engine has ended came out: solved, exhausted or crashed."""
    wcs = job.run_dir(number) / axy.WCS
    if wcs.exists():
        try:
            check_wcs(wcs)
        except DataError:
            return CRASHED
        return SOLVED
    return EXHAUSTED if exit_status == 0 else CRASHED


def check_wcs(path: Path) -> None:
    """Hold a wcs.fits to what a whole one has: whole blocks, an END card, finite numbers, an invertible CD matrix.

    Raises
    ------
    DataError
        Saying what is wrong.
    """
    if not path.is_file() or path.is_symlink():
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
    """Return what the engine of an attempt has logged so far."""
    try:
        return (job.run_dir(number) / _LOG).read_bytes()
    except FileNotFoundError:
        return b""


def failed_indexes(log: bytes) -> set[str]:
    """Return the index files that the engine's log says did not load."""
    return {m.decode(errors="replace") for m in _FAILED_INDEX.findall(log)}
