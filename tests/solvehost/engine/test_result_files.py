"""Files that an engine leaves: only plain, complete files are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from solvehost.engine import result_files
from solvehost.formats import fitsfile


def test_a_file_with_two_hard_links_is_not_plain(tmp_path: Path) -> None:
    """An engine could make a link to any file that it can open."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.touch()
    assert result_files.is_plain_file(one)
    two.hardlink_to(one)
    assert not result_files.is_plain_file(one)
    assert not result_files.is_plain_file(tmp_path / "none")


def test_opening_a_link_or_a_pipe_fails(tmp_path: Path) -> None:
    """A running engine can replace a file at any moment; opening a pipe must not block."""
    one, link, pipe = (tmp_path / name for name in ("one", "link", "pipe"))
    one.write_text("content")
    with result_files.open_plain_file(one) as stream:
        assert stream.read() == b"content"
    link.symlink_to("one")
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path / "none"):
        with pytest.raises(OSError, match=str(path)):
            result_files.open_plain_file(path)
    (tmp_path / "two").hardlink_to(one)
    with pytest.raises(OSError, match="not a regular file with one name"):
        result_files.open_plain_file(one)


def test_a_file_that_is_cut_short_is_not_complete(tmp_path: Path) -> None:
    """Nor is an empty file, a link or a missing one."""
    header = fitsfile.end_header([fitsfile.card(k, v) for k, v in (("BITPIX", 8), ("NAXIS", 1), ("NAXIS1", 5000))])
    corr = tmp_path / "corr.fits"
    half = header + bytes(2880)
    for content, is_complete in ((half + bytes(2880), True), (half, False), (header[:100], False), (b"", False)):
        corr.write_bytes(content)
        assert result_files.is_complete(corr) == is_complete
    corr.unlink()
    assert not result_files.is_complete(corr)
    corr.symlink_to(tmp_path)
    assert not result_files.is_complete(corr)
