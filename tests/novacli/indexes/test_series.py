"""The published series: names of files, sizes, and what a name states."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_indexes import make_whole_index

from novacli.errors import UsageError
from novacli.indexes.series import SERIES, debian_package, name_problem, parse_name
from solvehost.indexes.index_file import read_index


@pytest.mark.parametrize(("series", "files", "total_gb"), [
    ("4100", 13, 0.3555), ("5200", 336, 36.14), ("5200-heavy", 336, 79.67), ("4200", 288, 33.78), ("5000", 276, 76.24),
    ("6000", 36, 1.583), ("6100", 36, 1.198),
])  # fmt: skip
def test_a_series_has_its_published_number_of_files_and_size(series: str, files: int, total_gb: float) -> None:
    found = SERIES[series].files()
    assert len({file.name for file in found}) == files
    assert sum(file.size_bytes for file in found) / 1e9 == pytest.approx(total_gb, rel=2e-3)


def test_files_are_named_as_published() -> None:
    assert [f.name for f in SERIES["4100"].files([7, 19])] == ["index-4107.fits", "index-4119.fits"]
    tiles = SERIES["5200"].files([3])
    assert (tiles[0].name, tiles[47].name, tiles[11].healpix, tiles[11].nside) == (
        "index-5203-00.fits", "index-5203-47.fits", 11, 2,
    )  # fmt: skip
    assert {f.nside for f in SERIES["4200"].files([5])} == {1}


def test_a_scale_that_a_series_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match="series 4100 has no scale 3: it has the scales 7 to 19"):
        SERIES["4100"].files([3])


def test_a_name_that_is_published_is_recognised() -> None:
    for series in SERIES.values():
        for file in series.files():
            name = parse_name(file.name)
            assert name is not None
            assert (name.series, name.scale, name.healpix) == (series.name[:4], file.scale, file.healpix)
    assert parse_name("index-9901.fits") is None
    assert parse_name("mine.fits") is None


@pytest.mark.parametrize(("name", "header", "words"), [
    ("index-4119.fits", {}, None),
    ("index-tycho2-19.littleendian.fits", {}, None),
    ("mine.fits", {"index_id": 7}, None),
    ("index-4118.fits", {}, "its name is that of index 4118, but its header says 4119"),
    ("index-tycho2-07.littleendian.fits", {}, "its name is that of index 4107"),
    ("index-5206-11.fits", {"index_id": 5206, "healpix": 12, "nside": 2, "low_arcmin": 16, "high_arcmin": 22},
     "its name is that of tile 11, but its header says tile 12"),
    ("index-4119.fits", {"low_arcmin": 22, "high_arcmin": 30}, "quads from 1400′, but its header says 22′"),
])  # fmt: skip
def test_a_file_with_the_name_of_another_is_recognised(
    name: str, header: dict[str, int], words: str | None, tmp_path: Path
) -> None:
    problem = name_problem(read_index(make_whole_index(tmp_path / name, **header)))
    assert problem is None if words is None else words in (problem or "")


def test_debian_has_the_coarse_scales_in_packages() -> None:
    packages = {n: debian_package(n) for n in (6, 7, 9, 10, 19, 20)}
    assert packages == {
        6: None, 7: "astrometry-data-tycho2-07", 9: "astrometry-data-tycho2-09", 10: "astrometry-data-tycho2-10-19",
        19: "astrometry-data-tycho2-10-19", 20: None,
    }  # fmt: skip


def test_every_tile_of_a_scale_lies_on_the_sky() -> None:
    """Names and HEALPix agree: together the tiles are the whole sky."""
    for series in SERIES.values():
        for scale in series.scales:
            assert scale.tiles == max(1, 12 * scale.nside**2)
