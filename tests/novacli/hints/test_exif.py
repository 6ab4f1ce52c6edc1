"""Scales from EXIF data of cameras, reduced images and telephones."""

import pytest

from novacli.hints import from_header

FULL_FRAME = {
    "EXIF FocalLength": 50.0,
    "EXIF FocalPlaneXResolution": 6000 / 3.6,
    "EXIF FocalPlaneResolutionUnit": 3,
    "EXIF PixelXDimension": 6000,
    "EXIF PixelYDimension": 4000,
}
TRUE_SCALE = 206264.806 * 36 / 6000 / 50


def scale_hints(header, width, height):
    hints = from_header(header, width, height).scales
    return [((s.low_arcsec_per_pixel + s.high_arcsec_per_pixel) / 2, s.source) for s in hints]


@pytest.mark.parametrize(("width", "height"), [(6000, 4000), (4000, 6000)])
def test_an_original_image_gives_one_scale_in_landscape_and_portrait(width, height):
    assert scale_hints(FULL_FRAME, width, height) == [
        (pytest.approx(TRUE_SCALE), "EXIF FocalLength + FocalPlaneXResolution")
    ]


@pytest.mark.parametrize(("unit", "density"), [(2, 6000 / 36 * 25.4), (3, 6000 / 3.6), (4, 6000 / 36), (5, 6 / 36)])
def test_all_units_of_the_focal_plane_resolution_are_read(unit, density):
    header = FULL_FRAME | {"EXIF FocalPlaneXResolution": density, "EXIF FocalPlaneResolutionUnit": unit}
    assert scale_hints(header, 6000, 4000)[0][0] == pytest.approx(TRUE_SCALE)


def test_the_scale_of_an_image_reduced_by_software_comes_first():
    assert scale_hints(FULL_FRAME, 2000, 1333)[:2] == [
        (pytest.approx(3 * TRUE_SCALE), "EXIF FocalLength + FocalPlaneXResolution, reduced from PixelXDimension"),
        (pytest.approx(TRUE_SCALE), "EXIF FocalLength + FocalPlaneXResolution"),
    ]


def test_an_image_reduced_by_the_camera_is_recognised_by_an_uncommon_sensor():
    """Half size with the pixel density of the full frame: the sensor would be 11.1 mm wide instead of 22.3."""
    header = {
        "EXIF FocalLength": 55.0,
        "EXIF FocalPlaneXResolution": 4438.356164383562,
        "EXIF FocalPlaneResolutionUnit": 2,
        "EXIF PixelXDimension": 1944,
    }
    assert scale_hints(header, 1944, 1296) == [
        (pytest.approx(42.92, abs=0.01), "EXIF FocalLength + FocalPlaneXResolution, reduced by 2"),
        (pytest.approx(21.46, abs=0.01), "EXIF FocalLength + FocalPlaneXResolution"),
    ]


def test_an_image_reduced_by_an_unknown_factor_gets_a_range_up_to_the_full_frame():
    """EXIF does not mention that 6000 pixels became 1200; the range includes the scale of a 36 mm sensor."""
    header = {k: v for k, v in FULL_FRAME.items() if "Dimension" not in k}
    hints = from_header(header, 1200, 800).scales
    assert hints[-1].source == "EXIF FocalLength, sensor up to 36 mm wide"
    assert hints[-1].high_arcsec_per_pixel == pytest.approx(5 * TRUE_SCALE)


def test_a_telephone_gives_the_scale_of_its_35_mm_equivalent():
    """iPhone 12 Pro with digital zoom: 64 mm equivalent on 3520 pixels."""
    header = {"EXIF FocalLength": 4.2, "EXIF FocalLengthIn35mmFilm": 64, "EXIF PixelXDimension": 3520}
    assert scale_hints(header, 3520, 1980) == [(pytest.approx(32.96, abs=0.01), "EXIF FocalLengthIn35mmFilm")]


def test_a_small_image_with_an_equivalent_may_be_reduced_or_cropped():
    header = {"EXIF FocalLengthIn35mmFilm": 36, "EXIF PixelXDimension": 4000}
    assert scale_hints(header, 2000, 1500) == [
        (pytest.approx(103.13, abs=0.01), "EXIF FocalLengthIn35mmFilm"),
        (pytest.approx(51.57, abs=0.01), "EXIF FocalLengthIn35mmFilm, cut from a larger picture"),
    ]


@pytest.mark.parametrize(
    ("focal_mm", "sensors"), [(50.0, "sensor 13 to 36 mm wide"), (4.0, "sensor 2.5 to 13.4 mm wide")]
)
def test_a_focal_length_alone_gives_a_wide_range(focal_mm, sensors):
    (hint,) = from_header({"EXIF FocalLength": focal_mm}, 4000, 3000).scales
    assert hint.source == f"EXIF FocalLength, {sensors}"
    assert 2 < hint.high_arcsec_per_pixel / hint.low_arcsec_per_pixel < 6


def test_a_focal_length_of_zero_is_noted():
    hints = from_header(FULL_FRAME | {"EXIF FocalLength": 0.0}, 6000, 4000)
    assert hints.scales == ()
    assert hints.notes == ("EXIF FocalLength = 0 in the header is not above zero: ignored",)


def test_a_density_of_an_impossible_sensor_is_noted_and_the_focal_length_is_used():
    hints = from_header(FULL_FRAME | {"EXIF FocalPlaneResolutionUnit": 5}, 6000, 4000)
    assert [s.source for s in hints.scales] == ["EXIF FocalLength, sensor 13 to 36 mm wide"]
    assert hints.notes[0].endswith("implies a sensor 0.0036 mm wide: ignored")
