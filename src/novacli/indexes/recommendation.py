"""Which index files a field of a given size needs.

The engine tries quads from 10 % of the smaller side of an image to its diagonal.  Quads of 40 to 90 % of the larger
side solve most images; those of 15 to 100 % help if few stars are found; smaller ones are rarely needed, and they are
the largest files by far.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Sequence

from novacli.indexes.series import QUADS_ARCMIN, SERIES, Series, SeriesScale, debian_package
from solvehost.formats.axy import Range
from solvehost.indexes.index_file import IndexFile
from solvehost.record import record

_NEEDED, _HELPFUL, _SMALLEST = Range(0.4, 0.9), Range(0.15, 1.0), 0.1
#: Scales from this number on are in series 4100, finer ones in 5200.
_FIRST_TYCHO2_SCALE = 7


class Grade(enum.Enum):
    """How much a field needs index files."""

    NEEDED = "needed"
    HELPFUL = "helpful"
    RARELY = "rarely"


@record
class Recommendation:
    """Index files of one scale for a field.

    Attributes
    ----------
    grade
        How much the field needs them.
    series, scale
        What to download.
    quads_arcmin
        Diameters of the quads.
    package
        The Debian package with the same quads, None if there is none.
    is_installed
        True if installed files hold such quads for the whole sky.
    """

    grade: Grade
    series: str
    scale: SeriesScale
    quads_arcmin: Range
    package: str | None
    is_installed: bool


def recommend(width_deg: float, height_deg: float, installed: Sequence[IndexFile]) -> list[Recommendation]:
    """Return the index files for a field, those that it needs most first, coarse ones before fine ones.

    Parameters
    ----------
    width_deg, height_deg
        Size of the field.
    installed
        Index files of this machine.
    """
    larger, smaller = 60 * max(width_deg, height_deg), 60 * min(width_deg, height_deg)
    diagonal = math.hypot(larger, smaller)
    bands = [
        (Grade.NEEDED, Range(_NEEDED.low * larger, _NEEDED.high * larger)),
        (Grade.HELPFUL, Range(_HELPFUL.low * larger, _HELPFUL.high * larger)),
        (Grade.RARELY, Range(_SMALLEST * smaller, diagonal)),
    ]
    found: dict[int, Recommendation] = {}
    for grade, band in bands:
        for series, scale in _all_scales():
            quads = QUADS_ARCMIN[scale.number]
            if scale.number not in found and quads.low < band.high and band.low < quads.high:
                package = debian_package(scale.number)
                known = covers_sky(quads, installed)
                found[scale.number] = Recommendation(grade, series.name, scale, quads, package, known)
    order = list(Grade)
    return sorted(found.values(), key=lambda r: (order.index(r.grade), -r.scale.number))


def _all_scales() -> Iterator[tuple[Series, SeriesScale]]:
    """Yield each scale once, from the series that upstream recommends for it."""
    fine, coarse = SERIES["5200"], SERIES["4100"]
    yield from ((fine, scale) for scale in fine.scales if scale.number < _FIRST_TYCHO2_SCALE)
    yield from ((coarse, scale) for scale in coarse.scales)


def covers_sky(quads: Range, installed: Sequence[IndexFile]) -> bool:
    """Return True if files with such quads cover the whole sky."""
    middle = math.sqrt(quads.low * quads.high)
    tiles = [(f.index_id, f.nside, f.healpix) for f in installed if f.quads_arcmin.low < middle < f.quads_arcmin.high]
    if any(healpix < 0 for _, _, healpix in tiles):
        return True
    groups: dict[tuple[int, int], set[int]] = {}
    for index_id, nside, healpix in tiles:
        groups.setdefault((index_id, nside), set()).add(healpix)
    return any(len(found) >= 12 * nside**2 for (_, nside), found in groups.items() if nside > 0)
