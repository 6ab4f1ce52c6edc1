"""The cards that describe a solution in an image's header, in a form that fits the image's number of axes."""

from __future__ import annotations

import io
import re

from novacli.errors import DataError
from novacli.fits.cards import keyword
from novacli.wcs import header as wcsheader
from novacli.wcs.tansip import TanSip
from novacli.wcs.tpv import tpv_coefficients
from solvehost.formats import fitsfile

_SIP_WORD = re.compile(r"(?:A|B|AP|BP)_(?:ORDER|DMAX|\d_\d)|CTYPE[12]")


def read_solution(wcs_fits: bytes) -> TanSip:
    """Return the solution in the bytes of a ``wcs.fits``.

    Raises
    ------
    DataError
        If it holds none.
    """
    try:
        return wcsheader.from_header(fitsfile.read_header(io.BytesIO(wcs_fits)))
    except DataError as exc:
        raise DataError(f"wcs.fits: {exc}; solve the image again") from exc


def description_cards(wcs_fits: bytes, axes: int) -> list[bytes]:
    """Return the cards that describe the solution in a header of ``axes`` axes.

    They are written from the solution's values; no card of ``wcs.fits`` is copied.  With more than two axes, such as
    the colours of a photograph, a SIP distortion is written as TPV, since astropy raises an error for SIP in more than
    two dimensions.

    Raises
    ------
    DataError
        If ``wcs_fits`` holds no solution.
    UsageError
        If the distortion has no form for more than two axes.
    """
    solution = read_solution(wcs_fits)
    return wcsheader.cards(solution) if axes <= 2 else tpv_cards(solution)


def tpv_cards(solution: TanSip) -> list[bytes]:
    """Return the cards of a solution with its SIP distortion as TPV; those of plain TAN if it has no distortion.

    Raises
    ------
    UsageError
        If the order of the distortion is above the highest of TPV.
    """
    cards = wcsheader.cards(solution)
    if not solution.sip_order:
        return cards
    new = [fitsfile.card("CTYPE1", "RA---TPV"), fitsfile.card("CTYPE2", "DEC--TPV")]
    new += [card for card in cards if not _SIP_WORD.fullmatch(keyword(card))]
    for axis, coefficients in enumerate(tpv_coefficients(solution), 1):
        new += [fitsfile.card(f"PV{axis}_{m}", value) for m, value in sorted(coefficients.items())]
    return new
