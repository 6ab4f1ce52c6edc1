"""A star list as a real picture of the sky would give it, drawn from the stars of an installed index file.

The stars come from ``query-starkd``, which comes with the engine; what the field's centre is, is known.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from solvehost.admin import programs
from solvehost.errors import SolvehostError, UnavailableError
from solvehost.formats import fitsfile
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_file import IndexFile
from solvehost.indexes.sphere import separation_deg

#: Scatter of the star images, in pixels and magnitudes.
_NOISE_PX, _NOISE_MAG = 0.3, 0.15
_SKY_DEG2 = 4 * math.pi * math.degrees(1) ** 2
_WANTED_STARS, _ENOUGH_STARS = 150, 30
#: A catalogue of more stars than this is dense enough; larger ones only take longer to be read.
_DENSE = 100_000
_WIDEST_DEG = 25.0


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a picture looks: pixels, scale, centre (RA, Dec); y points north, x east for parity +1, west for -1."""

    width: int
    height: int
    arcsec_per_pixel: float
    center_deg: tuple[float, float]
    parity: int = 1

    @property
    def radius_deg(self) -> float:
        """Distance of the corners from the centre."""
        return math.hypot(self.width, self.height) / 2 * self.arcsec_per_pixel / 3600


def find_catalogue(files: Iterable[IndexFile]) -> tuple[IndexFile, str] | None:
    """Return an index file of the whole sky whose stars have magnitudes, and the name of their column."""
    whole = [file for file in files if file.healpix == -1]
    for file in sorted(whole, key=lambda file: (file.stars < _DENSE, abs(file.stars - _DENSE))):
        column = magnitude_column(file.path)
        if column is not None:
            return file, column
    return None


def magnitude_column(path: Path) -> str | None:
    """Return the first column of an index file's stars that holds magnitudes, by its name; None where there is none."""
    try:
        with path.open("rb") as stream:
            names = [str(header.get("TTYPE1", "")) for header, _ in fitsfile.iter_hdus(stream)]
    except (OSError, SolvehostError):
        return None
    return next((name for name in names if "MAG" in name.upper()), None)


def frame_for(file: IndexFile, center_deg: tuple[float, float] = (120.0, 35.0)) -> Frame:
    """Return a picture that is as wide as it takes to show enough stars of an index file."""
    area_deg2 = _WANTED_STARS * _SKY_DEG2 / max(1, file.stars)
    width_deg = min(_WIDEST_DEG, math.sqrt(area_deg2 * 1000 / 800))
    return Frame(1000, 800, width_deg * 3600 / 1000, center_deg)


def draw(index: Path, column: str, frame: Frame, *, count: int = _WANTED_STARS, seed: int = 1) -> Stars:
    """Return the brightest stars in a picture, brightest first.

    Raises
    ------
    UnavailableError
        Where ``query-starkd`` is missing or fails, or there are too few stars.
    """
    noise = random.Random(seed)  # noqa: S311 - scatter, no secret
    stars = []
    for ra, dec, mag in _query(index, column, frame):
        xi, eta = _tangent_plane(math.radians(ra), math.radians(dec), frame.center_deg)
        scale = math.radians(frame.arcsec_per_pixel / 3600)
        x = (frame.width + 1) / 2 + frame.parity * xi / scale + noise.gauss(0, _NOISE_PX)
        y = (frame.height + 1) / 2 + eta / scale + noise.gauss(0, _NOISE_PX)
        if 0.5 <= x <= frame.width + 0.5 and 0.5 <= y <= frame.height + 0.5:
            stars.append((mag + noise.gauss(0, _NOISE_MAG), x, y))
    if len(stars) < _ENOUGH_STARS:
        raise UnavailableError(f"{index} has only {len(stars)} stars for a picture")
    mags, xs, ys = zip(*sorted(stars)[:count], strict=True)
    return Stars(array("f", xs), array("f", ys), array("f", (10 ** (0.4 * (15 - mag)) for mag in mags)))


def _query(index: Path, column: str, frame: Frame) -> list[tuple[float, float, float]]:
    program = programs.find("query-starkd")
    if program is None:
        raise UnavailableError("query-starkd was not found (Debian, Ubuntu: apt install astrometry.net)")
    ra, dec = frame.center_deg
    command = [program, "-t", column, "-r", f"{ra}", "-d", f"{dec}", "-R", f"{frame.radius_deg}", str(index)]
    ran = programs.run(command)
    if ran.exit_code:
        raise UnavailableError(f"query-starkd cannot read {index}: {ran.last_remark}")
    rows = [line.split(",") for line in ran.output.decode("ascii", "replace").splitlines() if line[:1].isdigit()]
    return [(float(row[0]), float(row[1]), float(row[2])) for row in rows]


def _tangent_plane(ra: float, dec: float, center_deg: Sequence[float]) -> tuple[float, float]:
    """Return standard coordinates (radians) of a place (radians)."""
    ra0, dec0 = map(math.radians, center_deg)
    depth = math.sin(dec0) * math.sin(dec) + math.cos(dec0) * math.cos(dec) * math.cos(ra - ra0)
    xi = math.cos(dec) * math.sin(ra - ra0) / depth
    return xi, (math.cos(dec0) * math.sin(dec) - math.sin(dec0) * math.cos(dec) * math.cos(ra - ra0)) / depth


def sky_of(header: Mapping[str, fitsfile.CardValue], x: float, y: float) -> tuple[float, float]:
    """Return (RA, Dec) in degrees of a pixel (the first one's centre is 1, 1) by the TAN part of a solution.

    Raises
    ------
    KeyError
        Where the header holds no solution.
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
    """Return the distance of two places on the sky, given in degrees."""
    return separation_deg(a, b) * 3600
