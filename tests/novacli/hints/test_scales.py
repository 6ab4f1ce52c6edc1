"""Scales from keywords of FITS headers."""

import pytest

from novacli.hints import from_header


def middles(header, width=1000, height=800):
    hints = from_header(header, width, height)
    return [
        (pytest.approx((s.low_arcsec_per_pixel + s.high_arcsec_per_pixel) / 2, rel=1e-3), s.source)
        for s in hints.scales
    ]


@pytest.mark.parametrize("keyword", ["PIXSCALE", "SECPIX", "SECPIX1", "PIXSCAL1", "PIXSCALX", "CCDSCALE", "SCALE"])
@pytest.mark.parametrize("value", [2.5, "2.5", " 2.5 arcsec/pixel", "2.5D0"])
def test_every_scale_keyword_gives_a_range_of_ten_per_cent_around_its_value(keyword, value):
    (hint,) = from_header({keyword: value}, 1000, 800).scales
    assert (hint.low_arcsec_per_pixel, hint.high_arcsec_per_pixel) == pytest.approx((2.25, 2.75))
    assert hint.source == keyword


def test_secpix1_may_carry_the_sign_of_cdelt1():
    assert middles({"SECPIX1": -2.5}) == [(2.5, "SECPIX1")]


def test_focal_length_and_pixel_size_give_206265_um_per_mm():
    assert middles({"FOCALLEN": 1000, "XPIXSZ": 5.0}) == [(1.0313, "FOCALLEN + XPIXSZ")]


def test_with_binning_the_pixel_size_is_that_of_binned_pixels_first():
    assert middles({"FOCALLEN": 1000, "XPIXSZ": 5.0, "XBINNING": 2}) == [
        (1.0313, "FOCALLEN + XPIXSZ"),
        (2.0626, "FOCALLEN + XPIXSZ, times binning"),
    ]


def test_pixsize1_is_the_size_of_unbinned_pixels():
    assert middles({"FOCALLEN": 1000, "PIXSIZE1": 5.0, "CCDSUM": "2 2"}) == [
        (2.0626, "FOCALLEN + PIXSIZE1, times binning"),
        (1.0313, "FOCALLEN + PIXSIZE1"),
    ]


def test_a_scale_keyword_with_binning_is_read_both_ways():
    assert middles({"PIXSCALE": 1.0, "XBINNING": 3}) == [(1.0, "PIXSCALE"), (3.0, "PIXSCALE times binning")]


def test_pltscale_is_arcsec_per_mm_of_the_plate():
    """As in the Digitized Sky Survey: 67.2 arcsec/mm, scanned at 25.28 um."""
    assert middles({"PLTSCALE": "67.20", "XPIXELSZ": 25.28445}) == [(1.6991, "PLTSCALE + XPIXELSZ")]


def test_pltscale_without_a_pixel_size_is_noted():
    hints = from_header({"PLTSCALE": 67.2}, 1000, 800)
    assert hints.scales == ()
    assert hints.notes == (
        "PLTSCALE = 67.2 in the header is in arcsec/mm and no keyword gives the pixel size: ignored",
    )


def test_contradictory_sources_give_a_hint_each():
    assert middles({"PIXSCALE": 1.0, "FOCALLEN": 1000, "XPIXSZ": 9.0}) == [
        (1.0, "PIXSCALE"),
        (1.8564, "FOCALLEN + XPIXSZ"),
    ]


@pytest.mark.parametrize(
    ("header", "note"),
    [
        ({"PIXSCALE": 0}, "PIXSCALE = 0 in the header is not above zero: ignored"),
        ({"PIXSCALE": -1.5}, "PIXSCALE = -1.5 in the header is not above zero: ignored"),
        ({"SCALE": float("nan")}, "SCALE = nan in the header is not a finite number: ignored"),
        ({"FOCALLEN": 0, "XPIXSZ": 5}, "FOCALLEN = 0 in the header is not above zero: ignored"),
        (
            {"FOCALLEN": 0.001, "XPIXSZ": 100},
            "FOCALLEN + XPIXSZ (2.063e+07 arcsec/pixel) in the header is outside 0.001 to 3600 arcsec/pixel: ignored",
        ),
        (
            {"PIXSCALE": 1000},
            "PIXSCALE (1000 arcsec/pixel) in the header implies a field wider than 180 degrees: ignored",
        ),
    ],
)
def test_an_impossible_scale_is_noted(header, note):
    hints = from_header(header, 1000, 800)
    assert hints.scales == ()
    assert hints.notes == (note,)


@pytest.mark.parametrize("value", [True, "", "unknown", "3.5 mm", "1.2.3"])
def test_a_value_that_is_not_a_number_gives_no_scale(value):
    assert from_header({"PIXSCALE": value}, 1000, 800).scales == ()


def test_the_upper_end_of_a_scale_gives_a_field_of_at_most_180_degrees():
    (hint,) = from_header({"PIXSCALE": 640}, 1000, 800).scales
    assert hint.high_arcsec_per_pixel == pytest.approx(648)
