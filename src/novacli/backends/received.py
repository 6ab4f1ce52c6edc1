"""Put the result files of another machine into a job directory, the WCS last.

Another machine is not trusted.  Its files stay in a hidden directory until :mod:`novacli.backends.result_check` has
checked all of them and written them anew.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from novacli.backends.base import UnusableReplyError
from novacli.backends.result_check import check_and_rewrite
from novacli.errors import NovaError, OutputError
from solvehost.engine import result_files
from solvehost.formats import axy
from solvehost.formats.jobdir import LOG, OUTPUTS, JobDir
from solvehost.wire import escape

_STAGING = ".run-reply"


def put_in_place(
    job: JobDir,
    files: Mapping[str, bytes],
    winner: int | None,
    server: str,
    is_doubtful: Callable[[Path], bool] = lambda _folder: False,
    *,
    sent: Sequence[int],
    needs_matches: bool = False,
) -> bool:
    """Check result files, and put them into the job directory.

    Parameters
    ----------
    job
        The job directory.  The log is appended to the log of earlier requests.
    files
        The result files by name.
    winner
        The number of the attempt that solved; None if none did, and then only the log is kept.
    server
        The name of the server, for messages.
    is_doubtful
        Called with the folder that holds the files; if it returns True, they are discarded.
    sent
        The numbers of the attempts that were sent in the same request.
    needs_matches
        True to require ``corr.fits``, which solvehost always sends; an engine of the original script may not write it.

    Returns
    -------
    bool
        False if the files were discarded as doubtful.

    Raises
    ------
    UnusableReplyError
        If they are not the result of a solve; the directory is as before.
    OutputError
        If they cannot be written.
    """
    # Without a solution the other files cannot be checked.
    wanted = (LOG,) if winner is None else (LOG, *OUTPUTS)
    try:
        with _staging(job) as folder:
            for name in wanted:
                if name in files:
                    data = _log_so_far(job) + files[name] if name == LOG else files[name]
                    (folder / name).write_bytes(data)
            if winner is not None:
                _check(job, folder, sent, server, needs_matches=needs_matches)
                if is_doubtful(folder):
                    return False
            _move(job, folder)
            return True
    except OSError as exc:
        raise OutputError(f"{job.path}: {exc.strerror or exc}: the results cannot be written") from exc


@contextlib.contextmanager
def _staging(job: JobDir) -> Iterator[Path]:
    """Make a hidden directory; the next run removes it if this process is killed."""
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
    """Return the log of earlier requests for the same job; a symbolic link is not followed."""
    return job.log.read_bytes() if result_files.is_plain_file(job.log) else b""


def _check(job: JobDir, folder: Path, sent: Sequence[int], server: str, *, needs_matches: bool) -> None:
    try:
        check_and_rewrite(folder, [axy.read(job.axy(number)) for number in sent], needs_matches=needs_matches)
    except (NovaError, ArithmeticError, ValueError) as exc:
        reason = str(exc).replace(f"{folder}/", "").removesuffix("; solve the image again")
        raise UnusableReplyError(f"{server}: what it sent back cannot be used: {escape(reason, 300)}") from exc


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
