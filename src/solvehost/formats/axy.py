"""The axy format: the augmented xylist that ``astrometry-engine`` reads; records ↔ file.

Only this module defines, reads, checks and writes it.  ``novacli`` passes it records.  An axy from outside goes through
:func:`parse`, which keeps known cards only, so that the engine never gets a card that was not checked.

An attempt's place in the race (rank, start delay, quad-scale window and order of the index files) has no card
upstream; it travels in cards of our own (``NV…``), which other engines ignore.

Source of the upstream cards: solver/engine.c and augment-xylist of Astrometry.net 0.93.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from solvehost.errors import DataError, InputMissingError
from solvehost.formats import fitsfile
from solvehost.formats.axy_cards import AxyCards
from solvehost.formats.jobdir import CORR, RDLS, WCS
from solvehost.formats.star_table import Stars, parse_table, table_bytes
from solvehost.record import record

T = TypeVar("T", int, float)

MAX_BYTES = 16 * 2**20
#: The largest pixel scale that is accepted: 28 degrees per pixel.
MAX_ARCSEC_PER_PIXEL = 1e5
#: Ranges of stars (1 is the best) that the engine builds quads from, in turn.
DEFAULT_DEPTHS = ((1, 10), (11, 20), (21, 30), (31, 40), (41, 50))


class Range(NamedTuple):
    """A closed range."""

    low: float
    high: float


@record
class Schedule:
    """An attempt's place in the race.

    ``rank`` orders attempts (0 is the most promising).  It begins once earlier attempts have used ``delay_s`` seconds
    of CPU time, on average of those that run at once, and is suspended for others once it has used ``slice_s`` itself
    (None: never).  ``quads_arcmin`` is the window of index scales (diameters of their quads) that it uses, None for all
    that fit the field; ``coarse_first`` is the order of the index files, and ``parallel`` whether the engine takes them
    together.  ``label`` is for logs and tables.
    """

    rank: int = 0
    delay_s: float = 0.0
    quads_arcmin: Range | None = None
    coarse_first: bool = True
    parallel: bool = False
    slice_s: float | None = None
    label: str = ""


@record
class Attempt:
    """One attempt at a field: its parameters and its stars.

    ``scales_arcsec_per_pixel`` and ``depths`` are tried in turn. ``parity`` is the sign of det(CD): +1, -1, or None for
    both. A match with ``odds_to_solve`` ends the search; if the search ends without one, the best match is written if
    it has ``odds_to_keep`` (None: 10⁹, the engine's default, for either). A match with ``odds_to_tune`` (None: 10⁶) is
    fitted again to the stars that matched. ``tweak_order`` 0 fits no distortion. ``verify_uniformize`` spreads the
    stars evenly, ``verify_dedup`` drops stars that lie close together, before a match is verified (None: the engine's
    default, which is to do so). ``verify_wcs`` is a TAN header (CRVAL1, CRVAL2, CRPIX1, CRPIX2, CD1_1, CD1_2, CD2_1,
    CD2_2) that the engine verifies before it searches. ``dropped_cards`` are the unknown keywords of an axy from
    outside; they may contain control characters.
    """

    width: int
    height: int
    stars: Stars
    scales_arcsec_per_pixel: tuple[Range, ...] = ()
    center_deg: tuple[float, float] | None = None
    radius_deg: float | None = None
    parity: int | None = None
    tweak_order: int = 2
    crpix_center: bool = False
    depths: tuple[tuple[int, int], ...] = DEFAULT_DEPTHS
    code_tolerance: float | None = None
    cpu_limit_s: float | None = None
    odds_to_solve: float | None = None
    odds_to_keep: float | None = None
    odds_to_tune: float | None = None
    position_error_px: float | None = None
    quad_fraction: Range | None = None
    verify_uniformize: bool | None = None
    verify_dedup: bool | None = None
    verify_wcs: tuple[float, ...] | None = None
    schedule: Schedule = field(default_factory=Schedule)
    dropped_cards: tuple[str, ...] = ()


#: The files that the engine writes, relative to its working directory; a file from outside cannot change the names.
SOLVED = "solved"
_OUTPUT_CARDS = {"ANSOLVED": SOLVED, "ANWCS": WCS, "ANCORR": CORR, "ANRDLS": RDLS}

#: Cards that are always written with our own values; their values in a file from outside are ignored.
_ALWAYS_WRITTEN = frozenset({"SIMPLE", "BITPIX", "NAXIS", "EXTEND", "ANRUN", *_OUTPUT_CARDS, "ANTAGALL"})

# The engine reads the reference point (CRVAL) from ANW1PIX and its pixel (CRPIX) from ANW1VAL: measured.
_WCS_SUFFIXES = ("PIX1", "PIX2", "VAL1", "VAL2", "CD11", "CD12", "CD21", "CD22")
# The engine's NEG finds det(CD) > 0.  Measured; upstream's comment on the card says the opposite.
_PARITY_WORDS = {1: "NEG", -1: "POS"}


def to_bytes(attempt: Attempt) -> bytes:
    """Return the axy file of an attempt.

    Raises
    ------
    ValueError
        If a value does not fit a FITS card, such as a number that is not finite.
    """
    cards: list[tuple[str, fitsfile.CardValue]] = [("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True)]
    cards += [("IMAGEW", attempt.width), ("IMAGEH", attempt.height), ("ANRUN", True)]
    cards += [*_search_cards(attempt), *_fit_cards(attempt), *_schedule_cards(attempt.schedule)]
    cards += [*_OUTPUT_CARDS.items(), ("ANTAGALL", True)]
    primary = fitsfile.end_header([fitsfile.card(k, v) for k, v in cards])
    return primary + table_bytes(attempt.stars)


def _search_cards(attempt: Attempt) -> list[tuple[str, fitsfile.CardValue]]:
    cards: list[tuple[str, fitsfile.CardValue]] = []
    for n, (low, high) in enumerate(attempt.scales_arcsec_per_pixel, 1):
        cards += [(f"ANAPPL{n}", float(low)), (f"ANAPPU{n}", float(high))]
    for n, (first, last) in enumerate(attempt.depths, 1):
        cards += [(f"ANDPL{n}", first), (f"ANDPU{n}", last)]
    if attempt.center_deg is not None and attempt.radius_deg is not None:
        ra, dec = attempt.center_deg
        cards += [("ANERA", float(ra)), ("ANEDEC", float(dec)), ("ANERAD", float(attempt.radius_deg))]
    if attempt.parity is not None:
        cards.append(("ANPARITY", _PARITY_WORDS[attempt.parity]))
    if attempt.quad_fraction is not None:
        cards += [("ANQSFMIN", attempt.quad_fraction.low), ("ANQSFMAX", attempt.quad_fraction.high)]
    optional = {
        "ANCTOL": attempt.code_tolerance,
        "ANCLIM": attempt.cpu_limit_s,
        "ANODDSSL": attempt.odds_to_solve,
        "ANODDSKP": attempt.odds_to_keep,
        "ANODDSTU": attempt.odds_to_tune,
        "ANPOSERR": attempt.position_error_px,
    }
    return cards + [(k, float(v)) for k, v in optional.items() if v is not None]


def _fit_cards(attempt: Attempt) -> list[tuple[str, fitsfile.CardValue]]:
    cards: list[tuple[str, fitsfile.CardValue]] = [("ANTWEAK", attempt.tweak_order > 0)]
    if attempt.tweak_order > 0:
        cards.append(("ANTWEAKO", attempt.tweak_order))
    if attempt.crpix_center:
        cards.append(("ANCRPIXC", True))
    if attempt.verify_uniformize is not None:
        cards.append(("ANVERUNI", attempt.verify_uniformize))
    if attempt.verify_dedup is not None:
        cards.append(("ANVERDUP", attempt.verify_dedup))
    if attempt.verify_wcs is not None:
        cards += [(f"ANW1{s}", float(v)) for s, v in zip(_WCS_SUFFIXES, attempt.verify_wcs, strict=True)]
    return cards


def _schedule_cards(schedule: Schedule) -> list[tuple[str, fitsfile.CardValue]]:
    cards: list[tuple[str, fitsfile.CardValue]] = [("NVRANK", schedule.rank), ("NVDELAY", float(schedule.delay_s))]
    if schedule.quads_arcmin is not None:
        cards += [("NVQLO", float(schedule.quads_arcmin.low)), ("NVQHI", float(schedule.quads_arcmin.high))]
    if schedule.slice_s is not None:
        cards.append(("NVSLICE", float(schedule.slice_s)))
    cards += [("NVCOARSE", schedule.coarse_first), ("NVPARAL", schedule.parallel)]
    return cards + ([("NVLABEL", schedule.label)] if schedule.label else [])


def write(attempt: Attempt, path: Path) -> None:
    """Write an attempt's axy file in place, so only into a directory that no other process reads yet."""
    path.write_bytes(to_bytes(attempt))


# --- Reading: a file may come from outside ----------------------------------------------------------------------


def read(path: Path) -> Attempt:
    """Return the attempt in the file at ``path``.

    Raises
    ------
    DataError
        If the file cannot be used; the message names it.
    InputMissingError
        If the file is missing or cannot be opened.
    """
    try:
        with path.open("rb") as stream:
            return parse(stream.read(MAX_BYTES + 1))
    except DataError as exc:
        raise DataError(f"{path}: {exc}") from exc
    except OSError as exc:
        raise InputMissingError(f"{path}: {exc.strerror}: the star list cannot be read") from exc


def parse(data: bytes) -> Attempt:
    """Return the attempt that ``data`` describes: known cards within their ranges, and the star table.

    Unknown cards, and all that contain paths, are left out; the unknown ones are listed in ``dropped_cards``.

    Raises
    ------
    DataError
        If a card or the table is malformed or out of range; the message names it.
    """
    if len(data) > MAX_BYTES:
        raise DataError(f"the axy has more than {MAX_BYTES} bytes")
    stream = io.BytesIO(data)
    primary = fitsfile.read_header(stream)
    cards = AxyCards(primary)
    stream.seek(fitsfile.data_size(primary), io.SEEK_CUR)
    table = fitsfile.read_header(stream)
    columns = (cards.word("ANXCOL", 68) or "X", cards.word("ANYCOL", 68) or "Y")
    stars = parse_table(table, data[stream.tell() :], columns)
    return _build(cards, stars)


def _build(cards: AxyCards, stars: Stars) -> Attempt:
    width, height = cards.whole("IMAGEW", 1, 10**6), cards.whole("IMAGEH", 1, 10**6)
    if width is None or height is None:
        raise DataError("the axy has no IMAGEW and IMAGEH")
    ra, dec, radius = cards.real("ANERA", 0, 360), cards.real("ANEDEC", -90, 90), cards.real("ANERAD", 0, 360)
    if ra is None or dec is None or radius is None:  # the engine ignores an incomplete position, too
        ra = dec = radius = None
    tweak = cards.flag("ANTWEAK")
    order = cards.whole("ANTWEAKO", 0, 9)
    attempt = Attempt(
        width=width,
        height=height,
        stars=stars,
        scales_arcsec_per_pixel=_scales(cards),
        center_deg=None if ra is None or dec is None else (ra, dec),
        radius_deg=radius,
        parity=_parity(cards),
        tweak_order=0 if tweak is False else (2 if order is None else order),
        crpix_center=bool(cards.flag("ANCRPIXC")),
        depths=_depths(cards),
        code_tolerance=cards.real("ANCTOL", 1e-6, 0.1),
        cpu_limit_s=cards.real("ANCLIM", 0, 1e6),
        odds_to_solve=cards.real("ANODDSSL", 1, 1e100),
        odds_to_keep=cards.real("ANODDSKP", 1, 1e100),
        odds_to_tune=cards.real("ANODDSTU", 1, 1e100),
        position_error_px=cards.real("ANPOSERR", 1e-3, 100),
        quad_fraction=_range(cards.real, "ANQSFMIN", "ANQSFMAX", 0.0, 1.0),
        verify_uniformize=cards.flag("ANVERUNI"),
        verify_dedup=cards.flag("ANVERDUP"),
        verify_wcs=_verify_wcs(cards),
        schedule=_schedule(cards),
    )
    return replace(attempt, dropped_cards=cards.unused(_ALWAYS_WRITTEN))


def _range(
    read_card: Callable[[str, T, T], float | None], low_card: str, high_card: str, low: T, high: T
) -> Range | None:
    a, b = read_card(low_card, low, high), read_card(high_card, low, high)
    if a is None or b is None:
        return None
    if a > b:
        raise DataError(f"axy cards {low_card} and {high_card} have their bounds reversed")
    return Range(a, b)


def _scales(cards: AxyCards) -> tuple[Range, ...]:
    found = (_range(cards.real, f"ANAPPL{n}", f"ANAPPU{n}", 0.0, MAX_ARCSEC_PER_PIXEL) for n in range(1, 17))
    return tuple(r for r in found if r is not None)


def _depths(cards: AxyCards) -> tuple[tuple[int, int], ...]:
    found = (_range(cards.whole, f"ANDPL{n}", f"ANDPU{n}", 1, 1000) for n in range(1, 33))
    return tuple((int(r.low), int(r.high)) for r in found if r is not None)


def _parity(cards: AxyCards) -> int | None:
    word = cards.word("ANPARITY", 8)
    if word in ("", "BOTH"):
        return None
    for sign, engine_word in _PARITY_WORDS.items():
        if word == engine_word:
            return sign
    raise DataError("axy card ANPARITY is neither POS nor NEG")


def _verify_wcs(cards: AxyCards) -> tuple[float, ...] | None:
    values = [cards.real(f"ANW1{s}", -1e9, 1e9) for s in _WCS_SUFFIXES]
    return None if None in values else tuple(v for v in values if v is not None)


def _schedule(cards: AxyCards) -> Schedule:
    return Schedule(
        rank=cards.whole("NVRANK", 0, 1000) or 0,
        delay_s=cards.real("NVDELAY", 0, 3600) or 0.0,
        quads_arcmin=_range(cards.real, "NVQLO", "NVQHI", 0.0, 1e5),
        coarse_first=cards.flag("NVCOARSE") is not False,
        parallel=bool(cards.flag("NVPARAL")),
        slice_s=cards.real("NVSLICE", 0.01, 1e6),
        label=cards.word("NVLABEL", 60),
    )
