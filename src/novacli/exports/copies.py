"""Copies of a job's result files to where the user wants them."""

from __future__ import annotations

import shutil
from pathlib import Path

from novacli.errors import OutputError
from novacli.files.atomic import replacing
from solvehost.formats import jobdir


def write_copies(
    directory: Path,
    *,
    wcs: Path | None = None,
    corr: Path | None = None,
    rdls: Path | None = None,
    axy: Path | None = None,
    attempt: int = 1,
) -> tuple[Path, ...]:
    """Copy result files of the job in ``directory``, each atomically, and return what was written.

    ``attempt`` is the number of the attempt whose star list ``axy`` asks for.

    Raises
    ------
    OutputError
        Where the job has no such file, or a copy cannot be written.
    UsageError
        Where a target is ``-``.
    """
    asked = ((jobdir.WCS, wcs), (jobdir.CORR, corr), (jobdir.RDLS, rdls), (jobdir.axy_name(attempt), axy))
    wanted = [(directory / name, target) for name, target in asked if target is not None]
    for source, target in wanted:
        _copy(source, target)
    return tuple(target for _, target in wanted)


def _copy(source: Path, target: Path) -> None:
    try:
        stream = source.open("rb")
    except OSError as exc:
        raise OutputError(f"{target}: not written, for {source} cannot be read: {exc.strerror}") from exc
    with stream, replacing(target) as out:
        shutil.copyfileobj(stream, out)
