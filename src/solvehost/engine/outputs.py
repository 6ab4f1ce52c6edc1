"""What a race leaves in the job directory: the winner's files, and no working directory."""

from __future__ import annotations

import contextlib
from pathlib import Path

from solvehost.engine.result_files import is_complete
from solvehost.errors import OutputError
from solvehost.formats.jobdir import OUTPUTS, JobDir
from solvehost.formats.trees import remove_tree


def place_outputs(job: JobDir, number: int) -> None:
    """Move a winner's files from its working directory into the job directory, all or none.

    Raises
    ------
    OutputError
        If they cannot be moved.
    """
    try:
        move_outputs(job.run_dir(number), job.path)
    except OutputError:
        for name in OUTPUTS:
            with contextlib.suppress(OSError):
                (job.path / name).unlink(missing_ok=True)
        raise


def move_outputs(source: Path, target: Path) -> None:
    """Move the complete result files from one directory to another, the WCS last.

    Raises
    ------
    OutputError
        If one cannot be moved; the WCS is then where it was.
    """
    try:
        for name in OUTPUTS:
            if is_complete(source / name):
                (source / name).replace(target / name)
    except OSError as exc:
        raise OutputError(f"{target}: {exc.strerror}: the results cannot be put in place") from exc


def remove_run_dirs(job: JobDir) -> None:
    """Remove the working directories of all attempts."""
    for run_dir in job.run_dirs():
        remove_tree(run_dir)
