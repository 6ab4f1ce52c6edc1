"""Star positions to a few hundredths of a pixel; a star that cannot be measured keeps its position."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sky import scattered, star_picture
from numpy.typing import NDArray

from novacli.extraction import centroids
from novacli.extraction.detect import DetectionSettings
from novacli.extraction.extractor import StarExtractor
from novacli.extraction.order import StarOrder
from novacli.inputs import from_array

SHAPE = (240, 320)
PLACES = scattered(40, SHAPE, margin=20, apart=24)


def measured(
    pixels: NDArray[np.generic], starts: list[tuple[float, float]], sigma_px: float = 1.3, max_shift_px: float = 2.0
) -> NDArray[np.float64]:
    """Return where the stars are, shape (n, 2), 0-based."""
    x, y = np.array(starts, np.float64).T
    return np.stack(centroids.measure(from_array(pixels), x, y, sigma_px, max_shift_px), axis=1)


def shifted(places: list[tuple[float, float]], dx: float, dy: float) -> list[tuple[float, float]]:
    return [(x + dx, y + dy) for x, y in places]


@pytest.mark.parametrize("fwhm", [2.2, 3.0, 5.0])
@pytest.mark.parametrize(("dx", "dy"), [(0.9, -0.7), (-1.1, 0.2), (0.0, 0.0)])
def test_stars_are_measured_from_positions_in_binned_pixels(fwhm: float, dx: float, dy: float) -> None:
    picture = star_picture(PLACES, SHAPE, flux=20_000, fwhm=fwhm)
    found = measured(picture, shifted(list(PLACES), dx, dy), sigma_px=fwhm / 2.3548)
    assert np.abs(found - np.array(PLACES)).max() < 0.05


@settings(deadline=None, max_examples=50)
@given(st.floats(40, 60), st.floats(40, 60), st.floats(-1, 1), st.floats(-1, 1), st.floats(2.5, 6.0), st.floats(0, 5e4))
def test_a_star_without_noise_is_exact(x: float, y: float, dx: float, dy: float, fwhm: float, sky: float) -> None:
    picture = star_picture([(x, y)], (100, 100), flux=50_000, fwhm=fwhm, noise=0) + np.float32(sky)
    found = measured(picture, [(x + dx, y + dy)], sigma_px=fwhm / 2.3548, max_shift_px=3.0)
    assert found[0] == pytest.approx((x, y), abs=0.02)


@pytest.mark.parametrize("binning", [2, 3, 4])
def test_positions_do_not_depend_on_the_binning(binning: int) -> None:
    """Positions of a star list are several times more precise than binned pixels give."""
    picture = star_picture(PLACES, SHAPE, flux=30_000, fwhm=3.0)
    stars = StarExtractor(from_array(picture)).stars(DetectionSettings(binning), StarOrder.FLUX)
    assert len(stars) == len(PLACES)
    for x, y in PLACES:
        assert min(math.hypot(a - x - 1, b - y - 1) for a, b in zip(stars.x, stars.y, strict=True)) < 0.05


def test_a_star_keeps_its_position_if_its_cut_out_would_leave_the_image() -> None:
    starts = [(2.0, 100.0), (100.0, 1.0), (317.5, 100.0), (100.0, 238.9), (-5.0, -5.0), (1e9, 3.0)]
    assert measured(star_picture(PLACES, SHAPE), starts).tolist() == [list(start) for start in starts]


def test_a_star_keeps_its_position_if_a_pixel_of_its_window_is_masked() -> None:
    picture = star_picture(PLACES, SHAPE, flux=20_000)
    holes = np.zeros(SHAPE, np.bool_)
    x, y = PLACES[0]
    holes[round(y) + 2, round(x)] = True
    starts = shifted(list(PLACES), 0.5, 0.5)
    found = measured(np.ma.masked_array(picture, holes), starts)
    assert found[0].tolist() == list(starts[0])
    assert np.abs(found[1:] - np.array(PLACES[1:])).max() < 0.1


def test_a_star_keeps_its_position_if_it_would_move_to_its_neighbour() -> None:
    picture = star_picture([(60, 60)], SHAPE, flux=50_000, fwhm=5)
    assert measured(picture, [(64.0, 60.0)], sigma_px=2.0, max_shift_px=2.0).tolist() == [[64.0, 60.0]]


@pytest.mark.parametrize("value", [0.0, 100.0, -3.0e38, 3.0e38])
def test_positions_on_an_empty_sky_are_kept(value: float) -> None:
    starts = [(50.25, 60.5), (100.0, 100.0)]
    assert measured(np.full(SHAPE, value, np.float32), starts).tolist() == [list(start) for start in starts]


def test_a_saturated_star_is_measured_near_the_middle_of_its_plateau() -> None:
    picture = np.minimum(star_picture([(100.3, 80.6)], SHAPE, flux=6e6, fwhm=4), 60_000)
    assert (picture == 60_000).sum() > 20
    assert measured(picture, [(100.6, 80.3)], sigma_px=1.6)[0] == pytest.approx((100.3, 80.6), abs=0.5)


def test_a_neighbour_hardly_shifts_a_star() -> None:
    pair = star_picture([(100.0, 80.0), (107.0, 80.0)], SHAPE, flux=30_000, fwhm=3)
    assert measured(pair, [(100.4, 80.3)])[0] == pytest.approx((100, 80), abs=0.1)


@pytest.mark.parametrize("weights", [(1.0, 0.5, 0.5, 0.9), (0.3, 1.0, 1.0, 0.2)])
def test_the_colours_of_a_mosaic_do_not_shift_stars(weights: tuple[float, float, float, float]) -> None:
    """Each of four neighbouring pixels receives another share of the light."""
    picture = star_picture(PLACES, SHAPE, flux=60_000, fwhm=4.0) - np.float32(100)
    for n, weight in enumerate(weights):
        picture[n // 2 :: 2, n % 2 :: 2] *= weight
    x, y = np.array(shifted(list(PLACES), 0.4, -0.4)).T
    image = from_array(picture, {"BAYERPAT": "RGGB"})
    assert image.is_mosaic
    found = np.stack(centroids.measure(image, x, y, 1.7, 2.0), axis=1)
    assert np.abs(found - np.array(PLACES)).max() < 0.15


def test_windows_are_about_as_wide_as_the_stars() -> None:
    """At any binning, within limits, and also without a star."""
    size = np.full(30, 3.0)
    assert centroids.window_sigma_px(size, size, 1) == pytest.approx(0.85 * 3.0)
    assert centroids.window_sigma_px(size / 2, size / 2, 2) == pytest.approx(0.85 * 3.0, rel=0.05)
    assert centroids.window_sigma_px(size * 50, size * 50, 4) == 5.0
    assert centroids.window_sigma_px(size / 50, size / 50, 1) == 1.0
    assert centroids.window_sigma_px(np.zeros(0), np.zeros(0), 2) == 1.0


def test_the_image_is_not_changed() -> None:
    picture = star_picture(PLACES, SHAPE)
    before = picture.copy()
    measured(picture, list(PLACES))
    assert np.array_equal(picture, before)
