#!/usr/bin/env python3
"""Solve pictures one after the other with one program, in one process: a child of ``pattern_matchers.py``.

::

    pattern_programs.py PROGRAM FIRST,LAST_WIDTH DATABASE PICTURE…

PROGRAM is ``tetra3rs``, ``cedar-solve`` or ``nova``; the first two find stars by their own means.  For each picture one
line of JSON has ``cpu_s``, the CPU seconds that it took, ``total_s``, those of the process until then, and ``place``,
which is null or right ascension, declination, scale and the sign of det(CD).  cedar-solve may be run by another Python
than the rest, so only the standard library is imported here.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

#: Each width that is tried stands for those within this fraction of it.
_WIDTH_TOLERANCE = 0.1
#: What cedar-solve may use for one width, in milliseconds; its own default is 5000 for a known width.
_CEDAR_TIMEOUT_MS = 1000
#: The most stars that go to a matcher.
_MAX_STARS = 200

Place = tuple[float, float, float, float]
Solve = Callable[[str], "Place | None"]


def main() -> None:
    """Solve the pictures that the command line names."""
    program, widths, database, *pictures = sys.argv[1:]
    low, high = (float(end) for end in widths.split(","))
    solve = {"tetra3rs": _tetra3rs, "cedar-solve": _cedar_solve, "nova": _nova}[program](low, high, database)
    for picture in pictures:
        before = _cpu_s()
        place = solve(picture)
        print(json.dumps({"cpu_s": _cpu_s() - before, "total_s": _cpu_s(), "place": place}), flush=True)


def _cpu_s() -> float:
    return sum(os.times()[:4])


def _widths_deg(low: float, high: float) -> Iterator[float]:
    count = math.ceil(math.log(high / low) / math.log((1 + _WIDTH_TOLERANCE) / (1 - _WIDTH_TOLERANCE)))
    return (low * (high / low) ** ((n + 0.5) / count) for n in range(count))


def _tetra3rs(low: float, high: float, database: str) -> Solve:
    import numpy as np
    import tetra3rs

    patterns = tetra3rs.SolverDatabase.load_from_file(database)

    def solve(picture: str) -> Place | None:
        pixels = np.load(picture)
        found = tetra3rs.extract_centroids(pixels, max_centroids=_MAX_STARS).centroids
        for width_deg in _widths_deg(low, high):
            match = patterns.solve_from_centroids(
                found,
                fov_estimate_deg=width_deg,
                fov_max_error_deg=_WIDTH_TOLERANCE * width_deg,
                image_shape=pixels.shape,
            )
            if isinstance(match, tetra3rs.SolveResult):
                determinant = float(np.linalg.det(match.cd_matrix))
                ra_deg, dec_deg = match.pixel_to_world(0.0, 0.0)
                scale = math.degrees(math.sqrt(abs(determinant))) * 3600
                return ra_deg, dec_deg, scale, math.copysign(1.0, determinant)
        return None

    return solve


def _cedar_solve(low: float, high: float, database: str) -> Solve:
    """Solve with cedar-solve, which knows no mirrored pictures: a name with ``mirrored`` in it is turned over first."""
    import numpy as np
    import tetra3

    matcher = tetra3.Tetra3(load_database=database or "default_database")

    def solve(picture: str) -> Place | None:
        pixels = np.load(picture)
        is_mirrored = "mirrored" in Path(picture).name
        if is_mirrored:
            pixels = pixels[:, ::-1]
        found = tetra3.get_centroids_from_image(pixels, max_returned=_MAX_STARS)
        for width_deg in _widths_deg(low, high) if len(found) else ():
            match: dict[str, Any] = matcher.solve_from_centroids(
                found,
                pixels.shape,
                fov_estimate=width_deg,
                fov_max_error=_WIDTH_TOLERANCE * width_deg,
                solve_timeout=_CEDAR_TIMEOUT_MS,
            )
            if match["RA"] is not None:
                half = math.radians(match["FOV"] / 2)
                scale = math.degrees(2 * math.tan(half) / pixels.shape[1]) * 3600
                return match["RA"], match["Dec"], scale, -1.0 if is_mirrored else 1.0
        return None

    return solve


def _nova(_low: float, _high: float, _database: str) -> Solve:
    import novacli

    solver = novacli.Solver(learn=False)

    def solve(picture: str) -> Place | None:
        result = solver.solve(picture, blind=True)
        if not result.solved:
            return None
        place = result.calibration
        return place.ra, place.dec, place.pixscale, place.parity

    return solve


if __name__ == "__main__":
    main()
