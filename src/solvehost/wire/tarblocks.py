"""A bounded reader and a simple writer of tar archives, block by block, for both ends of the wire.

The reader accepts regular files, and small PAX headers that do not change them; it refuses everything else.  It checks
each declared size before it reads on, and never holds more than the caller's limits.  ``tarfile`` is not used: when
it reads a stream, it accepts truncated archives as complete, and a PAX header can exhaust the memory.

Source of the format: POSIX.1-2017, pax, "ustar Interchange Format".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from solvehost.errors import DataError, InputMissingError
from solvehost.wire.escaping import escape

#: Called with n, returns between 1 and n bytes, or none at the end of the stream; may raise errors of its own.
Read = Callable[[int], bytes]

BLOCK = 512
MIB = 2**20
#: Zeros that may follow the end marks: tar pads its last record, and the sender chooses the record's length.
MAX_PADDING_BYTES = MIB
#: Size limit of a PAX header; macOS's tar sends short ones with modification times and extended attributes.
MAX_PAX_BYTES = 16 * 1024
_RECORD = 20 * BLOCK
_CHUNK = 64 * 1024

_REGULAR = (b"0", b"\0")
_PAX = (b"x", b"g")
_OTHER_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a directory",
    b"6": "a FIFO",
    b"7": "a contiguous file",
    b"K": "a GNU long link name",
    b"L": "a GNU long name",
    b"S": "a sparse file",
}
_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
}
_MAGICS = (b"ustar\0", b"ustar ", bytes(6))
_OCTAL = re.compile(rb" *([0-7]{1,12})[ \0]*")
_PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,4}) ")
#: PAX records that would change the name, size or kind of the next member.
_PAX_REFUSED = re.compile(rb"path|linkpath|size|.*sparse.*|.*realsize|.*holesdata", re.IGNORECASE | re.DOTALL)
#: Every member, including a skipped one, has a name that is neither a path nor an option.
_PLAIN_NAME = re.compile(r"(?!-)[!-.0-~]{1,255}")


class Rules(NamedTuple):
    """Limits of an archive.

    ``names`` are the names of the members to read; members with other names are skipped if ``skip_others``, else
    refused.  ``member_bytes`` limits each member, ``stream_bytes`` the whole archive, ``headers`` their number.
    """

    names: frozenset[str]
    member_bytes: int
    stream_bytes: int
    headers: int = 128
    skip_others: bool = False


class Archive(NamedTuple):
    """The content of an archive: the names of all members in order, and the contents of the requested ones."""

    members: tuple[str, ...]
    files: dict[str, bytes]


class _Header(NamedTuple):
    name: str
    size: int
    kind: bytes


def read_tar(read: Read, rules: Rules) -> Archive:
    """Read one archive, up to the end of the stream.

    A leading ``./`` of a name is removed, and macOS's ``._*`` members are skipped.

    Raises
    ------
    InputMissingError
        If the archive has no member.
    DataError
        If the archive is damaged, cut short, too large, or has a member that ``rules`` forbid.
    """
    source = _BoundedStream(read, rules.stream_bytes)
    members: list[str] = []
    files: dict[str, bytes] = {}
    for header in _headers(source, rules.headers):
        if header.kind in _PAX:
            _check_pax(source.content(header, MAX_PAX_BYTES))
            continue
        name = _checked_name(header)
        if name.startswith("._"):
            source.content(header, rules.member_bytes, keep=False)
            continue
        if name in members:
            raise DataError(f"the archive contains {name} twice: send it once")
        keep = name in rules.names
        if not keep and not rules.skip_others:
            raise DataError(f"the archive must not contain {escape(name)}: leave it out")
        content = source.content(header, rules.member_bytes, keep=keep)
        members.append(name)
        if keep:
            files[name] = content
    if not members:
        raise InputMissingError("the archive is empty: the files did not exist when it was made")
    return Archive(tuple(members), files)


class _BoundedStream:
    """A stream that is read in pieces of known size, up to a limit in bytes."""

    def __init__(self, read: Read, limit_bytes: int) -> None:
        self.read = read
        self._limit_bytes = limit_bytes
        self._remaining_bytes = limit_bytes

    def take(self, size: int, *, keep: bool = True) -> tuple[bytes, int]:
        """Read ``size`` bytes, fewer only at the end; return them (none unless ``keep``) and their number."""
        self._remaining_bytes -= size
        if self._remaining_bytes < 0:
            raise DataError(f"the archive is longer than {self._limit_bytes:,} bytes: send less")
        # A bytearray: if a peer sends single bytes, a list of pieces takes forty times the memory of its content.
        kept = bytearray()
        missing = size
        while missing and (chunk := self.read(min(missing, _CHUNK))):
            missing -= len(chunk)
            if keep:
                kept += chunk
        return bytes(kept), size - missing

    def content(self, header: _Header, limit_bytes: int, *, keep: bool = True) -> bytes:
        """Return the content that follows a header, without its padding."""
        if header.size > limit_bytes:
            what = "a PAX header" if header.kind in _PAX else escape(header.name)
            raise DataError(f"{what} has {header.size:,} bytes, more than the {limit_bytes:,} allowed")
        padded = -(-header.size // BLOCK) * BLOCK
        content, count = self.take(padded, keep=keep)
        if count < padded:
            raise DataError(
                f"the archive is cut short in {escape(header.name)}, after {min(count, header.size):,} of its "
                f"{header.size:,} bytes: send it again"
            )
        return content[: header.size]


def _headers(source: _BoundedStream, limit: int) -> Iterator[_Header]:
    """Yield each header up to the end of the archive, and check the end; the caller reads the contents in between."""
    for count in range(limit + 1):
        block, size = source.take(BLOCK)
        if size == BLOCK and not any(block):
            _check_end(source)
            return
        if count == 0:
            _check_first_block(block)
        if size == 0:
            raise DataError(f"the archive is cut short after header {count}, before its end marks: send it again")
        if size < BLOCK:
            raise DataError(f"the archive is cut short in header {count + 1}, after {size} bytes: send it again")
        if count < limit:
            yield _parse_header(block)
    raise DataError(f"the archive has more than {limit} headers: send less")


def _check_first_block(block: bytes) -> None:
    """Raise if the stream does not begin with a header, and name what it may be instead of an archive."""
    if not block:
        raise InputMissingError("nothing was sent: an archive was expected here")
    for magic, name in _COMPRESSIONS.items():
        if block.startswith(magic):
            raise DataError(f"the archive is compressed with {name}: send a plain tar")
    if len(block) < BLOCK or not _checksum_is_right(block):
        end = f" and ends after {len(block)} bytes, in the first header" if len(block) < BLOCK else ""
        beginning = f"it begins with '{escape(block.rstrip(bytes(1)), 40)}'{end}"
        raise DataError(f"this is not a tar archive: {beginning}; send the archive alone, with nothing before it")


def _checksum_is_right(block: bytes) -> bool:
    found = _OCTAL.fullmatch(block[148:156])
    return found is not None and int(found[1], 8) == sum(block) - sum(block[148:156]) + 8 * ord(" ")


def _parse_header(block: bytes) -> _Header:
    if not _checksum_is_right(block) or block[257:263] not in _MAGICS:
        raise DataError("the archive is damaged: a header's checksum is wrong; send it again")
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = f"{prefix}/{name}"
    kind = block[156:157]
    if kind not in _REGULAR + _PAX:
        what = _OTHER_KINDS.get(kind, f"of the unknown type '{escape(kind)}'")
        raise DataError(f"{escape(name)} is {what}: the archive must contain regular files only")
    size = _OCTAL.fullmatch(block[124:136])
    if size is None:
        raise DataError(f"{escape(name)} has a size that is not an octal number: send smaller files")
    return _Header(name, int(size[1], 8), kind)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("latin-1")


def _checked_name(header: _Header) -> str:
    name = header.name.removeprefix("./")
    if _PLAIN_NAME.fullmatch(name) is None or name in (".", ".."):
        raise DataError(f"the archive must not contain '{escape(header.name)}': send plain file names, no paths")
    return name


def _check_pax(records: bytes) -> None:
    """Raise if PAX records are malformed, or change the name, size or kind of the next member."""
    at = 0
    while at < len(records):
        length = _PAX_LENGTH.match(records, at)
        end = at + int(length[1]) if length else 0
        record = records[length.end() : end] if length else b""
        keyword, equals, _ = record.partition(b"=")
        if end > len(records) or not equals or not record.endswith(b"\n"):
            raise DataError("the archive is damaged: a PAX header is malformed; send it again")
        if _PAX_REFUSED.fullmatch(keyword):
            raise DataError(f"a PAX header sets '{escape(keyword, 40)}': send regular files under short names")
        at = end


def _check_end(source: _BoundedStream) -> None:
    """Raise unless a second block of zeros follows the first one, and then only a limited number of zeros."""
    block, size = source.take(BLOCK)
    if size < BLOCK:
        raise DataError("the archive is cut short before the second of its two end marks: send it again")
    if any(block):
        raise DataError("the archive is damaged: it has one block of zeros at its end instead of two; send it again")
    allowed = MAX_PADDING_BYTES
    while chunk := source.read(min(_CHUNK, allowed + 1)):
        allowed -= len(chunk)
        if any(chunk):
            raise DataError("data follow the end of the archive: send the archive alone")
        if allowed < 0:
            raise DataError(f"more than {MAX_PADDING_BYTES:,} zeros follow the end of the archive: send fewer")


def write_tar(files: Iterable[tuple[str, bytes]], mtime_s: int = 0) -> Iterator[bytes]:
    """Yield a ustar archive of regular files, padded with zeros to whole records of 10,240 bytes.

    All members have mode 0644, user and group 0 and no owner names, so equal files and times give equal bytes.  Names
    are ASCII of at most 100 characters.  ``mtime_s`` is in seconds since 1970; GNU tar warns about 0 unless it unpacks
    with ``-m``.
    """
    total = 2 * BLOCK
    for name, content in files:
        padding = bytes(-len(content) % BLOCK)
        yield _header(name, len(content), mtime_s)
        yield content
        yield padding
        total += BLOCK + len(content) + len(padding)
    yield bytes(2 * BLOCK + -total % _RECORD)


def tar_length(contents: Iterable[bytes]) -> int:
    """Return the length in bytes of an archive of these files, end marks included, as ``stream_bytes`` counts it."""
    return sum(BLOCK + len(c) + -len(c) % BLOCK for c in contents) + 2 * BLOCK


def _header(name: str, size: int, mtime_s: int) -> bytes:
    before = b"%b0000644\0%07o\0%07o\0%011o\0%011o\0" % (name.encode("ascii").ljust(100, b"\0"), 0, 0, size, mtime_s)
    # Type, link name, magic, version, owner names, device numbers, prefix and padding.
    after = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(167)
    checksum = sum(before) + 8 * ord(" ") + sum(after)
    return before + b"%06o\0 " % checksum + after
