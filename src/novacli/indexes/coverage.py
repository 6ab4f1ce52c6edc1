"""Which fields a set of index files can solve: their widths, and the parts of the sky.

The engine tries quads (groups of stars) whose diameter lies between 10 % of an image's smaller side and its diagonal.
A field can be solved if an index file holds quads of such a size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from novacli.text.quantities import angle_text
from solvehost.formats.axy import Range
from solvehost.indexes.index_file import IndexFile
from solvehost.indexes.selection import FIELD_WIDTH_DEG, QUAD_FRACTION


def width_ranges_deg(files: Sequence[IndexFile]) -> list[Range]:
    """Return the widths of fields that ``files`` serve well, in degrees: ranges that do not touch, smallest first.

    A field is served well if an index file's smallest quads fit into half its width and the largest reach 10 % of it.
    The widths hold for square fields; others differ little.
    """
    merged: list[Range] = []
    for low, high in sorted(_widths_deg(file) for file in files):
        if merged and low <= merged[-1].high:
            merged[-1] = Range(merged[-1].low, max(high, merged[-1].high))
        else:
            merged.append(Range(low, high))
    return merged


def _widths_deg(file: IndexFile) -> tuple[float, float]:
    low, high = 2 * file.quads_arcmin.low / 60, file.quads_arcmin.high / 60 / QUAD_FRACTION.low
    widest = FIELD_WIDTH_DEG.high
    return min(low, widest), min(high, widest)


def partial_skies(files: Sequence[IndexFile]) -> Iterator[str]:
    """Yield a line for each range of quad diameters whose index files do not cover the whole sky."""
    series: defaultdict[tuple[float, float], dict[int, set[tuple[int, int]]]] = defaultdict(lambda: defaultdict(set))
    for file in files:
        quads = (round(file.quads_arcmin.low, 2), round(file.quads_arcmin.high, 2))
        series[quads][file.index_id].add((file.nside, file.healpix))
    for (low, high), by_id in sorted(series.items()):
        share = max(_sky_share(tiles) for tiles in by_id.values())
        if share < 1:
            yield f"quads of {angle_text(low)} to {angle_text(high)} cover {share:.0%} of the sky"


def _sky_share(tiles: set[tuple[int, int]]) -> float:
    """Return the share of the sky, 0 to 1, that tiles (nside, healpix) cover; healpix -1 is the whole sky."""
    if any(healpix < 0 for _, healpix in tiles):
        return 1.0
    return min(1.0, sum(1 / (12 * nside**2) for nside, _ in tiles if nside > 0))
