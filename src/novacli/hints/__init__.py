"""Hints: scale, position and parity of a field before it is solved, from the user and from its header.

``from_header`` reads FITS keywords and EXIF tags, ``user_hints`` the user's parameters, and ``combine`` prefers the
user's.  ``cards`` reads single values, ``scales``, ``exif`` and ``positions`` interpret them, and ``header_wcs`` reads
a WCS.  A hint may be wrong: ``strategy`` also plans attempts without it.  Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping

from novacli.hints.cards import Cards
from novacli.hints.exif import exif_readings
from novacli.hints.header_wcs import read_header_wcs
from novacli.hints.positions import distinct, header_positions
from novacli.hints.scales import MAX_FIELD_DEG, fits_readings, scale_hints
from novacli.records.field import HeaderValue
from novacli.records.hints import Hints, PositionHint, ScaleHint, WcsHint
from novacli.records.params import Scale, SolveParams
from novacli.records.provenance import Provenance

__all__ = ["Hints", "PositionHint", "ScaleHint", "WcsHint", "combine", "from_header", "user_hints"]

#: The narrowest field that is tried if the user gives only an upper scale: no index file serves a narrower one.
MIN_FIELD_DEG = 0.05


def from_header(header: Mapping[str, HeaderValue], width: int, height: int) -> Hints:
    """Return the hints in a header, best first; no header raises an error.

    Parameters
    ----------
    header
        FITS keywords as they stand, EXIF tags as ``EXIF FocalLength`` and so on.
    width, height
        Size of the image that the header came with, pixels.
    """
    cards = Cards(header)
    wcs = read_header_wcs(cards, width, height)
    readings = [*wcs.scales, *fits_readings(cards), *exif_readings(cards, width, height)]
    scales = scale_hints(readings, cards, width, height)
    positions = distinct([*([wcs.position] if wcs.position else []), *header_positions(cards)])
    return Hints(scales, positions, wcs.wcs, wcs.parity, cards.notes)


def user_hints(params: SolveParams, width: int, height: int) -> Hints:
    """Return the user's parameters as hints; an open end of the scale range gets a default.

    Parameters
    ----------
    params
        The user's parameters.
    width, height
        Size of the image, pixels.
    """
    position = params.position
    return Hints(
        scales=() if params.scale is None else (_scale_hint(params.scale, width, height),),
        positions=() if position is None else (PositionHint(position, "--ra/--dec", Provenance.USER),),
        parity=params.parity,
    )


def _scale_hint(scale: Scale, width: int, height: int) -> ScaleHint:
    low, high = scale.arcsec_per_pixel(width)
    least, most = MIN_FIELD_DEG * 3600 / width, MAX_FIELD_DEG * 3600 / max(width, height)
    ends = (("--scale-low", scale.low), ("--scale-high", scale.high))
    options = [name for name, value in ends if value is not None]
    # If one end lies beyond the default of the other, the range spans a factor of ten.
    if low is None:
        low = least if high is None else min(least, high / 10)
    if high is None:
        high = max(most, low * 10)
    return ScaleHint(low, high, "/".join(options), Provenance.USER)


def combine(user: Hints, header: Hints) -> Hints:
    """Return the user's hints, and for each kind that the user did not give, those of the header.

    The header's WCS is always kept, since results list it; its scale and position are hints of their own.
    """
    return Hints(
        scales=user.scales or header.scales,
        positions=user.positions or header.positions,
        wcs=user.wcs or header.wcs,
        parity=header.parity if user.parity is None else user.parity,
        notes=(*user.notes, *header.notes),
    )
