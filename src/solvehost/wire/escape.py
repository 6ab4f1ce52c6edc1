r"""What the other side said, made safe to print and to log: printable ASCII, everything else as an escape.

Only ASCII is let through, so that the text is the same under any locale, and nothing in it can move a cursor, reorder
a line or pass for another letter.  A backslash is doubled: an escape in the output always stands for one character.
"""

from __future__ import annotations

import functools
import re

_UNSAFE_IN_LINE = re.compile(r"[^ -\[\]-~]")
_UNSAFE_IN_LINES = re.compile(r"[^\n\t -\[\]-~]")


def escape(text: str | bytes, limit: int = 80) -> str:
    r"""Return the first ``limit`` characters of ``text`` as one line of printable ASCII, ``...`` after them if cut.

    Characters that are not printable ASCII become ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``; bytes are taken as Latin-1.
    """
    head = text[:limit]
    line = head.decode("latin-1") if isinstance(head, bytes) else head
    return _UNSAFE_IN_LINE.sub(_escaped, line) + ("..." if len(text) > limit else "")


def escape_lines(text: bytes) -> str:
    """Return ``text``, a log or a part of one, as :func:`escape` does but whole, with its line feeds and tabs."""
    lines = text.decode("latin-1")
    # A table, since a log of nothing but such bytes would make an object of each.
    return lines.translate(_escapes_in_lines()) if _UNSAFE_IN_LINES.search(lines) else lines


@functools.cache
def _escapes_in_lines() -> dict[int, str]:
    return {code: _UNSAFE_IN_LINES.sub(_escaped, chr(code)) for code in range(256)}


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] == "\\":
        return "\\\\"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8 (PEP 383)
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
