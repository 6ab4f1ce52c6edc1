"""What the hints are: frozen records, each of which knows where it came from."""

from __future__ import annotations

from dataclasses import dataclass

from novacli.records.params import Parity, Position

#: So begins the source of a hint that is remembered.
EARLIER = "earlier frame"


@dataclass(frozen=True, slots=True)
class ScaleHint:
    """A range of pixel scales, in arcsec/pixel at the field's centre; ``source`` in words that the user recognises."""

    low_arcsec_per_pixel: float
    high_arcsec_per_pixel: float
    source: str


@dataclass(frozen=True, slots=True)
class PositionHint:
    """A place on the sky, within whose radius the field's centre is thought to be.

    The engine wants every star of a quad within its radius, so whoever writes ANERAD adds half the field's diagonal.
    ``is_of_earlier`` where it is that of an earlier frame, since when the telescope may have been turned.
    """

    position: Position
    source: str
    is_of_earlier: bool = False


@dataclass(frozen=True, slots=True)
class WcsHint:
    """The TAN part of a celestial WCS that the header already holds, in this image's FITS pixel coordinates.

    Attributes
    ----------
    crval
        Right ascension and declination of the reference point, degrees.
    crpix
        Its pixel (x, y); the centre of the first stored pixel is (1, 1).
    cd
        Degrees per pixel; the rows are right ascension and declination, the columns x and y, whatever the order of
        the axes in the header.
    source
        Which keywords it came from.
    """

    crval: tuple[float, float]
    crpix: tuple[float, float]
    cd: tuple[tuple[float, float], tuple[float, float]]
    source: str


@dataclass(frozen=True, slots=True)
class Hints:
    """All that is known of a field before it is solved; each tuple is best first.

    ``notes`` are one-line remarks on what was found and left aside, with the reason.
    """

    scales: tuple[ScaleHint, ...] = ()
    positions: tuple[PositionHint, ...] = ()
    wcs: WcsHint | None = None
    parity: Parity | None = None
    notes: tuple[str, ...] = ()
