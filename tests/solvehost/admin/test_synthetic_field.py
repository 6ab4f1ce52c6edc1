"""A drawn field is one whose centre is known, and the engine's own catalogue is what it is drawn from."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from solvehost.admin import programs, synthetic_field
from solvehost.admin.synthetic_field import Frame
from solvehost.errors import UnavailableError
from solvehost.formats.axy import Range
from solvehost.indexes import index_set
from solvehost.indexes.index_file import IndexFile


def make_file(stars: int, healpix: int = -1) -> IndexFile:
    return IndexFile(Path(f"/none/index-{stars}.fits"), 4110, healpix, 0, Range(60, 85), stars, 1000, 10_000)


def test_a_dense_catalogue_of_the_whole_sky_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_field, "magnitude_column", lambda path: None if "200000" in path.name else "MAG")
    files = [make_file(n) for n in (1_000, 200_000, 300_000, 2_000_000)] + [make_file(150_000, healpix=3)]
    assert synthetic_field.find_catalogue(files) == (files[2], "MAG")
    assert synthetic_field.find_catalogue(files[:1]) == (files[0], "MAG")
    assert synthetic_field.find_catalogue(files[4:]) is None


def test_a_file_that_cannot_be_read_has_no_magnitudes(tmp_path: Path) -> None:
    (tmp_path / "x.fits").write_bytes(b"nonsense")
    assert synthetic_field.magnitude_column(tmp_path / "x.fits") is None
    assert synthetic_field.magnitude_column(tmp_path / "none.fits") is None


def test_a_frame_is_as_wide_as_it_takes() -> None:
    dense, sparse = synthetic_field.frame_for(make_file(1_000_000)), synthetic_field.frame_for(make_file(100))
    assert 2 < dense.width * dense.arcsec_per_pixel / 3600 < 4
    assert sparse.width * sparse.arcsec_per_pixel / 3600 == pytest.approx(25)


def test_without_the_program_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    with pytest.raises(UnavailableError, match="query-starkd was not found"):
        synthetic_field.draw(Path("/none"), "MAG", Frame(1000, 800, 30, (120, 35)))


def test_stars_are_drawn_brightest_first(real_indexes: index_set.IndexSet) -> None:
    if programs.find("query-starkd") is None:
        pytest.skip("query-starkd is not installed (Debian: apt install astrometry.net)")
    found = synthetic_field.find_catalogue(real_indexes.files)
    if found is None:
        pytest.skip("no index file has magnitudes (Debian: apt install astrometry-data-tycho2)")
    frame = synthetic_field.frame_for(found[0])
    stars = synthetic_field.draw(found[0].path, found[1], frame)
    assert synthetic_field._ENOUGH_STARS <= len(stars) <= synthetic_field._WANTED_STARS
    assert list(stars.flux) == sorted(stars.flux, reverse=True)
    assert all(0.5 <= x <= frame.width + 0.5 for x in stars.x)
    assert synthetic_field.draw(found[0].path, found[1], frame) == stars
    with pytest.raises(UnavailableError, match="only"):
        synthetic_field.draw(found[0].path, found[1], Frame(10, 10, 0.01, (120, 35)))


def test_distances_on_the_sky() -> None:
    assert synthetic_field.separation_arcsec((10, 0), (11, 0)) == pytest.approx(3600)
    assert synthetic_field.separation_arcsec((0, 89), (180, 89)) == pytest.approx(7200)
    assert math.isclose(synthetic_field.separation_arcsec((359.5, 60), (0.5, 60)), 1800, rel_tol=1e-3)
