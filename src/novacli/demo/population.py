"""The stars that an image shows: most of the catalogue's stars, and stars that the catalogue does not have.

A field of catalogue stars alone, with their catalogue magnitudes, would be unrealistically easy to solve.  So some
stars are dropped, magnitudes are scattered (another bandpass, variables), positions are scattered a little (proper
motion since the catalogue's epoch), and stars are added: faint ones, which follow the sky's number counts beyond the
catalogue's completeness limit, and a few of any magnitude (planets, variables, gaps in the catalogue).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from novacli.demo.catalogue import Catalogue, Stars
from novacli.demo.projection import Projection, direction
from novacli.demo.scene import STAR_COUNTS, Scene
from novacli.errors import UsageError
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

DROPPED_FRACTION = 0.04
ADDED_FRACTION = 0.04
MAGNITUDE_SCATTER = 0.25
POSITION_SCATTER_ARCSEC = 0.3
#: Added stars reach this far below the limiting magnitude, into the noise.
_BELOW_LIMIT_MAG = 1.0
#: The density of stars is measured within at least this radius, so that small fields have enough stars.
_LEAST_RADIUS_RAD = float(np.radians(2.0))
_BIN_MAG = 0.25
#: Largest number of faint stars that are added.
_MAX_ADDED = 3_000_000


@record
class DrawnStars:
    """Stars on an image: FITS pixels ``x``, ``y``, and ``magnitudes``; the first ``catalogued`` are catalogue stars."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    magnitudes: NDArray[np.float64]
    catalogued: int


def populate(scene: Scene, projection: Projection, catalogue: Catalogue, rng: Generator) -> DrawnStars:
    """Return the stars of a scene, including those just outside of the image, whose light reaches into it.

    Raises
    ------
    UsageError
        If the limiting magnitude asks for more stars than an image can show.
    """
    radius_rad = max(projection.reach_rad, _LEAST_RADIUS_RAD)
    known = catalogue.around(direction(scene.ra_deg, scene.dec_deg), radius_rad)
    added = _uncatalogued(known, radius_rad, scene.depth_mag + _BELOW_LIMIT_MAG, rng)
    kept = rng.random(len(known)) >= DROPPED_FRACTION
    x, y, magnitudes = _place(projection, Stars(known.directions[kept], known.magnitudes[kept]))
    shift_px = POSITION_SCATTER_ARCSEC / scene.pixscale_arcsec
    more_x, more_y, more_magnitudes = _place(projection, added)
    return DrawnStars(
        x=np.concatenate([x + rng.normal(0, shift_px, len(x)), more_x]),
        y=np.concatenate([y + rng.normal(0, shift_px, len(y)), more_y]),
        magnitudes=np.concatenate([magnitudes + rng.normal(0, MAGNITUDE_SCATTER, len(x)), more_magnitudes]),
        catalogued=len(x),
    )


def _place(projection: Projection, stars: Stars) -> tuple[NDArray[np.float64], ...]:
    """Return x, y and magnitude of the stars on or near the image."""
    x, y = projection.sky_to_pixel(stars.directions)
    near = np.isfinite(x)
    return x[near], y[near], stars.magnitudes[near]


def completeness_mag(magnitudes: NDArray[np.float64]) -> float:
    """Return the magnitude to which a catalogue of one star or more is complete: the one with the highest count.

    Deep index files hold the brightest stars of each small cell, so the limit is brighter in crowded fields.
    """
    bins = np.floor(magnitudes / _BIN_MAG).astype(np.intp)
    return float((bins.min() + np.argmax(np.bincount(bins - bins.min()))) * _BIN_MAG)


def star_count(magnitude: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the number of stars brighter than a magnitude in a square degree of the mean sky."""
    magnitudes, log_counts = np.array(STAR_COUNTS).T
    return np.asarray(10 ** np.interp(magnitude, magnitudes, log_counts))


def _uncatalogued(known: Stars, radius_rad: float, faintest: float, rng: Generator) -> Stars:
    """Return stars that the catalogue does not have, over the same circle of the sky."""
    if len(known) == 0:
        return known
    complete = completeness_mag(known.magnitudes)
    bright = int(np.count_nonzero(known.magnitudes < complete))
    area_deg2 = float(np.degrees(np.degrees(2 * np.pi * (1 - np.cos(radius_rad)))))
    # The density relative to the mean sky, from the stars brighter than the completeness limit.
    crowding = max(bright, 1) / (area_deg2 * float(star_count(complete)))
    expected = crowding * area_deg2 * float(star_count(faintest) - star_count(complete))
    missing = expected - np.count_nonzero((known.magnitudes >= complete) & (known.magnitudes < faintest))
    if missing > _MAX_ADDED:
        raise UsageError(
            f"this limit gives about {missing:.0e} stars in the field: use a brighter --limit or a smaller --width"
        )
    faint = _magnitudes_between(complete, faintest, rng.poisson(max(missing, 0)), rng)
    others = known.magnitudes[rng.random(len(known)) < ADDED_FRACTION]
    magnitudes = np.concatenate([faint, others])
    return Stars(_near(known.directions, area_deg2, len(magnitudes), rng), magnitudes)


def _magnitudes_between(bright: float, faint: float, count: int, rng: Generator) -> NDArray[np.float64]:
    """Return random magnitudes that follow the sky's number counts."""
    grid = np.linspace(bright, max(faint, bright), 200)
    share = star_count(grid)
    return np.interp(rng.uniform(share[0], share[-1], count), share, grid)


def _near(directions: NDArray[np.float64], area_deg2: float, count: int, rng: Generator) -> NDArray[np.float64]:
    """Return random directions with the density of the catalogue: each is near a random catalogue star."""
    spread_rad = 2 * np.radians(np.sqrt(area_deg2 / len(directions)))
    places = directions[rng.integers(0, len(directions), count)] + rng.normal(0, spread_rad, (count, 3))
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    return np.asarray(places)
