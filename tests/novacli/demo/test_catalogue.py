"""Stars read from index files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import fitsio
import numpy as np
import pytest

from novacli.demo.catalogue import Catalogue, find_index
from novacli.demo.projection import direction
from novacli.errors import UnavailableError
from solvehost.indexes.index_set import IndexSet

from .conftest import random_sky

WriteIndex = Callable[..., Path]


@pytest.mark.parametrize(("stored", "endian"), [("u32", "<"), ("u32", ">"), ("double", "<")])
def test_around_returns_exactly_the_stars_within_the_radius(write_index: WriteIndex, stored: str, endian: str) -> None:
    directions, magnitudes = random_sky(5000)
    path = write_index(directions, magnitudes, stored=stored, endian=endian)
    pole = direction(0, 90)

    found = Catalogue.open(path).around(pole, np.radians(20))

    expected = directions[:, 2] >= np.cos(np.radians(20))
    np.testing.assert_allclose(found.directions, directions[expected], atol=1e-9)
    np.testing.assert_allclose(found.magnitudes, magnitudes[expected], rtol=1e-6)


def test_stars_without_a_finite_magnitude_are_left_out(write_index: WriteIndex) -> None:
    directions, magnitudes = random_sky(10)
    magnitudes[3] = np.nan
    found = Catalogue.open(write_index(directions, magnitudes)).around(direction(0, 0), np.pi)
    assert len(found) == 9


def test_any_column_named_after_magnitudes_is_used(write_index: WriteIndex) -> None:
    assert Catalogue.open(write_index(*random_sky(10), band="j_mag")).band == "j_mag"


def test_index_without_magnitudes_is_refused(write_index: WriteIndex) -> None:
    path = write_index(*random_sky(10), band=None)
    with pytest.raises(UnavailableError, match=rf"^{path}: this index file has no magnitudes.*install"):
        Catalogue.open(path)


def test_truncated_file_is_reported(write_index: WriteIndex) -> None:
    path = write_index(*random_sky(5000))
    path.write_bytes(path.read_bytes()[:-2880])
    with pytest.raises(UnavailableError, match=rf"{path.name}.*cut short"):
        Catalogue.open(path)


def test_columns_of_different_lengths_are_refused(write_index: WriteIndex) -> None:
    directions, magnitudes = random_sky(100)
    path = write_index(directions, magnitudes[:50])
    content = path.read_bytes()
    # The helper states 100 rows for the magnitudes; say 50, as the data are.
    at = content.rindex(b"NAXIS2")
    path.write_bytes(content[:at] + b"NAXIS2  = " + b"50".rjust(20) + content[at + 30 :])
    with pytest.raises(UnavailableError, match=r"no stars can be read from this index file"):
        Catalogue.open(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"SIMPLE  = " + b"T".rjust(20)])
def test_file_that_is_not_an_index_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "index-0.fits"
    path.write_bytes(content)
    with pytest.raises(UnavailableError, match=r"index-0\.fits"):
        Catalogue.open(path)


def test_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"index-9\.fits: No such file"):
        Catalogue.open(tmp_path / "index-9.fits")


def test_the_deepest_index_of_the_whole_sky_is_found(write_index: WriteIndex, tmp_path: Path) -> None:
    """Files with fewer stars, deeper tiles of the sky and deeper files without magnitudes are not chosen."""
    write_index(*random_sky(10), name="index-few.fits")
    deepest = write_index(*random_sky(20), name="index-more.fits")
    write_index(*random_sky(30), name="index-tile.fits", healpix=3)
    write_index(*random_sky(40), name="index-bare.fits", band=None)
    assert find_index([tmp_path]) == deepest.resolve()


def test_error_without_an_index_names_the_searched_folders(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=rf"{tmp_path.name}.*install"):
        find_index([tmp_path])


@pytest.mark.engine
def test_installed_index_gives_the_stars_of_query_starkd(tmp_path: Path, real_indexes: IndexSet) -> None:
    program = shutil.which("query-starkd")
    if program is None:
        pytest.skip("query-starkd is not installed (Debian: apt install astrometry.net)")
    index = find_index(real_indexes.searched)
    catalogue = Catalogue.open(index)
    out = tmp_path / "stars.fits"
    place = ["-r", "83.8", "-d", "-1", "-R", "2", "-t", catalogue.band]
    subprocess.run([program, *place, "-o", str(out), str(index)], check=True, capture_output=True)
    told = fitsio.read(str(out))

    found = catalogue.around(direction(83.8, -1), np.radians(2))

    ra = np.degrees(np.arctan2(found.directions[:, 1], found.directions[:, 0]))
    ours = sorted(zip(ra, found.magnitudes, strict=True))
    theirs = sorted(zip(told["RA"].astype(float), told[catalogue.band].astype(float), strict=True))
    np.testing.assert_allclose(ours, theirs, atol=1e-7)
    assert len(ours) > 100
