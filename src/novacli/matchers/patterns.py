"""Recognise a wide field by patterns of four of its brightest stars (geometric hashing), with the package tetra3rs.

The ratios of the six distances between four stars hardly depend on scale, orientation and place, so a pattern is looked
up in a table of all patterns of bright stars on the sky.  The width of the field must be known within some per cent,
because wide pictures are projected: if it is unknown, one width after the other is tried.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from novacli.config import Config
from novacli.errors import UnavailableError
from novacli.matchers import database
from novacli.matchers.base import Matcher
from novacli.records.hints import Hints, PositionHint, ScaleHint
from novacli.records.params import Position
from novacli.records.parity import Parity
from novacli.records.provenance import Provenance
from solvehost.formats.star_table import Stars

if TYPE_CHECKING:
    from tetra3rs import Centroid, SolveResult

#: Each width that is tried stands for those within this fraction of it.
_WIDTH_TOLERANCE = 0.1
#: How far off a proposal may be: the centre, in widths of the field, and the scale, as a fraction.
_CENTER_WIDTHS, _SCALE_TOLERANCE = 0.05, 0.05
#: The search ends after this many CPU seconds.  Without a match it takes a tenth of a second for patterns of 12 stars.
_MAX_CPU_S = 0.5
#: Limit of the time for one width, in milliseconds of the clock on the wall; it takes 10.
_MAX_WIDTH_MS = 500
_SOURCE = "star pattern"


class PatternMatcher:
    """Recognises fields by a database of patterns, which is read when the first field is to be recognised.

    Parameters
    ----------
    path
        The database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def propose(
        self, stars: Stars, width: int, height: int, scales: Sequence[ScaleHint] = (), pattern_stars: int = 12
    ) -> Hints | None:
        """See :meth:`novacli.matchers.base.Matcher.propose`; a database that cannot be read proposes nothing."""
        widths = list(_widths_deg(width, height, scales))
        if not widths:
            return None
        try:
            patterns = database.load(self._path)
        except UnavailableError:
            return None  # nova doctor reports it; a solve goes on without
        from tetra3rs import SolveResult

        centroids = _centroids(stars, width, height)
        began = time.thread_time()
        for width_deg in widths:
            match = patterns.solve_from_centroids(
                centroids,
                fov_estimate_deg=width_deg,
                fov_max_error_deg=_WIDTH_TOLERANCE * width_deg,
                image_width=width,
                image_height=height,
                pattern_checking_stars=pattern_stars,
                solve_timeout_ms=_MAX_WIDTH_MS,
            )
            if isinstance(match, SolveResult):
                return _as_hints(match)
            if time.thread_time() - began > _MAX_CPU_S:
                break
        return None


def installed_matcher(config: Config) -> Matcher | None:
    """Return the matcher that the settings allow; None if there is no database, or it is switched off."""
    path = database.database_file(config.folders)
    return PatternMatcher(path) if config["patterns"] and path.exists() else None


def _widths_deg(width: int, height: int, scales: Sequence[ScaleHint]) -> Iterator[float]:
    """Yield the widths to try, which together stand for every width that the database and the scales allow.

    A pinhole camera's width is not proportional to its scale: the hints hold for the centre of the field.
    """
    longest = max(width, height)  # narrow strips of the sky are recognised too
    least, most = (limit * width / longest for limit in (database.NARROWEST_DEG, database.WIDEST_DEG))
    stated = [(hint.low_arcsec_per_pixel, hint.high_arcsec_per_pixel) for hint in scales]
    ranges = [tuple(_width_deg(end, width) for end in ends) for ends in stated] or [(least, most)]
    step = (1 + _WIDTH_TOLERANCE) / (1 - _WIDTH_TOLERANCE)
    for low, high in ((max(low, least), min(high, most)) for low, high in ranges):
        count = max(1, math.ceil(math.log(high / low) / math.log(step)))
        yield from (low * (high / low) ** ((n + 0.5) / count) for n in range(count if low <= high else 0))


def _width_deg(arcsec_per_pixel: float, width: int) -> float:
    """Return the width of a field of a pinhole camera from the scale at its centre."""
    return math.degrees(2 * math.atan(math.radians(arcsec_per_pixel / 3600) * width / 2))


def _centroids(stars: Stars, width: int, height: int) -> list[Centroid]:
    """Return the stars as the package takes them: pixels from the centre of the field, brightest first.

    The package sorts them by brightness; the place in the list replaces it, because the list's order is by design.
    """
    from tetra3rs import Centroid

    places = zip(stars.x, stars.y, range(len(stars), 0, -1), strict=True)
    return [Centroid(x - (width + 1) / 2, y - (height + 1) / 2, float(rank)) for x, y, rank in places]


def _as_hints(match: SolveResult) -> Hints:
    (ra_x, ra_y), (dec_x, dec_y) = match.cd_matrix  # radians per pixel
    determinant = float(ra_x * dec_y - ra_y * dec_x)
    scale = math.degrees(math.sqrt(abs(determinant))) * 3600
    ra_deg, dec_deg = match.pixel_to_world(0.0, 0.0)
    position = Position(ra_deg % 360, dec_deg, _CENTER_WIDTHS * match.fov_deg)
    low, high = scale * (1 - _SCALE_TOLERANCE), scale * (1 + _SCALE_TOLERANCE)
    return Hints(
        scales=(ScaleHint(low, high, _SOURCE, Provenance.PATTERN),),
        positions=(PositionHint(position, _SOURCE, Provenance.PATTERN),),
        parity=Parity.of(determinant),
    )
