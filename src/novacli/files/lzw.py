"""Unpack the ``.Z`` files of the Unix program compress (LZW), for which Python has no module.

A file begins with the bytes 1F 9D and a byte of flags: the largest width of a code in bits, and 0x80 if code 256 clears
the table.  Codes are stored with their lowest bit first, in groups of eight; the first ones have 9 bits.  The width
grows when the table is full, and the rest of the group is then left out, as it is after the code that clears the table.

Source: the manual of ncompress, and Welch 1984, IEEE Computer 17, 8.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from novacli.files.chunks import CHUNK_BYTES

_MAGIC = b"\x1f\x9d"
_WIDTH_BITS, _CAN_CLEAR = 0x1F, 0x80
_FIRST_WIDTH, _MAX_WIDTH = 9, 16
#: A full table of 9-bit codes is followed by codes of 10 bits, as in the original program.
_LEAST_MAX_WIDTH = 10
_CLEAR = 256
#: The strings in the table are together about as long as the output that they come from.  Images reach a megabyte.
_MAX_TABLE_BYTES = 256 * 1024**2
_LITERALS = tuple(bytes([value]) for value in range(256))


@dataclass(slots=True)
class _Decoder:
    """The table of strings by code, and the width of the next codes."""

    max_width: int
    can_clear: bool
    table: list[bytes] = field(init=False)
    table_bytes: int = 0
    width: int = _FIRST_WIDTH
    last: bytes = b""

    def __post_init__(self) -> None:
        # Code 256 is not a string if it clears the table.
        self.table = [*_LITERALS, *([b""] if self.can_clear else [])]

    def decode(self, group: bytes) -> Iterator[bytes]:
        """Yield the strings of a group of codes; stop where the rest of the group is left out."""
        bits, width = int.from_bytes(group, "little"), self.width
        mask = (1 << width) - 1
        for _ in range(len(group) * 8 // width):
            code = bits & mask
            bits >>= width
            if code == _CLEAR and self.can_clear:
                # The next code fills place 256, which is never used, so that the new strings begin at 257.
                del self.table[_CLEAR:]
                self.width, self.table_bytes = _FIRST_WIDTH, 0
                return
            yield self._string(code)
            if len(self.table) > mask and width < max(self.max_width, _LEAST_MAX_WIDTH):
                self.width += 1
                return

    def _string(self, code: int) -> bytes:
        """Return the string of a code, and add the last string with one more byte to the table."""
        if code < len(self.table):
            string = self.table[code]
        elif code == len(self.table) and self.last:
            string = self.last + self.last[:1]
        else:
            raise OSError(errno.EINVAL, "a code is not in the table")
        if self.last and len(self.table) < 1 << self.max_width:
            self.table.append(self.last + string[:1])
            self.table_bytes += len(self.last)
            if self.table_bytes > _MAX_TABLE_BYTES:
                raise OSError(errno.ENOMEM, "the table is too large")
        self.last = string
        return string


def unpack(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a ``.Z`` file.  The format has no mark of its end, so a truncated file is not noticed.

    Raises
    ------
    OSError
        It is damaged, or takes too much memory (``errno.ENOMEM``).
    EOFError
        It has no codes.
    """
    head = file.read(len(_MAGIC) + 1)
    if len(head) <= len(_MAGIC):
        raise EOFError("no code follows the magic bytes")
    flags = head[-1]
    max_width = flags & _WIDTH_BITS
    if not _FIRST_WIDTH <= max_width <= _MAX_WIDTH:
        raise OSError(errno.EINVAL, f"codes of {max_width} bits are unknown")
    decoder = _Decoder(max_width, bool(flags & _CAN_CLEAR))
    strings: list[bytes] = []
    ready_bytes = 0
    while group := file.read(decoder.width):
        for string in decoder.decode(group):
            strings.append(string)
            ready_bytes += len(string)
        if ready_bytes >= CHUNK_BYTES:
            yield b"".join(strings)
            strings, ready_bytes = [], 0
    yield b"".join(strings)
