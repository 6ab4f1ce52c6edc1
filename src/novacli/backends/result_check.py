"""Check the result files of a server against the stars that were sent, and write them anew.

A server may send any file.  A solution is believed if it belongs to the stars that were sent: each star in
``corr.fits`` is one of them, there are enough of them, and the solution maps them to their reference stars.  Stars of
all attempts of the request count, since a race verifies a match with the stars of other attempts too.  The files
that are kept are made from the values that were read: they contain no text of the server except plain names of columns
and of an index file.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from novacli.errors import DataError
from novacli.solution.files import read_result_file
from novacli.solution.reading import Solution, read_solution
from novacli.wcs.sphere import separation_arcsec
from novacli.wcs.tansip import TanSip
from solvehost.engine import result_files
from solvehost.formats.axy import Attempt
from solvehost.formats.jobdir import CORR, RDLS, WCS
from solvehost.formats.star_table import MAX_STARS, Stars

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: A match rests on the four stars of a quad or more.
_MIN_STARS = 4
#: Largest distance of a matched star from the star that was sent, pixels: positions are sent as float32.
_MAX_OFFSET_PX = 0.05
#: Largest median distance of matched stars from their reference stars: pixels, and as a fraction of the diagonal.  The
#: engine's own limit is a few pixels near the quad, and more towards the corners.
_MAX_MEDIAN_PX, _MAX_MEDIAN_FRACTION = 5.0, 0.01
#: A field has fewer reference stars than this.
_MAX_REFERENCE_STARS = 5 * MAX_STARS


def check_and_rewrite(folder: Path, sent: Sequence[Attempt], *, needs_matches: bool) -> None:
    """Check ``wcs.fits``, ``corr.fits`` and ``rdls.fits`` in a folder, and replace them by files of nova's own.

    Parameters
    ----------
    folder
        Holds the files.
    sent
        The attempts of the request, as they were sent; they are attempts at the same image.
    needs_matches
        True to require ``corr.fits``.

    Raises
    ------
    DataError
        If they are damaged, or are not a solution of the image.
    OSError
        If they cannot be written.
    """
    result_files.check_wcs(folder / WCS)
    solution = read_solution(folder, is_fits_like=True, max_matches=_longest(sent))
    if (solution.tan_sip.width, solution.tan_sip.height) != (sent[0].width, sent[0].height):
        raise DataError(f"{WCS} belongs to an image of another size")
    _rewrite_matches(folder / CORR, solution, sent, is_needed=needs_matches)
    _rewrite_reference_stars(folder / RDLS)
    (folder / WCS).write_bytes(solution.files.wcs)


def _longest(sent: Sequence[Attempt]) -> int:
    """Return the number of stars of the longest list: an engine reads one of them, and matches no more stars."""
    return max(len(attempt.stars) for attempt in sent)


def _rewrite_matches(corr: Path, solution: Solution, sent: Sequence[Attempt], *, is_needed: bool) -> None:
    from novacli.fits.tables import read_table, write_table
    from novacli.solution.tables import pairs

    if solution.files.corr is None:
        if is_needed:
            raise DataError(f"{CORR} is missing, so the solution cannot be checked")
        return
    try:
        table = read_table(solution.files.corr, _longest(sent))
        check_matches(pairs(table), [attempt.stars for attempt in sent], solution.tan_sip)
    except DataError as exc:
        raise DataError(f"{CORR}: {exc}") from exc
    corr.write_bytes(write_table(table))


def _rewrite_reference_stars(rdls: Path) -> None:
    from novacli.fits.tables import read_table, write_table

    content = read_result_file(rdls)
    if content is None:
        return
    try:
        table = read_table(content, _MAX_REFERENCE_STARS)
        if missing := {"RA", "DEC"} - {*(table.dtype.names or ())}:
            raise DataError(f"its table has no column {min(missing)}")
    except DataError as exc:
        raise DataError(f"{RDLS}: {exc}") from exc
    rdls.write_bytes(write_table(table))


def check_matches(pairs: list[Floats], sent: Sequence[Stars], solution: TanSip) -> None:
    """Raise if the matched stars were not sent, are too few, or contradict the solution.

    Parameters
    ----------
    pairs
        field_x, field_y (FITS pixels), index_ra and index_dec (degrees) of the matches.
    sent
        The lists of stars that were sent.
    solution
        The solution.

    Raises
    ------
    DataError
        If they do not confirm the solution; the message does not name the file.
    """
    x, y, ra, dec = (column.tolist() for column in pairs)
    known = _Places(sent)
    for place in zip(x, y, strict=True):
        if not known.has(*place):
            raise DataError(f"it matches a star at {place[0]:.1f}, {place[1]:.1f}, where none was sent")
    distinct = len({*zip(x, y, strict=True)})
    if distinct < _MIN_STARS:
        raise DataError(f"it matches {distinct} stars, too few for a solution")
    apart = (separation_arcsec(solution.pixel_to_sky(*star[:2]), star[2:]) for star in zip(x, y, ra, dec, strict=True))
    median_px = statistics.median(apart) / solution.pixscale_arcsec
    if not median_px <= max(_MAX_MEDIAN_PX, _MAX_MEDIAN_FRACTION * math.hypot(solution.width, solution.height)):
        raise DataError(f"its stars are {median_px:.1f} pixels from their reference stars by the solution in {WCS}")


class _Places:
    """Positions of stars, FITS pixels, in cells of one pixel."""

    def __init__(self, lists: Sequence[Stars]) -> None:
        self._cells: dict[tuple[int, int], list[tuple[float, float]]] = {}
        for x, y in {place for stars in lists for place in zip(stars.x, stars.y, strict=True)}:
            self._cells.setdefault((round(x), round(y)), []).append((x, y))

    def has(self, x: float, y: float) -> bool:
        """Return True if a star is within the tolerance of a position."""
        cells = {(round(x + dx), round(y + dy)) for dx in _STEPS for dy in _STEPS}
        return any(math.dist((x, y), star) <= _MAX_OFFSET_PX for cell in cells for star in self._cells.get(cell, ()))


_STEPS = (-_MAX_OFFSET_PX, _MAX_OFFSET_PX)
