"""A job of the server's, as its directory says it: whose it is, its state, its size; and what may be done with it.

A client's id is never a path: it stands in ``record.json``.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from solvehost.errors import BusyError
from solvehost.formats import jobdir
from solvehost.formats.jobdir import MANIFEST, RESULT, JobDir
from solvehost.wire.json_lines import FAILED, INTERRUPTED, RUNNING, SOLVED, UNSOLVED, WAITING, JobLine

RECORD, STARTED, CANCEL = "record.json", "started", "cancel"
#: What ``st_blocks`` counts, whatever the file system's own blocks are.
_BLOCK = 512


class StoredJob(NamedTuple):
    """A detached job, as its directory says it."""

    job: JobDir

    @property
    def exists(self) -> bool:
        """Whether there is such a job."""
        return (self.job.path / RECORD).exists()

    def record(self) -> dict[str, Any]:
        """Return what is known of it from the beginning: client, id, digest of the request, created."""
        return self.job.read_json(RECORD) or {}

    def line(self) -> JobLine:
        """Return the line that clients see of it."""
        record, result = self.record(), self.job.read_json(RESULT) or {}
        return JobLine(
            id=str(record.get("id", "")),
            state=self.state(),
            created=str(record.get("created", "")),
            finished=result.get("finished"),
            size_bytes=self.size_bytes(),
            exit_code=result.get("exit_code"),
            message=result.get("message"),
        )

    def state(self) -> str:
        """Return its state."""
        result = self.job.read_json(RESULT)
        if result is None and self.job.is_locked():
            return RUNNING if (self.job.path / STARTED).exists() else WAITING
        if result is None:  # unless it came to its end between the two looks
            result = self.job.read_json(RESULT)
        if result is None:
            return INTERRUPTED
        status = str(result.get("status", FAILED))
        if status not in (SOLVED, UNSOLVED):
            return FAILED
        # Without its manifest it has no reply, and is to be solved anew.
        return status if (self.job.path / MANIFEST).exists() else INTERRUPTED

    def size_bytes(self) -> int:
        """Return how many bytes of the disk its files take."""
        return sum(_sizes(self.job.path))

    def touched_s(self) -> float:
        """Return when it was finished, else made, in seconds since 1970."""
        for name in (RESULT, RECORD):
            with contextlib.suppress(OSError):
                return (self.job.path / name).stat().st_mtime
        return self.job.path.stat().st_mtime

    def cancel(self) -> None:
        """Ask whoever runs it to stop."""
        (self.job.path / CANCEL).touch(mode=0o600)

    def is_cancelled(self) -> bool:
        """Say whether somebody asked to stop it."""
        return (self.job.path / CANCEL).exists()

    def remove(self) -> bool:
        """Remove it unless somebody works on it; say whether it went."""
        try:
            with self.job.locked():
                jobdir.discard(self.job)
        except BusyError:
            return False
        return True


def describe(job: JobDir, client: str, job_id: str) -> None:
    """Say in a plain job's directory whose it is, for the sysadmin; not forced to disk, since it goes with the job."""
    record = {"client": client, "id": job_id}
    with contextlib.suppress(OSError):
        (job.path / RECORD).write_text(json.dumps(record) + "\n", encoding="ascii")


def _sizes(folder: Path) -> Iterator[int]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(Path(entry.path))
                else:
                    found = entry.stat(follow_symlinks=False)
                    # Small files take whole blocks; sparse ones may yet be filled.
                    yield max(found.st_size, found.st_blocks * _BLOCK)


def folder_bytes(folder: Path) -> int:
    """Return how many bytes of the disk the files below a directory take, or will if they are filled."""
    return sum(_sizes(folder))
