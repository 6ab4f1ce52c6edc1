"""What is known of a field before it is solved: from the user, and from what the header says without being asked.

``from_header`` reads FITS keywords and EXIF tags, ``user_hints`` the options; ``combine`` puts the user's word before
the header's.  Everything here is a hint: ``strategy`` decides what to try, and that a wrong one does not cost the
image.  Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping

from novacli.hints.cards import Cards
from novacli.hints.exif import exif_readings
from novacli.hints.header_wcs import read_header_wcs
from novacli.hints.positions import distinct, header_positions
from novacli.hints.scales import MAX_FIELD_DEG, fits_readings, judge
from novacli.records.field import HeaderValue
from novacli.records.hints import Hints, PositionHint, ScaleHint, WcsHint
from novacli.records.params import Scale, SolveParams
from novacli.records.provenance import Provenance

__all__ = ["Hints", "PositionHint", "ScaleHint", "WcsHint", "combine", "from_header", "user_hints"]

#: The narrowest field taken for granted where the user gives an upper scale alone: no index matches a smaller one.
MIN_FIELD_DEG = 0.05


def from_header(header: Mapping[str, HeaderValue], width: int, height: int) -> Hints:
    """Return the hints in a header, best first; never raises, whatever the header holds.

    Parameters
    ----------
    header
        FITS keywords as they stand, EXIF tags as ``EXIF FocalLength`` and so on.
    width, height
        Size of the image that the header came with, pixels.
    """
    cards = Cards(header)
    wcs = read_header_wcs(cards, width, height)
    scales = judge([*wcs.scales, *fits_readings(cards), *exif_readings(cards, width, height)], cards, width, height)
    positions = distinct([*([wcs.position] if wcs.position else []), *header_positions(cards)])
    return Hints(scales, positions, wcs.wcs, wcs.parity, cards.notes)


def user_hints(params: SolveParams, width: int, height: int) -> Hints:
    """Return what the user asked for as hints, taken at their word; an open end of a scale range is filled in."""
    position = params.position
    return Hints(
        scales=() if params.scale is None else (_scale_hint(params.scale, width, height),),
        positions=() if position is None else (PositionHint(position, "--ra/--dec", Provenance.USER),),
        parity=params.parity,
    )


def _scale_hint(scale: Scale, width: int, height: int) -> ScaleHint:
    low, high = scale.arcsec_per_pixel(width)
    least, most = MIN_FIELD_DEG * 3600 / width, MAX_FIELD_DEG * 3600 / max(width, height)
    given = [name for name, value in (("--scale-low", scale.low), ("--scale-high", scale.high)) if value is not None]
    # An end beyond the default of the other one still leaves a range: a factor of ten, wide for an honest guess.
    if low is None:
        low = least if high is None else min(least, high / 10)
    if high is None:
        high = max(most, low * 10)
    return ScaleHint(low, high, "/".join(given), Provenance.USER)


def combine(user: Hints, header: Hints) -> Hints:
    """Return the user's hints, and the header's where the user said nothing of that kind.

    The header's WCS stays in any case: results list it, though its scale and position alone guide the search.
    """
    return Hints(
        scales=user.scales or header.scales,
        positions=user.positions or header.positions,
        wcs=user.wcs or header.wcs,
        parity=header.parity if user.parity is None else user.parity,
        notes=(*user.notes, *header.notes),
    )
