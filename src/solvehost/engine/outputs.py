"""What a race leaves in the job directory: the winner's files, all that the engines said, and no working directory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from solvehost.engine import engine
from solvehost.errors import DiskError
from solvehost.formats.jobdir import LOG, OUTPUTS, JobDir, remove_tree


def place_outputs(job: JobDir, number: int) -> None:
    """Move a winner's files from its working directory into the job directory; all or none.

    Raises
    ------
    DiskError
        Where they cannot be moved.
    """
    try:
        move_outputs(job.run_dir(number), job.path)
    except OSError as exc:
        for name in OUTPUTS:
            with contextlib.suppress(OSError):
                (job.path / name).unlink(missing_ok=True)
        raise DiskError(f"{job.path}: {exc.strerror}: the results cannot be put in place") from exc


def move_outputs(source: Path, target: Path) -> None:
    """Move the result files that are whole from one directory to another, the WCS last."""
    for name in OUTPUTS:
        if engine.is_whole(source / name):
            (source / name).replace(target / name)


def write_log(job: JobDir, outcomes: Iterable[engine.Outcome]) -> None:
    """Join the attempts' logs into the job's, each under a line that says which it is."""
    parts = []
    for o in outcomes:
        parts.append(f"== {o.label}: {o.outcome} after {o.seconds:.2f} s\n".encode())
        parts.append(engine.log_text(job, o.number))
    with contextlib.suppress(OSError), (job.path / LOG).open("ab") as log:
        log.write(b"".join(parts))


def remove_run_dirs(job: JobDir) -> None:
    """Remove the working directories of all attempts."""
    for where in job.run_dirs():
        remove_tree(where)
