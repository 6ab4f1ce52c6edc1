"""Parse the lines of the engine's log that describe a match.

The engine logs each match whose odds are a million to one or better (log-odds 13.8), accepted or not.  What is logged
only suggests where to look again; the files that an engine leaves decide what is a solution.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from solvehost.record import record

_MATCH = re.compile(
    rb"log-odds ratio (?P<logodds>[-+.\de]+) \(.*?\), (?P<matched>\d+) match, (?P<conflicts>\d+) conflict, "
    rb"(?P<distractors>\d+) distractors, (?P<index>\d+) index\.\s+"
    rb"RA,Dec = \((?P<ra>[-+.\de]+),(?P<dec>[-+.\de]+)\), pixel scale (?P<pixscale>[-+.\de]+) arcsec/pix"
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
