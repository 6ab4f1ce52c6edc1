"""Pack star lists of a job into a request: which attempts are sent together, under which id and numbers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence

from novacli.errors import InputMissingError
from solvehost import wire
from solvehost.formats.jobdir import MAX_ATTEMPTS, JobDir
from solvehost.record import record
from solvehost.wire.request import MAX_ID_CHARACTERS, MAX_REQUEST_BYTES

#: How long attempts after the first are prepared before those that are ready are sent.
PREPARE_S = 1.0
#: The rest of a request is for the headers and the padding of the archive.
_MAX_LISTS_BYTES = MAX_REQUEST_BYTES - 64 * 1024
_RANDOM_BYTES = 8


@record
class Packet:
    """A request.

    Attributes
    ----------
    job_id
        The id of the job on the wire.
    numbers
        The job's own numbers of the attempts; on the wire they are numbered 1, 2, … in this order.
    request
        The bytes to send; empty if the packet only serves to read a reply.
    """

    job_id: str
    numbers: tuple[int, ...]
    request: bytes

    def own_number(self, number: int) -> int | None:
        """Return the job's own number of an attempt on the wire; None if no attempt was sent under ``number``."""
        return self.numbers[number - 1] if 1 <= number <= len(self.numbers) else None


def new_wire_id(job_id: str) -> str:
    """Return a new id for a job on the wire: its own id and 64 random bits, so that it cannot be guessed."""
    suffix = f"-{os.urandom(_RANDOM_BYTES).hex()}"
    return job_id[: MAX_ID_CHARACTERS - len(suffix)] + suffix


def take_ready(job: JobDir, numbers: Iterator[int], budget_s: float = PREPARE_S) -> list[int]:
    """Prepare the attempts that are sent together.

    Parameters
    ----------
    job
        The job directory, for the sizes of the star lists.
    numbers
        The attempts; the star list of each is prepared when its number is taken.
    budget_s
        How long attempts are prepared, in seconds.

    Returns
    -------
    list of int
        The numbers taken: all, or as many as fit into a request or could be prepared in time.
    """
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
    """Pack attempts of a job into a request.

    Parameters
    ----------
    job
        The job directory.
    numbers
        The numbers of the attempts, best first.
    wire_id
        The id on the wire; a new one if None.

    Raises
    ------
    InputMissingError
        If a star list cannot be read.
    DataError
        If there are too many star lists, or they are too long.
    """
    job_id = wire_id or new_wire_id(job.job_id)
    try:
        axys = {n: job.axy(number).read_bytes() for n, number in enumerate(numbers, 1)}
        request = b"".join(wire.write_request(job_id, axys))
    except OSError as exc:
        raise InputMissingError(f"{exc.filename}: {exc.strerror}: the star list cannot be read") from exc
    return Packet(job_id, tuple(numbers), request)
