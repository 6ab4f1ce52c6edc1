"""A solution fitted again: more accurate over the whole image, about its centre, and readable by astropy."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_lens import HEIGHT, WIDTH, engine_solution_of, lens, stars_of, worst_px
from numpy.typing import NDArray

from novacli.wcs import refit
from novacli.wcs.header import cards
from novacli.wcs.refit import Matched
from novacli.wcs.tansip import TanSip


@settings(deadline=None, max_examples=60)
@given(
    st.floats(0, 359.9), st.floats(-89.9, 89.9), st.floats(0.0005, 0.03), st.floats(0, 360),
    st.sampled_from([-1.0, 1.0]), st.sampled_from([-3.0, 0.0, 0.5, 3.0]),
)  # fmt: skip
def test_exact_stars_reproduce_the_lens(
    ra: float, dec: float, scale_deg: float, turn_deg: float, sign: float, percent: float
) -> None:
    """Anywhere on the sky, fields of half a degree to over forty degrees, mirrored or not."""
    truth = lens(ra, dec, scale_deg, turn_deg, sign, percent)
    found = refit.refit(engine_solution_of(truth), stars_of(truth, 40))
    assert found is not None
    assert found.tan_sip is not None
    assert worst_px(found.tan_sip, truth) < 0.02
    assert found.tan_sip.parity == truth.parity
    assert found.tan_sip.crpix == pytest.approx(truth.center_px, abs=0.06)
    assert found.tan_sip.pixscale_arcsec == pytest.approx(truth.pixscale_arcsec, rel=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_scatter_is_not_fitted_as_distortion(seed: int) -> None:
    truth = lens(120, 40, 0.01, 30, -1, 0)
    found = refit.refit(engine_solution_of(truth), stars_of(truth, 20, noise_px=0.2, seed=seed))
    assert found is not None
    assert found.tan_sip is not None
    assert found.tan_sip.sip_order <= 3
    assert worst_px(found.tan_sip, truth) < 0.8
    assert 0.1 < found.heldout_rms_px < 0.6


def test_stars_that_the_first_solution_missed_are_matched() -> None:
    """The first solution is right near the centre only; its corners are 20 pixels off."""
    truth = lens(200, -30, 0.02, 75, 1, 2.5)
    every = stars_of(truth, 150, noise_px=0.1)
    inner = np.hypot(every.x - WIDTH / 2, every.y - HEIGHT / 2) < 450
    field, sky = np.stack([every.x, every.y]), np.stack([every.ra, every.dec])[:, ::-1]
    first = replace(truth, sip_order=0, a=(), b=())
    found = refit.refit(first, every.only(inner), field, sky)
    assert found is not None
    assert found.tan_sip is not None
    assert len(found.matched) > 145 > inner.sum()
    assert worst_px(found.tan_sip, truth) < 0.2


def test_mapping_that_folds_over_is_refused() -> None:
    """Two pixels would have the same position, although the stars fit well."""
    truth = lens(120, 40, 0.002, 30, 1, 45.0)
    assert refit.refit(engine_solution_of(truth), stars_of(truth, 60)) is None


def test_the_nearer_of_two_reference_stars_is_matched() -> None:
    truth = lens(120, 40, 0.002, 30, 1, 0)
    sky = np.array([truth.pixel_to_sky(*place) for place in ((400.9, 300.0), (400.2, 300.0), (800.0, 600.0))]).T
    found = refit._match(truth, np.array([[400.0], [300.0]]), sky, 2.0)
    assert (found.x.tolist(), found.ra.tolist()) == ([400.0], [sky[0, 1]])


@pytest.mark.parametrize("count", [0, 1, 5])
def test_fewer_than_six_stars_are_not_fitted(count: int) -> None:
    truth = lens(10, 10, 0.01, 0, 1, 0)
    assert refit.refit(truth, stars_of(truth, count)) is None
    assert refit.assess(truth, stars_of(truth, count)) is None


def test_solution_without_near_stars_matches_none() -> None:
    """All stars are far from their predicted positions, so none stays matched; numpy emits no warning."""
    truth = lens(84, -3, 0.01, 0, -1, 0)
    found = refit.refit(truth, stars_of(truth, 12, noise_px=60.0))
    assert found is not None
    assert (len(found.matched), found.heldout_rms_px) == (0, math.inf)


def test_reference_stars_behind_the_camera_are_ignored() -> None:
    truth = lens(10, 10, 0.01, 0, 1, 1.0)
    matched = stars_of(truth, 30)
    matched.ra[3], matched.dec[3] = 190.0, -10.0
    found = refit.refit(truth, matched)
    assert found is not None
    assert len(found.matched) == 29


def test_leave_one_out_residuals_exceed_the_true_scatter() -> None:
    """A second-order fit to ten stars follows their errors."""
    truth = lens(10, 10, 0.01, 0, 1, 0)
    matched = stars_of(truth, 10, noise_px=0.3)
    judged = refit.assess(replace(truth, sip_order=2), matched)
    assert judged is not None
    plain = [math.hypot(*(np.subtract(truth.sky_to_pixel(*s) or (0, 0), p))) for *p, s in _by_star(matched)]
    assert judged.heldout_rms_px > 1.3 * math.sqrt(math.fsum(d * d for d in plain) / len(plain))


def _by_star(matched: Matched) -> list[tuple[float, float, tuple[float, float]]]:
    columns = (c.tolist() for c in (matched.x, matched.y, matched.ra, matched.dec))
    return [(x, y, (ra, dec)) for x, y, ra, dec in zip(*columns, strict=True)]


@pytest.fixture(scope="module")
def distorted() -> TanSip:
    truth = lens(300, 60, 0.03, 200, -1, 4.0)
    found = refit.refit(engine_solution_of(truth), stars_of(truth, 80, noise_px=0.05))
    assert found is not None
    assert found.tan_sip is not None
    assert found.tan_sip.sip_order >= 3
    return found.tan_sip


def test_astropy_reads_the_same_mapping(distorted: TanSip) -> None:
    """Forwards exactly; backwards, by AP and BP alone, within a fiftieth of a pixel."""
    from astropy.io import fits
    from astropy.wcs import WCS

    header = fits.Header.fromstring(b"".join(cards(distorted)))
    header.insert(0, ("NAXIS", 2))
    header.insert(1, ("NAXIS1", WIDTH))
    header.insert(2, ("NAXIS2", HEIGHT))
    theirs = WCS(header)
    places: list[NDArray[np.float64]] = [
        np.array(p) for p in ((0.5, 0.5), (1280.5, 960.5), (100.0, 800.0), (640.5, 480.5))
    ]
    for x, y in places:
        ours = distorted.pixel_to_sky(float(x), float(y))
        assert theirs.all_pix2world(x, y, 1) == pytest.approx(ours, abs=1e-9)
        undistorted = theirs.sip_pix2foc(x, y, 1)
        assert theirs.sip_foc2pix(*undistorted, 1) == pytest.approx((x, y), abs=0.02)
