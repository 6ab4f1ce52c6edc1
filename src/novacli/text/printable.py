"""Make text from outside, such as file names and engine logs, safe to print: the one place that does so.

A file name may hold escape sequences, which a terminal obeys, and bytes that are not UTF-8, which Python holds as lone
surrogates and cannot print.
"""

from __future__ import annotations

import re

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
#: Invisible characters that reorder the text around them or break its line.
_INVISIBLE = "\u200e\u200f\u2028-\u202e\u2066-\u2069"
_SURROGATES = "\ud800-\udfff"
_UNSAFE_IN_TEXT = f"[{_CONTROLS}{_INVISIBLE}{_SURROGATES}]"
_UNSAFE_IN_LINE = f"[\t\n{_CONTROLS}{_INVISIBLE}{_SURROGATES}]"


def printable_line(text: str) -> str:
    r"""Return ``text`` as one line that is safe to print; a line feed becomes ``\x0a``."""
    return text if text.isprintable() else re.sub(_UNSAFE_IN_LINE, _escape, text)


def shown_name(name: str) -> str:
    """Return a file's name as one line that is safe to print; quotes stand for an empty name."""
    return printable_line(name or "''")


def printable_text(text: str) -> str:
    """Return ``text`` safe to print, its line feeds and tabs unchanged."""
    return text if text.isprintable() else re.sub(_UNSAFE_IN_TEXT, _escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8 (PEP 383)
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
