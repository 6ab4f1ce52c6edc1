"""Pixel scales from FITS keywords, and the check of scales from any source.

A header can often be read in several ways; each is a ``Reading``, and all that are possible become hints.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from novacli.hints.cards import Cards
from novacli.records.hints import ScaleHint
from solvehost.record import record

ARCSEC_PER_RADIAN = math.degrees(3600)
#: Pixel scales outside these limits, and fields wider than this, are errors of the header.
MIN_ARCSEC_PER_PIXEL, MAX_ARCSEC_PER_PIXEL = 1e-3, 3600.0
MAX_FIELD_DEG = 180.0

#: Keywords that give arcsec/pixel, the unambiguous ones first: PIXSCALE (Liverpool Telescope, LCO), SECPIX (WCSTools),
#: SECPIX1 (KStars), PIXSCAL1 (NOAO Mosaic, CFHT), PIXSCALX, CCDSCALE, SCALE (INDI).
_ARCSEC_PER_PIXEL = ("PIXSCALE", "SECPIX", "SECPIX1", "PIXSCAL1", "PIXSCALX", "CCDSCALE", "SCALE")
_SCALE_UNITS = ("arcsec", "arcsec/pix", "arcsec/pixel", "arcsec/px", '"/px', '"/pixel')
#: Focal length in mm: FOCALLEN (SBFITSEXT and nearly all since), FOCAL.
_FOCAL_LENGTH_MM = ("FOCALLEN", "FOCAL")
#: Pixel size in µm, and True if the keyword is the size of binned pixels: XPIXSZ "includes binning" (MaxIm DL, INDI,
#: N.I.N.A.), INDI's PIXSIZE1 is the camera's own pixel; XPIXELSZ belongs to digitised plates (DSS).
_PIXEL_SIZE_UM = (("XPIXSZ", True), ("PIXSIZE1", False), ("PIXSIZE", False), ("XPIXELSZ", True))
_PIXEL_UNITS = ("um", "µm", "micron", "microns")
_BINNING = ("XBINNING", "CCDXBIN", "CCDBIN1", "BINX", "CCDSUM")

# Scales in headers follow from nominal optics, not from a measurement: the true focal length differs by a few per cent
# with the distance of a field flattener and with the focus.
_OPTICS_TOLERANCE = 0.10


@record
class Reading:
    """A scale by one interpretation of the header, before it is checked.

    ``doubt`` ranks interpretations: 0 as the keyword is defined, 1 as some programs misuse it, 2 a wide guess.
    """

    low_arcsec_per_pixel: float
    high_arcsec_per_pixel: float
    source: str
    doubt: int = 0

    @classmethod
    def around(cls, arcsec_per_pixel: float, tolerance: float, source: str, doubt: int = 0) -> Reading:
        """Return the range ``arcsec_per_pixel`` within a relative ``tolerance``."""
        return cls(arcsec_per_pixel * (1 - tolerance), arcsec_per_pixel * (1 + tolerance), source, doubt)

    @property
    def middle(self) -> float:
        """The middle of the range, arcsec/pixel."""
        return (self.low_arcsec_per_pixel + self.high_arcsec_per_pixel) / 2


def scale_hints(readings: Iterable[Reading], cards: Cards, width: int, height: int) -> tuple[ScaleHint, ...]:
    """Return the possible readings as hints, best first, without those that repeat a better one.

    Parameters
    ----------
    readings
        Scales from all sources.
    cards
        Takes a note for each reading that is not possible.
    width, height
        Size of the image, pixels.
    """
    hints: list[ScaleHint] = []
    for reading in sorted(readings, key=lambda r: r.doubt):
        is_possible = is_possible_scale(reading.middle, reading.source, cards, width, height)
        if is_possible and not any(h.low_arcsec_per_pixel <= reading.middle <= h.high_arcsec_per_pixel for h in hints):
            low = max(reading.low_arcsec_per_pixel, MIN_ARCSEC_PER_PIXEL)
            high = min(reading.high_arcsec_per_pixel, _widest_arcsec_per_pixel(width, height))
            hints.append(ScaleHint(low, high, reading.source))
    return tuple(hints)


def is_possible_scale(arcsec_per_pixel: float, source: str, cards: Cards, width: int, height: int) -> bool:
    """Return True if an image of this size can have this scale; otherwise add a note to ``cards``."""
    what = f"{source} ({arcsec_per_pixel:.4g} arcsec/pixel)"
    if not MIN_ARCSEC_PER_PIXEL <= arcsec_per_pixel <= MAX_ARCSEC_PER_PIXEL:
        cards.ignore(what, f"is outside {MIN_ARCSEC_PER_PIXEL:g} to {MAX_ARCSEC_PER_PIXEL:g} arcsec/pixel")
        return False
    if arcsec_per_pixel > _widest_arcsec_per_pixel(width, height):
        cards.ignore(what, f"implies a field wider than {MAX_FIELD_DEG:g} degrees")
        return False
    return True


def _widest_arcsec_per_pixel(width: int, height: int) -> float:
    return min(MAX_ARCSEC_PER_PIXEL, MAX_FIELD_DEG * 3600 / max(width, height))


def fits_readings(cards: Cards) -> Iterator[Reading]:
    """Yield the scales of all keywords on scale and optics; contradictory ones are tried one after the other."""
    binning = _binning(cards)
    yield from _explicit(cards, binning)
    yield from _plate_scale(cards)
    yield from _focal_length(cards, binning)


def _explicit(cards: Cards, binning: int) -> Iterator[Reading]:
    for keyword in _ARCSEC_PER_PIXEL:
        # KStars gives SECPIX1 the sign of CDELT1.
        is_signed = keyword == "SECPIX1"
        scale = cards.number(keyword, _SCALE_UNITS) if is_signed else cards.positive(keyword, _SCALE_UNITS)
        if scale is None:
            continue
        yield Reading.around(abs(scale), _OPTICS_TOLERANCE, keyword)
        if binning > 1:
            yield Reading.around(abs(scale) * binning, _OPTICS_TOLERANCE, f"{keyword} times binning", doubt=1)


def _plate_scale(cards: Cards) -> Iterator[Reading]:
    """Yield the scale from PLTSCALE, arcsec/mm on the plate (DSS), and the pixel size."""
    plate_scale = cards.positive("PLTSCALE")
    if plate_scale is None:
        return
    for keyword, _ in _PIXEL_SIZE_UM:
        if (pixel_um := cards.positive(keyword, _PIXEL_UNITS)) is not None:
            yield Reading.around(plate_scale * pixel_um / 1000, _OPTICS_TOLERANCE, f"PLTSCALE + {keyword}")
            return
    cards.ignore(f"PLTSCALE = {plate_scale:g}", "is in arcsec/mm and no keyword gives the pixel size")


def _focal_length(cards: Cards, binning: int) -> Iterator[Reading]:
    """Yield scales from focal length and pixel size; with binning, for both meanings of the pixel size."""
    for focal_keyword in _FOCAL_LENGTH_MM:
        focal_mm = cards.positive(focal_keyword, ("mm",))
        if focal_mm is None:
            continue
        for pixel_keyword, is_binned in _PIXEL_SIZE_UM:
            pixel_um = cards.positive(pixel_keyword, _PIXEL_UNITS)
            if pixel_um is None:
                continue
            scale = ARCSEC_PER_RADIAN * pixel_um / 1000 / focal_mm
            source = f"{focal_keyword} + {pixel_keyword}"
            yield Reading.around(scale, _OPTICS_TOLERANCE, source, doubt=int(binning > 1 and not is_binned))
            if binning > 1:
                binned_source = f"{source}, times binning"
                yield Reading.around(scale * binning, _OPTICS_TOLERANCE, binned_source, doubt=int(is_binned))


def _binning(cards: Cards) -> int:
    for keyword in _BINNING:
        # CCDSUM holds both factors, as in '2 2'.
        first = cards.text(keyword).partition(" ")[0]
        factor = float(first) if first.isdecimal() else cards.number(keyword)
        if factor is not None and 1 <= factor <= 16 and factor == int(factor):
            return int(factor)
    return 1
