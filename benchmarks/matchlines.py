"""What ``astrometry-engine`` says in its log of the matches that it looks at, accepted or not.

For measurements alone: what is a solution is never told by log text.
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
    """A match as the engine names it.

    ``matched``, ``conflicts`` and ``distractors`` are counted up to the best log-odds, stars of the quad left out; all
    are 0 where the log-odds are below what the engine would tune up (13.8) or accept.  ``index_stars`` is the number of
    index stars in the field.
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
        """Return it for a record: log-odds, counts, pixel scale, whether it is where the picture really is."""
        is_true = truth is not None and truth.is_at(self.ra_deg, self.dec_deg, self.pixscale_arcsec)
        counts = [self.matched, self.conflicts, self.distractors, self.index_stars]
        return [round(self.logodds, 2), *counts, float(f"{self.pixscale_arcsec:.3g}"), int(is_true)]


def read(log: bytes) -> Iterator[NamedMatch]:
    """Yield the matches that a log names."""
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
