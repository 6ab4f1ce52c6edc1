"""A job in the state directory: its owner, state and size as its files tell them, and how to cancel or remove it.

The id that a client chose is never part of a path: it is in ``record.json``.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, NamedTuple

from solvehost.errors import RetryLaterError
from solvehost.formats import jobdir
from solvehost.formats.jobdir import LOG, MANIFEST, OUTPUTS, RESULT, JobDir
from solvehost.formats.trees import tree_bytes
from solvehost.wire.json_lines import FAILED, INTERRUPTED, RUNNING, SOLVED, UNSOLVED, WAITING, JobLine

RECORD, STARTED, CANCEL = "record.json", "started", "cancel"


class StoredJob(NamedTuple):
    """A detached job, as its directory describes it."""

    job: JobDir

    @property
    def exists(self) -> bool:
        """Whether the job exists."""
        return (self.job.path / RECORD).exists()

    def record(self) -> dict[str, Any]:
        """Return the facts that were recorded when the job was stored: client, id, digest of the request, time."""
        return self.job.read_json(RECORD) or {}

    def line(self) -> JobLine:
        """Return the job's line in answers to its client."""
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
        """Return the job's state, one of ``json_lines.JOB_STATES``."""
        result = self.job.read_json(RESULT)
        if result is None and self.job.is_locked():
            return RUNNING if (self.job.path / STARTED).exists() else WAITING
        if result is None:  # the job may have ended between the two checks
            result = self.job.read_json(RESULT)
        if result is None:
            return INTERRUPTED
        status = str(result.get("status", FAILED))
        if status not in (SOLVED, UNSOLVED):
            return FAILED
        # Without its manifest, a job has no reply and must be solved again.
        return status if (self.job.path / MANIFEST).exists() else INTERRUPTED

    def size_bytes(self) -> int:
        """Return the disk space that the job's files take, in bytes."""
        return tree_bytes(self.job.path)

    def ended_s(self) -> float:
        """Return when the job ended, or else was stored, in seconds since 1970, as the server recorded it.

        If the records are damaged, it is the directory's time of change, which can be set to the present only.
        """
        from datetime import datetime  # takes time to import, and few requests need it

        for name, key in ((RESULT, "finished"), (RECORD, "created")):
            with contextlib.suppress(ValueError):
                return datetime.fromisoformat(str((self.job.read_json(name) or {}).get(key))).timestamp()
        return self.job.path.stat().st_ctime

    def cancel(self) -> None:
        """Ask the process that solves the job to stop."""
        (self.job.path / CANCEL).touch(mode=0o600)

    def is_cancelled(self) -> bool:
        """Return True if the job was cancelled."""
        return (self.job.path / CANCEL).exists()

    def remove(self) -> bool:
        """Remove the job unless a process works on it; return True if it was removed."""
        try:
            with self.job.locked():
                jobdir.discard(self.job)
        except RetryLaterError:
            return False
        return True


def record_owner(job: JobDir, client: str, job_id: str) -> None:
    """Write client and id into a plain job's directory for the sysadmin; without fsync, since it goes with the job."""
    record = {"client": client, "id": job_id}
    with contextlib.suppress(OSError):
        (job.path / RECORD).write_text(json.dumps(record) + "\n", encoding="ascii")


def read_files(job: JobDir) -> dict[str, bytes]:
    """Return the log and the result files of a finished job by name."""
    return {name: (job.path / name).read_bytes() for name in (LOG, *OUTPUTS) if (job.path / name).is_file()}
