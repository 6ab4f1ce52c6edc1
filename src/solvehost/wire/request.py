"""The request: a line with the job's id, then an archive with the star lists of its attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from solvehost.errors import DataError, InputMissingError
from solvehost.formats.jobdir import MAX_ATTEMPTS, axy_name, is_id
from solvehost.wire.escaping import escape
from solvehost.wire.tarblocks import MIB, Read, Rules, read_tar, tar_length, write_tar

MAX_ID_CHARACTERS = 64
MAX_AXY_BYTES = 16 * MIB
MAX_REQUEST_BYTES = 32 * MIB

_ATTEMPT_NUMBERS = {axy_name(n): n for n in range(1, MAX_ATTEMPTS + 1)}
_RULES = Rules(frozenset(_ATTEMPT_NUMBERS), MAX_AXY_BYTES, MAX_REQUEST_BYTES)


class Request(NamedTuple):
    """A request to solve a job: its id, and the axy file of each attempt by number; attempt 1 is always present."""

    job_id: str
    axys: dict[int, bytes]


def read_id(read: Read) -> str:
    """Read the id line, and no byte beyond it.

    Raises
    ------
    InputMissingError
        If the stream is empty.
    DataError
        If the line is not a job id followed by a line feed.
    """
    line = bytearray()
    while len(line) <= MAX_ID_CHARACTERS and not line.endswith(b"\n"):
        char = read(1)
        if not char and not line:
            raise InputMissingError("nothing was sent: send a line with the job's id, then a tar archive")
        if not char:
            raise DataError(f"the id line '{escape(bytes(line))}' ends without a line feed: send it again")
        line += char
    job_id = bytes(line).removesuffix(b"\n").decode("latin-1")
    if not line.endswith(b"\n") or not is_id(job_id):
        raise DataError(
            f"'{escape(job_id)}' is not a job id: send a line with 1 to 64 of "
            "A-Z a-z 0-9 . _ -, beginning with a letter or digit"
        )
    return job_id


def read_request(read: Read, on_id: Callable[[str], None] = lambda _id: None) -> Request:
    """Read a whole request, up to the end of the stream; call ``on_id`` with the id before reading the archive.

    Raises
    ------
    InputMissingError
        If nothing was sent, or an archive without a member.
    DataError
        If the request breaks a rule of the protocol.
    """
    job_id = read_id(read)
    on_id(job_id)
    files = read_tar(read, _RULES).files
    if axy_name(1) not in files:
        raise DataError(f"{axy_name(1)} is not in the archive: add it")
    return Request(job_id, {n: files[name] for name, n in _ATTEMPT_NUMBERS.items() if name in files})


def write_request(job_id: str, axys: Mapping[int, bytes], *, mtime_s: int = 0) -> Iterator[bytes]:
    """Return the pieces of a request.

    Parameters
    ----------
    job_id
        Id of the job.
    axys
        Axy files by number of attempt, from 1.
    mtime_s
        Modification time of all members, in seconds since 1970.

    Raises
    ------
    DataError
        If a server would refuse the request.  The call itself raises it, before the first piece.
    """
    if not is_id(job_id):
        raise DataError(f"'{escape(job_id)}' is not a job id")
    if 1 not in axys or not all(1 <= n <= MAX_ATTEMPTS for n in axys):
        raise DataError(f"attempts must be numbered from 1 to {MAX_ATTEMPTS}, and number 1 must be present")
    if max(map(len, axys.values())) > MAX_AXY_BYTES:
        raise DataError(f"a star list is longer than {MAX_AXY_BYTES:,} bytes: send fewer stars")
    if tar_length(axys.values()) > MAX_REQUEST_BYTES:
        raise DataError(f"the star lists are longer than {MAX_REQUEST_BYTES:,} bytes: send fewer attempts")
    return _pieces(job_id, axys, mtime_s)


def _pieces(job_id: str, axys: Mapping[int, bytes], mtime_s: int) -> Iterator[bytes]:
    yield job_id.encode("ascii") + b"\n"
    yield from write_tar(((axy_name(n), axys[n]) for n in sorted(axys)), mtime_s)
