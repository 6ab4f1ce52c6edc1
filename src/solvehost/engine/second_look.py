"""The second look: verify a solution again, with the stars of the whole field, if it is poor or the field is wide.

The engine is given the solution to verify, against the index that matched and coarser ones, whose bright stars span the
whole field; it fits the distortion again from there.  There are three kinds of second look (:class:`Kind`).  The files
of a second look replace those of the solution only if its stars lie closer to the index stars, so a solution is never
lost.

Measured: fisheye frames improve from 5 pixels to 1; drawn fields 28 to 45 degrees wide from 3 % to 0.01 % in the scale
at the centre.  A second look takes 0.2 s.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import math
import time
from collections.abc import Iterator
from pathlib import Path

from solvehost.engine import extra_run, outputs, result_files
from solvehost.engine.attempts import PlannedAttempt
from solvehost.engine.records import SOLVED, AttemptOutcome, RaceTerms
from solvehost.errors import NovaError
from solvehost.formats import axy, fitsfile, match_comments
from solvehost.formats.jobdir import CORR, SECOND_LOOKS, WCS, JobDir
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_file import IndexFile
from solvehost.record import record

#: Median distance between matched stars, in pixels, above which a solution is poor.
POOR_PX = 1.5
#: Width of a field above which its tangent point belongs at the centre.
WIDE_DEG = 28.0
_TIME_LIMIT_S = 10.0
_MIN_MATCHES = 10
#: A second look of kind ``CENTRE`` is accepted with a median distance that is larger by up to this.
_CENTRE_TOLERANCE_PX = 0.25
#: Positional error of the stars and least order of distortion in a loose second look.
_LOOSE_ERROR_PX, _LOOSE_ORDER = 5.0, 3
#: A loose second look whose matches are more numerous by this factor is accepted with a distance larger by up to this.
_LOOSE_GAIN, _LOOSE_TOLERANCE_PX = 1.3, 1.0
#: Stars are from a part of the field if they span less than the first fraction of its width, and from the whole field
#: if they span more than the second.
_PART, _WHOLE = 0.7, 0.8
#: Only the quads of the four best stars are searched, so the engine stops at once if the solution does not verify.
_MINIMAL_DEPTHS = ((1, 4),)
#: Index files up to this many times coarser than the one that matched take part: two files in steps of √2.
_COARSER_BY = 2.1


class Kind(enum.Enum):
    """What a second look changes in the attempt that solved."""

    #: The tangent point moves to the image's centre, for a field wider than 28 degrees: about a point far from the
    #: centre, a distortion of order 2 cannot represent what the projection leaves.
    CENTRE = enum.auto()
    #: Nothing but the stars: for a poor solution, or for one from a part of the field, verified with all of its stars.
    VERIFY = enum.auto()
    #: Stars may lie far off, and the distortion has order 3 or more: for a poor solution of a fisheye frame.
    LOOSE = enum.auto()


@record
class SecondLook:
    """A second look to be taken; ``has_other_stars`` if its stars are those of another attempt."""

    kind: Kind
    planned: PlannedAttempt
    has_other_stars: bool


@record
class Residual:
    """The number of matches of a solution, and the median distance in pixels between field and index stars."""

    matches: int
    median_px: float


def read_residual(corr: Path) -> Residual:
    """Return the residual of a solution, from its corr.fits; the median is infinite if there is no match.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    fx, fy, ix, iy = result_files.read_matches(corr, ("FIELD_X", "FIELD_Y", "INDEX_X", "INDEX_Y"))
    distances = [math.hypot(a - c, b - d) for a, b, c, d in zip(fx, fy, ix, iy, strict=True)]
    return Residual(len(distances), sorted(distances)[len(distances) // 2] if distances else math.inf)


def improve(job: JobDir, solved: PlannedAttempt, terms: RaceTerms, wall_s: float) -> tuple[AttemptOutcome, ...]:
    """Replace the files of a solution by those of a second look, if one is better.

    Most solutions need no second look.  If anything goes wrong, the solution stays as it was.

    Parameters
    ----------
    job, solved
        The job, and the attempt that solved, with its files in its working directory.
    terms
        The engine, the index files, the limits and the caller's cancel flag.
    wall_s
        Seconds that second looks may take together, up to 10 s.

    Returns
    -------
    tuple of AttemptOutcome
        How the second looks that were taken ended.
    """
    if solved.attempt.tweak_order < 1:
        return ()
    taken: list[AttemptOutcome] = []
    deadline = time.monotonic() + min(wall_s, _TIME_LIMIT_S)
    with contextlib.suppress(NovaError, OSError):
        before = read_residual(job.run_dir(solved.number) / CORR)
        for look in _plan_looks(job, solved, terms.indexes.files, before.median_px):
            if time.monotonic() >= deadline or terms.cancelled():
                break
            outcome = extra_run.run(job, look.planned, terms, deadline)
            taken.append(outcome)
            run_dir = job.run_dir(look.planned.number)
            if outcome.outcome == SOLVED and _is_better(look, before, read_residual(run_dir / CORR)):
                outputs.move_outputs(run_dir, job.run_dir(solved.number))
                break
    return tuple(taken)


def _plan_looks(
    job: JobDir, solved: PlannedAttempt, files: tuple[IndexFile, ...], before_px: float
) -> Iterator[SecondLook]:
    """Yield the second looks to take at a solution with a median distance of ``before_px``, best first."""
    header = fitsfile.read_primary_header(job.run_dir(solved.number) / WCS)
    solution = tuple(float(header[k]) for k in result_files.WCS_CARDS)
    *_, cd11, cd12, cd21, cd22 = solution
    width_deg = solved.attempt.width * math.sqrt(abs(cd11 * cd22 - cd12 * cd21))
    other_stars = _stars_of_whole_field(job, solved)
    index_id = match_comments.whole(header.comments, match_comments.INDEX_ID)
    matched_arcmin = min((f.middle_arcmin for f in solved.files if f.index_id == index_id), default=0.0)
    verified = dataclasses.replace(
        solved.attempt,
        stars=other_stars or solved.attempt.stars,
        verify_wcs=solution,
        depths=_MINIMAL_DEPTHS,
        schedule=axy.Schedule(coarse_first=False, label="second look"),
        odds_to_solve=None,  # the match was accepted already
        odds_to_keep=None,
    )
    coarser = tuple(f for f in files if matched_arcmin <= f.middle_arcmin <= matched_arcmin * _COARSER_BY)
    kinds = _kinds(solved.attempt, width_deg, is_poor=before_px > POOR_PX, has_other_stars=other_stars is not None)
    for number, kind in zip(SECOND_LOOKS, kinds, strict=False):
        planned = PlannedAttempt(number, _change(verified, kind), coarser)
        yield SecondLook(kind, planned, has_other_stars=other_stars is not None)


def _kinds(attempt: axy.Attempt, width_deg: float, *, is_poor: bool, has_other_stars: bool) -> Iterator[Kind]:
    is_wide = width_deg > WIDE_DEG
    if is_wide:
        yield Kind.CENTRE
    is_same_as_centre = is_wide and attempt.crpix_center
    if (is_poor or has_other_stars) and not is_same_as_centre:
        yield Kind.VERIFY
    if is_poor:
        yield Kind.LOOSE


def _change(attempt: axy.Attempt, kind: Kind) -> axy.Attempt:
    match kind:
        case Kind.CENTRE:
            return dataclasses.replace(attempt, crpix_center=True)
        case Kind.LOOSE:
            order = max(attempt.tweak_order, _LOOSE_ORDER)
            return dataclasses.replace(attempt, position_error_px=_LOOSE_ERROR_PX, tweak_order=order)
        case Kind.VERIFY:
            return attempt


def _stars_of_whole_field(job: JobDir, solved: PlannedAttempt) -> Stars | None:
    """Return stars of another attempt that span the field if the attempt's own lie in a part of it, else None."""
    width, own = solved.attempt.width, solved.attempt.stars
    if _span_px(own) > _PART * width:
        return None
    others = (axy.read(job.axy(number)).stars for number in job.attempts() if number != solved.number)
    return next((stars for stars in others if _span_px(stars) > _WHOLE * width), None)


def _span_px(stars: Stars) -> float:
    return max(stars.x) - min(stars.x) if len(stars) else 0.0


def _is_better(look: SecondLook, before: Residual, after: Residual) -> bool:
    """Return True if the stars of a second look lie closer, or as close over much more of the field."""
    allowed_px = before.median_px
    if look.planned.attempt.crpix_center:
        allowed_px += _CENTRE_TOLERANCE_PX
    if look.has_other_stars:  # stars of the whole field lie farther off, but confirm more of it
        allowed_px = max(allowed_px, POOR_PX)
    if look.kind is Kind.LOOSE and after.matches > _LOOSE_GAIN * before.matches:
        allowed_px = before.median_px + _LOOSE_TOLERANCE_PX
    return after.matches >= _MIN_MATCHES and after.median_px < allowed_px
