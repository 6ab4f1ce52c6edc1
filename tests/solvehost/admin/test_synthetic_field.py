"""Synthetic fields, made from the stars of an index file."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from solvehost.admin import programs, synthetic_field
from solvehost.admin.synthetic_field import FieldGeometry
from solvehost.errors import UnavailableError
from solvehost.formats.axy import Range
from solvehost.indexes import index_set
from solvehost.indexes.index_file import IndexFile


def make_file(stars: int, healpix: int = -1) -> IndexFile:
    return IndexFile(Path(f"/none/index-{stars}.fits"), 4110, healpix, 0, Range(60, 85), stars, 1000, 10_000)


def test_the_catalogue_is_dense_and_of_the_whole_sky(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_field, "magnitude_column", lambda path: None if "200000" in path.name else "MAG")
    files = [make_file(n) for n in (1_000, 200_000, 300_000, 2_000_000)] + [make_file(150_000, healpix=3)]
    assert synthetic_field.find_catalogue(files) == (files[2], "MAG")
    assert synthetic_field.find_catalogue(files[:1]) == (files[0], "MAG")
    assert synthetic_field.find_catalogue(files[4:]) is None


def test_a_file_that_cannot_be_read_has_no_magnitudes(tmp_path: Path) -> None:
    (tmp_path / "x.fits").write_bytes(b"nonsense")
    assert synthetic_field.magnitude_column(tmp_path / "x.fits") is None
    assert synthetic_field.magnitude_column(tmp_path / "none.fits") is None


def test_a_field_is_wide_enough_for_the_density_of_stars() -> None:
    dense, sparse = synthetic_field.geometry_for(make_file(1_000_000)), synthetic_field.geometry_for(make_file(100))
    assert 2 < dense.width * dense.arcsec_per_pixel / 3600 < 4
    assert sparse.width * sparse.arcsec_per_pixel / 3600 == pytest.approx(25)


def test_the_message_says_how_to_install_query_starkd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    with pytest.raises(UnavailableError, match="query-starkd was not found"):
        synthetic_field.make_stars(Path("/none"), "MAG", FieldGeometry(1000, 800, 30, (120, 35)))


def test_stars_are_in_the_field_brightest_first(real_indexes: index_set.IndexSet) -> None:
    if programs.find("query-starkd") is None:
        pytest.skip("query-starkd is not installed (Debian: apt install astrometry.net)")
    found = synthetic_field.find_catalogue(real_indexes.files)
    if found is None:
        pytest.skip("no index file has magnitudes (Debian: apt install astrometry-data-tycho2)")
    geometry = synthetic_field.geometry_for(found[0])
    stars = synthetic_field.make_stars(found[0].path, found[1], geometry)
    assert synthetic_field._MIN_STARS <= len(stars) <= synthetic_field._WANTED_STARS
    assert list(stars.flux) == sorted(stars.flux, reverse=True)
    assert all(0.5 <= x <= geometry.width + 0.5 for x in stars.x)
    assert synthetic_field.make_stars(found[0].path, found[1], geometry) == stars
    with pytest.raises(UnavailableError, match="only"):
        synthetic_field.make_stars(found[0].path, found[1], FieldGeometry(10, 10, 0.01, (120, 35)))


def test_angular_distances() -> None:
    assert synthetic_field.separation_arcsec((10, 0), (11, 0)) == pytest.approx(3600)
    assert synthetic_field.separation_arcsec((0, 89), (180, 89)) == pytest.approx(7200)
    assert math.isclose(synthetic_field.separation_arcsec((359.5, 60), (0.5, 60)), 1800, rel_tol=1e-3)
