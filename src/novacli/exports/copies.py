"""Copy a result file of a job to the place that the user named."""

from __future__ import annotations

import shutil
from pathlib import Path

from novacli.errors import OutputError
from novacli.files.atomic import reading, replacing


def copy_result(source: Path, target: Path) -> None:
    """Copy a job's result file to ``target``, which holds the whole copy or what it held before.

    Raises
    ------
    OutputError
        If the job has no such file, or if the copy cannot be written.
    UsageError
        If ``target`` is ``-``.
    """
    try:
        stream = source.open("rb")
    except OSError as exc:
        raise OutputError(f"{target} was not written: the job's {source} cannot be read: {exc.strerror}") from exc
    with stream, replacing(target) as out:
        shutil.copyfileobj(reading(stream, str(source)), out)
