"""A bounded reader and a plain writer of tar archives, block by block: what both ends of the wire use.

The reader takes regular files, and small PAX headers that change nothing of them; all else is refused.  It looks at
every declared size before it reads on, and holds no more than the caller's caps.  ``tarfile`` is not used: as a
stream it takes archives that were cut off for whole ones, and lets a PAX header eat all memory.

Source of the format: POSIX.1-2017, pax, "ustar Interchange Format".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from solvehost.errors import DataError, NoInputError
from solvehost.wire.escape import escape

#: Asked for at most n bytes, returns at least one, or none at the end; may raise errors of its own.
Read = Callable[[int], bytes]

BLOCK = 512
MIB = 2**20
#: Zeros that may follow the end: tars fill up their last record, whose length is the sender's choice.
MAX_PADDING_BYTES = MIB
#: macOS's tar sends modification times and extended attributes in PAX headers; they are short.
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
#: Records that would make another file, or another kind of file, of the member that follows.
_PAX_REFUSED = re.compile(rb"path|linkpath|size|.*sparse.*|.*realsize|.*holesdata", re.IGNORECASE | re.DOTALL)
#: A member that may be left out unread still has a name that is no path and no option.
_PLAIN_NAME = re.compile(r"(?!-)[!-.0-~]{1,255}")


class Rules(NamedTuple):
    """What an archive may hold.

    Members not in ``names`` are passed over if ``drops_others``, else refused.  ``member_bytes`` is the largest
    member, ``stream_bytes`` the longest archive with all its headers, ``headers`` their largest number.
    """

    names: frozenset[str]
    member_bytes: int
    stream_bytes: int
    headers: int = 128
    drops_others: bool = False


class Archive(NamedTuple):
    """What an archive held: the names of all members in order, and the contents of those that were asked for."""

    members: tuple[str, ...]
    files: dict[str, bytes]


class _Header(NamedTuple):
    name: str
    size: int
    kind: bytes


def read_tar(read: Read, rules: Rules) -> Archive:
    """Read one archive, to the end of the stream.

    A leading ``./`` of a name is dropped, and so are macOS's ``._*`` members.

    Raises
    ------
    NoInputError
        Where there is no member in it.
    DataError
        Where it is damaged, cut short, too large, or holds what it may not.
    """
    source = _Source(read, rules.stream_bytes)
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
            raise DataError(f"{name} is in the archive twice: send it once")
        keep = name in rules.names
        if not keep and not rules.drops_others:
            raise DataError(f"a file named {escape(name)} may not be in the archive: leave it out")
        content = source.content(header, rules.member_bytes, keep=keep)
        members.append(name)
        if keep:
            files[name] = content
    if not members:
        raise NoInputError("the archive is empty: the files were not there when it was made")
    return Archive(tuple(members), files)


class _Source:
    """The stream, read in whole pieces and counted against its cap."""

    def __init__(self, read: Read, cap_bytes: int) -> None:
        self.read = read
        self._cap_bytes = cap_bytes
        self._room_bytes = cap_bytes

    def take(self, size: int, *, keep: bool = True) -> tuple[bytes, int]:
        """Return the next ``size`` bytes (none unless ``keep``) and how many there were, fewer only at the end."""
        self._room_bytes -= size
        if self._room_bytes < 0:
            raise DataError(f"the archive is longer than {self._cap_bytes:,} bytes: send less")
        # A bytearray: a peer that sends single bytes would make a list of pieces cost forty times its content.
        kept = bytearray()
        left = size
        while left and (chunk := self.read(min(left, _CHUNK))):
            left -= len(chunk)
            if keep:
                kept += chunk
        return bytes(kept), size - left

    def content(self, header: _Header, cap_bytes: int, *, keep: bool = True) -> bytes:
        """Return what follows a header, without its padding."""
        if header.size > cap_bytes:
            what = "a PAX header" if header.kind in _PAX else escape(header.name)
            raise DataError(f"{what} is declared as {header.size:,} bytes: at most {cap_bytes:,} are taken")
        padded = -(-header.size // BLOCK) * BLOCK
        content, count = self.take(padded, keep=keep)
        if count < padded:
            raise DataError(
                f"the archive is cut short in {escape(header.name)}, after {min(count, header.size):,} of its "
                f"{header.size:,} bytes: send it again"
            )
        return content[: header.size]


def _headers(source: _Source, limit: int) -> Iterator[_Header]:
    """Yield every header up to the end of the archive, and check the end; the caller takes the contents between."""
    for count in range(limit + 1):
        block, size = source.take(BLOCK)
        if size == BLOCK and not any(block):
            _check_end(source)
            return
        if count == 0:
            _check_beginning(block)
        if size == 0:
            raise DataError(f"the archive is cut short after header {count}, before its end marks: send it again")
        if size < BLOCK:
            raise DataError(f"the archive is cut short in header {count + 1}, after {size} bytes: send it again")
        if count < limit:
            yield _parse_header(block)
    raise DataError(f"the archive has more than {limit} headers: send less")


def _check_beginning(block: bytes) -> None:
    """Say clearly what else than an archive it may be."""
    if not block:
        raise NoInputError("nothing was sent where an archive should be")
    for magic, name in _COMPRESSIONS.items():
        if block.startswith(magic):
            raise DataError(f"the archive is compressed with {name}: send a plain tar")
    if len(block) < BLOCK or not _checksum_is_right(block):
        cut = f"and ends after {len(block)} bytes, in the first header" if len(block) < BLOCK else ""
        began = f"it begins with '{escape(block.rstrip(bytes(1)), 40)}' {cut}".rstrip()
        raise DataError(f"this is no tar archive: {began}; only the archive may be sent, without a word before it")


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
        raise DataError(f"{escape(name)} is {what}: only regular files may be in the archive")
    size = _OCTAL.fullmatch(block[124:136])
    if size is None:
        raise DataError(f"{escape(name)} has a size that is no octal number: only smaller files are taken")
    return _Header(name, int(size[1], 8), kind)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("latin-1")


def _checked_name(header: _Header) -> str:
    name = header.name.removeprefix("./")
    if _PLAIN_NAME.fullmatch(name) is None or name in (".", ".."):
        raise DataError(f"a file named '{escape(header.name)}' may not be in the archive: names are plain, no paths")
    return name


def _check_pax(records: bytes) -> None:
    """Hold PAX records to be well-formed, and to leave the name, size and kind of the member alone."""
    at = 0
    while at < len(records):
        length = _PAX_LENGTH.match(records, at)
        end = at + int(length[1]) if length else 0
        record = records[length.end() : end] if length else b""
        keyword, equals, _ = record.partition(b"=")
        if end > len(records) or not equals or not record.endswith(b"\n"):
            raise DataError("the archive is damaged: a PAX header is malformed; send it again")
        if _PAX_REFUSED.fullmatch(keyword):
            raise DataError(f"a PAX header sets '{escape(keyword, 40)}': send plain files by their own short names")
        at = end


def _check_end(source: _Source) -> None:
    """Hold what follows the first block of zeros to be a second one, then nothing but some more zeros."""
    block, size = source.take(BLOCK)
    if size < BLOCK:
        raise DataError("the archive is cut short before the second of its two end marks: send it again")
    if any(block):
        raise DataError("the archive is damaged: one block of zeros stands where two mark the end; send it again")
    left = MAX_PADDING_BYTES
    while chunk := source.read(min(_CHUNK, left + 1)):
        left -= len(chunk)
        if any(chunk):
            raise DataError("something follows the end of the archive: send the archive alone")
        if left < 0:
            raise DataError(f"more than {MAX_PADDING_BYTES:,} zeros follow the end of the archive: send fewer")


def write_tar(files: Iterable[tuple[str, bytes]], mtime_s: int = 0) -> Iterator[bytes]:
    """Yield a ustar archive of regular files, filled up with zeros to whole records of 10,240 bytes.

    Mode 0644, user and group 0 without names: the same files and time give the same bytes.  Names are ASCII, at most
    100 characters.  ``mtime_s`` is in seconds since 1970; GNU tar warns of 0 when it unpacks without ``-m``.
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
    """Return the length in bytes of an archive of these files, end marks included: what ``stream_bytes`` caps."""
    return sum(BLOCK + len(c) + -len(c) % BLOCK for c in contents) + 2 * BLOCK


def _header(name: str, size: int, mtime_s: int) -> bytes:
    before = b"%b0000644\0%07o\0%07o\0%011o\0%011o\0" % (name.encode("ascii").ljust(100, b"\0"), 0, 0, size, mtime_s)
    # Type, link name, magic, version, owner names, device numbers, prefix and filling.
    after = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(167)
    checksum = sum(before) + 8 * ord(" ") + sum(after)
    return before + b"%06o\0 " % checksum + after
