"""The result files of a job directory, read whole and of bounded size."""

from __future__ import annotations

from pathlib import Path

from novacli.errors import DataError
from solvehost.record import record

#: The engine writes no larger result file.
MAX_FILE_BYTES = 16 * 2**20


@record
class ResultFiles:
    """The bytes of the files that a solve writes; None for a file that is missing."""

    wcs: bytes
    corr: bytes | None = None
    rdls: bytes | None = None
    axy: bytes | None = None


def read_result_file(path: Path) -> bytes | None:
    """Return the bytes of a result file, None if it is missing.

    Raises
    ------
    DataError
        If it cannot be read, or is larger than any result of the engine.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise DataError(f"{path}: {exc.strerror}: the result cannot be read; solve the image again") from exc
    if len(data) > MAX_FILE_BYTES:
        raise DataError(f"{path}: it is larger than any result of the engine; solve the image again")
    return data
