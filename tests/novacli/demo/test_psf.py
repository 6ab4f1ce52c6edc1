"""The light of stars on pixels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from novacli.demo.psf import Psf, add_stars

SIZE = 201
PSF = Psf(fwhm_px=2.5, center_px=(101.0, 101.0), half_diagonal_px=142.0)


def _light(x: float, y: float, flux: float, sky_noise: float = 20.0) -> NDArray[np.float32]:
    light = np.zeros((SIZE, SIZE), np.float32)
    add_stars(light, *(np.array([v]) for v in (x, y, flux)), PSF, sky_noise)
    return light


@pytest.mark.parametrize(("x", "y"), [(101.0, 101.0), (60.3, 140.8), (25.5, 30.2)])
@pytest.mark.parametrize("flux", [5e2, 1e4, 1e7])
def test_light_is_at_the_stars_position_and_complete(x: float, y: float, flux: float) -> None:
    light = _light(x, y, flux)
    rows, columns = np.indices(light.shape) + 1
    assert light.sum() == pytest.approx(flux, rel=0.06)
    assert (light * columns).sum() / light.sum() == pytest.approx(x, abs=0.15)
    assert (light * rows).sum() / light.sum() == pytest.approx(y, abs=0.15)


def test_the_profile_has_its_width_at_half_maximum() -> None:
    light = _light(101.0, 101.0, 1e6)
    row = light[100] / light[100, 100]
    half = np.interp(0.5, row[100:110][::-1], np.arange(10)[::-1])
    assert 2 * half == pytest.approx(2.5, abs=0.15)
    assert light[100, 100] == pytest.approx(1e6 * PSF.peak, rel=1e-5)


def test_stars_in_the_corner_are_wider_along_the_line_to_the_centre() -> None:
    light = _light(181.0, 181.0, 1e6)
    along, across = light[180 + 2, 180 + 2], light[180 + 2, 180 - 2]
    assert along > 1.1 * across


def test_star_just_outside_adds_light_and_a_distant_one_does_not() -> None:
    assert _light(-3.0, 50.0, 1e6).sum() > 0
    assert _light(-3.0, 50.0, 1e6)[:, 100:].max() == 0
    assert _light(-500.0, 50.0, 1e6).sum() == 0


def test_faint_stars_keep_all_their_light_in_neighbouring_pixels() -> None:
    light = _light(80.0, 90.0, 50.0)
    assert light.sum() == pytest.approx(50, rel=1e-4)
    assert np.unravel_index(light.argmax(), light.shape) == (89, 79)
    assert np.count_nonzero(light) == 25


def test_noise_pixels_are_the_inverse_of_the_squared_profile() -> None:
    light = _light(101.0, 101.0, 1.0, sky_noise=1e-7).astype(np.float64)
    assert 1 / (light**2).sum() == pytest.approx(PSF.noise_pixels, rel=0.05)
