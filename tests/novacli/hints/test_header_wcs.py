"""A WCS in the header, in all forms that FITS allows, compared with astropy."""

import pytest

from novacli.hints import from_header
from novacli.records.parity import Parity
from novacli.text.angles import separation_deg
from novacli.wcs.tansip import TanSip

STEP = 0.001
BASE = {"CRVAL1": 150.0, "CRVAL2": 40.0, "CRPIX1": 700.0, "CRPIX2": 100.0}
TAN = BASE | {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
CDELT = {"CDELT1": -STEP, "CDELT2": STEP}
SWAPPED = {
    "CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": 40.0, "CRVAL2": 150.0, "CRPIX1": 700.0, "CRPIX2": 100.0,
}  # fmt: skip

FORMS = {
    "CD": TAN | {"CD1_1": -STEP, "CD1_2": 0.0002, "CD2_1": 0.0002, "CD2_2": STEP},
    "CD, diagonal only": TAN | {"CD1_1": -STEP, "CD2_2": STEP},
    "PC + CDELT": TAN | CDELT | {"PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8},
    "CDELT + CROTA2": TAN | CDELT | {"CROTA2": 30.0},
    "CDELT": TAN | CDELT,
    "swapped axes, CD": SWAPPED | {"CD1_1": 0.0002, "CD1_2": STEP, "CD2_1": -STEP, "CD2_2": 0.0002},
    "swapped axes, CROTA1": SWAPPED | {"CDELT1": STEP, "CDELT2": -STEP, "CROTA1": 30.0},
}  # fmt: skip


@pytest.mark.parametrize("header", FORMS.values(), ids=FORMS)
def test_centre_scale_and_parity_are_those_of_astropy(header):
    import numpy as np
    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_area

    hints = from_header(header, 1000, 800)
    theirs = WCS(header)
    sky = theirs.celestial.pixel_to_world(499.5, 399.5)
    centre = hints.positions[0].position
    assert separation_deg(centre.ra_deg, centre.dec_deg, float(sky.ra.deg), float(sky.dec.deg)) < 1e-9
    scale = 3600 * np.sqrt(proj_plane_pixel_area(theirs))
    assert hints.scales[0].low_arcsec_per_pixel == pytest.approx(0.9 * scale)
    lon_first = header["CTYPE1"].startswith("RA")
    det = np.linalg.det(theirs.pixel_scale_matrix) * (1 if lon_first else -1)
    assert hints.parity is Parity(int(np.sign(det)))


def test_every_form_of_wcs_is_named():
    sources = {name: from_header(header, 1000, 800).wcs.source for name, header in FORMS.items()}
    assert sources["CD"] == "WCS (CD matrix)"
    assert sources["PC + CDELT"] == "WCS (PC matrix + CDELT)"
    assert sources["CDELT + CROTA2"] == "WCS (CDELT + CROTA)"
    assert sources["CDELT"] == "WCS (CDELT)"


@pytest.mark.parametrize("projection", ["TAN", "TAN-SIP", "TPV", "ZPN", "SIN", "STG"])
def test_the_linear_part_of_projections_like_tan_is_used(projection):
    header = BASE | CDELT | {"CTYPE1": f"RA---{projection}", "CTYPE2": f"DEC--{projection}"}
    hints = from_header(header, 1000, 800)
    tan = TanSip((150.0, 40.0), (700.0, 100.0), ((-STEP, 0.0), (0.0, STEP)), 1000, 800)
    ra_deg, dec_deg = tan.tan_pixel_to_sky(*tan.center_px)
    assert (hints.positions[0].position.ra_deg, hints.positions[0].position.dec_deg) == (ra_deg, dec_deg)
    assert hints.scales[0].low_arcsec_per_pixel == pytest.approx(0.9 * 3600 * STEP)
    assert hints.parity is Parity.NEGATIVE


@pytest.mark.parametrize(
    ("header", "note"),
    [
        (BASE | CDELT | {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR"}, "is not a projection onto a tangent plane"),
        (BASE | CDELT | {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, "is not in right ascension and declination"),
        (TAN | {"CD1_1": 0.0, "CD2_2": 0.0}, "is outside 0.001 to 3600 arcsec/pixel"),
        (TAN | {"CD1_1": STEP, "CD2_2": 5 * STEP}, "has pixels that are not square"),
        (TAN | {"CD1_1": 1.0, "CD2_2": 1.0}, "implies a field wider than 180 degrees"),
        (TAN | CDELT | {"CUNIT1": "arcsec"}, "is not in degrees"),
        (TAN | CDELT | {"CRVAL1": 0.0, "CRVAL2": 0.0}, "looks like a value that was never set"),
        (TAN | CDELT | {"CRVAL2": 95.0}, "is outside -90 to 90 degrees"),
        (TAN | CDELT | {"CRVAL1": float("nan")}, "is not a finite number"),
    ],
)
def test_a_wcs_that_cannot_be_used_is_noted(header, note):
    hints = from_header(header, 1000, 800)
    assert hints.wcs is None
    assert hints.scales == ()
    assert hints.parity is None
    assert any(note in n for n in hints.notes)


@pytest.mark.parametrize(
    "header", [BASE | CDELT, {"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"} | BASE, {"CTYPE1": "RA---TAN"}]
)
def test_a_header_without_a_celestial_wcs_gives_no_note(header):
    hints = from_header(header, 1000, 800)
    assert hints.wcs is None
    assert hints.notes == ()


def test_a_reference_point_without_a_matrix_is_a_position():
    hints = from_header(TAN, 1000, 800)
    assert [p.source for p in hints.positions] == ["CRVAL1/CRVAL2"]
    assert (hints.scales, hints.wcs) == ((), None)


def test_a_matrix_without_a_reference_pixel_is_a_scale():
    hints = from_header({k: v for k, v in (TAN | CDELT).items() if k != "CRPIX1"}, 1000, 800)
    assert hints.wcs is None
    assert hints.scales[0].source == "WCS (CDELT)"
    assert hints.positions[0].source == "CRVAL1/CRVAL2"


def test_an_image_resized_since_it_was_solved_gets_both_scales():
    hints = from_header(TAN | CDELT | {"IMAGEW": 4000, "IMAGEH": 3200}, 1000, 800)
    assert [s.source for s in hints.scales] == ["WCS (CDELT)", "WCS (CDELT), picture resized"]
    assert hints.scales[1].low_arcsec_per_pixel == pytest.approx(0.9 * 3.6 * 4)
    assert hints.wcs is None
