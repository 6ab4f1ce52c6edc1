"""Formats are recognised by content, and so are common files of other kinds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novacli.errors import DataError, NovaError, UnavailableError
from novacli.inputs import FileInput, open_field
from novacli.inputs.registry import FORMATS


def word_of(head: bytes, suffix: str = "") -> str | None:
    return next((known.word for known in FORMATS if known.matches(head, suffix)), None)


@pytest.mark.parametrize(
    ("head", "suffix", "word"),
    [
        (b"SIMPLE  =", "", "FITS"),
        (b"SIMPLE  =", ".jpg", "FITS"),
        (b"\xff\xd8\xff\xe1", ".fits", "JPEG"),
        (b"II*\0" + bytes(20), ".tif", "TIFF"),
        (b"MM\0*" + bytes(20), "", "TIFF"),
        (b"II*\0" + bytes(20), ".nef", "raw"),
        (b"II*\0\x10\0\0\0CR\x02\0", "", "raw"),
        (b"II*\0\x08\0\0\0\x01\0\x12\xc6" + bytes(20), ".tif", "raw"),
        (b"\0\0\0\x18ftypcrx ", "", "raw"),
        (b"x,y\n1,2\n", ".nef", "text"),
        (b" \n[[1, 2]]", "", "JSON"),
        (b"\xef\xbb\xbf{}", ".txt", "JSON"),
        (b"BM but not a bitmap", "", "text"),
        (b"<html>", ".jpg", None),
        (b"\0\1\2", ".png", None),
    ],
)
def test_content_decides_and_the_suffix_breaks_ties(head: bytes, suffix: str, word: str | None) -> None:
    """A suffix alone does not decide."""
    assert word_of(head, suffix) == word


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04rest", "is a damaged or truncated ZIP archive: copy it again"),
        (bytes(257) + b"ustar", "is a tar archive: unpack it first"),
        (b"\0\0\0\x18ftypheic", "is a HEIC or AVIF picture"),
        (b"%PDF-1.7\0", "is a PDF document"),
        (b"\n <!doctype HTML><html>", r"is a web page \(HTML\)"),
        (b"<?xml version='1.0'?><VOTABLE/>", "is an XML document"),
        (b"\0\1\2\3", "is neither an image nor a source list that nova can read: it reads FITS, JPEG"),
    ],
)
def test_the_error_about_other_files_names_their_kind_and_a_remedy(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_field(FileInput(str(tmp_path / "x.bin")))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    st.sampled_from(
        [
            b"",
            b"SIMPLE  =                    T",
            b"\xff\xd8\xff\xe0\0\x10JFIF\0",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            b"GIF89a\x05\0\x05\0",
            b"RIFF\0\1\0\0WEBPVP8 ",
            b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
            b"II*\0\x08\0\0\0",
            b"XISF0100\x20\0\0\0",
            b"\x1f\x8b\x08\0",
            b"BZh9",
        ]
    ),
    st.binary(max_size=300),
)
def test_any_bytes_end_in_a_one_line_error(tmp_path: Path, magic: bytes, rest: bytes) -> None:
    """Reading gives a field or one of our errors, never the error of a library."""
    (tmp_path / "any.bin").write_bytes(magic + rest)
    try:
        open_field(FileInput(str(tmp_path / "any.bin")))
    except UnavailableError:
        assert magic.startswith((b"XISF", b"II")) or rest
    except NovaError as exc:
        assert "\n" not in str(exc)
        assert "any.bin" in str(exc)
