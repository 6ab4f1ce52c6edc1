"""Whether a match rests on clumps: chance finds those of the sky in those of a picture far too easily.

The engine weighs a match against stars thrown evenly over the picture.  In rags of cloud, halos and nebulae sources lie
in clumps instead, and where a clump falls upon a cluster of the index, some of its stars meet one whatever the match
is worth.  What a matched star says is therefore taken less by as much as sources lie closer around it than on average:
by the logarithm of how many times as close, in e-folds.
"""

from __future__ import annotations

import contextlib
import heapq
import math
from pathlib import Path

from solvehost.engine import engine
from solvehost.errors import SolvehostError
from solvehost.formats import axy, fitsfile, match_comments
from solvehost.formats.jobdir import CORR, WCS

#: How close sources lie is told from the distance to so many: the second one is no double star's other half.
_NEIGHBOURS = 2
#: Clumps may take odds of so much from what was asked of a match (10⁴), not more.
MAY_COST = math.log(1e4)
_USUAL_ODDS = 1e9
#: What rests on so much is not doubted, nor weighed.
_BEYOND_DOUBT = 400.0
#: Of longer lists the best stars are looked at: a list is whatever a client sent, and pairs of stars are many.
_MOST_RANKS, _MOST_MATCHED = 2000, 200


def is_doubtful(attempt: axy.Attempt, where: Path) -> bool:
    """Say whether too little is left of the solution that an attempt left in a folder, once clumps are allowed for.

    An attempt that states no place in a race is somebody else's than nova's: the engine's word stands.
    """
    if attempt.schedule == axy.Schedule():
        return False
    with contextlib.suppress(SolvehostError, OSError, ValueError):  # what cannot be weighed stands
        comments = fitsfile.read_primary_header(where / WCS).comments
        logodds = match_comments.number(comments, match_comments.LOG_ODDS)
        if logodds is not None and logodds < _BEYOND_DOUBT:
            least = math.log(attempt.odds_to_solve or _USUAL_ODDS) - MAY_COST
            return logodds - cost(attempt, where / CORR) < least
    return False


def cost(attempt: axy.Attempt, corr: Path) -> float:
    """Return what clumps take of a match's log-odds: the sum over its stars, those of the quad as well.

    Sources that rank behind all that matched are left out on both sides.

    Raises
    ------
    DataError
        Where ``corr`` is no table of matches.
    """
    matched = set(zip(*engine.read_matches(corr, ("FIELD_X", "FIELD_Y")), strict=True))
    places = list(zip(attempt.stars.x[:_MOST_RANKS], attempt.stars.y[:_MOST_RANKS], strict=True))
    ranks = [rank for rank, place in enumerate(places) if place in matched][:_MOST_MATCHED]
    places = places[: max(ranks, default=-1) + 1]
    if len(places) <= _NEIGHBOURS:
        return 0.0
    evenly = len(places) / (attempt.width * attempt.height)
    return sum(max(0.0, math.log(_density(places, rank) / evenly)) for rank in ranks)


def _density(places: list[tuple[float, float]], rank: int) -> float:
    """Return sources a square pixel around one of them, without it; those in one pixel count as a pixel apart."""
    x, y = places[rank]
    squares = ((a - x) ** 2 + (b - y) ** 2 for a, b in places)
    return _NEIGHBOURS / (math.pi * max(1.0, heapq.nsmallest(_NEIGHBOURS + 1, squares)[-1]))
