"""The clustering test: reject matches of clustered sources, which occur by chance too easily.

The engine computes the odds of a match against stars spread evenly over the picture.  In patches of cloud, halos
and nebulae, sources are clustered instead.  If a cluster of the picture falls on a cluster of the index, some of its
sources coincide with index stars even if the match is false.  The test therefore subtracts from the log-odds, for each
matched star, the logarithm of the ratio of the density of sources around it to the average density.
"""

from __future__ import annotations

import contextlib
import heapq
import math
from pathlib import Path

from solvehost.engine.result_files import read_matches
from solvehost.errors import NovaError
from solvehost.formats import axy, fitsfile, match_comments
from solvehost.formats.jobdir import CORR, WCS

#: The density around a source comes from the distance to this neighbour; the first may be the other half of a double.
_NEIGHBOURS = 2
#: Log-odds by which a corrected match may fall short of those that the attempt asks for: odds of 10⁴.
TOLERATED_LOSS = math.log(1e4)
#: Odds at which the engine accepts a match if the attempt does not say.
DEFAULT_ODDS = 1e9
#: Log-odds above which a match is accepted without the clustering test.
_ACCEPTED_LOG_ODDS = 400.0
#: Only the best stars of longer lists count, because the number of pairs grows with the square of a client's list.
_MAX_RANKS, _MAX_MATCHED = 2000, 200


def is_doubtful(attempt: axy.Attempt, run_dir: Path) -> bool:
    """Return True if the log-odds of a solution are too low once clustering is subtracted.

    An attempt without a schedule comes from another program than nova; False is returned for it, as for files that
    cannot be read: the engine's judgement is then final.

    Parameters
    ----------
    attempt
        The attempt, with the odds that it asks for and its stars.
    run_dir
        The directory that holds the solution's ``wcs.fits`` and ``corr.fits``.
    """
    if attempt.schedule == axy.Schedule():
        return False
    minimum = math.log(attempt.odds_to_solve or DEFAULT_ODDS) - TOLERATED_LOSS
    with contextlib.suppress(NovaError, OSError, ValueError):
        return corrected_log_odds(attempt, run_dir) < minimum
    return False


def corrected_log_odds(attempt: axy.Attempt, run_dir: Path) -> float:
    """Return the log-odds of a solution without those that it owes to clustering; infinity if it needs no correction.

    Parameters
    ----------
    attempt
        The attempt, with its stars.
    run_dir
        The directory that holds the solution's ``wcs.fits`` and ``corr.fits``.

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    comments = fitsfile.read_primary_header(run_dir / WCS).comments
    logodds = match_comments.number(comments, match_comments.LOG_ODDS)
    if logodds is None or logodds >= _ACCEPTED_LOG_ODDS:
        return math.inf
    return logodds - clustering_loss(attempt, run_dir / CORR)


def clustering_loss(attempt: axy.Attempt, corr: Path) -> float:
    """Return the log-odds that a match owes to clustering, summed over its stars, those of the quad included.

    Sources that rank behind the last matched star are left out of the local and the average density.

    Parameters
    ----------
    attempt
        The attempt whose stars were matched.
    corr
        The table of matches; FIELD_X and FIELD_Y are FITS pixel coordinates of the attempt's stars.

    Raises
    ------
    DataError
        If ``corr`` is not a table of matches.
    """
    matched = set(zip(*read_matches(corr, ("FIELD_X", "FIELD_Y")), strict=True))
    positions = list(zip(attempt.stars.x[:_MAX_RANKS], attempt.stars.y[:_MAX_RANKS], strict=True))
    ranks = [rank for rank, position in enumerate(positions) if position in matched][:_MAX_MATCHED]
    positions = positions[: max(ranks, default=-1) + 1]
    if len(positions) <= _NEIGHBOURS:
        return 0.0
    average = len(positions) / (attempt.width * attempt.height)
    return sum(max(0.0, math.log(_local_density(positions, rank) / average)) for rank in ranks)


def _local_density(positions: list[tuple[float, float]], rank: int) -> float:
    """Return the sources per square pixel around one of them; neighbours within a pixel count as one pixel away."""
    x, y = positions[rank]
    squares = ((a - x) ** 2 + (b - y) ** 2 for a, b in positions)
    return _NEIGHBOURS / (math.pi * max(1.0, heapq.nsmallest(_NEIGHBOURS + 1, squares)[-1]))
