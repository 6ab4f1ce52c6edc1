"""Check the reply of a server, and put its files into the job directory.

A server is not trusted: :mod:`novacli.backends.received` checks its files.  Its manifest is not copied either: a new
one is made from checked values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from novacli.backends.base import UnusableReplyError
from novacli.backends.received import put_in_place
from novacli.backends.ssh.packing import Packet
from solvehost.engine import records
from solvehost.engine.logs import label_of
from solvehost.engine.manifest import build_manifest
from solvehost.engine.records import AttemptOutcome, Candidate, RaceResult
from solvehost.formats.jobdir import MANIFEST, JobDir
from solvehost.wire import Reply, escape

_OUTCOMES = (records.SOLVED, records.EXHAUSTED, records.CRASHED, records.NO_INDEX, records.STOPPED, records.DOUBTFUL)
#: A race has fewer outcomes: 24 attempts, ten follow-ups of four runs each, and second looks.
_MAX_OUTCOMES = 128
_MAX_INDEXES = 10_000


def unpack(job: JobDir, packet: Packet, reply: Reply, server: str, earlier: RaceResult | None = None) -> RaceResult:
    """Put a reply into the job directory, and return how the race went.

    Parameters
    ----------
    job
        The job directory.
    packet
        The request that was sent.
    reply
        The reply to it.
    server
        The name of the server, for messages.
    earlier
        The race of earlier requests for the same job, which is added to that of this request.

    Raises
    ------
    UnusableReplyError
        If the reply is not the result of a solve; the directory is as before.
    OutputError
        If the files cannot be written.  This is a problem of this machine, so no other server is tried.
    """
    race = read_race(job, packet, reply, server)
    put_in_place(job, reply.files, race.winner, server, sent=packet.numbers, needs_matches=True)
    if earlier is not None:
        race = _joined(earlier, race)
    manifest = reply.manifest or {}
    described = build_manifest(job, race, engine=_text(manifest.get("engine")), client=_text(manifest.get("client")))
    job.write_json(MANIFEST, {**described, "version": _text(manifest.get("version"))})
    return race


def read_race(job: JobDir, packet: Packet, reply: Reply, server: str) -> RaceResult:
    """Parse how the race went from the manifest of a reply, with the job's own numbers and labels of the attempts.

    Parameters
    ----------
    job
        The job directory.
    packet
        The request that was sent.
    reply
        The reply to it.
    server
        The name of the server, for messages.

    Raises
    ------
    UnusableReplyError
        If there is no manifest, or it contradicts itself or the request.
    """
    manifest = reply.manifest
    if manifest is None:
        raise UnusableReplyError(f"{server}: it sent no manifest: it does not speak the protocol that it announced")
    winner = None if manifest["winner"] is None else packet.own_number(manifest["winner"])
    if (winner is None) == (manifest["status"] == records.SOLVED):
        raise UnusableReplyError(f"{server}: it claims that an attempt solved which was not sent: do not trust it")
    return RaceResult(
        status=manifest["status"],
        reason=manifest["reason"],
        winner=winner,
        attempts=tuple(_outcome(job, packet, a) for a in manifest["attempts"][:_MAX_OUTCOMES]),
        indexes=_names(manifest["indexes"]["loaded"]),
        indexes_failed=_names(manifest["indexes"]["failed"]),
        seconds=round(float(manifest["seconds"]), 3),
        cpu_s=round(float(manifest["cpu_s"]), 3),
        candidate=_candidate(job, packet, manifest.get("candidate")),
    )


def _candidate(job: JobDir, packet: Packet, value: Mapping[str, Any] | None) -> Candidate | None:
    """Return the best match that the server did not accept; None if its attempt was not sent."""
    number = None if value is None else packet.own_number(value["number"])
    if value is None or number is None:
        return None
    place = (float(value[key]) for key in ("logodds", "ra_deg", "dec_deg", "pixscale_arcsec"))
    return Candidate(number, label_of(job, number), *place)


def _joined(earlier: RaceResult, race: RaceResult) -> RaceResult:
    return replace(
        race,
        attempts=(*earlier.attempts, *race.attempts),
        indexes=tuple(sorted({*earlier.indexes, *race.indexes})),
        indexes_failed=tuple(sorted({*earlier.indexes_failed, *race.indexes_failed})),
        seconds=round(earlier.seconds + race.seconds, 3),
        cpu_s=round(earlier.cpu_s + race.cpu_s, 3),
        candidate=max((c for c in (earlier.candidate, race.candidate) if c), key=lambda c: c.logodds, default=None),
    )


def _outcome(job: JobDir, packet: Packet, value: Mapping[str, Any]) -> AttemptOutcome:
    number = packet.own_number(value["number"])
    label = escape(value["label"], 60) if number is None else label_of(job, number)
    outcome = value["outcome"] if value["outcome"] in _OUTCOMES else records.STOPPED
    shown = min(max(value["number"], 0), 10**6) if number is None else number
    return AttemptOutcome(shown, label, outcome, round(float(value["seconds"]), 3), round(float(value["cpu_s"]), 3))


def _names(names: list[str]) -> tuple[str, ...]:
    return tuple(escape(name, 255) for name in names[:_MAX_INDEXES])


def _text(value: object) -> str:
    return escape(value, 255) if isinstance(value, str) else ""
