"""A synthetic star list, like that of a real image, made from the stars of an installed index file.

Its true centre is known.  ``query-starkd``, a program of the engine's package, reads the stars.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from solvehost.admin import programs
from solvehost.errors import NovaError, UnavailableError
from solvehost.formats import fitsfile
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_file import IndexFile
from solvehost.indexes.sphere import separation_deg
from solvehost.record import record

#: Standard deviations of the simulated position errors (pixels) and brightness errors (magnitudes).
_NOISE_PX, _NOISE_MAG = 0.3, 0.15
_SKY_DEG2 = 4 * math.pi * math.degrees(1) ** 2
_WANTED_STARS, _MIN_STARS = 150, 30
#: Preferred number of stars of a catalogue; a larger one only takes longer to read.
_PREFERRED_STARS = 100_000
_MAX_WIDTH_DEG = 25.0


@record
class FieldGeometry:
    """Size in pixels, scale, and centre (RA, Dec in degrees); y points north, x east for parity +1, west for -1."""

    width: int
    height: int
    arcsec_per_pixel: float
    center_deg: tuple[float, float]
    parity: int = 1

    @property
    def radius_deg(self) -> float:
        """Angular distance of the corners from the centre."""
        return math.hypot(self.width, self.height) / 2 * self.arcsec_per_pixel / 3600


def find_catalogue(files: Iterable[IndexFile]) -> tuple[IndexFile, str] | None:
    """Return an index file of the whole sky whose stars have magnitudes, and the name of the magnitude column."""
    whole = [file for file in files if file.healpix == -1]
    for file in sorted(whole, key=lambda file: (file.stars < _PREFERRED_STARS, abs(file.stars - _PREFERRED_STARS))):
        column = magnitude_column(file.path)
        if column is not None:
            return file, column
    return None


def magnitude_column(path: Path) -> str | None:
    """Return the name of an index file's first column of magnitudes, None if it has none."""
    try:
        with path.open("rb") as stream:
            names = [str(header.get("TTYPE1", "")) for header, _ in fitsfile.iter_hdus(stream)]
    except (OSError, NovaError):
        return None
    return next((name for name in names if "MAG" in name.upper()), None)


def geometry_for(file: IndexFile, center_deg: tuple[float, float] = (120.0, 35.0)) -> FieldGeometry:
    """Return a field that is wide enough to contain _WANTED_STARS stars of an index file."""
    area_deg2 = _WANTED_STARS * _SKY_DEG2 / max(1, file.stars)
    width_deg = min(_MAX_WIDTH_DEG, math.sqrt(area_deg2 * 1000 / 800))
    return FieldGeometry(1000, 800, width_deg * 3600 / 1000, center_deg)


def make_stars(
    index: Path, column: str, geometry: FieldGeometry, *, count: int = _WANTED_STARS, seed: int = 1
) -> Stars:
    """Return a star list of a field, brightest stars first.

    Parameters
    ----------
    index
        The index file.
    column
        Name of its magnitude column.
    geometry
        The field.
    count
        Largest number of stars.
    seed
        Seed of the simulated errors.

    Raises
    ------
    UnavailableError
        If ``query-starkd`` is missing or fails, or the field has too few stars.
    """
    noise = random.Random(seed)  # noqa: S311 - not used for secrets
    stars = []
    for ra, dec, mag in _query(index, column, geometry):
        xi, eta = _sky_to_plane(math.radians(ra), math.radians(dec), geometry.center_deg)
        scale = math.radians(geometry.arcsec_per_pixel / 3600)
        x = (geometry.width + 1) / 2 + geometry.parity * xi / scale + noise.gauss(0, _NOISE_PX)
        y = (geometry.height + 1) / 2 + eta / scale + noise.gauss(0, _NOISE_PX)
        if 0.5 <= x <= geometry.width + 0.5 and 0.5 <= y <= geometry.height + 0.5:
            stars.append((mag + noise.gauss(0, _NOISE_MAG), x, y))
    if len(stars) < _MIN_STARS:
        raise UnavailableError(f"{index} has only {len(stars)} stars in the test field, fewer than {_MIN_STARS}")
    mags, xs, ys = zip(*sorted(stars)[:count], strict=True)
    return Stars(array("f", xs), array("f", ys), array("f", (10 ** (0.4 * (15 - mag)) for mag in mags)))


def _query(index: Path, column: str, geometry: FieldGeometry) -> list[tuple[float, float, float]]:
    program = programs.find("query-starkd")
    if program is None:
        raise UnavailableError("query-starkd was not found (Debian, Ubuntu: apt install astrometry.net)")
    ra, dec = geometry.center_deg
    command = [program, "-t", column, "-r", f"{ra}", "-d", f"{dec}", "-R", f"{geometry.radius_deg}", str(index)]
    result = programs.run(command)
    if result.exit_code:
        raise UnavailableError(f"query-starkd cannot read {index}: {result.last_line}")
    rows = [line.split(",") for line in result.stdout.decode("ascii", "replace").splitlines() if line[:1].isdigit()]
    return [(float(row[0]), float(row[1]), float(row[2])) for row in rows]


def _sky_to_plane(ra: float, dec: float, center_deg: Sequence[float]) -> tuple[float, float]:
    """Return the standard coordinates (radians) of a position (radians) in the tangent plane at ``center_deg``."""
    ra0, dec0 = map(math.radians, center_deg)
    depth = math.sin(dec0) * math.sin(dec) + math.cos(dec0) * math.cos(dec) * math.cos(ra - ra0)
    xi = math.cos(dec) * math.sin(ra - ra0) / depth
    return xi, (math.cos(dec0) * math.sin(dec) - math.sin(dec0) * math.cos(dec) * math.cos(ra - ra0)) / depth


def pixel_to_sky(header: Mapping[str, fitsfile.CardValue], x: float, y: float) -> tuple[float, float]:
    """Return RA and Dec in degrees of a pixel, by the TAN part of a solution.

    Parameters
    ----------
    header
        Header of the solution.
    x, y
        FITS pixel coordinates: the centre of the first pixel is (1, 1).

    Raises
    ------
    KeyError
        If the header has no solution.
    """
    value = {key: float(header[key]) for key in ("CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2")}
    cd = {key: float(header[key]) for key in ("CD1_1", "CD1_2", "CD2_1", "CD2_2")}
    dx, dy = x - value["CRPIX1"], y - value["CRPIX2"]
    xi = math.radians(cd["CD1_1"] * dx + cd["CD1_2"] * dy)
    eta = math.radians(cd["CD2_1"] * dx + cd["CD2_2"] * dy)
    ra0, dec0 = math.radians(value["CRVAL1"]), math.radians(value["CRVAL2"])
    depth = math.cos(dec0) - eta * math.sin(dec0)
    ra = ra0 + math.atan2(xi, depth)
    dec = math.atan2((math.sin(dec0) + eta * math.cos(dec0)) * math.cos(ra - ra0), depth)
    return math.degrees(ra) % 360, math.degrees(dec)


def separation_arcsec(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the angular distance in arcseconds of two positions, each given as RA and Dec in degrees."""
    return separation_deg(a, b) * 3600
