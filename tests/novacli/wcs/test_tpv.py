from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from novacli.errors import UsageError
from novacli.wcs.sphere import separation_arcsec
from novacli.wcs.tansip import TanSip
from novacli.wcs.tpv import MAX_ORDER, tpv_coefficients


def distorted(order: int) -> TanSip:
    """Return a solution with every term up to an order, some pixels at the corners, on a rotated, mirrored matrix."""
    rng = np.random.default_rng(order)
    powers = [(p, q) for p in range(order + 1) for q in range(order + 1 - p) if p + q > 1]
    a, b = (tuple((p, q, float(rng.uniform(-3, 3)) / 500 ** (p + q)) for p, q in powers) for _ in "ab")
    return TanSip((83.2, 21.0), (512.5, 384.5), ((0.01, 0.006), (0.007, -0.009)), 1024, 768, order, a, b)


def read_by_astropy(solution: TanSip) -> WCS:
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TPV", "DEC--TPV"
    for axis in (1, 2):
        header[f"CRVAL{axis}"], header[f"CRPIX{axis}"] = solution.crval[axis - 1], solution.crpix[axis - 1]
        header[f"CD{axis}_1"], header[f"CD{axis}_2"] = solution.cd[axis - 1]
    for axis, coefficients in enumerate(tpv_coefficients(solution), 1):
        for m, value in coefficients.items():
            header[f"PV{axis}_{m}"] = value
    return WCS(header)


@pytest.mark.parametrize("order", range(2, MAX_ORDER + 1))
def test_the_sky_is_the_same_to_a_microarcsecond(order: int) -> None:
    """SIP and TPV are polynomials of the same order on both sides of the CD matrix."""
    solution = distorted(order)
    wcs = read_by_astropy(solution)
    for x in np.linspace(1, 1024, 6):
        for y in np.linspace(1, 768, 5):
            ra, dec = wcs.all_pix2world(x, y, 1)
            assert separation_arcsec((float(ra), float(dec)), solution.pixel_to_sky(x, y)) < 1e-6


def test_an_order_above_the_convention_is_refused() -> None:
    with pytest.raises(UsageError, match="a distortion of order 8 cannot be written"):
        tpv_coefficients(distorted(MAX_ORDER + 1))
