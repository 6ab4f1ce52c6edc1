"""Escaped text is safe to print."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvehost import wire


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ~ text", "plain ~ text"),
        ("a\nb\tc\0", r"a\x0ab\x09c\x00"),
        ("\x1b[2J\x7f\x9b", r"\x1b[2J\x7f\x9b"),
        ("\u202eä\U0001f30c\udcff\ud800", r"\u202e\xe4\U0001f30c\xff\ud800"),
        ("\\x1b", r"\\x1b"),
        (b"\xc3\xa4\r", r"\xc3\xa4\x0d"),
        ("a" * 81, "a" * 80 + "..."),
        (b"\0" * 81, r"\x00" * 80 + "..."),
        ("a" * 80, "a" * 80),
    ],
)
def test_escaped_text_is_printable_ascii_and_bounded(text: str | bytes, shown: str) -> None:
    assert wire.escape(text) == shown


def test_escaped_logs_keep_their_lines() -> None:
    assert wire.escape_lines(b"one\n\ttwo\r\n\x1b\\" + b"x" * 999) == "one\n\ttwo\\x0d\n\\x1b\\\\" + "x" * 999


@given(st.text() | st.binary())
def test_any_text_is_escaped_to_printable_ascii(text: str | bytes) -> None:
    shown = wire.escape(text, 20)
    assert shown.isascii()
    assert shown.isprintable() or not shown
    assert len(shown) <= 203
