"""Star tables, and columns of the engine's tables."""

from __future__ import annotations

import struct
from array import array
from pathlib import Path

import pytest

from solvehost.errors import DataError
from solvehost.formats.fitsfile import card, end_header, pad_data
from solvehost.formats.star_table import Stars, read_columns, table_bytes

PRIMARY = end_header([card("SIMPLE", True), card("BITPIX", 8), card("NAXIS", 0)])


def test_stars_are_built_from_buffers_of_equal_length() -> None:
    x, y, flux = (struct.pack("=2f", *pair) for pair in ((1, 2), (3, 4), (5, 6)))
    assert Stars.from_bytes(x, y, flux) == Stars(array("f", [1, 2]), array("f", [3, 4]), array("f", [5, 6]))
    with pytest.raises(ValueError, match="columns differ in length"):
        Stars.from_bytes(x, y, flux[:4])


def test_rows_are_written_big_endian() -> None:
    table = table_bytes(Stars(array("f", [1.5]), array("f", [2.5]), array("f", [3.5])))
    assert table[2880 : 2880 + 12] == struct.pack(">3f", 1.5, 2.5, 3.5)


def test_a_table_without_stars_has_a_header() -> None:
    assert len(table_bytes(Stars.empty())) == 2880


def test_columns_are_read_by_name(tmp_path: Path) -> None:
    path = tmp_path / "corr.fits"
    stars = Stars(array("f", [1, 2]), array("f", [3, 4]), array("f", [5, 6]))
    path.write_bytes(PRIMARY + table_bytes(stars))
    assert read_columns(path, ("FLUX", "x")) == [stars.flux, stars.x]
    with pytest.raises(DataError, match="no numeric column 'FIELD_X'"):
        read_columns(path, ("FIELD_X",))


@pytest.mark.parametrize("wrong", [{"NAXIS2": 2_000_000_000}, {"NAXIS2": -1}, {"NAXIS1": 0}])
def test_a_table_that_states_a_wrong_size_is_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    cards = {"XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 4, "NAXIS2": 1, "TFIELDS": 1,
             "TTYPE1": "X", "TFORM1": "E", **wrong}  # fmt: skip
    path = tmp_path / "corr.fits"
    path.write_bytes(PRIMARY + end_header([card(k, v) for k, v in cards.items()]) + pad_data(b"\0" * 4))
    with pytest.raises(DataError, match=r"corr\.fits: its table is cut short"):
        read_columns(path, ("X",))


def test_a_table_after_impossible_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "corr.fits"
    path.write_bytes(end_header([card("BITPIX", 8), card("NAXIS", 1), card("NAXIS1", 10**40)]))
    with pytest.raises(DataError, match="more data than a file can hold"):
        read_columns(path, ("X",))
