"""Write ``wcs.fits`` anew from the values that were read from it, so that no byte of an engine or a server is copied.

Users open this file, and ``--wcs`` copies it.  Cards that nova does not read could contradict the solution that it
reports: a repeated CRVAL, another LONPOLE, a lookup table, control characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from novacli.fits import cards as fitscards
from novacli.solution.engine_comments import QuadMatch
from novacli.wcs import header
from novacli.wcs.tansip import TanSip
from solvehost.formats import fitsfile, match_comments

#: Largest error of inverse SIP polynomials that are written, pixels; readers compute the inverse without them.
_MAX_INVERSE_ERROR_PX = 1.0
_INVERSE_POINTS = 5
#: Names of index files that are written: plain words that fit into one COMMENT card.
_PLAIN_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9 ._+-]{0,57}")
_START: dict[str, fitsfile.CardValue] = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True, "WCSAXES": 2}
_SOURCE = "Solution by nova with astrometry-engine (Astrometry.net)"
#: The HISTORY card of :func:`novacli.solution.improve.new_wcs`.
_REFIT = re.compile(rb"HISTORY (Fitted again by nova: [a-z0-9 ,+-]{1,40}, [0-9]{1,6} stars) *", re.IGNORECASE)


def wcs_file(solution: TanSip, quad: QuadMatch, history: str | None = None) -> bytes:
    """Return the content of a ``wcs.fits``.

    Parameters
    ----------
    solution
        The solution.
    quad
        The match that solved the image; its numbers, and the name of its index file if it is a plain word, become
        COMMENT cards as the engine writes them.
    history
        Text of a further HISTORY card, as :func:`refit_history` returns it.
    """
    size: dict[str, fitsfile.CardValue] = {"IMAGEW": solution.width, "IMAGEH": solution.height}
    texts = [f"HISTORY {text}" for text in (_SOURCE, history) if text]
    texts += [f"COMMENT {text}" for text in _comments(quad)]
    return fitsfile.end_header(
        [
            *(fitsfile.card(key, value) for key, value in _START.items()),
            *header.cards(solution),
            *(fitsfile.card(key, value) for key, value in size.items()),
            *(text.encode("ascii").ljust(fitsfile.CARD) for text in texts),
        ]
    )


def refit_history(wcs_fits: bytes) -> str | None:
    """Return the text of the HISTORY card that states how nova fitted the solution again; None if there is none."""
    found = next(filter(None, map(_REFIT.fullmatch, fitscards.split(wcs_fits))), None)
    return None if found is None else found[1].decode("ascii")


def _comments(quad: QuadMatch) -> Iterator[str]:
    if _PLAIN_NAME.fullmatch(quad.index) and quad.is_index_named:
        yield from ("Index(0):", f"  {quad.index}")
    numbers = {
        match_comments.INDEX_ID: quad.index_id, match_comments.INDEX_HEALPIX: quad.index_healpix,
        match_comments.LOG_ODDS: quad.logodds, match_comments.MATCHED: quad.matched,
    }  # fmt: skip
    yield from (f"{name}: {value}" for name, value in numbers.items() if value is not None)


def without_wrong_inverse(solution: TanSip) -> TanSip:
    """Return the solution, without its inverse SIP polynomials if they contradict the others."""
    if not (solution.ap or solution.bp):
        return solution
    (x0, y0), steps = solution.crpix, [n / (_INVERSE_POINTS - 1) for n in range(_INVERSE_POINTS)]
    for s, t in [(s, t) for s in steps for t in steps]:
        u, v = 0.5 + s * solution.width - x0, 0.5 + t * solution.height - y0
        to_u, to_v = u + _sum(solution.a, u, v), v + _sum(solution.b, u, v)
        errors = to_u + _sum(solution.ap, to_u, to_v) - u, to_v + _sum(solution.bp, to_u, to_v) - v
        if not max(map(abs, errors)) <= _MAX_INVERSE_ERROR_PX:
            return replace(solution, ap=(), bp=())
    return solution


def _sum(terms: tuple[tuple[int, int, float], ...], u: float, v: float) -> float:
    return sum(c * u**p * v**q for p, q, c in terms)
