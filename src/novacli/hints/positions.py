"""Where on the sky the header says that the telescope looked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from novacli.errors import UsageError
from novacli.hints.cards import Cards
from novacli.records.hints import PositionHint
from novacli.records.params import Position
from novacli.text.angles import parse_dec, parse_ra, separation_deg

# How far off a telescope may look from where it thinks: amateur mounts that were not synchronised miss by degrees (one
# of PANOPTES's frames by 1.9), and 5 degrees are still only 1/500 of the sky.  So the equinox does not matter either:
# coordinates of date differ from J2000 by a third of a degree.
POINTING_ERROR_DEG = 5.0
#: Positions closer than this are one position to the engine.
_SAME_DEG = 1.0

#: Keywords in pairs, the image's centre first, then what was aimed at, then what the mount believed: RA_CENT
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
    """Yield what the pairs of keywords say; numbers are degrees, sexagesimal right ascensions hours."""
    for ra_keyword, dec_keyword in _PAIRS:
        if ra_keyword in cards and dec_keyword in cards:
            hint = read_pair(cards, ra_keyword, dec_keyword)
            if hint is not None:
                yield hint


def read_pair(
    cards: Cards, ra_keyword: str, dec_keyword: str, radius_deg: float = POINTING_ERROR_DEG
) -> PositionHint | None:
    """Return the position that two keywords hold; None, with a note, where they hold none."""
    source = f"{ra_keyword}/{dec_keyword}"
    if cards.is_empty(ra_keyword) or cards.is_empty(dec_keyword):
        cards.ignore(source, "is empty")
        return None
    ra_deg = _angle(cards, ra_keyword, _RA)
    dec_deg = _angle(cards, dec_keyword, _DEC)
    if ra_deg is None or dec_deg is None:
        return None
    # Nobody's field is centred there to the last digit; programs that know no position write it.
    if ra_deg == 0 and dec_deg == 0:
        cards.ignore(f"{source} = 0, 0", "looks like a value never set")
        return None
    return PositionHint(Position(ra_deg, dec_deg, radius_deg), source)


def _angle(cards: Cards, keyword: str, axis: _Axis) -> float | None:
    value = cards.value(keyword)
    if isinstance(value, str):
        try:
            return axis.parse(value)
        except UsageError:
            cards.ignore(f"{keyword} = {value[:40]!r}", f"is no {axis.name}")
            return None
    angle_deg = cards.number(keyword)
    if angle_deg is not None and not axis.low_deg <= angle_deg <= axis.high_deg:
        cards.ignore(f"{keyword} = {angle_deg:g}", f"is outside {axis.low_deg} to {axis.high_deg} degrees")
        return None
    return angle_deg


def distinct(positions: Iterable[PositionHint]) -> tuple[PositionHint, ...]:
    """Return the positions without those that repeat a better one."""
    kept: list[PositionHint] = []
    for hint in positions:
        if not any(_are_same(hint.position, better.position) for better in kept):
            kept.append(hint)
    return tuple(kept)


def _are_same(one: Position, other: Position) -> bool:
    return separation_deg(one.ra_deg, one.dec_deg, other.ra_deg, other.dec_deg) <= _SAME_DEG
