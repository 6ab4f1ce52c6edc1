"""The cards of a FITS header that describe the sky: which they are, and how new ones take their place.

The *primary description* has no letter behind its keywords.  Alternate descriptions (A to Z) are kept: a reader uses
one only if it is asked for by its letter, and a header may hold detector coordinates there.

What counts as primary description, besides the keywords of the FITS Standard 4.0 (section 8), is what readers honour:

- SIP and lookup tables (CPDIS, D2IM, DP, DQ): astropy.  Source: Shupe et al. 2005; draft paper IV.
- The plate model of the DSS (PLTRA, PLTDEC, CNPIX, PPO, AMDX, AMDY, XPIXELSZ, YPIXELSZ): astropy through WCSLIB, and
  AST.  One of these cards alone makes WCSLIB ignore the CD matrix.
- TNX and ZPX (WATj_nnn): IRAF, and astropy through WCSLIB.
- The plate polynomial CO1_n, CO2_n: wcstools.  TRi_j: PinPoint.
- Old forms of EQUINOX, LONPOLE, PV and PC: EPOCH (wcstools takes it for the equinox even beside RADESYS), LONGPOLE,
  PROJP, PCiiijjj.
- The name and the errors of the description that goes: WCSNAME, CNAME, CRDER, CSYER.
- IMAGEW and IMAGEH, solve-field's size of the image that was solved: nova itself reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from novacli.fits.cards import keyword
from solvehost.formats import fitsfile

#: Highest number of axes that is believed; a larger one is a damaged header.
MAX_AXES = 20

_FRAME_WORDS = frozenset({"EQUINOX", "EPOCH", "RADESYS", "RADECSYS"})
_SIZE_WORDS = frozenset({"IMAGEW", "IMAGEH"})
_WORDS = _FRAME_WORDS | {"WCSAXES", "WCSNAME", "LONPOLE", "LATPOLE", "LONGPOLE", "D2IMARR", "D2IMEXT", "AXISCORR"}
_OF_AN_AXIS = re.compile(
    r"(?:CTYPE|CRVAL|CRPIX|CUNIT|CDELT|CROTA|CNAME|CRDER|CSYER)(\d{1,2})|(?:PV|PS|CD)(\d{1,2})_\d{1,2}"
)
_OF_ANY_AXIS = re.compile(
    r"PC\d{1,2}_\d{1,2}|(?:PC|CD)\d{6}|PROJP\d"
    r"|(?:A|B|AP|BP)_(?:ORDER|DMAX|\d{1,2}_\d{1,2})"
    r"|(?:CPDIS|CQDIS|CPERR|CQERR|D2IMDIS|D2IMERR)\d|DVERR\d?"
    r"|PLTRA[HMS]|PLTDEC(?:SN|[DMS])|CNPIX[12]|PPO\d|AMD(?:RE)?[XY]\d{1,2}|[XY]PIXELSZ"
    r"|WAT[0-2]_\d{3}|CO[12]_\d{1,2}|TR[12]_\d{1,2}"
)
_TABLE = re.compile(r"C[PQ]DIS\d")
_TABLE_RECORD = re.compile(r"D[PQ]\d")
#: Any WCS keyword: of an alternate description or a further axis, too.  WCSAXES must stand before all of them.
_ANY_WCS = re.compile(
    r"(?:WCSAXES|WCSNAME|LONPOLE|LATPOLE|EQUINOX|RADESYS|RESTFRQ|RESTWAV|SPECSYS|SSYSOBS|SSYSSRC|VELOSYS|ZSOURCE)[A-Z]?"
    r"|(?:CTYPE|CRVAL|CRPIX|CUNIT|CDELT|CROTA|CNAME|CRDER|CSYER)\d{1,2}[A-Z]?|(?:PV|PS|PC|CD)\d{1,2}_\d{1,3}[A-Z]?"
)
_STRUCTURE = re.compile(r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|GROUPS")
_CELESTIAL_TYPE = re.compile(r"(?:RA--|DEC-|[A-Z]LON|[A-Z]LAT|[A-Z]{2}LN|[A-Z]{2}LT)")


def count_axes(cards: Sequence[bytes]) -> int:
    """Return the number of axes that readers count: those of the image and those described, two or more."""
    values = _values(cards)
    claims = [values.get("ZNAXIS", values.get("NAXIS")), values.get("WCSAXES")]
    claims += [int(m[1] or m[2]) for m in map(_OF_AN_AXIS.fullmatch, values) if m]
    return max(n for n in (2, *claims) if isinstance(n, int) and n <= MAX_AXES)


def replace_celestial(cards: Sequence[bytes], wcs: Iterable[bytes], history: str = "") -> list[bytes]:
    """Return a header's cards with the primary description of the first two axes replaced.

    The new cards stand before every other WCS card, since WCSAXES must; without one, they stand at the end.  Alternate
    descriptions, descriptions of further axes and all other cards keep their bytes and their order.  If there are
    further axes, what their description lacks is added.

    Parameters
    ----------
    cards
        The header of an image of two or more axes, or of a ``wcs.fits``, without END.
    wcs
        The cards of the new description, as :func:`novacli.wcs.header.cards` returns them.
    history
        Text of one HISTORY card that is added unless the header has it already.
    """
    values = _values(cards)
    axes = count_axes(cards)
    stale = frozenset(n for n in range(3, axes + 1) if _CELESTIAL_TYPE.match(str(values.get(f"CTYPE{n}", ""))))
    kept, place = _without_primary(cards, stale)
    described = {keyword(card) for card in kept}
    new = [fitsfile.card("WCSAXES", axes), *(card for card in wcs if keyword(card) != "WCSAXES")]
    for n in range(3, axes + 1):
        new += _further_axis(n, axes, {} if n in stale else values, described)
    line = f"HISTORY {history}".ljust(fitsfile.CARD).encode("ascii")
    if history and line not in kept:
        new.append(line)
    return [*kept[:place], *new, *kept[place:]]


def _values(cards: Sequence[bytes]) -> dict[str, fitsfile.CardValue]:
    return {k: v for k, v in fitsfile.parse_cards(b"".join(cards)).items() if v is not None}


def _is_primary(word: str, stale: frozenset[int], *, has_tables: bool) -> bool:
    """Return True if a keyword belongs to the primary description of the axes 1 and 2, or of a ``stale`` one."""
    match = _OF_AN_AXIS.fullmatch(word)
    if match:
        axis = int(match[1] or match[2])
        return axis <= 2 or axis in stale
    if has_tables and _TABLE_RECORD.fullmatch(word):
        return True
    return word in _WORDS or _OF_ANY_AXIS.fullmatch(word) is not None


def _without_primary(cards: Sequence[bytes], stale: frozenset[int]) -> tuple[list[bytes], int]:
    """Return the cards that stay, and the index among them at which the new description belongs."""
    words = [keyword(card) for card in cards]
    has_tables = any(map(_TABLE.fullmatch, words))
    # A wcs.fits has no pixels: there the size is not an image's own, but says what was solved.
    size_words = frozenset() if _values(cards).get("NAXIS") == 0 else _SIZE_WORDS
    kept: list[bytes] = []
    place, earliest, removing = -1, 0, False
    for word, card in zip(words, cards, strict=True):
        if word != "CONTINUE":
            removing = word in size_words or _is_primary(word, stale, has_tables=has_tables)
            if place < 0 and (removing or _ANY_WCS.fullmatch(word)):
                place = len(kept)
        if not removing:
            kept.append(card)
            earliest = len(kept) if _STRUCTURE.fullmatch(word) else earliest
    if place < 0:
        place = len(kept)
        # Blank cards at the end are room that a writer reserved; new cards go before them.
        while place and not kept[place - 1].strip():
            place -= 1
    return kept, max(place, earliest)


def _further_axis(n: int, axes: int, values: Mapping[str, fitsfile.CardValue], described: set[str]) -> list[bytes]:
    """Return the cards that the description of axis ``n`` lacks beside a CD matrix.

    If some CDi_j are there, readers ignore CDELT and PC, and a missing CDn_n is zero, which would make the matrix
    singular: the axis gets CD cards with the scale that CDELT and PC gave it.  An axis without a description becomes
    linear, with the pixel's number as its coordinate.
    """
    default: dict[str, fitsfile.CardValue] = {f"CTYPE{n}": "LINEAR", f"CRPIX{n}": 1.0, f"CRVAL{n}": 1.0}
    made = [fitsfile.card(word, value) for word, value in default.items() if word not in described]
    if any(f"CD{n}_{j}" in values for j in range(1, axes + 1)):
        return made
    step = _real(values.get(f"CDELT{n}"), 1.0)
    row = {j: step * _real(values.get(f"PC{n}_{j}"), float(n == j)) for j in range(1, axes + 1)}
    return [*made, *(fitsfile.card(f"CD{n}_{j}", v) for j, v in row.items() if v or n == j)]


def _real(value: fitsfile.CardValue | None, default: float) -> float:
    """Return a finite number as a float, anything else as ``default``."""
    if isinstance(value, (bool, str)) or value is None or not abs(value) < 1e60:
        return default
    return float(value)
