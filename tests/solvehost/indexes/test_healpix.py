"""The tiles of index files: their numbers are upstream's, and their circles cover the sky."""

from __future__ import annotations

import dataclasses
import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st
from standin import make_attempt, make_index

from novacli.demo.catalogue import Catalogue
from solvehost.formats.axy import Range
from solvehost.indexes import healpix, index_file, index_set, selection
from solvehost.indexes.sphere import separation_deg

positions = st.tuples(st.floats(0, 360), st.floats(-1, 1).map(lambda z: math.degrees(math.asin(z))))


@pytest.fixture(scope="module")
def catalogue(real_indexes: index_set.IndexSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A FITS table of the bright stars of the whole sky."""
    coarsest = Catalogue.open(real_indexes.files[-1].path)
    stars = coarsest.around(np.array([0.0, 0.0, 1.0]), math.pi)
    x, y, z = stars.directions.T
    path = tmp_path_factory.mktemp("catalogue") / "stars.fits"
    columns = {"RA": np.degrees(np.arctan2(y, x)) % 360, "DEC": np.degrees(np.arcsin(z)), "MAG": stars.magnitudes}
    Table(columns).write(path)
    return path


@pytest.mark.engine
@pytest.mark.parametrize(
    ("nside", "tile"), [(1, 0), (1, 6), (2, 1), (2, 2), (2, 18), (2, 35), (2, 45), (3, 5), (3, 50)]
)
def test_the_stars_of_a_real_tile_lie_in_its_circle(catalogue: Path, tmp_path: Path, nside: int, tile: int) -> None:
    """All stars of a tile that upstream's program built lie within the circle of the tile with that number."""
    builder = shutil.which("build-astrometry-index")
    if builder is None:
        pytest.skip("no build-astrometry-index (Debian: apt install astrometry.net)")
    out = tmp_path / "tile.fits"
    sky = ["-s", str(nside), "-H", str(tile), "-S", "MAG"]
    subprocess.run([builder, "-i", catalogue, "-o", out, "-P", "17", "-M", *sky], check=True, capture_output=True)
    file = index_file.read_index(out)
    around = healpix.cap(file.healpix, file.nside)
    assert (file.healpix, file.nside) == (tile, nside)
    assert around is not None
    stars = Catalogue.open(out)
    vectors = np.asarray(stars.points, np.float64) * stars.step + stars.low
    ra, dec = np.radians([around.ra_deg, around.dec_deg])
    middle = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    far_deg = np.degrees(np.arccos(np.clip(vectors @ middle, -1, 1)))
    assert far_deg.max() <= around.radius_deg
    assert far_deg.max() > around.radius_deg / 2


@given(positions, st.integers(1, 4))
def test_every_position_is_in_at_least_one_tile(position: tuple[float, float], nside: int) -> None:
    """The circles leave no gap, and at most nine of them overlap at one position."""
    holding = [n for n in range(12 * nside**2) if healpix.may_overlap(n, nside, position, 0.0)]
    assert 1 <= len(holding) <= 9


@given(st.integers(0, 11), st.integers(0, 3))
def test_a_quarter_of_a_base_tile_lies_within_it(base: int, part: int) -> None:
    """Its circle lies within the base tile's, up to the margins of both."""
    whole, quarter = healpix.cap(base, 1), healpix.cap(4 * base + part, 2)
    assert whole is not None
    assert quarter is not None
    apart_deg = separation_deg((whole.ra_deg, whole.dec_deg), (quarter.ra_deg, quarter.dec_deg))
    assert apart_deg + quarter.radius_deg <= whole.radius_deg * 1.35
    assert quarter.radius_deg < whole.radius_deg


@pytest.mark.parametrize(("tile", "nside"), [(12, 1), (-1, 1), (0, 0), (48, 2), (0, -3)])
def test_a_file_with_an_impossible_tile_number_is_kept(tile: int, nside: int) -> None:
    """The engine decides about such a file."""
    assert healpix.cap(tile, nside) is None
    assert healpix.may_overlap(tile, nside, (0.0, 0.0), 1.0)


def test_a_search_around_a_position_selects_the_tiles_near_it() -> None:
    """Of 48 tiles those near the position are selected, with a file of the whole sky; without a position, all are."""
    files = [dataclasses.replace(make_index(f"{n}.fits", 60, 85), healpix=n, nside=2) for n in range(48)]
    files.append(make_index("all.fits", 60, 85))
    blind = dataclasses.replace(make_attempt(), scales_arcsec_per_pixel=(Range(30, 60),))
    near = dataclasses.replace(blind, center_deg=(45.0, 2.0), radius_deg=5.0)
    assert len(selection.select(blind, files)) == 49
    chosen = {f.path.name for f in selection.select(near, files)}
    assert "all.fits" in chosen
    assert 2 <= len(chosen) <= 10
    wide = dataclasses.replace(near, radius_deg=180.0)
    assert len(selection.select(wide, files)) == 49
