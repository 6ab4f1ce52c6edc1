"""Pixel scales from EXIF data: focal length, and the size of the sensor or of its pixels.

Source: Exif 2.32 (CIPA DC-008) for the tags.  Not all cameras follow it: a JPEG saved at half size often keeps the
pixel density of the full frame, so that the scale comes out at half the true one.
"""

from __future__ import annotations

from collections.abc import Iterator

from novacli.hints.cards import Cards
from novacli.hints.scales import ARCSEC_PER_RADIAN, Reading
from novacli.records.params import FILM_WIDTH_MM

#: Millimetres in a FocalPlaneResolutionUnit; 1 ("none") and absent mean the default, inches.
_UNIT_MM = {1: 25.4, 2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
#: Widths of common sensors, in mm: 645, 44x33, 35 mm, APS-H, APS-C, Four Thirds, 1", 2/3", 1/1.7", 1/2.3".
_SENSOR_WIDTHS_MM = (
    (53.0, 54.0), (43.5, 44.2), (35.5, 36.2), (27.7, 28.9), (22.0, 24.0), (17.0, 18.0), (13.0, 13.4), (8.6, 9.0),
    (7.3, 7.7), (6.1, 6.3),
)  # fmt: skip
#: A FocalPlaneXResolution that implies a sensor outside these widths is an error, often of the unit.
_MIN_SENSOR_MM, _MAX_SENSOR_MM = 1.0, 100.0
#: Factors of reduced sizes that cameras offer; EXIF then keeps the pixel density of the full frame.
_USUAL_REDUCTIONS = (2.0, 4.0)
#: A lens of at least this focal length belongs to a camera with a sensor of 1" or more, any other to a telephone or a
#: compact camera.
_LARGE_CAMERA_MM = 10.0

# Zoom lenses report whole millimetres; the true focal length differs by a few per cent, and changes with the focus.
_FOCAL_TOLERANCE = 0.15
# The 35-mm equivalent is rounded to whole millimetres; some makers compare widths, others diagonals.
_EQUIVALENT_TOLERANCE = 0.20


def exif_readings(cards: Cards, width: int, height: int) -> Iterator[Reading]:
    """Yield the scales by focal length and pixel density, by the 35-mm equivalent, or by common sensors."""
    # Sensors are named by their long side, and EXIF's width may be the short side of a portrait.
    side_px = max(width, height)
    recorded_px = _recorded_side(cards) or side_px
    focal_mm = cards.positive("EXIF FocalLength", ("mm",))
    equivalent_mm = cards.positive("EXIF FocalLengthIn35mmFilm", ("mm",))
    sensor_mm = _sensor_width(cards, side_px)
    if focal_mm is not None and sensor_mm is not None:
        yield from _from_pixel_density(focal_mm, sensor_mm, side_px, recorded_px / side_px)
    if equivalent_mm is not None:
        yield from _from_equivalent(equivalent_mm, side_px, recorded_px)
    if focal_mm is not None and sensor_mm is None and equivalent_mm is None:
        yield _from_focal_length_alone(focal_mm, side_px)


def _from_pixel_density(focal_mm: float, sensor_mm: float, side_px: int, reduction: float) -> Iterator[Reading]:
    """Yield the scale for the density as written, and as that of the full frame of a reduced image."""
    source = "EXIF FocalLength + FocalPlaneXResolution"
    scale = ARCSEC_PER_RADIAN * sensor_mm / side_px / focal_mm
    as_written_is_usual = _is_usual(sensor_mm)
    yield Reading.around(scale, _FOCAL_TOLERANCE, source, doubt=0 if as_written_is_usual else 1)
    if reduction > 1.01:
        yield Reading.around(scale * reduction, _FOCAL_TOLERANCE, f"{source}, reduced from PixelXDimension")
    if as_written_is_usual:
        return
    for factor in _USUAL_REDUCTIONS:
        if _is_usual(sensor_mm * factor):
            yield Reading.around(scale * factor, _FOCAL_TOLERANCE, f"{source}, reduced by {factor:g}")
    if sensor_mm < FILM_WIDTH_MM:
        widest = scale * FILM_WIDTH_MM / sensor_mm
        yield Reading(scale * (1 - _FOCAL_TOLERANCE), widest, "EXIF FocalLength, sensor up to 36 mm wide", doubt=2)


def _from_equivalent(equivalent_mm: float, side_px: int, recorded_px: int) -> Iterator[Reading]:
    """Yield the scale if the image is the whole frame, reduced or not, and the scale if it was cropped."""
    source = "EXIF FocalLengthIn35mmFilm"
    film_arcsec = ARCSEC_PER_RADIAN * FILM_WIDTH_MM / equivalent_mm
    yield Reading.around(film_arcsec / side_px, _EQUIVALENT_TOLERANCE, source)
    if recorded_px > side_px:
        cut_source = f"{source}, cut from a larger picture"
        yield Reading.around(film_arcsec / recorded_px, _EQUIVALENT_TOLERANCE, cut_source, doubt=1)


def _from_focal_length_alone(focal_mm: float, side_px: int) -> Reading:
    narrow_mm, wide_mm = (13.0, FILM_WIDTH_MM) if focal_mm >= _LARGE_CAMERA_MM else (2.5, 13.4)
    low, high = (ARCSEC_PER_RADIAN * sensor_mm / focal_mm / side_px for sensor_mm in (narrow_mm, wide_mm))
    return Reading(low, high, f"EXIF FocalLength, sensor {narrow_mm:g} to {wide_mm:g} mm wide", doubt=2)


def _recorded_side(cards: Cards) -> int | None:
    """Return the longer side of the image by EXIF, pixels; PixelXDimension is also called ExifImageWidth."""
    names = ("PixelXDimension", "PixelYDimension", "ExifImageWidth", "ExifImageHeight")
    sides = [cards.number(f"EXIF {name}") or 0 for name in names]
    longest = max(sides)
    return int(longest) if 1 <= longest <= 1e7 else None


def _sensor_width(cards: Cards, side_px: int) -> float | None:
    """Return the long side of the sensor, mm, that FocalPlaneXResolution implies for a whole frame."""
    density = cards.positive("EXIF FocalPlaneXResolution")
    if density is None:
        return None
    unit_mm = _UNIT_MM.get(int(cards.number("EXIF FocalPlaneResolutionUnit") or 2))
    if unit_mm is None:
        return None
    sensor_mm = side_px * unit_mm / density
    if not _MIN_SENSOR_MM <= sensor_mm <= _MAX_SENSOR_MM:
        cards.ignore(f"EXIF FocalPlaneXResolution = {density:g}", f"implies a sensor {sensor_mm:.3g} mm wide")
        return None
    return sensor_mm


def _is_usual(sensor_mm: float) -> bool:
    return any(low <= sensor_mm <= high for low, high in _SENSOR_WIDTHS_MM)
