from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novacli.text.printable import printable_line, printable_text, shown_name


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("field.fits", "field.fits"),
        ("M 31 – Ω.fits", "M 31 – Ω.fits"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\tc\r", "a\\x0ab\\x09c\\x0d"),
        ("caf\udce9.fits", "caf\\xe9.fits"),
        ("\x9b31m", "\\x9b31m"),
        ("stif.\u202eexe", "stif.\\u202eexe"),
    ],
)
def test_a_line_shows_what_a_terminal_would_obey(raw: str, shown: str) -> None:
    assert printable_line(raw) == shown


def test_an_empty_name_is_shown_as_quotes() -> None:
    assert [shown_name(name) for name in ("", "a\nb\x1b[2Jc\udcff.fits")] == ["''", r"a\x0ab\x1b[2Jc\xff.fits"]


def test_a_text_keeps_its_lines_and_tabs() -> None:
    assert printable_text("a\tb\r\nc\x07\n") == "a\tb\\x0d\nc\\x07\n"


@given(st.text(alphabet=st.characters(codec=None)))
def test_any_text_can_be_printed_as_one_line(text: str) -> None:
    shown = printable_line(text)
    shown.encode("utf-8")
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in shown)
