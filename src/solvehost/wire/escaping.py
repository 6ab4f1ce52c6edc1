r"""Text that the other side sent, made safe to print and to log: printable ASCII, all other characters escaped.

Only ASCII passes, so the text is the same in every locale, and nothing in it can move a cursor, reorder a line or
resemble another letter.  A backslash is doubled, so an escape sequence in the output always stands for one character.
"""

from __future__ import annotations

import functools
import re

_UNSAFE_IN_LINE = re.compile(r"[^ -\[\]-~]")
_UNSAFE_IN_LINES = re.compile(r"[^\n\t -\[\]-~]")


def escape(text: str | bytes, limit: int = 80) -> str:
    r"""Return the first ``limit`` characters of ``text`` as one line of printable ASCII; append ``...`` if it was cut.

    Characters that are not printable ASCII become ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``.  Bytes are read as Latin-1.
    """
    head = text[:limit]
    line = head.decode("latin-1") if isinstance(head, bytes) else head
    return _UNSAFE_IN_LINE.sub(_escape_character, line) + ("..." if len(text) > limit else "")


def escape_lines(text: bytes) -> str:
    """Escape all of ``text``, which may be a log or a part of one; line feeds and tabs stay."""
    lines = text.decode("latin-1")
    # str.translate with a table: re.sub would create a match object for each byte of a log of unsafe bytes.
    return lines.translate(_escape_table()) if _UNSAFE_IN_LINES.search(lines) else lines


@functools.cache
def _escape_table() -> dict[int, str]:
    return {code: _UNSAFE_IN_LINES.sub(_escape_character, chr(code)) for code in range(256)}


def _escape_character(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] == "\\":
        return "\\\\"
    if 0xDC80 <= code <= 0xDCFF:  # a surrogate for a byte that was not valid UTF-8 (PEP 383)
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
