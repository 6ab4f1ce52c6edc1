r"""Text from outside (file names, engine logs) made safe to print: control characters are shown, not obeyed.

A file name may hold escape sequences that a terminal obeys, and bytes that are no UTF-8, which Python carries as lone
surrogates and cannot print.
"""

from __future__ import annotations

import re

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
#: Characters that reorder the text around them, or break its line, without being seen.
_INVISIBLE = "\u200e\u200f\u2028-\u202e\u2066-\u2069"
_SURROGATES = "\ud800-\udfff"
_UNSAFE_IN_TEXT = re.compile(f"[{_CONTROLS}{_INVISIBLE}{_SURROGATES}]")
_UNSAFE_IN_LINE = re.compile(f"[\t\n{_CONTROLS}{_INVISIBLE}{_SURROGATES}]")


def printable_line(text: str) -> str:
    r"""Return ``text`` as one line that is safe to print; a line feed becomes ``\x0a``."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


def printable_text(text: str) -> str:
    """Return ``text`` safe to print, with its lines and tabs as they are."""
    return _UNSAFE_IN_TEXT.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8 (PEP 383)
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
