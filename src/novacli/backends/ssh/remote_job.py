"""``remote.json`` of a job directory: where a job is that was sent to a server to be fetched later.

It is written before the job is sent: whatever happens then, ``nova fetch`` knows where to look, and sends the job again
where the server has never got it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from novacli.backends.ssh.destinations import Place, check_destination
from novacli.backends.ssh.packing import Packet
from novacli.errors import DataError, UsageError
from solvehost.formats.jobdir import MAX_ATTEMPTS, REMOTE, JobDir, is_id

FORMAT = 1


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """Where a job is: the server, the id on the wire, which attempts it was sent, and how often it has been.

    ``numbers`` are the job's own numbers of the attempts in the order of the wire; ``sent_at`` is ISO 8601, UTC.
    """

    place: Place
    wire_id: str
    numbers: tuple[int, ...]
    sent_at: str
    times_sent: int = 1
    notes: tuple[str, ...] = ()

    @property
    def packet(self) -> Packet:
        """The request, its bytes left out, to read a reply by."""
        return Packet(self.wire_id, self.numbers, b"")

    def sent_again(self, note: str) -> RemoteJob:
        """Return that of the job once more on its way, with a remark why; the same id, lest it be solved twice."""
        return replace(self, sent_at=_now(), times_sent=self.times_sent + 1, notes=(*self.notes, note))


def sending(place: Place, packet: Packet, notes: Sequence[str] = ()) -> RemoteJob:
    """Return the record of a job that is about to be sent."""
    return RemoteJob(place, packet.job_id, packet.numbers, _now(), notes=tuple(notes))


def write_remote(job: JobDir, remote: RemoteJob) -> None:
    """Keep the record in the job directory."""
    value = {
        "format": FORMAT,
        "server": remote.place.name,
        "destination": remote.place.destination,
        "id": remote.wire_id,
        "numbers": list(remote.numbers),
        "sent": remote.sent_at,
        "times_sent": remote.times_sent,
        "notes": list(remote.notes),
    }
    job.write_json(REMOTE, value)


def read_remote(job: JobDir) -> RemoteJob | None:
    """Return where a job is, None where it is no server's.

    Raises
    ------
    DataError
        Where the record is damaged.
    """
    if not is_remote(job):
        return None
    value = job.read_json(REMOTE) or {}
    try:
        return _remote(value)
    except (KeyError, TypeError, ValueError, UsageError) as exc:
        raise DataError(f"{job.path / REMOTE}: it is damaged: solve the job here by nova retry --to local") from exc


def is_remote(job: JobDir) -> bool:
    """Say whether a server has the job, as far as is known here."""
    return (job.path / REMOTE).exists()


def _remote(value: dict[str, Any]) -> RemoteJob:
    numbers = tuple(int(n) for n in value["numbers"])
    if not is_id(value["id"]) or not numbers or not all(1 <= n <= MAX_ATTEMPTS for n in numbers):
        raise ValueError
    place = Place(str(value["server"]), check_destination(value["destination"]))
    notes = tuple(str(note) for note in value.get("notes") or ())
    return RemoteJob(place, value["id"], numbers, str(value["sent"]), int(value["times_sent"]), notes)


def forget_remote(job: JobDir) -> None:
    """Remove the record: the job is no server's any more."""
    (job.path / REMOTE).unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
