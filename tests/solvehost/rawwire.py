"""Archives and streams for tests, built byte by byte without the code that they test."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from solvehost import wire

END = bytes(1024)


def header(
    name: bytes, size: int | bytes = 0, kind: bytes = b"0", *, magic: bytes = b"ustar\x0000", prefix: bytes = b""
) -> bytes:
    """Return a header block with a correct checksum; a ``size`` given as bytes becomes the size field."""
    size_field = size if isinstance(size, bytes) else b"%011o\0" % size
    fields = [
        name.ljust(100, b"\0"),
        b"0000644\0" + b"0001750\0" * 2,
        size_field.ljust(12, b"\0"),
        b"14721003001\0",
        b" " * 8,
        kind,
        b"elsewhere".ljust(100, b"\0"),
        magic.ljust(8, b"\0"),
        b"astro".ljust(32, b"\0") * 2,
        bytes(16),
        prefix.ljust(155, b"\0"),
        bytes(12),
    ]
    return with_checksum(b"".join(fields))


def with_checksum(block: bytes) -> bytes:
    """Return a header block with its checksum corrected."""
    blank = block[:148] + b" " * 8 + block[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def member(name: bytes, content: bytes = b"", kind: bytes = b"0") -> bytes:
    """Return a complete member: header, content, padding."""
    return header(name, len(content), kind) + content + bytes(-len(content) % 512)


def pax(*records: bytes, kind: bytes = b"x") -> bytes:
    """Return a PAX header of ``keyword=value`` records."""
    return member(b"PaxHeaders/job.axy", b"".join(map(pax_record, records)), kind)


def pax_record(record: bytes) -> bytes:
    """Return a PAX record, which begins with its own length."""
    length = len(record) + 2
    while len(str(length)) + len(record) + 2 != length:
        length = len(str(length)) + len(record) + 2
    return b"%d %b\n" % (length, record)


def in_pieces(data: bytes, most: int = 2**30) -> Callable[[int], bytes]:
    """Return a ``read`` function for ``data`` that returns at most ``most`` bytes per call."""
    stream = io.BytesIO(data)
    return lambda size: stream.read(min(size, most))


class Endless:
    """A ``read`` function for some bytes and then a block without end; ``count`` is how many bytes were read."""

    def __init__(self, start: bytes, block: bytes) -> None:
        self._stream: Iterator[int] = itertools.chain(start, itertools.cycle(block))
        self.count = 0

    def __call__(self, size: int) -> bytes:
        size = min(size, 4096)
        self.count += size
        return bytes(itertools.islice(self._stream, size))


AXY = b"SIMPLE  =                    T".ljust(2880)
JOB = member(b"job.axy", AXY)
FILES = {"backend.log": b"hello\n", "corr.fits": b"c" * 2880, "rdls.fits": b"r" * 5760, "wcs.fits": b"w" * 2880}


def make_manifest(files: dict[str, bytes] | None = None, /, **changes: Any) -> dict[str, Any]:
    """Return a manifest of a solved job that describes ``files``."""
    described = {
        n: {"size": len(b), "sha256": hashlib.sha256(b).hexdigest()}
        for n, b in (FILES if files is None else files).items()
    }
    attempt = {"number": 1, "label": "blind", "outcome": "solved", "seconds": 0.5, "cpu_s": 0.25}
    base: dict[str, Any] = {"format": 1, "id": "job-1", "client": "nova1", "status": "solved", "reason": "none"}
    base |= {"winner": 1, "attempts": [attempt], "indexes": {"loaded": ["index-4119.fits"], "failed": []}}
    base |= {"files": described, "engine": "/usr/bin/astrometry-engine", "version": "1.2.3"}
    return base | {"seconds": 0.75, "cpu_s": 0.5} | changes


def reply_bytes(manifest: dict[str, Any], files: dict[str, bytes]) -> bytes:
    """Return a reply without the checks of ``write_reply``."""
    members = [member(b"manifest.json", json.dumps(manifest).encode())]
    return b"".join(members + [member(n.encode(), b) for n, b in files.items()]) + END


def read_request(archive: bytes) -> wire.Request:
    """Read a request that consists of an id and this archive."""
    return wire.read_request(in_pieces(b"job-1\n" + archive))
