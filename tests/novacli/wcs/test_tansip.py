"""A solution's pixels, sky positions and angles, against wcsinfo, astropy and geometry."""

from __future__ import annotations

import io
import math
import re
import shutil
import subprocess
from pathlib import Path

import made_results as made
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from novacli.wcs.header import from_header, read_wcs
from novacli.wcs.sphere import separation_arcsec
from novacli.wcs.tansip import TanSip
from solvehost.formats import fitsfile


def read(tmp_path: Path, content: bytes) -> TanSip:
    path = tmp_path / "wcs.fits"
    path.write_bytes(content)
    return read_wcs(path)


def rotated(angle_deg: float, parity: int, ra: float = 150.0, dec: float = 40.0, scale: float = 1e-3) -> TanSip:
    """Return a field of 400 x 300 pixels whose +y axis points ``angle_deg`` east of north."""
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    cd = ((scale * parity * c, scale * s), (-scale * parity * s, scale * c))
    return TanSip(crval=(ra, dec), crpix=(200.5, 150.5), cd=cd, width=400, height=300)


fields = st.builds(
    rotated,
    angle_deg=st.floats(-360, 360),
    parity=st.sampled_from([1, -1]),
    ra=st.floats(0, 360),
    dec=st.floats(-90, 90),
    scale=st.floats(1e-6, 0.1),
)


@pytest.mark.skipif(shutil.which("wcsinfo") is None, reason="wcsinfo of astrometry.net is not installed")
@pytest.mark.parametrize("dec", [55.2199660721, -89.9, 0.0])
def test_values_agree_with_wcsinfo(tmp_path: Path, dec: float) -> None:
    """Centre, scale, orientation and parity of a TAN header equal those that wcsinfo prints."""
    solution = read(tmp_path, made.wcs_fits(sip=False, CRVAL2=dec))
    output = subprocess.run(
        ["wcsinfo", str(tmp_path / "wcs.fits")], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    says = {m[1]: float(m[2]) for m in re.finditer(r"^(\w+) (-?[\d.e+-]+)$", output, re.MULTILINE)}
    ra, center_dec = solution.tan_pixel_to_sky(*solution.center_px)
    made.assert_same_angle(ra, says["ra_center"], 1e-6)
    assert center_dec == pytest.approx(says["dec_center"], abs=1e-6)
    assert solution.pixscale_arcsec == pytest.approx(says["pixscale"], rel=1e-9)
    assert solution.orientation_deg() == pytest.approx(says["orientation"], abs=1e-5)
    assert solution.parity == says["parity"]


@pytest.mark.parametrize("sip", [True, False])
def test_pixel_to_sky_agrees_with_astropy(tmp_path: Path, sip: bool) -> None:
    """On a pixel grid, with and without distortion, positions differ by less than a microarcsecond."""
    from novacli.solution.tables import astropy_wcs

    content = made.wcs_fits(sip=sip)
    ours = read(tmp_path, content)
    theirs = astropy_wcs(ours)
    for x in (1.0, 200.25, 719.0):
        for y in (1.0, 333.5, 507.0):
            ra, dec = theirs.all_pix2world(x, y, 1)
            assert separation_arcsec(ours.pixel_to_sky(x, y), (float(ra), float(dec))) < 1e-6


@given(fields, st.floats(-0.5, 1.5), st.floats(-0.5, 1.5))
def test_tan_round_trip(field: TanSip, across: float, along: float) -> None:
    """Pixel → sky → pixel returns to the pixel, also at the poles and across RA 0."""
    x, y = across * field.width, along * field.height
    back = field.sky_to_pixel(*field.pixel_to_sky(x, y))
    assert back is not None
    assert math.dist(back, (x, y)) < 1e-5


@given(st.floats(1, 719), st.floats(1, 507))
def test_sip_round_trip(x: float, y: float) -> None:
    """The inverse is exact within the image, although AP and BP are only an approximation."""
    solution = from_header(fitsfile.read_header(io.BytesIO(made.wcs_fits())))
    back = solution.sky_to_pixel(*solution.pixel_to_sky(x, y))
    assert back == pytest.approx((x, y), abs=1e-6)


def test_no_pixel_behind_the_tangent_plane() -> None:
    """Positions on the far half of the sky have no pixel."""
    assert rotated(0, 1).sky_to_pixel(330.0, -40.0) is None


def test_no_pixel_where_distortion_cannot_be_inverted() -> None:
    """A polynomial that folds over gives None instead of a wrong pixel or an endless loop."""
    solution = TanSip((10, 10), (50, 50), ((1e-3, 0), (0, 1e-3)), 100, 100, 2, a=((2, 0, -0.01),), b=())
    assert solution.sky_to_pixel(*solution.tan_pixel_to_sky(150, 50)) is None


@given(st.floats(0, 360), st.sampled_from([1, -1]))
def test_orientation_is_where_plus_y_points(angle: float, parity: int) -> None:
    """In an undistorted field, wcsinfo's orientation is the position angle of +y."""
    made.assert_same_angle(rotated(angle, parity).orientation_deg(), angle, 1e-6)


@pytest.mark.parametrize("parity", [1, -1])
@pytest.mark.parametrize("angle", [0.0, 30.0, 123.0, 270.0])
def test_up_as_displayed(angle: float, parity: int) -> None:
    """Up is +y for FITS and towards the first stored row for other formats, for both parities."""
    field = rotated(angle, parity)
    made.assert_same_angle(field.up_deg_e_of_n(is_fits_like=True), angle, 1e-6)
    made.assert_same_angle(field.up_deg_e_of_n(is_fits_like=False), angle + 180, 1e-6)


@given(fields)
def test_up_agrees_with_the_slope_of_the_sky(field: TanSip) -> None:
    """One pixel up from the centre lies in the direction that the angle states."""
    center = field.tan_pixel_to_sky(*field.center_px)
    assume(abs(center[1]) < 89)
    x, y = field.center_px
    up = field.tan_pixel_to_sky(x, y + 1)
    angle = math.radians(field.up_deg_e_of_n(is_fits_like=True))
    step = separation_arcsec(center, up) / 3600
    assert up[1] - center[1] == pytest.approx(step * math.cos(angle), abs=step * step + 1e-9)
