"""The published series of index files: which scales and tiles each has, how large they are, and where they are.

A scale (upstream: skymark) is a range of quad diameters.  Scale n holds quads from about 2 · √2ⁿ arcminutes on.

Sources: the headers of the files (quad diameters of scales 07 to 19), the texts of Debian's astrometry-data packages
(scales 00 to 06), data.astrometry.net and its index-5200 pages (addresses); sizes are sums over the files of a scale.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from novacli.errors import UsageError
from solvehost.formats.axy import Range
from solvehost.indexes.index_file import IndexFile
from solvehost.record import record

#: Quad diameters in arcminutes by the number of the scale.
QUADS_ARCMIN = tuple(
    Range(low, high)
    for low, high in (
        (2, 2.8), (2.8, 4), (4, 5.6), (5.6, 8), (8, 11), (11, 16), (16, 22), (22, 30), (30, 42), (42, 60), (60, 85),
        (85, 120), (120, 170), (170, 240), (240, 340), (340, 480), (480, 680), (680, 1000), (1000, 1400), (1400, 2000),
    )
)  # fmt: skip
_SERIES_4100_SCALES = range(7, 20)

#: The index files that most installations have; attempts are planned for them if a place does not tell its own.
LIKELY_INDEXES = tuple(
    IndexFile(Path(f"index-{4100 + scale}.fits"), 4100 + scale, -1, 1, QUADS_ARCMIN[scale], 0, 0, 0)
    for scale in _SERIES_4100_SCALES
)

_DATA, _NERSC = "http://data.astrometry.net", "https://portal.nersc.gov/project/cosmo/temp/dstn/index-5200"
_DEBIAN_TYCHO2 = {7: "07", 8: "08", 9: "09"} | dict.fromkeys(range(10, 20), "10-19")


@record
class SeriesScale:
    """One scale of a series: ``tiles`` files of together ``size_mb`` MB; one tile is the whole sky."""

    number: int
    tiles: int
    size_mb: float

    @property
    def nside(self) -> int:
        """HEALPix resolution of the tiles: 0 for the whole sky."""
        return {1: 0, 12: 1, 48: 2}[self.tiles]


@record
class SeriesFile:
    """A file of a series; ``healpix`` is its tile, -1 for the whole sky, ``size_bytes`` the mean over its scale."""

    name: str
    scale: int
    healpix: int
    nside: int
    size_bytes: int


@record
class Series:
    """A published series.

    Attributes
    ----------
    name
        Its name on the command line.
    stars
        The catalogue that its stars are from.
    url
        The folder in which its files are published.
    prefix
        The first two digits of its files' numbers.
    scales
        Its scales, finest first.
    """

    name: str
    stars: str
    url: str
    prefix: str
    scales: tuple[SeriesScale, ...]

    def files(self, numbers: Sequence[int] | None = None) -> list[SeriesFile]:
        """Return the files of the scales with these numbers, or of all scales.

        Raises
        ------
        UsageError
            If the series has no such scale.
        """
        known = {scale.number: scale for scale in self.scales}
        chosen = list(known) if numbers is None else list(dict.fromkeys(numbers))
        missing = next((number for number in chosen if number not in known), None)
        if missing is not None:
            low, high = min(known), max(known)
            raise UsageError(f"series {self.name} has no scale {missing}: it has the scales {low} to {high}")
        return [file for number in chosen for file in self._files_of(known[number])]

    def _files_of(self, scale: SeriesScale) -> list[SeriesFile]:
        start, size_bytes = f"index-{self.prefix}{scale.number:02d}", round(scale.size_mb * 1e6 / scale.tiles)
        if scale.tiles == 1:
            return [SeriesFile(f"{start}.fits", scale.number, -1, 0, size_bytes)]
        tiles = range(scale.tiles)
        return [SeriesFile(f"{start}-{n:02d}.fits", scale.number, n, scale.nside, size_bytes) for n in tiles]


def _scales(first: int, *sizes_mb: float, tiles: int) -> tuple[SeriesScale, ...]:
    return tuple(SeriesScale(number, tiles, size_mb) for number, size_mb in enumerate(sizes_mb, first))


SERIES = {
    series.name: series
    for series in (
        Series("4100", "Tycho-2", f"{_DATA}/4100", "41", _scales(
            7, 165.0, 94.6, 49.8, 24.9, 10.2, 5.3, 2.73, 1.38, 0.74, 0.409, 0.248, 0.187, 0.144, tiles=1)),
        Series("5200", "Tycho-2 and Gaia DR2", f"{_NERSC}/LITE", "52", _scales(
            0, 17203.5, 9490.7, 4855.6, 2449.3, 1219.8, 614.9, 307.7, tiles=48)),
        Series("5200-heavy", "Tycho-2 and Gaia DR2, with magnitudes", _NERSC, "52", _scales(
            0, 36464.5, 21198.8, 11291.9, 5720.3, 2846.4, 1432.9, 714.6, tiles=48)),
        Series("4200", "2MASS", f"{_DATA}/4200", "42", (
            *_scales(0, 14215.1, 9251.8, 5058.9, 2627.4, 1313.0, tiles=48), *_scales(5, 659.1, 328.3, 165.4, tiles=12),
            *_scales(8, 81.8, 41.2, 20.5, 8.02, 4.17, 2.16, 1.10, 0.596, 0.34, 0.213, 0.164, 0.132, tiles=1))),
        Series("5000", "Gaia DR2, older than 5200", f"{_DATA}/5000", "50", (
            *_scales(0, 34787.5, 20185.7, 10738.8, 5440.2, 2707.3, tiles=48),
            *_scales(5, 1360.0, 676.8, 340.7, tiles=12))),
        Series("6000", "GALEX near ultraviolet", f"{_DATA}/6000", "60", _scales(4, 892.5, 457.7, 233.2, tiles=12)),
        Series("6100", "GALEX far ultraviolet", f"{_DATA}/6100", "61", _scales(4, 599.3, 384.1, 214.8, tiles=12)),
    )
}  # fmt: skip
_PUBLISHED_NAME = re.compile(r"index-(\d\d)(\d\d)(?:-(\d\d))?\.fits")
_DEBIAN_NAME = re.compile(r"index-tycho2-(\d\d)\.(?:little|big)endian\.fits")


@record
class PublishedName:
    """What the name of an index file states: its series, scale, tile (-1 for the whole sky) and INDEXID."""

    series: str
    scale: int
    healpix: int
    index_id: int


def parse_name(name: str) -> PublishedName | None:
    """Return what a file's name states about a published file; None for names of other forms."""
    if match := _DEBIAN_NAME.fullmatch(name):
        scale = int(match[1])
        return PublishedName("tycho2", scale, -1, 4100 + scale)
    match = _PUBLISHED_NAME.fullmatch(name)
    known = {series.prefix: series.name for series in SERIES.values() if series.name != "5200-heavy"}
    if match is None or match[1] not in known:
        return None
    healpix = -1 if match[3] is None else int(match[3])
    return PublishedName(known[match[1]], int(match[2]), healpix, int(match[1] + match[2]))


def name_problem(file: IndexFile) -> str | None:
    """Return how the header of an index file contradicts its name; None if it does not."""
    stated = parse_name(file.path.name)
    if stated is None:
        return None
    if stated.index_id != file.index_id:
        return f"its name is that of index {stated.index_id}, but its header says {file.index_id}"
    if stated.healpix != file.healpix:
        return f"its name is that of {_tile_text(stated.healpix)}, but its header says {_tile_text(file.healpix)}"
    quads = QUADS_ARCMIN[stated.scale] if stated.scale < len(QUADS_ARCMIN) else None
    if quads is not None and not (0.9 < file.quads_arcmin.low / quads.low < 1.1):
        return f"its name is that of quads from {quads.low:g}′, but its header says {file.quads_arcmin.low:.3g}′"
    return None


def _tile_text(healpix: int) -> str:
    return "the whole sky" if healpix < 0 else f"tile {healpix:02d}"


def debian_package(scale: int) -> str | None:
    """Return the Debian package that holds a scale of the Tycho-2 series; None if there is none."""
    number = _DEBIAN_TYCHO2.get(scale)
    return None if number is None else f"astrometry-data-tycho2-{number}"
