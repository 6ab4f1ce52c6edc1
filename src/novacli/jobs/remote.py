"""``remote.json`` of a job directory: the place where a job was left, to be fetched later.

A backend writes it before it sends the job.  So whatever interrupts the sending, ``nova fetch`` knows where to ask, and
sends the job again if the place never received it.  Its keys are specified in docs/reference/job-directory.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from novacli.errors import DataError
from solvehost.formats.jobdir import REMOTE, RESULT, JobDir
from solvehost.record import record

FORMAT = 2


@record
class RemoteJob:
    """A job that was left at another place.

    Attributes
    ----------
    job
        The job directory on this machine.
    kind
        The kind of backend that left it there: a key of ``novacli.backends.kinds.KINDS``.
    place
        The name by which the user knows the place.
    reference
        What the backend needs to find the job there, as JSON; only backends of this kind interpret it.
    sent
        When it was last sent: ISO 8601, UTC.
    times_sent
        How often it was sent.
    notes
        Remarks for the result.
    """

    job: JobDir
    kind: str
    place: str
    reference: Mapping[str, Any]
    sent: str
    times_sent: int = 1
    notes: tuple[str, ...] = ()

    def sent_again(self, note: str) -> RemoteJob:
        """Return the record of the job after it was sent once more; ``note`` tells why."""
        return replace(self, sent=_now(), times_sent=self.times_sent + 1, notes=(*self.notes, note))

    def write(self) -> None:
        """Write ``remote.json``."""
        value = {
            "format": FORMAT,
            "kind": self.kind,
            "place": self.place,
            "reference": dict(self.reference),
            "sent": self.sent,
            "times_sent": self.times_sent,
            "notes": list(self.notes),
        }
        self.job.write_json(REMOTE, value)

    def forget(self) -> None:
        """Remove ``remote.json``: the job is at no other place any more."""
        (self.job.path / REMOTE).unlink(missing_ok=True)


@record
class StoredJob:
    """A job of the user's as a place lists it.

    ``created`` and ``finished`` are ISO 8601, UTC; ``message`` tells why the job failed, with ``exit_code``.
    """

    id: str
    state: str
    created: str = ""
    finished: str | None = None
    size_bytes: int = 0
    exit_code: int | None = None
    message: str | None = None


def new_remote(job: JobDir, kind: str, place: str, reference: Mapping[str, Any]) -> RemoteJob:
    """Return the record of a job that is about to be sent for the first time."""
    return RemoteJob(job, kind, place, reference, _now())


def is_remote(job: JobDir) -> bool:
    """Return True if the job has a ``remote.json``."""
    return (job.path / REMOTE).exists()


def read_remote(job: JobDir) -> RemoteJob | None:
    """Read ``remote.json``; return None if there is none.

    Raises
    ------
    DataError
        If it is damaged.
    """
    if not is_remote(job):
        return None
    value = job.read_json(REMOTE) or {}
    try:
        return _parse(job, _upgraded(value))
    except (KeyError, TypeError, ValueError) as exc:
        raise damaged_remote(job) from exc


def read_unfinished(job: JobDir) -> RemoteJob | None:
    """Read ``remote.json`` of a job that has no result yet; return None if it has one or was left nowhere.

    Raises
    ------
    DataError
        If it is damaged.
    """
    return None if (job.path / RESULT).exists() else read_remote(job)


def damaged_remote(job: JobDir) -> DataError:
    """Return the error for a ``remote.json`` that cannot be used."""
    return DataError(f"{job.path / REMOTE}: it is damaged: solve the job here by nova retry --to local")


def _upgraded(value: dict[str, Any]) -> dict[str, Any]:
    """Return the object in today's format; format 1 knew only servers reached by ssh."""
    if value.get("format") != 1:
        return value
    reference = {key: value[key] for key in ("destination", "id", "numbers")}
    return {**value, "kind": "ssh", "place": value["server"], "reference": reference}


def _parse(job: JobDir, value: dict[str, Any]) -> RemoteJob:
    kind, place, reference, sent = (value[key] for key in ("kind", "place", "reference", "sent"))
    if not all(isinstance(text, str) for text in (kind, place, sent)) or not isinstance(reference, dict):
        raise TypeError
    notes = tuple(str(note) for note in value.get("notes") or ())
    return RemoteJob(job, kind, place, reference, sent, int(value["times_sent"]), notes)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
