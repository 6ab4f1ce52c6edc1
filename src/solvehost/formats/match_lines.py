"""Parse the lines of the engine's log that describe a match.

The engine logs each match whose odds are a million to one or better (log-odds 13.8), accepted or not.  What is logged
only suggests where to look again; the files that an engine leaves decide what is a solution.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from solvehost.record import record

# Every repetition is bounded, so that a log by a hostile engine takes linear time.
_COUNT, _NUMBER = rb"\d{1,12}", rb"[-+.\de]{1,32}"
_MATCH = re.compile(
    rb"log-odds ratio (?P<logodds>%(n)b) \([^()\n]{0,80}\), (?P<matched>%(c)b) match, (?P<conflicts>%(c)b) conflict, "
    rb"(?P<distractors>%(c)b) distractors, (?P<index>%(c)b) index\.\s{1,80}"
    rb"RA,Dec = \((?P<ra>%(n)b),(?P<dec>%(n)b)\), pixel scale (?P<pixscale>%(n)b) arcsec/pix"
    % {b"n": _NUMBER, b"c": _COUNT}
)


@record
class LoggedMatch:
    """A match as the engine's log describes it.

    ``matched``, ``conflicts`` and ``distractors`` are counted up to the best log-odds, without the quad's stars; all
    are 0 if the log-odds are below the threshold to tune up (13.8) or to accept a match.  ``index_stars`` is the number
    of index stars in the field; ``ra_deg`` and ``dec_deg`` are its centre.
    """

    logodds: float
    matched: int
    conflicts: int
    distractors: int
    index_stars: int
    ra_deg: float
    dec_deg: float
    pixscale_arcsec: float


def read(log: bytes) -> Iterator[LoggedMatch]:
    """Yield the matches in a log; one whose numbers cannot be parsed or are out of range is left out."""
    for found in _MATCH.finditer(log):
        try:
            match = _match(found)
        except ValueError:
            continue
        numbers = (match.logodds, match.ra_deg, match.dec_deg, match.pixscale_arcsec)
        if all(map(math.isfinite, numbers)) and abs(match.dec_deg) <= 90 and match.pixscale_arcsec > 0:
            yield match


def end(log: bytes) -> int:
    """Return the offset behind the last match in a log, 0 if there is none."""
    return max((found.end() for found in _MATCH.finditer(log)), default=0)


def _match(found: re.Match[bytes]) -> LoggedMatch:
    return LoggedMatch(
        logodds=float(found["logodds"]),
        matched=int(found["matched"]),
        conflicts=int(found["conflicts"]),
        distractors=int(found["distractors"]),
        index_stars=int(found["index"]),
        ra_deg=float(found["ra"]) % 360,
        dec_deg=float(found["dec"]),
        pixscale_arcsec=float(found["pixscale"]),
    )
