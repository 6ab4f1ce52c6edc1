"""Parses the lines of ``astrometry-engine``'s log about the matches that it examines, accepted or not.

For measurements only: nova itself never decides by log text what is a solution.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nosky import TrueSky

_MATCH = re.compile(
    rb"log-odds ratio (?P<logodds>[-+.\de]+) \(.*?\), (?P<matched>\d+) match, (?P<conflicts>\d+) conflict, "
    rb"(?P<distractors>\d+) distractors, (?P<index>\d+) index\.\s+"
    rb"RA,Dec = \((?P<ra>[-+.\de]+),(?P<dec>[-+.\de]+)\), pixel scale (?P<pixscale>[-+.\de]+) arcsec/pix"
)


@dataclass(frozen=True, slots=True)
class NamedMatch:
    """A match as the engine's log describes it.

    ``matched``, ``conflicts`` and ``distractors`` are counted up to the best log-odds, without the quad's stars; all
    are 0 if the log-odds are below the threshold to tune up (13.8) or to accept a match.  ``index_stars`` is the number
    of index stars in the field.
    """

    logodds: float
    matched: int
    conflicts: int
    distractors: int
    index_stars: int
    ra_deg: float
    dec_deg: float
    pixscale_arcsec: float

    def as_list(self, truth: TrueSky | None) -> list[Any]:
        """Return a list for a record: log-odds, counts, pixel scale, and whether it is at the image's true position."""
        is_true = truth is not None and truth.is_at(self.ra_deg, self.dec_deg, self.pixscale_arcsec)
        counts = [self.matched, self.conflicts, self.distractors, self.index_stars]
        return [round(self.logodds, 2), *counts, float(f"{self.pixscale_arcsec:.3g}"), int(is_true)]


def read(log: bytes) -> Iterator[NamedMatch]:
    """Yield the matches in a log."""
    for found in _MATCH.finditer(log):
        text = {name: value.decode() for name, value in found.groupdict().items()}
        yield NamedMatch(
            logodds=float(text["logodds"]),
            matched=int(text["matched"]),
            conflicts=int(text["conflicts"]),
            distractors=int(text["distractors"]),
            index_stars=int(text["index"]),
            ra_deg=float(text["ra"]) % 360,
            dec_deg=float(text["dec"]),
            pixscale_arcsec=float(text["pixscale"]),
        )
