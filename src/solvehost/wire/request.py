"""The request: a line with the job's id, then an archive of the star lists of its attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from solvehost.errors import DataError, NoInputError
from solvehost.formats.jobdir import MAX_ATTEMPTS, axy_name, is_id
from solvehost.wire.escape import escape
from solvehost.wire.tarblocks import MIB, Read, Rules, read_tar, tar_length, write_tar

MAX_ID_CHARACTERS = 64
MAX_AXY_BYTES = 16 * MIB
MAX_REQUEST_BYTES = 32 * MIB

_NUMBERS = {axy_name(n): n for n in range(1, MAX_ATTEMPTS + 1)}
_RULES = Rules(frozenset(_NUMBERS), MAX_AXY_BYTES, MAX_REQUEST_BYTES)


class Request(NamedTuple):
    """A job that is asked for: its id, and the axy file of each attempt by number, the first (1) always there."""

    job_id: str
    axys: dict[int, bytes]


def read_id(read: Read) -> str:
    """Read the id line, and not one byte more.

    Raises
    ------
    NoInputError
        Where nothing at all was sent.
    DataError
        Where it is no id and a line feed.
    """
    line = bytearray()
    while len(line) <= MAX_ID_CHARACTERS and not line.endswith(b"\n"):
        char = read(1)
        if not char and not line:
            raise NoInputError("nothing was sent: a line with the job's id is needed, then a tar archive")
        if not char:
            raise DataError(f"the id line '{escape(bytes(line))}' ends without a line feed: send it again")
        line += char
    job_id = bytes(line).removesuffix(b"\n").decode("latin-1")
    if not line.endswith(b"\n") or not is_id(job_id):
        raise DataError(
            f"'{escape(job_id)}' is no job id: send a line with 1 to 64 of "
            "A-Z a-z 0-9 . _ -, beginning with a letter or digit"
        )
    return job_id


def read_request(read: Read, id_is_read: Callable[[str], None] = lambda _id: None) -> Request:
    """Read a whole request, to the end of the stream; ``id_is_read`` hears the id before anything else is read.

    Raises
    ------
    NoInputError
        Where nothing was sent, or an archive without a member.
    DataError
        Where it is not as it must be.
    """
    job_id = read_id(read)
    id_is_read(job_id)
    files = read_tar(read, _RULES).files
    if axy_name(1) not in files:
        raise DataError(f"{axy_name(1)} is not in the archive: send it, too")
    return Request(job_id, {n: files[name] for name, n in _NUMBERS.items() if name in files})


def write_request(job_id: str, axys: Mapping[int, bytes], *, mtime_s: int = 0) -> Iterator[bytes]:
    """Return the pieces of a request for attempts ``axys``, by number.

    Raises
    ------
    DataError
        Where a server would refuse it; raised by the call itself.
    """
    if not is_id(job_id):
        raise DataError(f"'{escape(job_id)}' is no job id")
    if 1 not in axys or not all(1 <= n <= MAX_ATTEMPTS for n in axys):
        raise DataError(f"attempts are numbered from 1 to {MAX_ATTEMPTS}, and the first must be among them")
    if max(map(len, axys.values())) > MAX_AXY_BYTES:
        raise DataError(f"a star list is longer than {MAX_AXY_BYTES:,} bytes: send fewer stars")
    if tar_length(axys.values()) > MAX_REQUEST_BYTES:
        raise DataError(f"the star lists are longer than {MAX_REQUEST_BYTES:,} bytes: send fewer attempts")
    return _pieces(job_id, axys, mtime_s)


def _pieces(job_id: str, axys: Mapping[int, bytes], mtime_s: int) -> Iterator[bytes]:
    yield job_id.encode("ascii") + b"\n"
    yield from write_tar(((axy_name(n), axys[n]) for n in sorted(axys)), mtime_s)
