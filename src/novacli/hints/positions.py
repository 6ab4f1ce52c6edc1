"""Positions on the sky from header keywords."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from novacli.errors import UsageError
from novacli.hints.cards import Cards
from novacli.records.hints import PositionHint
from novacli.records.params import Position
from novacli.text.angles import parse_dec, parse_ra, separation_deg

#: Radius of a position hint.  Amateur mounts that were not synchronised are off by degrees (a frame of PANOPTES by
#: 1.9), and a radius of 5 degrees is still only 1/500 of the sky.  So the equinox does not matter either: coordinates
#: of date differ from J2000 by a third of a degree.
POINTING_ERROR_DEG = 5.0
#: Positions closer than this, in degrees, are tried as one.
_SAME_DEG = 1.0

#: Pairs of keywords: the centre of the image first, then the target, then the position of the mount: RA_CENT
#: (Liverpool Telescope), OBJCTRA (MaxIm DL and most since), RA (INDI, ESO and many), TELRA (NOAO), CAT-RA (LCO), RA_OBJ
#: and RA_PNT (HEASARC), RA_TARG (HST), RA-MNT (PANOPTES).
_PAIRS = (
    ("RA_CENT", "DEC_CENT"), ("OBJCTRA", "OBJCTDEC"), ("RA", "DEC"), ("TELRA", "TELDEC"), ("RA_TEL", "DEC_TEL"),
    ("TEL-RA", "TEL-DEC"), ("RA_PNT", "DEC_PNT"), ("OBJRA", "OBJDEC"), ("RA_OBJ", "DEC_OBJ"), ("OBJ-RA", "OBJ-DEC"),
    ("RA_TARG", "DEC_TARG"), ("TARGRA", "TARGDEC"), ("CAT-RA", "CAT-DEC"), ("RA-MNT", "DEC-MNT"), ("MNT-RA", "MNT-DEC"),
    ("MNTRA", "MNTDEC"),
)  # fmt: skip


class _Axis(NamedTuple):
    name: str
    parse: Callable[[str], float]
    low_deg: int
    high_deg: int


_RA = _Axis("right ascension", parse_ra, 0, 360)
_DEC = _Axis("declination", parse_dec, -90, 90)


def header_positions(cards: Cards) -> Iterator[PositionHint]:
    """Yield the positions of all pairs of keywords; numbers are degrees, sexagesimal right ascensions hours."""
    for ra_keyword, dec_keyword in _PAIRS:
        if ra_keyword in cards and dec_keyword in cards:
            hint = read_pair(cards, ra_keyword, dec_keyword)
            if hint is not None:
                yield hint


def read_pair(
    cards: Cards, ra_keyword: str, dec_keyword: str, radius_deg: float = POINTING_ERROR_DEG
) -> PositionHint | None:
    """Return the position that two keywords hold; None, with a note, if they hold none.

    Parameters
    ----------
    cards
        The header.
    ra_keyword, dec_keyword
        The keywords.
    radius_deg
        Radius of the hint, degrees.
    """
    source = f"{ra_keyword}/{dec_keyword}"
    if cards.is_empty(ra_keyword) or cards.is_empty(dec_keyword):
        cards.ignore(source, "is empty")
        return None
    ra_deg = _angle(cards, ra_keyword, _RA)
    dec_deg = _angle(cards, dec_keyword, _DEC)
    if ra_deg is None or dec_deg is None:
        return None
    # Programs that do not know the position write zeros.
    if ra_deg == 0 and dec_deg == 0:
        cards.ignore(f"{source} = 0, 0", "looks like a value that was never set")
        return None
    return PositionHint(Position(ra_deg, dec_deg, radius_deg), source)


def _angle(cards: Cards, keyword: str, axis: _Axis) -> float | None:
    value = cards.value(keyword)
    if isinstance(value, str):
        try:
            return axis.parse(value)
        except UsageError:
            cards.ignore(f"{keyword} = {value[:40]!r}", f"is not a {axis.name}")
            return None
    angle_deg = cards.number(keyword)
    if angle_deg is not None and not axis.low_deg <= angle_deg <= axis.high_deg:
        cards.ignore(f"{keyword} = {angle_deg:g}", f"is outside {axis.low_deg} to {axis.high_deg} degrees")
        return None
    return angle_deg


def distinct(positions: Iterable[PositionHint]) -> tuple[PositionHint, ...]:
    """Return the positions without those that repeat an earlier one."""
    kept: list[PositionHint] = []
    for hint in positions:
        if not any(_are_same(hint.position, earlier.position) for earlier in kept):
            kept.append(hint)
    return tuple(kept)


def _are_same(one: Position, other: Position) -> bool:
    return separation_deg(one.ra_deg, one.dec_deg, other.ra_deg, other.dec_deg) <= _SAME_DEG
