"""A second look at a solution that part of the field decided: poor residuals, a very wide field, central stars alone.

The engine is given the solution to verify, against the index that matched and the coarser ones, whose bright stars
span the whole field; it fits the distortion again from there.  A field wider than 28 degrees gets its tangent point
at the centre: about a point far off it, a distortion of order 2 cannot carry what the projection leaves.  Kept only
if the stars lie well; a solution is never lost to it.

Measured: fisheye frames fall from 5 pixels to 1; drawn fields 28 to 45 degrees wide from 3 % to 0.01 % in the scale
at the centre.  It takes 0.2 s.  A solution by central stars alone is verified with those of the whole field.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from solvehost.engine import engine, outputs
from solvehost.engine.engine import Outcome
from solvehost.engine.process import Child, Limits, wait_for_any
from solvehost.errors import SolvehostError
from solvehost.formats import axy, fitsfile, match_comments, star_table
from solvehost.formats.jobdir import CORR, WCS, JobDir
from solvehost.indexes.index_file import IndexFile

#: Median distance between matched stars, in pixels, above which a second look is worth its time.
POOR_PX = 1.5
#: Width of a field above which its tangent point belongs at the centre, and what that may cost in residuals.
WIDE_DEG = 28.0
_CENTRING_MAY_COST_PX = 0.25
#: The numbers that second looks run under: beyond every attempt's.
_FIRST_NUMBER = 98
_PATIENCE_S = 10.0
_LEAST_MATCHES = 10
#: How far off stars may lie in the last look at a poor solution, and the order of distortion that follows them.
_FAR_OFF_PX, _FAR_OFF_ORDER = 5.0, 3
#: It is better if it has so many times as many matches, which may lie a little worse in the median.
_MANY_MORE, _FAR_OFF_MAY_COST_PX = 1.3, 1.0
#: Stars that span less of the width than this are those of a part of the field, more than the other are all of it.
_PART, _WHOLE = 0.7, 0.8
#: A coarse quad or two, so that the engine gives up at once where the solution does not verify.
_HARDLY_ANY_SEARCH = ((1, 4),)
#: How much coarser than the index that matched the others may be: two files of a series in steps of √2.
_COARSER_BY = 2.1
_TICK_S = 0.05


def residual_px(corr: Path) -> tuple[int, float]:
    """Return (number of matches, median distance in pixels between field and index stars) of a corr.fits.

    Raises
    ------
    DataError
        Where the file cannot be read.
    """
    fx, fy, ix, iy = engine.read_matches(corr, ("FIELD_X", "FIELD_Y", "INDEX_X", "INDEX_Y"))
    distances = [math.hypot(a - c, b - d) for a, b, c, d in zip(fx, fy, ix, iy, strict=True)]
    return len(distances), sorted(distances)[len(distances) // 2] if distances else math.inf


def improve(
    job: JobDir,
    plan: engine.Plan,
    files: tuple[IndexFile, ...],
    program: Path,
    limits: Limits,
    wall_s: float,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Outcome, ...]:
    """Replace the files that attempt ``plan`` left by better ones, if a second look finds them within ``wall_s``.

    Returns what second looks were taken; most solutions need none.  ``cancelled`` is asked often.
    """
    taken: list[Outcome] = []
    if plan.attempt.tweak_order < 1:
        return ()
    deadline = time.monotonic() + min(wall_s, _PATIENCE_S)
    with contextlib.suppress(SolvehostError, OSError):  # whatever goes wrong, the first solution stands
        before = residual_px(job.run_dir(plan.number) / CORR)
        for second in _second_looks(job, plan, files, before[1]):
            if time.monotonic() >= deadline or cancelled():
                break
            outcome = _look(job, second, program, limits, deadline, cancelled)
            taken.append(outcome)
            if outcome.outcome == engine.SOLVED and _is_better(job, plan, second, before):
                outputs.move_outputs(job.run_dir(second.number), job.run_dir(plan.number))
                break
    return tuple(taken)


def _second_looks(
    job: JobDir, plan: engine.Plan, files: tuple[IndexFile, ...], before_px: float
) -> Iterator[engine.Plan]:
    """Yield what is worth a second look.

    About the centre for a very wide field; as it was for a poor one, or one of central stars alone; and, the last hope
    of a poor one, with stars that may lie far off and a distortion that can follow them: fisheye frames.
    """
    header = fitsfile.read_primary_header(job.run_dir(plan.number) / WCS)
    solution = tuple(float(header[k]) for k in engine.WCS_CARDS)
    *_, cd11, cd12, cd21, cd22 = solution
    width_deg = plan.attempt.width * math.sqrt(abs(cd11 * cd22 - cd12 * cd21))
    stars, is_poor = _stars_of_whole_field(job, plan), before_px > POOR_PX
    tries: list[dict[str, Any]] = []
    if width_deg > WIDE_DEG:
        tries.append({"crpix_center": True})
    if (is_poor or stars is not plan.attempt.stars) and not (tries and plan.attempt.crpix_center):
        tries.append({})
    if is_poor:
        tries.append({"position_error_px": _FAR_OFF_PX, "tweak_order": max(plan.attempt.tweak_order, _FAR_OFF_ORDER)})
    index_id = match_comments.whole(header.comments, match_comments.INDEX_ID)
    matched = min((f.middle_arcmin for f in plan.files if f.index_id == index_id), default=0.0)
    coarser = tuple(f for f in files if matched <= f.middle_arcmin <= matched * _COARSER_BY)
    schedule = axy.Schedule(coarse_first=False, label="second look")
    fixed: dict[str, Any] = {"stars": stars, "verify_wcs": solution, "depths": _HARDLY_ANY_SEARCH, "schedule": schedule}
    fixed |= {"odds_to_solve": None, "odds_to_keep": None}  # it is known to be true
    for number, changes in enumerate(tries, _FIRST_NUMBER):
        yield engine.Plan(number, dataclasses.replace(plan.attempt, **fixed, **changes), coarser)


def _stars_of_whole_field(job: JobDir, plan: engine.Plan) -> star_table.Stars:
    """Return an attempt's stars, or those of another where its own lie in a part of the field only."""
    width, own = plan.attempt.width, plan.attempt.stars
    if _span_px(own) > _PART * width:
        return own
    others = (axy.read(job.axy(number)).stars for number in job.attempts() if number != plan.number)
    return next((stars for stars in others if _span_px(stars) > _WHOLE * width), own)


