"""The star lists of a job as requests: which attempts travel together, under which id and numbers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from novacli.errors import InputMissingError, from_solvehost
from solvehost import wire
from solvehost.errors import SolvehostError
from solvehost.formats.jobdir import MAX_ATTEMPTS, JobDir
from solvehost.wire.request import MAX_ID_CHARACTERS, MAX_REQUEST_BYTES

#: So much time goes into preparing attempts beyond the first before what there is is sent.
PREPARE_S = 1.0
#: Room for headers and padding of the archive.
_MAX_LISTS_BYTES = MAX_REQUEST_BYTES - 64 * 1024
_RANDOM_BYTES = 8


@dataclass(frozen=True, slots=True)
class Packet:
    """A request: the id on the wire, the job's own numbers of the attempts in the order 1, 2, … of the wire, bytes."""

    job_id: str
    numbers: tuple[int, ...]
    request: bytes

    def own_number(self, number: int) -> int | None:
        """Return the job's own number of an attempt that the server speaks of; None where none was sent by it."""
        return self.numbers[number - 1] if 1 <= number <= len(self.numbers) else None


def new_wire_id(job_id: str) -> str:
    """Return a fresh id for a job: its own, and 64 random bits, so that nobody can guess it."""
    suffix = f"-{os.urandom(_RANDOM_BYTES).hex()}"
    return job_id[: MAX_ID_CHARACTERS - len(suffix)] + suffix


def take_ready(job: JobDir, numbers: Iterator[int], budget_s: float = PREPARE_S) -> list[int]:
    """Take attempts until there are no more, no more fit into a request, or the time for preparing them is up."""
    taken: list[int] = []
    size = 0
    began = time.monotonic()
    for number in numbers:
        taken.append(number)
        size += _size(job, number)
        if len(taken) == MAX_ATTEMPTS or 2 * size > _MAX_LISTS_BYTES or time.monotonic() - began > budget_s:
            break
    return taken


def _size(job: JobDir, number: int) -> int:
    try:
        return job.axy(number).stat().st_size
    except OSError:
        return 0


def pack(job: JobDir, numbers: Sequence[int], wire_id: str | None = None) -> Packet:
    """Return the request for attempts of a job.

    Raises
    ------
    InputMissingError
        Where a star list cannot be read.
    DataError
        Where there are too many, or they are too long.
    """
    job_id = wire_id or new_wire_id(job.job_id)
    try:
        axys = {n: job.axy(number).read_bytes() for n, number in enumerate(numbers, 1)}
        request = b"".join(wire.write_request(job_id, axys))
    except OSError as exc:
        raise InputMissingError(f"{exc.filename}: {exc.strerror}: the star list cannot be read") from exc
    except SolvehostError as exc:
        raise from_solvehost(exc) from exc
    return Packet(job_id, tuple(numbers), request)
