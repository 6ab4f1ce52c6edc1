"""The job directory format: job ids, file names, states, the lock.  In prose: docs/reference/job-directory.md.

A job directory is built under a name that starts with a dot and then renamed, so a visible one always has its
``job.json`` and ``job.axy``.  It is finished when it has ``result.json``, which is written last.  While a process works
on it, ``lock`` is held by flock.  A job that has neither was interrupted and can be tried again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from solvehost.errors import OutputError, RetryLaterError
from solvehost.formats.atomic import write_atomic
from solvehost.formats.trees import remove_tree
from solvehost.record import record

ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: Numbers of engine runs, each of which has an axy file and a working directory: attempts from 1 to ``MAX_ATTEMPTS``,
#: then follow-ups of candidates, and second looks at the solution.  The axy files of the last two are removed when they
#: end.
MAX_ATTEMPTS = 24
FOLLOW_UPS = range(100, 500)
SECOND_LOOKS = range(500, 510)
#: Version of ``manifest.json``, in the directory and on the wire.
MANIFEST_FORMAT = 1

REQUEST = "job.json"
RESULT = "result.json"
MANIFEST = "manifest.json"
LOCK = "lock"
#: States on which server a job is that is to be fetched later.
REMOTE = "remote.json"
LOG = "backend.log"
#: The log of one attempt, in its working directory.
RUN_LOG = "log"
WCS, CORR, RDLS = "wcs.fits", "corr.fits", "rdls.fits"
#: The files of a solution, in the order in which they are put in place.
OUTPUTS = (CORR, RDLS, WCS)
_STAGING = ".new-"
_RUN = ".run-"

RUNNING, INTERRUPTED = "running", "interrupted"


def new_id() -> str:
    """Return a fresh job id: 64 random bits in hexadecimal."""
    return os.urandom(8).hex()


def is_id(text: str) -> bool:
    """Return True if ``text`` is a well-formed job id."""
    return ID_PATTERN.fullmatch(text) is not None


def axy_name(number: int) -> str:
    """Return the file name of attempt ``number`` (1-based): ``job.axy``, ``job-2.axy`` …"""
    return "job.axy" if number == 1 else f"job-{number}.axy"


@record
class JobDir:
    """One job directory: every path in it, its state and its lock."""

    path: Path

    @property
    def job_id(self) -> str:
        """The job's id, which is the directory's name."""
        return self.path.name.removeprefix(_STAGING)

    @property
    def log(self) -> Path:
        """The engines' log."""
        return self.path / LOG

    @property
    def wcs(self) -> Path:
        """The solution: a FITS header."""
        return self.path / WCS

    def axy(self, number: int = 1) -> Path:
        """The star list and parameters of attempt ``number``."""
        return self.path / axy_name(number)

    def attempts(self) -> list[int]:
        """Return the numbers of the attempts whose axy files exist, in order."""
        return [n for n in range(1, MAX_ATTEMPTS + 1) if self.axy(n).exists()]

    def run_dir(self, number: int) -> Path:
        """The engine's working directory for attempt ``number``, which exists only during the race."""
        return self.path / f"{_RUN}{number}"

    def run_dirs(self) -> list[Path]:
        """Return the working directories that exist."""
        return sorted(self.path.glob(f"{_RUN}*"))

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return the content of a JSON file, None if it is missing or is not a JSON object."""
        try:
            value = json.loads(_read_regular(self.path / name))
        except (OSError, ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        """Replace a JSON file of the directory in one step."""
        write_atomic(self.path / name, (json.dumps(value) + "\n").encode())

    def state(self) -> str:
        """Return ``solved``, ``unsolved`` or ``failed`` of a finished job, else ``running`` or ``interrupted``."""
        result = self.read_json(RESULT)
        if result is not None:
            return str(result.get("status", "failed"))
        return RUNNING if self.is_locked() else INTERRUPTED

    def is_locked(self) -> bool:
        """Return True if a process works on the job."""
        try:
            with self._open_lock(os.O_RDONLY) as fd:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    @contextlib.contextmanager
    def _open_lock(self, flags: int = os.O_RDWR | os.O_CREAT) -> Iterator[int]:
        fd = os.open(self.path / LOCK, flags | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)  # a FIFO must not block
        try:
            yield fd
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the job's lock.

        Raises
        ------
        RetryLaterError
            If another process holds it.
        """
        with self._open_lock() as fd:
            if not _flock_soon(fd) or not self._is_lock(fd):
                raise RetryLaterError(f"job {self.job_id} is being worked on by another process")
            yield

    def _is_lock(self, fd: int) -> bool:
        """Return True if an open file is still the job's lock: the job may have been removed or replaced since."""
        try:
            return os.path.samestat(os.fstat(fd), (self.path / LOCK).stat())
        except OSError:
            return False

    def clear_results(self) -> None:
        """Remove the files of an earlier run, ``result.json`` first, so that the job is unfinished from then on."""
        for name in (RESULT, REMOTE, MANIFEST, *reversed(OUTPUTS), LOG):
            (self.path / name).unlink(missing_ok=True)
        for run in self.run_dirs():
            remove_tree(run)
        attempts = [self.axy(number) for number in self.attempts()]
        of_extra_runs = [path for path in self.path.glob("job-*.axy") if path not in attempts]
        for left_over in (*of_extra_runs, *self.path.glob(".*.????????")):  # by a race or a write that was killed
            left_over.unlink(missing_ok=True)


def _flock_soon(fd: int) -> bool:
    """Return True if an exclusive lock was taken; retry briefly, since a check by :meth:`JobDir.is_locked` holds it."""
    for pause_s in (0.005, 0.02, 0.08, None):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if pause_s is not None:
                time.sleep(pause_s)
        else:
            return True
    return False


def create(root: Path, job_id: str | None = None) -> JobDir:
    """Make a new staged directory under ``root``, by default with a fresh id; :func:`publish` makes it visible.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    path = root / f"{_STAGING}{job_id or new_id()}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
    except OSError as exc:
        raise OutputError(f"{root}: {exc.strerror}: a job directory cannot be made there") from exc
    return JobDir(path)


def publish(staged: JobDir) -> JobDir:
    """Rename a staged directory to its id, and return it.

    Raises
    ------
    OutputError
        If it cannot be renamed.
    """
    final = staged.path.with_name(staged.job_id)
    try:
        staged.path.rename(final)
    except OSError as exc:
        raise OutputError(f"{final}: {exc.strerror}: the job directory cannot be put in place") from exc
    return JobDir(final)


def discard(job: JobDir) -> None:
    """Remove a job directory, after renaming it so that a partly removed job is never visible under its id."""
    hidden = job.path
    if not job.path.name.startswith("."):
        hidden = job.path.with_name(f"{_STAGING}{job.job_id}.{os.urandom(4).hex()}")
        job.path.rename(hidden)
    remove_tree(hidden)


def list_jobs(root: Path) -> list[JobDir]:
    """Return the job directories under ``root``, unordered."""
    try:
        with os.scandir(root) as entries:
            return [JobDir(root / e.name) for e in entries if is_id(e.name) and e.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def list_staged(root: Path) -> list[Path]:
    """Return the staged directories under ``root``, which unfinished or killed processes left."""
    return sorted(root.glob(f"{_STAGING}*"))


def _read_regular(path: Path) -> bytes:
    """Return the content of a regular file; a FIFO, a device or a link raises OSError and blocks nothing."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(fd, "rb") as stream:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return stream.read()
