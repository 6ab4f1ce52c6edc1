"""Outlines as STC-S and MOC, read back by mocpy; corners for Stellarium; the .ini of ASTAP."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import made_results as made
import numpy as np
import pytest

from novacli.errors import UnavailableError
from novacli.exports.linear import nearest_tan
from novacli.wcs.sphere import separation_arcsec
from novacli.wcs.tansip import TanSip

from .conftest import export, solved_field

WIDE = made.wcs_fits()
POLE = made.wcs_fits(600, 400, sip=False, CRVAL1=10.0, CRVAL2=89.9, CRPIX1=300.5, CRPIX2=200.5,
                     CD1_1=-1e-3, CD1_2=0.0, CD2_1=0.0, CD2_2=1e-3)  # fmt: skip
MERIDIAN = made.wcs_fits(600, 400, sip=False, CRVAL1=0.01, CRVAL2=-30.0, CRPIX1=300.5, CRPIX2=200.5,
                         CD1_1=1e-3, CD1_2=0.0, CD2_1=0.0, CD2_2=1e-3)  # fmt: skip
FIELDS = {"34 degrees": WIDE, "pole": POLE, "meridian, mirrored": MERIDIAN}


def _probes(solution: TanSip) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Return places just inside and just outside of the middles of the sides and of the corners."""
    w, h = solution.width, solution.height
    inside = [(w * s, h * t) for s in (0.03, 0.5, 0.97) for t in (0.03, 0.5, 0.97)]
    outside = [(w * s, h * t) for s, t in ((-0.05, 0.5), (1.05, 0.5), (0.5, -0.05), (0.5, 1.05))]
    return [solution.pixel_to_sky(*p) for p in inside], [solution.pixel_to_sky(*p) for p in outside]


def _assert_covers(coverage: Any, solution: TanSip) -> None:
    from astropy import units

    for places, wanted in zip(_probes(solution), (True, False), strict=True):
        ra, dec = np.array(places).T
        assert (coverage.contains_lonlat(units.Quantity(ra, "deg"), units.Quantity(dec, "deg")) == wanted).all()


@pytest.mark.parametrize("wcs", FIELDS.values(), ids=FIELDS)
def test_stcs_encloses_the_image(wcs: bytes, tmp_path: Path) -> None:
    from mocpy import MOC

    field = solved_field(tmp_path, wcs)
    export(field, "stcs", tmp_path / "img.stcs")
    text = (tmp_path / "img.stcs").read_text().strip()
    _assert_covers(MOC.from_stcs(text, max_depth=12), field.solution.tan_sip)


@pytest.mark.parametrize("wcs", FIELDS.values(), ids=FIELDS)
def test_stcs_runs_counter_clockwise(wcs: bytes, tmp_path: Path) -> None:
    """With north up and east left, as ObsCore wants it: the area on the plane (east to the left) is positive."""
    field = solved_field(tmp_path, wcs)
    export(field, "stcs", tmp_path / "img.stcs")
    numbers = np.array((tmp_path / "img.stcs").read_text().split()[2:], dtype=float).reshape(-1, 2)
    from novacli.wcs.projection import sky_to_plane

    planes = [sky_to_plane(ra, dec, field.solution.tan_sip.crval) for ra, dec in numbers]
    x, y = np.array([plane for plane in planes if plane is not None]).T * [[-1], [1]]
    assert len(x) == 48
    assert np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) > 0


@pytest.mark.parametrize("name", ["img.moc", "img.json"])
@pytest.mark.parametrize("wcs", FIELDS.values(), ids=FIELDS)
def test_a_moc_covers_the_image(wcs: bytes, name: str, tmp_path: Path) -> None:
    """FITS and, by the file's name, JSON."""
    from mocpy import MOC

    field = solved_field(tmp_path, wcs)
    export(field, "moc", tmp_path / name)
    kind = "json" if name.endswith("json") else "fits"
    _assert_covers(MOC.load(str(tmp_path / name), kind), field.solution.tan_sip)


def test_a_moc_without_its_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mocpy", None)
    with pytest.raises(UnavailableError, match=r"pip install 'novacli\[moc\]'"):
        export(solved_field(tmp_path, WIDE), "moc", tmp_path / "img.moc")


@pytest.mark.parametrize("is_fits_like", [True, False])
def test_stellarium_gets_the_corners_of_the_displayed_picture(is_fits_like: bool, tmp_path: Path) -> None:
    """(0, 0) of a texture is the bottom left of the picture."""
    field = solved_field(tmp_path, POLE, picture=tmp_path / "img.png", kind="PNG", is_fits_like=is_fits_like)
    assert export(field, "stellarium", tmp_path / "img.textures.json") == ()
    (tile,) = json.loads((tmp_path / "img.textures.json").read_text())["subTiles"]
    assert tile["imageUrl"] == "img.png"
    assert tile["textureCoords"] == [[[0, 0], [1, 0], [1, 1], [0, 1]]]
    bottom, top = (0.5, 400.5) if is_fits_like else (400.5, 0.5)
    wanted = [(0.5, bottom), (600.5, bottom), (600.5, top), (0.5, top)]
    for corner, pixel in zip(tile["worldCoords"][0], wanted, strict=True):
        assert separation_arcsec(tuple(corner), field.solution.tan_sip.pixel_to_sky(*pixel)) < 1e-3


def test_stellarium_states_what_it_cannot_show(tmp_path: Path) -> None:
    """A field of 34 degrees is bent, and FITS images are not shown."""
    notes = export(solved_field(tmp_path, WIDE, picture=tmp_path / "img.fits"), "stellarium", tmp_path / "t.json")
    assert "bends a picture of 34°" in notes[0]
    assert "save img.fits as PNG" in notes[1]


def _ini(path: Path) -> dict[str, str]:
    """Read the file as the programs that call ASTAP do: a key and a value on each line."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


@pytest.mark.parametrize("is_fits_like", [True, False])
def test_the_ini_of_astap_describes_the_image(is_fits_like: bool, tmp_path: Path) -> None:
    """The reference point is the centre, which callers take for the pointing; rows count from the bottom."""
    field = solved_field(tmp_path, WIDE, is_fits_like=is_fits_like)
    (note,) = export(field, "astap", tmp_path / "img.ini")
    found = _ini(tmp_path / "img.ini")
    solution = field.solution.tan_sip
    assert found["PLTSOLVD"] == "T"
    assert (float(found["CRPIX1"]), float(found["CRPIX2"])) == solution.center_px
    center = float(found["CRVAL1"]), float(found["CRVAL2"])
    assert separation_arcsec(center, solution.pixel_to_sky(*solution.center_px)) < 1e-6
    cd = tuple((float(found[f"CD{i}_1"]), float(found[f"CD{i}_2"])) for i in (1, 2))
    tan = TanSip(center, solution.center_px, (cd[0], cd[1]), solution.width, solution.height)
    for x, y in ((1.0, 1.0), (719.0, 507.0), (719.0, 1.0)):
        row = y if is_fits_like else solution.height + 1 - y
        apart_px = separation_arcsec(tan.pixel_to_sky(x, row), solution.pixel_to_sky(x, y)) / solution.pixscale_arcsec
        assert apart_px <= nearest_tan(solution, at_center=True).loss_px + 0.01
    assert "up to" in note
    assert abs(float(found["CDELT2"])) == pytest.approx(solution.pixscale_arcsec / 3600, rel=0.05)
