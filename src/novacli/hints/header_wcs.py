"""Read a world coordinate system (WCS) in the header: an earlier solution, or an estimate of the mount's driver.

Only the linear part is read, since distortion does not change where the field is searched for.

Source: Calabretta & Greisen 2002, A&A 395, 1077 (CTYPE, CD, PC, CDELT); AIPS memo 27 (CROTA).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from novacli.hints.cards import Cards
from novacli.hints.positions import POINTING_ERROR_DEG, read_pair
from novacli.hints.scales import Reading, is_possible_scale
from novacli.records.hints import PositionHint, WcsHint
from novacli.records.params import Position
from novacli.records.parity import Parity
from novacli.wcs.tansip import TanSip
from solvehost.record import record

Matrix = tuple[tuple[float, float], tuple[float, float]]

#: Projections whose linear part is that of TAN near the reference point: zenithal ones, and TAN under other names.
_TAN_LIKE = frozenset({"TAN", "TPV", "TNX", "ZPN", "ZPX", "SIN", "ARC", "STG", "ZEA", ""})
_DEGREES = frozenset({"", "deg", "degree", "degrees"})
# The scale of a solved WCS is exact to a thousandth, but a driver computes it from nominal optics.
_SCALE_TOLERANCE = 0.10
#: A reference pixel further away than this is an error, in pixels.
_MAX_CRPIX = 1e6
#: ‖CD‖² over 2·|det CD| is 1 for square pixels, and 1.25 if one side is twice the other.
_MAX_SKEW = 1.25


@record
class _Axes:
    """The FITS axes, 1 or 2, of right ascension and declination."""

    ra: int
    dec: int


@record
class HeaderWcs:
    """The hints that a WCS in the header gives.

    ``wcs`` is None if the WCS belongs to a larger image of which this one is a part, or if only its reference point is
    known.
    """

    wcs: WcsHint | None = None
    scales: tuple[Reading, ...] = ()
    position: PositionHint | None = None
    parity: Parity | None = None


def read_header_wcs(cards: Cards, width: int, height: int) -> HeaderWcs:
    """Return the hints of the celestial WCS in the header of an image of ``width`` × ``height`` pixels."""
    axes = _celestial_axes(cards)
    if axes is None:
        return HeaderWcs()
    reference = read_pair(cards, f"CRVAL{axes.ra}", f"CRVAL{axes.dec}")
    if reference is None:
        return HeaderWcs()
    source, cd = _cd_matrix(cards, axes)
    if cd is None or not _is_plausible(cd, source, cards, width, height):
        return HeaderWcs(position=reference)
    whole = _whole_size(cards, width, height)
    crval = (reference.position.ra_deg, reference.position.dec_deg)
    tan = TanSip(crval, (math.nan, math.nan), cd, *(whole or (width, height)))
    parity = tan.parity
    scales = tuple(_scales(tan, width, height, source))
    crpix = _reference_pixel(cards)
    if crpix is None:
        return HeaderWcs(scales=scales, position=reference, parity=parity)
    position = _centre(replace(tan, crpix=crpix), source, is_part=whole is not None)
    if whole is None:
        return HeaderWcs(WcsHint(source), scales, position, parity)
    cards.ignore(f"{source} of {whole[0]} x {whole[1]} pixels", f"does not fit the image of {width} x {height} pixels")
    return HeaderWcs(None, scales, position, parity)


def _celestial_axes(cards: Cards) -> _Axes | None:
    """Return the celestial axes; None if there are none, with a note if the WCS cannot be used."""
    kinds = [cards.text(f"CTYPE{axis}").upper() for axis in (1, 2)]
    names = [kind.partition("-")[0] for kind in kinds]
    if names not in (["RA", "DEC"], ["DEC", "RA"]):
        if names[0] in ("GLON", "GLAT", "ELON", "ELAT"):
            cards.ignore(f"WCS {kinds[0]}, {kinds[1]}", "is not in right ascension and declination")
        return None
    # The code of the projection is in characters 6 to 8; suffixes such as -SIP follow it.
    if kinds[0][5:8].strip("- ") not in _TAN_LIKE:
        cards.ignore(f"WCS {kinds[0]}, {kinds[1]}", "is not a projection onto a tangent plane")
        return None
    if any(cards.text(f"CUNIT{axis}").lower() not in _DEGREES for axis in (1, 2)):
        cards.ignore(f"WCS {kinds[0]}, {kinds[1]}", "is not in degrees")
        return None
    return _Axes(1, 2) if names[0] == "RA" else _Axes(2, 1)


def _cd_matrix(cards: Cards, axes: _Axes) -> tuple[str, Matrix | None]:
    """Return the kind of keywords and the CD matrix from them: rows RA then Dec, degrees per pixel."""
    if _has_matrix(cards, "CD"):
        return "WCS (CD matrix)", _rows(axes, lambda i, j: cards.number(f"CD{i}_{j}") or 0.0)
    delta = {axis: cards.number(f"CDELT{axis}") or 0.0 for axis in (1, 2)}
    if _has_matrix(cards, "PC"):
        return "WCS (PC matrix + CDELT)", _rows(axes, lambda i, j: delta[i] * _pc(cards, i, j))
    if "CDELT1" not in cards and "CDELT2" not in cards:
        return "WCS", None
    # CROTA belongs to the declination axis; some programs write the other one alone.
    crota_deg = cards.number(f"CROTA{axes.dec}")
    crota_deg = cards.number(f"CROTA{axes.ra}") if crota_deg is None else crota_deg
    source = "WCS (CDELT)" if crota_deg is None else "WCS (CDELT + CROTA)"
    return source, _rotated(axes, delta, crota_deg or 0.0)


def _has_matrix(cards: Cards, name: str) -> bool:
    return any(f"{name}{i}_{j}" in cards for i in (1, 2) for j in (1, 2))


def _pc(cards: Cards, i: int, j: int) -> float:
    element = cards.number(f"PC{i}_{j}")
    return float(i == j) if element is None else element


def _rotated(axes: _Axes, delta: Mapping[int, float], crota_deg: float) -> Matrix:
    cos, sin = math.cos(math.radians(crota_deg)), math.sin(math.radians(crota_deg))
    elements = {
        (axes.ra, axes.ra): delta[axes.ra] * cos,
        (axes.ra, axes.dec): -delta[axes.dec] * sin,
        (axes.dec, axes.ra): delta[axes.ra] * sin,
        (axes.dec, axes.dec): delta[axes.dec] * cos,
    }
    return _rows(axes, lambda i, j: elements[i, j])


def _rows(axes: _Axes, element: Callable[[int, int], float]) -> Matrix:
    """Return a matrix whose first row is right ascension; its columns are x and y."""
    return (element(axes.ra, 1), element(axes.ra, 2)), (element(axes.dec, 1), element(axes.dec, 2))


def _is_plausible(cd: Matrix, source: str, cards: Cards, width: int, height: int) -> bool:
    """Return True if a CD matrix has nearly square pixels of a possible size; note what is wrong with it."""
    (cd11, cd12), (cd21, cd22) = cd
    det = cd11 * cd22 - cd12 * cd21
    if not is_possible_scale(3600 * math.sqrt(abs(det)), source, cards, width, height):
        return False
    if cd11 * cd11 + cd12 * cd12 + cd21 * cd21 + cd22 * cd22 > 2 * _MAX_SKEW * abs(det):
        cards.ignore(source, "has pixels that are not square")
        return False
    return True


def _reference_pixel(cards: Cards) -> tuple[float, float] | None:
    x, y = cards.number("CRPIX1"), cards.number("CRPIX2")
    if x is None or y is None or max(abs(x), abs(y)) > _MAX_CRPIX:
        return None
    return x, y


def _whole_size(cards: Cards, width: int, height: int) -> tuple[int, int] | None:
    """Return the size of the image that was solved, if solve-field's IMAGEW and IMAGEH differ from this image's."""
    whole = cards.number("IMAGEW"), cards.number("IMAGEH")
    if whole[0] is None or whole[1] is None or not all(1 <= side <= _MAX_CRPIX for side in whole if side is not None):
        return None
    size = round(whole[0]), round(whole[1])
    return None if abs(size[0] - width) <= 1 and abs(size[1] - height) <= 1 else size


def _scales(tan: TanSip, width: int, height: int, source: str) -> Iterator[Reading]:
    """Yield the scale of the matrix; if the image was resized since, that scale times the factor as well."""
    yield Reading.around(tan.pixscale_arcsec, _SCALE_TOLERANCE, source)
    reduction = tan.width / width
    if abs(tan.height / height / reduction - 1) < 0.01 and abs(reduction - 1) > _SCALE_TOLERANCE:
        yield Reading.around(tan.pixscale_arcsec * reduction, _SCALE_TOLERANCE, f"{source}, picture resized")


def _centre(tan: TanSip, source: str, *, is_part: bool) -> PositionHint:
    """Return the centre of the image, or of the larger image of which it is a part, with a radius that covers it."""
    ra_deg, dec_deg = tan.tan_pixel_to_sky(*tan.center_px)
    radius_deg = POINTING_ERROR_DEG
    if is_part:
        radius_deg += math.hypot(tan.width, tan.height) / 2 * tan.pixscale_arcsec / 3600
    return PositionHint(Position(ra_deg, dec_deg, min(radius_deg, 180.0)), source)
