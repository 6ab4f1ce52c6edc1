"""The estimated error at the corners: how often it covers the true one, and how large it is."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from made_lens import HEIGHT, WIDTH, engine_solution_of, lens, stars_of

from novacli.wcs import refit
from novacli.wcs.refit import Matched
from novacli.wcs.tansip import TanSip

NOISE_PX = 0.2
TRIALS = 12


def corner_errors_px(solution: TanSip, truth: TanSip) -> list[float]:
    found = []
    for x in (0.5, WIDTH + 0.5):
        for y in (0.5, HEIGHT + 0.5):
            pixel = truth.sky_to_pixel(*solution.pixel_to_sky(x, y))
            assert pixel is not None
            found.append(math.dist(pixel, (x, y)))
    return found


def stars_near_the_centre(truth: TanSip, count: int, radius_px: float, seed: int) -> Matched:
    """Return stars no further from the image's centre than a radius."""
    every = stars_of(truth, 60 * count, NOISE_PX, seed)
    near = np.hypot(every.x - truth.center_px[0], every.y - truth.center_px[1]) < radius_px
    return every.only(near & (np.cumsum(near) <= count))


def solved_again(truth: TanSip, stars: Matched) -> refit.Refit:
    found = refit.refit(engine_solution_of(truth), stars)
    assert found is not None
    assert found.tan_sip is not None
    assert found.corner_error_px is not None
    return found


def true_and_estimated(percent: float, count: int, radius_px: float) -> Iterator[tuple[float, float]]:
    """Yield the true and the estimated error of the worst corner of many fields, in pixels."""
    for seed in range(TRIALS):
        truth = lens(20 * seed, 40 - 5 * seed, 0.02, 30 * seed, -1, percent)
        found = solved_again(truth, stars_near_the_centre(truth, count, radius_px, seed))
        assert found.tan_sip is not None
        yield max(corner_errors_px(found.tan_sip, truth)), found.corner_error_px or 0.0


@pytest.mark.parametrize("percent", [0.0, 0.5, 3.0])
@pytest.mark.parametrize(("count", "radius_px"), [(8, 800), (12, 800), (31, 800), (31, 400), (31, 230)])
def test_estimate_covers_the_true_error_in_nine_fields_of_ten(percent: float, count: int, radius_px: float) -> None:
    """Whether stars fill the image (its half diagonal has 800 pixels), or only its middle."""
    errors = list(true_and_estimated(percent, count, radius_px))
    covered = sum(true <= estimated for true, estimated in errors)
    assert covered >= 0.9 * TRIALS - 1


@pytest.mark.parametrize(("count", "limit_px"), [(31, 2.0), (100, 0.8)])
def test_estimate_is_small_where_stars_fill_the_image(count: int, limit_px: float) -> None:
    """With stars of 0.2 pixel scatter all over the image, the estimate is a few of these."""
    estimates = sorted(estimated for _, estimated in true_and_estimated(0.5, count, 800))
    assert estimates[len(estimates) // 2] < limit_px


def test_estimate_grows_where_no_star_confirms_the_outer_part() -> None:
    """The residual stays, the estimate grows from less than a pixel to tens of pixels."""
    truth = lens(120, 40, 0.02, 30, -1, 3.0)
    filled, central = (solved_again(truth, stars_near_the_centre(truth, 31, radius, 1)) for radius in (800, 230))
    assert central.heldout_rms_px == pytest.approx(filled.heldout_rms_px, rel=0.5)
    assert filled.corner_error_px is not None
    assert central.corner_error_px is not None
    assert filled.corner_error_px < 3
    assert central.corner_error_px > 20


def fisheye(
    stars: Matched, center_px: tuple[float, float], radians_per_px: float, scatter_px: float = 0.0
) -> tuple[Matched, TanSip]:
    """Return stars as an equidistant fisheye lens at (RA 0, Dec 0) shows them, and a solution of its middle."""
    x, y = stars.x - center_px[0], stars.y - center_px[1]
    theta, direction = np.hypot(x, y) * radians_per_px, np.arctan2(y, x)
    dec = np.degrees(np.arcsin(np.sin(theta) * np.sin(direction)))
    ra = np.degrees(np.arctan2(np.sin(theta) * np.cos(direction), np.cos(theta))) % 360
    scale_deg = math.degrees(radians_per_px)
    shift = scatter_px * np.random.default_rng(len(ra)).normal(0, 1, (2, len(ra)))
    return Matched(stars.x + shift[0], stars.y + shift[1], ra, dec), TanSip(
        (0, 0), center_px, ((scale_deg, 0), (0, scale_deg)), WIDTH, HEIGHT
    )


def fisheye_errors_px(seed: int) -> tuple[float, float]:
    """Return the true and the estimated corner error of a field of 68 degrees with stars in its middle alone."""
    radians_per_px = math.radians(34) / (WIDTH / 2)
    plain = lens(0, 0, 0.01, 0, 1, 0)
    stars, engines = fisheye(stars_near_the_centre(plain, 31, 230, seed), plain.center_px, radians_per_px, 1.5)
    found = refit.refit(engines, stars)
    assert found is not None
    assert found.corner_error_px is not None
    corner = np.array([WIDTH + 0.5]), np.array([HEIGHT + 0.5])
    truth, _ = fisheye(Matched(*corner, *corner), plain.center_px, radians_per_px)
    pixel = (found.tan_sip or engines).sky_to_pixel(float(truth.ra[0]), float(truth.dec[0]))
    assert pixel is not None
    return math.dist(pixel, (WIDTH + 0.5, HEIGHT + 0.5)), found.corner_error_px


def test_fisheye_with_stars_in_its_middle_alone_states_a_large_error() -> None:
    """All 31 stars lie within 29 percent of the half diagonal; the corners are 9 degrees (180 pixels) off."""
    errors = [fisheye_errors_px(seed) for seed in range(20)]
    assert min(true for true, _ in errors) > 150
    assert min(estimated / true for true, estimated in errors) > 0.5
    assert sum(true <= estimated for true, estimated in errors) >= 16


@pytest.mark.parametrize("seed", range(6))
def test_engine_solution_that_is_kept_has_an_estimate_too(seed: int) -> None:
    """A shear of three pixels that the engine's solution has too much is found by its corners."""
    truth = lens(10, 10, 0.01, 0, 1, 0)
    sheared = TanSip(truth.crval, truth.crpix, ((0.01, 0.01 * 3 / 480), (0, 0.01)), WIDTH, HEIGHT)
    assessed = refit.assess(sheared, stars_of(truth, 40, NOISE_PX, seed))
    assert assessed is not None
    assert assessed.corner_error_px is not None
    assert max(corner_errors_px(sheared, truth)) <= assessed.corner_error_px < 8


def test_too_few_stars_have_no_estimate() -> None:
    truth = lens(10, 10, 0.01, 0, 1, 0)
    assert refit.assess(truth, stars_of(truth, 5)) is None
