"""Whole headers of real cameras and observatories, and headers of arbitrary content."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novacli.hints import Hints, from_header
from novacli.records.parity import Parity
from novacli.text.angles import separation_deg

INDI_SIMULATOR = {
    "FOCALLEN": 400.0, "XPIXSZ": 5.2, "YPIXSZ": 5.2, "XBINNING": 1, "PIXSIZE1": 5.2, "SCALE": 2.6819,
    "SECPIX1": 2.6818999016, "OBJCTRA": " 1 26 34.08", "OBJCTDEC": "69 15 09.22", "RA": 21.642, "DEC": 69.25256,
    "EQUINOX": 2000, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 21.641996836, "CRVAL2": 69.252560009,
    "CRPIX1": 640.0, "CRPIX2": 512.0, "CDELT1": 0.0007449721949, "CDELT2": 0.0007449721949, "CROTA1": 269.9954,
    "CROTA2": 269.9954,
}  # fmt: skip
SKYCAM = {
    "RA": "17:04:40.191", "DEC": "+12:47:18.345", "PIXSCALE": 3.5666776736, "CCDSCALE": 3.5666776736, "CCDXBIN": 1,
    "RA_CENT": 256.16746413, "DEC_CENT": 12.788429216, "IMAGEW": 1024.0, "IMAGEH": 1024.0,
}  # fmt: skip
SKYCAM_WCS = SKYCAM | {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg", "CRVAL1": 256.165317963,
    "CRVAL2": 12.6209465656, "CRPIX1": 414.647647904, "CRPIX2": 374.635702049, "CD1_1": 0.000815024535431,
    "CD1_2": -0.00056330123412, "CD2_1": 0.00056330123412, "CD2_2": 0.000815024535431,
}  # fmt: skip
FINDER = {
    "FOCALLEN": 134.1, "PIXSIZE1": 3.75, "XPIXSZ": 3.75, "XBINNING": 1, "OBJCTRA": "21 38 21.9984",
    "OBJCTDEC": "+30 33 22.298", "RA": 654.4759999999999, "DEC": 30.55619388888889, "EQUINOX": 2000.0,
}  # fmt: skip
PANOPTES = {"RA-MNT": 301.56439, "DEC-MNT": 44.456875, "EQUINOX": 2000.0, "FILTER": "RGGB", "CIRCCONF": "0.019 mm"}
CANON_1000D_HALF_SIZE = {
    "EXIF Make": "Canon", "EXIF FocalLength": 55.0, "EXIF FocalPlaneXResolution": 4438.356164383562,
    "EXIF FocalPlaneResolutionUnit": 2, "EXIF PixelXDimension": 1944, "EXIF PixelYDimension": 1296,
}  # fmt: skip
CANON_70D_WRONG_FOCAL_LENGTH = {
    "EXIF Make": "Canon", "EXIF FocalLength": 21.0, "EXIF FocalPlaneXResolution": 6086.7630700778645,
    "EXIF FocalPlaneResolutionUnit": 2, "EXIF PixelXDimension": 2736, "EXIF PixelYDimension": 1824,
}  # fmt: skip
RASPBERRY_PI = {"EXIF Make": "RaspberryPi", "EXIF FocalLength": 3.039, "EXIF PixelXDimension": 1024}


@pytest.mark.parametrize(
    ("header", "size", "true_scale", "true_centre"),
    [
        (INDI_SIMULATOR, (1280, 1024), 2.681, (21.642348, 69.252498)),
        (SKYCAM, (900, 900), 3.5709, (256.167241, 12.788797)),
        (SKYCAM_WCS, (1024, 1024), 3.569, (256.167559, 12.78875)),
        (FINDER, (1280, 960), 5.7737, (324.878061, 30.592989)),
        (PANOPTES, (700, 700), None, (303.210961, 46.019547)),
        (CANON_1000D_HALF_SIZE, (1944, 1296), 44.331, None),
        (CANON_70D_WRONG_FOCAL_LENGTH, (2736, 1824), 44.4791, None),
        (RASPBERRY_PI, (1024, 1024), 190.313, None),
    ],
    ids=["INDI", "SkyCam", "SkyCam with WCS", "finder", "PANOPTES", "1000D", "70D", "Raspberry Pi"],
)
def test_hints_of_real_headers_contain_the_solved_scale_and_centre(header, size, true_scale, true_centre):
    hints = from_header(header, *size)
    assert bool(hints.scales) == (true_scale is not None)
    if true_scale is not None:
        assert any(s.low_arcsec_per_pixel <= true_scale <= s.high_arcsec_per_pixel for s in hints.scales)
    assert bool(hints.positions) == (true_centre is not None)
    if true_centre is not None:
        best = hints.positions[0].position
        assert separation_deg(best.ra_deg, best.dec_deg, *true_centre) < best.radius_deg / 2


def test_sources_that_agree_give_one_hint_with_the_name_of_the_best():
    hints = from_header(INDI_SIMULATOR, 1280, 1024)
    assert [s.source for s in hints.scales] == ["WCS (CDELT + CROTA)"]
    assert [p.source for p in hints.positions] == ["WCS (CDELT + CROTA)"]
    assert hints.parity is Parity.POSITIVE
    assert hints.wcs is not None
    assert hints.notes == ()


def test_a_right_ascension_out_of_range_is_noted_and_the_other_position_is_kept():
    hints = from_header(FINDER, 1280, 960)
    assert [p.source for p in hints.positions] == ["OBJCTRA/OBJCTDEC"]
    assert hints.notes == ("RA = 654.476 in the header is outside 0 to 360 degrees: ignored",)


def test_a_dark_frame_without_optics_gives_only_the_position_of_the_mount():
    """CRVAL 0, 0 and CDELT 1, 1 without CTYPE, as astropy writes an empty WCS, give neither a WCS nor a note."""
    header = {
        "XPIXSZ": 2.4, "RA-MNT": 325.9875093943629, "DEC-MNT": -39.32512532896772, "WCSAXES": 2, "CRPIX1": -2348.0,
        "CRPIX2": -1436.0, "CDELT1": 1.0, "CDELT2": 1.0, "CRVAL1": 0.0, "CRVAL2": 0.0, "LATPOLE": 90.0,
    }  # fmt: skip
    hints = from_header(header, 800, 800)
    assert [p.source for p in hints.positions] == ["RA-MNT/DEC-MNT"]
    assert (hints.scales, hints.wcs, hints.parity, hints.notes) == ((), None, None, ())


def test_a_cut_out_with_the_wcs_of_the_whole_frame_keeps_only_scale_and_parity():
    header = {
        "RA-MNT": "", "DEC-MNT": "", "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CRVAL1": 38.5347431936,
        "CRVAL2": 89.0745311824, "CRPIX1": 2604.5, "CRPIX2": 1738.5, "CUNIT1": "deg", "CUNIT2": "deg",
        "CD1_1": -0.00141327447512, "CD1_2": 0.00249493780218, "CD2_1": 0.00249115213015, "CD2_2": 0.00141431536635,
        "IMAGEW": 5208, "IMAGEH": 3476,
    }  # fmt: skip
    hints = from_header(header, 200, 200)
    assert hints.wcs is None
    assert hints.parity is Parity.NEGATIVE
    assert hints.scales[0].low_arcsec_per_pixel < 10.3 < hints.scales[0].high_arcsec_per_pixel
    assert hints.positions[0].position.radius_deg == pytest.approx(5 + 8.97, abs=0.05)
    assert hints.notes == (
        "WCS (CD matrix) of 5208 x 3476 pixels in the header does not fit the image of 200 x 200 pixels: ignored",
        "RA-MNT/DEC-MNT in the header is empty: ignored",
    )


def test_an_empty_header_has_no_hints():
    assert from_header({}, 100, 100) == Hints()


KEYWORDS = sorted(
    {*INDI_SIMULATOR, *SKYCAM_WCS, *FINDER, *CANON_1000D_HALF_SIZE, "PLTSCALE", "XPIXELSZ", "CCDSUM", "SECPIX", "PC1_1",
     "PC1_2", "PC2_1", "PC2_2", "EXIF FocalLengthIn35mmFilm", "EXIF ExifImageWidth", "TELRA", "TELDEC"}
)  # fmt: skip
NUMBERS = st.floats() | st.integers() | st.floats(1e-4, 400) | st.sampled_from([0, 1, 2, 10**400, -(10**400), 1e308])
TEXTS = st.text(max_size=20) | st.sampled_from(
    ["RA---TAN", "DEC--TAN", "DEC--ZPN", "GLON-CAR", "deg", "arcsec", "12 30 00", "+05:00:00", "2 2", "1e400", "nan"]
)
VALUES = NUMBERS | TEXTS | st.booleans() | st.none()


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYWORDS) | st.text(max_size=8), VALUES),
    st.integers(1, 100_000),
    st.integers(1, 100_000),
)
def test_any_header_gives_hints_in_range_and_no_error(header, width, height):
    _assert_in_range(from_header(header, width, height), width, height)


MATRIX = st.floats(-0.01, 0.01) | st.floats() | st.sampled_from([0.0, 1.0])


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "CTYPE1": st.sampled_from(["RA---TAN", "DEC--TAN", "RA---ZPN", "RA"]),
            "CTYPE2": st.sampled_from(["DEC--TAN", "RA---TAN", "DEC"]),
            "CRVAL1": st.floats(0, 360) | st.floats(),
            "CRVAL2": st.floats(-90, 90) | st.floats(),
        },
        optional={
            **{f"{name}{i}_{j}": MATRIX for name in ("CD", "PC") for i in (1, 2) for j in (1, 2)},
            **{f"{name}{i}": MATRIX for name in ("CDELT", "CROTA", "CRPIX") for i in (1, 2)},
            "CUNIT1": st.sampled_from(["deg", "arcsec", "m"]),
            "IMAGEW": st.integers(0, 10_000),
            "IMAGEH": st.integers(0, 10_000),
        },
    ),
    st.integers(1, 10_000),
)
def test_any_wcs_gives_hints_in_range_and_no_error(header, side):
    _assert_in_range(from_header(header, side, side), side, side)


def _assert_in_range(hints, width, height):
    """Check scales; positions are checked when they are made."""
    for scale in hints.scales:
        assert 1e-3 <= scale.low_arcsec_per_pixel < scale.high_arcsec_per_pixel <= 3600
        assert scale.high_arcsec_per_pixel * max(width, height) <= 180 * 3600 * (1 + 1e-9)
    if hints.wcs is not None:
        assert hints.parity is not None
        assert hints.scales
        assert hints.positions
    assert all(note.endswith(": ignored") and "\n" not in note for note in hints.notes)


def test_no_slow_package_is_imported():
    code = (
        "import sys; from novacli.hints import from_header; from_header({'RA': 1.0, 'DEC': 2.0}, 9, 9); "
        "print([m for m in ('numpy', 'astropy', 'fitsio', 'PIL', 'requests') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
