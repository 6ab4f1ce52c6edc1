"""What an image shows."""

from __future__ import annotations

import made_results as made
import numpy as np
import pytest

from novacli.catalog.field import deep_sky_in_field, objects_in_field, stars_in_field
from novacli.catalog.shapes import ellipse_places, offset_places
from novacli.catalog.sky_object import FieldObject
from novacli.solution.tables import astropy_wcs
from novacli.text.angles import separation_deg
from novacli.wcs.sphere import position_angle_deg
from novacli.wcs.tansip import TanSip

WIDE = made.solution_of(made.wcs_fits())
"""34 degrees around Ursa Major, with distortion."""


def field(ra: float, dec: float, width_deg: float, *, mirrored: bool = False) -> TanSip:
    """Return the solution of an image of 600 x 400 pixels, north up in FITS."""
    scale = width_deg / 600
    sign = 1 if mirrored else -1
    return TanSip((ra, dec), (300.5, 200.5), ((sign * scale, 0.0), (0.0, scale)), 600, 400)


def by_label(objects: tuple[FieldObject, ...]) -> dict[str, FieldObject]:
    return {found.sky.label: found for found in objects}


@pytest.mark.parametrize(
    "solution",
    [WIDE, field(10.7, 41.3, 3), field(10.7, 41.3, 3, mirrored=True), field(100, 89.8, 8), field(80, -70, 60)],
    ids=["34 degrees with SIP", "M 31", "mirrored", "at the pole", "60 degrees"],
)
def test_places_in_the_image_are_those_of_astropy(solution: TanSip) -> None:
    objects = [found for found in objects_in_field(solution, 2024.5) if found.inside]
    assert len(objects) > 3
    places = [(found.sky.ra_deg, found.sky.dec_deg) for found in objects]
    expected = astropy_wcs(solution).all_world2pix(places, 1)
    np.testing.assert_allclose([(found.x, found.y) for found in objects], expected, atol=0.01)


def test_objects_that_reach_into_the_image_are_listed() -> None:
    """M 31 is 3 degrees long from north-east to south-west, and a degree wide."""
    beside = {turn: by_label(deep_sky_in_field(field(10.68 + turn, 42.4, 1.2))) for turn in (1.2, -1.2)}
    assert not beside[1.2]["M 31 Andromeda Galaxy"].inside
    assert "M 31 Andromeda Galaxy" not in beside[-1.2]


def test_an_object_that_surrounds_the_image_is_listed() -> None:
    """IC 1396 is 170 by 140 arcmin; its rim is outside a field of half a degree near it."""
    names = by_label(deep_sky_in_field(field(324.7, 58.2, 0.5)))
    assert not names["IC 1396 Elephant's Trunk Nebula"].inside


def test_the_brightest_come_first_and_all_stars_are_shown_in_small_fields() -> None:
    wide, small = stars_in_field(field(280, 38, 20), 2000), stars_in_field(field(279.2, 38.8, 3), 2000)
    assert wide[0].sky.label == small[0].sky.label == "Vega"
    assert all("HIP" not in found.sky.label for found in wide)
    assert any("HIP" in found.sky.label for found in small)


def test_proper_motion_moves_the_place_in_the_image() -> None:
    """61 Cyg moved by 138 arcsec from 2000 to 2026: 23 pixels of 6 arcsec."""
    fields = [stars_in_field(field(316.7, 38.7, 1), year) for year in (2000, 2026)]
    places = [next(found for found in stars if "HIP 104214" in found.sky.names) for stars in fields]
    assert np.hypot(places[0].x - places[1].x, places[0].y - places[1].y) == pytest.approx(22.95, abs=0.1)


@pytest.mark.parametrize("place", [(10.0, 41.0), (77.0, -89.95), (359.99, 0.0)])
def test_an_ellipse_has_its_axes_and_its_angle(place: tuple[float, float]) -> None:
    ra, dec = ellipse_places(*place, 2.0, 0.5, 30.0)
    assert separation_deg(*place, ra[0], dec[0]) == pytest.approx(1.0)
    assert separation_deg(*place, ra[18], dec[18]) == pytest.approx(0.25)
    assert position_angle_deg(place, (ra[0], dec[0])) == pytest.approx(30.0)


def test_offsets_follow_great_circles() -> None:
    ra, dec = offset_places(0.0, 0.0, np.array([90.0]), np.array([0.0]))
    assert (ra[0], dec[0]) == pytest.approx((90.0, 0.0), abs=1e-9)
