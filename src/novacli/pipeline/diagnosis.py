"""Find out why a job was not solved: from its star lists and from how its race went; the image is not needed."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence

from novacli.indexes.coverage import width_ranges_deg
from novacli.records.diagnosis import Cause, Diagnosis, RejectedMatch
from solvehost.engine.clustering import DEFAULT_ODDS
from solvehost.engine.records import DOUBTFUL, Candidate, RaceResult
from solvehost.errors import NovaError
from solvehost.formats import axy
from solvehost.formats.jobdir import JobDir
from solvehost.indexes.index_file import IndexFile

#: Fewer stars than this seldom suffice: a match takes about six stars that the index files have, too.
_FEW_STARS = 12
#: A star list is crowded if this share of it lies in a quarter of the cells of a grid over the image.
_CELLS, _CROWDED_SHARE = 6, 0.75
_LEAST_CROWDED = 40


def diagnose(job: JobDir, race: RaceResult, files: Sequence[IndexFile] | None) -> Diagnosis:
    """Return why a job was not solved.

    Parameters
    ----------
    job
        The job directory, with the star lists of its attempts.
    race
        How the race went.
    files
        The index files of the place; None if they are not known.
    """
    attempts = dict(_attempts(job))
    longest = max(attempts.values(), key=lambda attempt: len(attempt.stars), default=None)
    is_clustered = any(outcome.outcome == DOUBTFUL for outcome in race.attempts)
    return Diagnosis(
        stars=0 if longest is None else len(longest.stars),
        causes=(*_causes(longest), *((Cause.CLUSTERED,) if is_clustered else ())),
        match=None if race.candidate is None else _match(race.candidate, attempts.get(race.candidate.number)),
        widths_deg=tuple((low, high) for low, high in width_ranges_deg(files or ())),
    )


def _attempts(job: JobDir) -> Iterator[tuple[int, axy.Attempt]]:
    for number in job.attempts():
        with contextlib.suppress(NovaError):
            yield number, axy.read(job.axy(number))


def _causes(longest: axy.Attempt | None) -> Iterator[Cause]:
    if longest is None:
        return
    if len(longest.stars) < _FEW_STARS:
        yield Cause.FEW_STARS
    elif is_crowded(longest):
        yield Cause.CROWDED


def is_crowded(attempt: axy.Attempt) -> bool:
    """Return True if most stars of an attempt lie in a small part of the image."""
    if len(attempt.stars) < _LEAST_CROWDED:
        return False
    cells = Counter(
        (min(_CELLS - 1, int(_CELLS * x / attempt.width)), min(_CELLS - 1, int(_CELLS * y / attempt.height)))
        for x, y in zip(attempt.stars.x, attempt.stars.y, strict=True)
    )
    fullest = sum(count for _, count in cells.most_common(_CELLS**2 // 4))
    return fullest >= _CROWDED_SHARE * len(attempt.stars)


def _match(found: Candidate, attempt: axy.Attempt | None) -> RejectedMatch:
    odds = None if attempt is None else attempt.odds_to_solve
    required = math.log(odds or DEFAULT_ODDS)
    return RejectedMatch(found.ra_deg, found.dec_deg, found.pixscale_arcsec, found.logodds, required, found.label)
