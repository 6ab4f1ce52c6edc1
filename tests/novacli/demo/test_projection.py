"""From the sky to pixels, compared with astropy's reading of the cards."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from novacli.demo.projection import Projection, direction
from novacli.demo.scene import Scene


def astropy_wcs(cards: dict[str, str | int | float]) -> WCS:
    header = fits.Header()
    for keyword, value in cards.items():
        header[keyword] = value
    return WCS(header)


SCENES = st.builds(
    Scene,
    ra_deg=st.floats(0, 360),
    dec_deg=st.floats(-90, 90),
    width_deg=st.floats(0.2, 90),
    rotation_deg=st.floats(-360, 360),
    mirrored=st.booleans(),
    distortion_percent=st.floats(-20, 20),
)


@given(scene=SCENES, x=st.floats(1, 1024), y=st.floats(1, 768))
def test_astropy_to_the_sky_and_back_returns_to_the_pixel(scene: Scene, x: float, y: float) -> None:
    projection = Projection.of(scene)
    ra, dec = (float(v) for v in astropy_wcs(projection.cards()).all_pix2world(x, y, 1))

    back = projection.sky_to_pixel(direction(ra, dec)[None, :])

    np.testing.assert_allclose(np.ravel(back), (x, y), atol=1e-5)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation_deg", [0.0, 30.0, 200.0, -75.0])
def test_rotation_is_the_position_angle_of_up_from_north_through_east(rotation_deg: float, *, mirrored: bool) -> None:
    scene = Scene(10, 40, width_deg=1, rotation_deg=rotation_deg, mirrored=mirrored)
    projection = Projection.of(scene)
    north_x, north_y = (v[0] - c for v, c in zip(_pixel(projection, 10, 40.1), projection.crpix, strict=True))
    east_x, east_y = (v[0] - c for v, c in zip(_pixel(projection, 10.1, 40), projection.crpix, strict=True))

    # Up is +y; its angle from north, counted towards east.
    angle = np.degrees(np.arctan2(east_y / np.hypot(east_x, east_y), north_y / np.hypot(north_x, north_y)))

    assert (angle - rotation_deg + 180) % 360 - 180 == pytest.approx(0, abs=0.1)
    assert projection.parity == (1 if mirrored else -1)


def test_east_is_left_of_north_unless_mirrored() -> None:
    for mirrored, side in ((False, -1), (True, 1)):
        projection = Projection.of(Scene(10, 0, mirrored=mirrored))
        assert np.sign(_pixel(projection, 11, 0)[0][0] - projection.crpix[0]) == side


def test_the_width_is_the_angle_between_the_edges() -> None:
    projection = Projection.of(Scene(50, 0, width_deg=60))
    np.testing.assert_allclose(_pixel(projection, 80, 0)[0], 0.5, atol=1e-6)
    np.testing.assert_allclose(_pixel(projection, 20, 0)[0], 1024.5, atol=1e-6)


@pytest.mark.parametrize("percent", [5.0, -5.0])
def test_distortion_moves_a_corner_by_its_percentage(percent: float) -> None:
    """A star in the corner of the distorted image is nearer to the centre, by that percentage, without distortion."""
    scene = Scene(120, 20, width_deg=20, distortion_percent=percent)
    distorted, plain = Projection.of(scene), Projection.of(Scene(120, 20, width_deg=20))
    sky = astropy_wcs(distorted.cards()).all_pix2world(1024.5, 768.5, 1)
    x, y = _pixel(plain, *(float(v) for v in sky))
    radius = np.hypot(x[0] - plain.crpix[0], y[0] - plain.crpix[1])
    assert scene.half_diagonal_px - radius == pytest.approx(percent / 100 * scene.half_diagonal_px, abs=1e-6)


def test_directions_behind_the_camera_or_far_outside_have_no_pixel() -> None:
    projection = Projection.of(Scene(0, 0, width_deg=10))
    directions = np.array([direction(180, 0), direction(90, 0), direction(30, 0), direction(0, 0)])
    x, y = projection.sky_to_pixel(directions)
    assert np.isnan(x[:3]).all()
    assert np.isnan(y[:3]).all()
    assert (x[3], y[3]) == pytest.approx((512.5, 384.5))


def test_every_star_on_the_image_lies_within_reach() -> None:
    scene = Scene(0, 0, width_deg=80, distortion_percent=-15)
    projection = Projection.of(scene)
    sky = astropy_wcs(projection.cards()).all_pix2world(1, 1, 1)
    corner = direction(*(float(v) for v in sky))
    assert np.arccos(corner @ direction(0, 0)) < projection.reach_rad


def _pixel(projection: Projection, ra_deg: float, dec_deg: float) -> tuple[np.ndarray, np.ndarray]:
    return projection.sky_to_pixel(direction(ra_deg, dec_deg)[None, :])
