"""Recognises, by marks in their headers, the files that nova itself wrote: those are not frames."""

from __future__ import annotations

import zlib
from pathlib import Path

from novacli.exports.insert import COPY_HISTORY
from novacli.files import compression
from solvehost.formats import fitsfile

#: Marks are searched within this many bytes; they stand in the first headers.
_MARK_BYTES = 32 * fitsfile.BLOCK


def is_written_by_nova(path: str) -> bool:
    """Return True if a file is a copy with a solution (``--new-fits``), or a job's star list, WCS or table.

    An image that ``--update`` wrote a solution into is a frame.  A file that cannot be read counts as one too; reading
    it later gives the error message.
    """
    return _has_mark(_head(path, _MARK_BYTES) or b"")


def _head(path: str, size: int) -> bytes | None:
    """Return the first bytes of a file, unpacked if it is packed; None if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(size)
            kind = compression.kind_by_content(head)
            if kind is None:
                return head
            file.seek(0)
            return compression.open_unpacker(file, kind).read(size)
    except (OSError, EOFError, ValueError, zlib.error):
        return None


def _has_mark(head: bytes) -> bool:
    if not head.startswith(b"SIMPLE"):
        return False
    if _has_card(head, f"HISTORY {COPY_HISTORY}"):
        return True
    if not _has_card(head[: fitsfile.BLOCK], "NAXIS   =                    0", is_whole=False):
        return False
    if _has_card(head, "TTYPE1  = 'field_x ", is_whole=False) and _has_card(
        head, "TTYPE9  = 'index_id", is_whole=False
    ):
        return True
    return (
        _has_card(head, "ANRUN   =                    T")  # other programs' star lists have a comment on this card
        or _has_card(head, "AN_FILE = 'RDLS", is_whole=False)
        or _has_card(head, "HISTORY This is a WCS header was created by Astrometry.net.")
    )


def _has_card(head: bytes, text: str, *, is_whole: bool = True) -> bool:
    """Return True if a card begins with ``text``; with ``is_whole``, if it holds nothing else."""
    wanted = text.ljust(fitsfile.CARD if is_whole else 0).encode("ascii")
    at = head.find(wanted)
    while at >= 0:
        if at % fitsfile.CARD == 0:
            return True
        at = head.find(wanted, at + 1)
    return False
