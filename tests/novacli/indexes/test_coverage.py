"""The fields that a set of index files can solve."""

from __future__ import annotations

from pathlib import Path

import pytest

from novacli.doctor.index_files import fields_text
from novacli.indexes.coverage import partial_skies, width_ranges_deg
from solvehost.formats.axy import Range
from solvehost.indexes.index_file import IndexFile


def index(
    low_arcmin: float, high_arcmin: float, *, index_id: int = 4100, healpix: int = -1, nside: int = 0
) -> IndexFile:
    return IndexFile(Path("i.fits"), index_id, healpix, nside, Range(low_arcmin, high_arcmin), 1, 1, 1)


TYCHO2 = [index(22, 30), index(30, 42), index(42, 60), index(60, 680), index(680, 2000)]


def test_neighbouring_index_files_serve_one_range_of_widths() -> None:
    (found,) = width_ranges_deg(TYCHO2)
    assert (found.low, found.high) == (pytest.approx(0.733, abs=0.001), 180)


def test_coarse_index_files_alone_serve_only_wide_fields() -> None:
    """With the coarsest file alone, no field below some tens of degrees can be solved."""
    (found,) = width_ranges_deg([index(1400, 2000)])
    assert (found.low, found.high) == (pytest.approx(46.7, abs=0.1), 180)


def test_a_gap_between_fine_and_coarse_files_leaves_two_ranges() -> None:
    assert fields_text([index(1400, 2000), index(2, 2.8)]).startswith("about 4′ to 0.47° and 47° to 180° wide")


def test_the_rule_is_stated() -> None:
    text = fields_text(TYCHO2)
    assert text.startswith("about 0.73° to 180° wide, sometimes from 0.37° (the files hold quads of 22′ to 33°, ")
    assert "between 10 % of a field's smaller side and its diagonal" in text


def test_a_series_with_missing_tiles_covers_a_share_of_the_sky() -> None:
    tiles = [index(2, 2.8, index_id=5200, healpix=n, nside=2) for n in range(12)]
    assert list(partial_skies([*tiles, *TYCHO2])) == ["quads of 2′ to 2.8′ cover 25% of the sky"]


def test_a_complete_series_of_tiles_gives_no_line() -> None:
    assert list(partial_skies([index(2, 2.8, index_id=5200, healpix=n, nside=1) for n in range(12)])) == []
