"""Reading the header of one index file: complete files are read, and every other file is refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from standin import write_index

from solvehost.errors import DataError
from solvehost.formats.fitsfile import card, end_header
from solvehost.indexes.index_file import read_index
from solvehost.indexes.index_set import IndexSet


@pytest.mark.engine
def test_installed_index_files_are_read(real_indexes: IndexSet) -> None:
    """Each has stars, quads and a range of scales; the set is ordered by scale."""
    assert not real_indexes.damaged
    for file in real_indexes.files:
        assert file.path.is_absolute()
        assert file.stars > 0
        assert file.quads > 0
        assert file.size_bytes == file.path.stat().st_size
        assert 0 < file.quads_arcmin.low < file.middle_arcmin < file.quads_arcmin.high
    middles = [f.middle_arcmin for f in real_indexes.files]
    assert middles == sorted(middles)


def test_the_cards_of_the_header_are_read(tmp_path: Path) -> None:
    path = write_index(tmp_path / "index-a.fits")
    file = read_index(path)
    assert (file.index_id, file.healpix, file.nside, file.stars, file.quads) == (4110, -1, 0, 100, 200)
    assert file.quads_arcmin == pytest.approx((60, 85))
    assert file.size_bytes == path.stat().st_size


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"INDEXID": None}, "no INDEXID"),
        ({"INDEXID": "x"}, "INDEXID is 'x'"),
        ({"SCALE_L": -1.0}, "range of scales is invalid"),
        ({"SCALE_L": 0.0}, "range of scales is invalid"),
        ({"SCALE_L": 2.0, "SCALE_U": 1.0}, "range of scales is invalid"),
        ({"HEALPIX": "x"}, "HEALPIX is 'x'"),
    ],
)
def test_an_invalid_header_is_refused_with_the_reason(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    path = write_index(tmp_path / "index-odd.fits", **changes)
    with pytest.raises(DataError, match=reason):
        read_index(path)


def test_an_image_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "image.fits"
    image.write_bytes(end_header([card("SIMPLE", True), card("BITPIX", 8), card("NAXIS", 0)]))
    with pytest.raises(DataError, match="it is not an index file"):
        read_index(image)


@pytest.mark.parametrize("kind", ["pipe", "directory", "missing"])
def test_only_regular_files_are_opened(tmp_path: Path, kind: str) -> None:
    """Opening a pipe would block."""
    path = tmp_path / "index-1.fits"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    with pytest.raises(DataError, match="missing, or is not a regular file"):
        read_index(path)


def test_a_path_with_a_line_break_is_refused(tmp_path: Path) -> None:
    """The engine's configuration has one path on each line."""
    folder = tmp_path / "two\nlines"
    folder.mkdir()
    with pytest.raises(DataError, match="line break"):
        read_index(write_index(folder / "index-a.fits"))