def _span_px(stars: star_table.Stars) -> float:
    return max(stars.x) - min(stars.x) if len(stars) else 0.0


def _look(
    job: JobDir, second: engine.Plan, program: Path, limits: Limits, deadline: float, cancelled: Callable[[], bool]
) -> Outcome:
    began = time.monotonic()
    try:
        axy.write(second.attempt, job.axy(second.number))
        child = engine.start(job, second, program, limits)
        finished = _wait(child, deadline, cancelled)
    finally:
        job.axy(second.number).unlink(missing_ok=True)
    outcome = engine.judge(job, second.number, child.exit_status or 0) if finished else engine.STOPPED
    return Outcome(second.number, second.label, outcome, round(time.monotonic() - began, 3), round(child.cpu_s, 3))


def _wait(child: Child, deadline: float, cancelled: Callable[[], bool]) -> bool:
    """Wait for an engine to end; say whether it did of itself."""
    try:
        while not child.poll() and time.monotonic() < deadline and not cancelled():
            wait_for_any([child], _TICK_S)
        return child.poll()
    finally:
        child.kill()


def _is_better(job: JobDir, first: engine.Plan, second: engine.Plan, before: tuple[int, float]) -> bool:
    """Say whether a second look lies better than ``before`` (matches, median in pixels), or as well over much more."""
    (matches_before, before_px), (matches, after_px) = before, residual_px(job.run_dir(second.number) / CORR)
    allowed_px = before_px + (_CENTRING_MAY_COST_PX if second.attempt.crpix_center else 0)
    if second.attempt.stars is not first.attempt.stars:  # more of the field lies worse, and is worth more
        allowed_px = max(allowed_px, POOR_PX)
    if second.attempt.position_error_px == _FAR_OFF_PX and matches > _MANY_MORE * matches_before:
        allowed_px = before_px + _FAR_OFF_MAY_COST_PX
    return matches >= _LEAST_MATCHES and after_px < allowed_px
