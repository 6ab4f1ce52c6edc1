"""The 80-byte cards of a FITS header: which of them are the celestial description, and how a new one takes its place.

Cards are handled as they stand in the file, never parsed and written anew, so that everything which is not the
description keeps every byte: CONTINUE, HIERARCH and damaged cards included.

Source: FITS Standard 4.0, section 8 (world coordinates); Shupe et al. 2005 (SIP); for lookup-table distortion the
draft paper IV as astropy reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from novacli.errors import DataError
from solvehost.formats import fitsfile

#: More axes than this in a header are damage; no index is followed further.
MAX_AXES = 20
_FIXED = frozenset(
    {"WCSAXES", "LONPOLE", "LATPOLE", "EQUINOX", "RADESYS", "RADECSYS", "D2IMARR", "D2IMEXT", "AXISCORR"}
)
_PER_AXIS = re.compile(r"(?:CTYPE|CRVAL|CRPIX|CUNIT|CDELT|CROTA)(\d{1,2})|(?:PV|PS|CD)(\d{1,2})_\d{1,2}")
_ANY_AXIS = re.compile(
    r"PC\d{1,2}_\d{1,2}|(?:PC|CD)\d{6}|PROJP\d|(?:A|B|AP|BP)_(?:ORDER|DMAX|\d{1,2}_\d{1,2})"
    r"|(?:CPDIS|CQDIS|CPERR|CQERR|D2IMDIS|D2IMERR)\d|DVERR"
)
_TABLE_RECORD = re.compile(r"D[PQ]\d")
_STRUCTURE = re.compile(r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|GROUPS")


def split(header: bytes) -> list[bytes]:
    """Return the cards of a header, those before END."""
    cards = [header[at : at + fitsfile.CARD] for at in range(0, len(header), fitsfile.CARD)]
    end = next((i for i, card in enumerate(cards) if card.rstrip() == b"END"), len(cards))
    return cards[:end]


def keyword(card: bytes) -> str:
    """Return a card's keyword: its first eight columns."""
    return card[:8].decode("latin-1").rstrip()


def celestial_cards(wcs_fits: bytes) -> list[bytes]:
    """Return the cards of an engine's ``wcs.fits`` that are its celestial description, as they stand.

    Raises
    ------
    DataError
        Where there are none.
    """
    found = [card for card in split(wcs_fits) if _is_celestial(keyword(card), has_tables=False)]
    if not any(keyword(card) == "CTYPE1" for card in found):
        raise DataError("wcs.fits holds no world coordinates: solve the image again")
    return found


def _is_celestial(word: str, *, has_tables: bool) -> bool:
    """Say whether a keyword belongs to the primary description (no letter A-Z behind it) of the axes 1 and 2."""
    match = _PER_AXIS.fullmatch(word)
    if match:
        return int(match[1] or match[2]) <= 2
    if has_tables and _TABLE_RECORD.fullmatch(word):
        return True
    return word in _FIXED or _ANY_AXIS.fullmatch(word) is not None


def replace_celestial(cards: Sequence[bytes], wcs: Iterable[bytes], history: str = "") -> list[bytes]:
    """Return a header's cards with its primary celestial description replaced.

    The new cards stand where the first old one stood, or at the end.  Alternate descriptions (A-Z), those of
    further axes and every other card keep their bytes and their order.

    Parameters
    ----------
    cards
        The header of an image of two or more axes, without END.
    wcs
        What :func:`celestial_cards` returned.
    history
        Text of one HISTORY card that is added, unless the header has it already.
    """
    values = {k: v for k, v in fitsfile.parse_cards(b"".join(cards))[0].items() if v is not None}
    kept, place = _without_celestial(cards)
    wcs = [card for card in wcs if keyword(card) != "WCSAXES"]
    axes = _count_axes(values)
    new = [fitsfile.card("WCSAXES", axes), *wcs, *_further_axes(values, axes)]
    line = f"HISTORY {history}".ljust(fitsfile.CARD).encode("ascii")
    if history and line not in kept:
        new.append(line)
    return [*kept[:place], *new, *kept[place:]]


def _without_celestial(cards: Sequence[bytes]) -> tuple[list[bytes], int]:
    """Return the cards that stay, and the index among them at which the new description belongs."""
    has_tables = any(re.fullmatch(r"C[PQ]DIS\d", keyword(card)) for card in cards)
    kept: list[bytes] = []
    place, earliest, removing = -1, 0, False
    for card in cards:
        word = keyword(card)
        removing = removing if word == "CONTINUE" else _is_celestial(word, has_tables=has_tables)
        if not removing:
            kept.append(card)
            earliest = len(kept) if _STRUCTURE.fullmatch(word) else earliest
        elif place < 0:
            place = len(kept)
    if place < 0:
        place = len(kept)
        # Blank cards at the end are room that somebody reserved; what is new goes before it.
        while place and not kept[place - 1].strip():
            place -= 1
    return kept, max(place, earliest)


def _count_axes(values: Mapping[str, fitsfile.CardValue]) -> int:
    """Return the number of axes that readers will count: those of the image and those described."""
    claims = [values.get("ZNAXIS", values.get("NAXIS")), values.get("WCSAXES")]
    claims += [int(m[1] or m[2]) for m in map(_PER_AXIS.fullmatch, values) if m]
    return max(n for n in (2, *claims) if isinstance(n, int) and n <= MAX_AXES)


def _further_axes(values: Mapping[str, fitsfile.CardValue], axes: int) -> list[bytes]:
    """Return CD cards that give the axes from the third on the scale that they had.

    Where some CDi_j are there, CDELT and PC no longer count and a missing CDi_i is zero, which would leave the
    whole matrix singular.
    """
    columns = range(1, axes + 1)
    made: list[bytes] = []
    for i in range(3, axes + 1):
        if any(f"CD{i}_{j}" in values for j in columns):
            continue
        step = _real(values.get(f"CDELT{i}"), 1.0)
        row = {j: step * _real(values.get(f"PC{i}_{j}"), float(i == j)) for j in columns}
        made += [fitsfile.card(f"CD{i}_{j}", v) for j, v in row.items() if v or i == j]
    return made


def _real(value: fitsfile.CardValue | None, default: float) -> float:
    """Return a finite number as a float, anything else as ``default``."""
    if isinstance(value, (bool, str)) or value is None or not abs(value) < 1e60:
        return default
    return float(value)
