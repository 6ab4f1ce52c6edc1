"""The follow-up of a candidate: search again at its place, and accept it if there is more evidence for it.

The log-odds of a candidate do not suffice, because a search of the whole sky finds such matches by chance.  A follow-up
asks for evidence that a chance match rarely has.  It accepts the candidate if one of two things holds:

1. The match is precise: with the small positional error and the small tolerance for the shape of the quad of one of
   ``PRECISE``, it still has log-odds of ``PRECISE_LOG_ODDS``, without those that it owes to clustering.  Stars of a
   chance match lie anywhere within the usual errors.
2. The other stars of the job confirm it: those that are not part of the match, from the longest star list of the job,
   verified at the match's position with all fitting index files.  The match was not chosen by these stars, so the
   odds that they agree by chance are those that the engine computes.

The engine's tune-up, which fits a match to its stars, is left out where it would raise the odds of a chance match.  A
follow-up takes up to four runs of the engine, 0.1 s each, since few quads fit a
known place and scale.  A running engine is suspended meanwhile, so that a race uses no more cores than it holds.
``benchmarks/false_solutions.py`` measures how often a false candidate is accepted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from solvehost.engine import clustering, extra_run, outputs, result_files
from solvehost.engine.attempts import PlannedAttempt
from solvehost.engine.candidates import CandidateReader, are_near
from solvehost.engine.records import SOLVED, AttemptOutcome, Candidate, RaceTerms
from solvehost.engine.scheduler import EngineRun, RunState
from solvehost.errors import NovaError
from solvehost.formats import axy, fitsfile
from solvehost.formats.jobdir import CORR, WCS, JobDir
from solvehost.formats.star_table import Stars
from solvehost.indexes import selection
from solvehost.indexes.index_file import IndexFile

#: Searches for a precise match, in turn: positional error of the stars in pixels, and code tolerance.
PRECISE = ((0.5, 0.002), (0.3, 0.001))
#: Least log-odds of a precise match.
PRECISE_LOG_ODDS = 23.0
#: Log-odds of the other stars at which they confirm a match, and what the clustering test must leave of them.  A dozen
#: index files are verified, so the odds of a chance agreement are a dozen times larger than one in e to this power.
OTHERS_LOG_ODDS, OTHERS_LEAST_LEFT = 12.0, 9.2
#: Log-odds from which a match is a candidate, and from which the other stars are asked to confirm it; those from which
#: the engine logs matches.
_LEAST_LOG_ODDS = math.log(1e6)
#: Odds for the tune-up that no match has, so that there is none.
_NEVER = 1e100
#: The scale is searched within this fraction of the candidate's.
_SCALE_TOLERANCE = 0.03
#: Stars within this distance of a matched star, pixels, may be the same star in another list.
_SAME_STAR_PX = 8.0
#: Positional error of the other stars, pixels: the match is extrapolated to them without distortion.
_OTHERS_ERROR_PX = 2.5
#: Only the quads of the four best stars are searched, so the engine stops at once after the verification.
_MINIMAL_DEPTHS = ((1, 4),)
#: Numbers of follow-ups: above those of attempts, below those of second looks.  Each may take four runs.
_FIRST_NUMBER, _RUNS_EACH, _MAX_FOLLOW_UPS = 30, 4, 10
_TIME_LIMIT_S, _CPU_LIMIT_S = 20.0, 1


class FollowUps:
    """Follows up the candidates of one race.

    Parameters
    ----------
    job
        The job directory.
    terms
        The terms of the race.
    deadline
        When the race ends (monotonic clock).

    Attributes
    ----------
    outcomes
        How the engines of all follow-ups ended.
    best
        The candidate of the highest log-odds, None if there was none.
    """

    def __init__(self, job: JobDir, terms: RaceTerms, deadline: float) -> None:
        limits = dataclasses.replace(terms.limits, cpu_s=min(terms.limits.cpu_s, _CPU_LIMIT_S))
        self._job, self._deadline = job, deadline
        self._terms = dataclasses.replace(terms, limits=limits)
        self._reader = CandidateReader(job)
        self._followed: list[Candidate] = []
        self._accepted: list[Candidate] = []
        self.outcomes: list[AttemptOutcome] = []
        self.best: Candidate | None = None

    def find_winner(self, runs: Sequence[EngineRun]) -> EngineRun | None:
        """Follow up what the engines have logged since the last call; return the run whose candidate is accepted.

        The engine of that run is killed, and its working directory has the files of the solution.
        """
        for run in runs:
            for candidate in self._fresh(run):
                with _one_suspended(runs, run):
                    planned = self._confirm(candidate, run.planned)
                if planned is not None:
                    self._accept(run, planned)
                    return run
        return None

    def close(self) -> None:
        """Close the logs."""
        self._reader.close()

    def _fresh(self, run: EngineRun) -> Iterator[Candidate]:
        """Yield the candidates of a run that are to be followed up; attempts of other programs have none.

        An engine that accepts a match is about to end.  Such a match is followed up only if the referee rejects it.
        """
        attempt = run.planned.attempt
        if attempt.schedule == axy.Schedule():
            return
        has_ended = run.state is RunState.ENDED
        for candidate in [*self._reader.read(run.planned.number, run.planned.label), *self._take_back(run)]:
            if candidate.logodds < _LEAST_LOG_ODDS:
                continue
            if self.best is None or candidate.logodds > self.best.logodds:
                self.best = candidate
            if not has_ended and candidate.logodds >= math.log(attempt.odds_to_solve or clustering.DEFAULT_ODDS):
                self._accepted.append(candidate)
            elif len(self._followed) < _MAX_FOLLOW_UPS and not self._is_known(candidate, attempt.width):
                self._followed.append(candidate)
                yield candidate

    def _take_back(self, run: EngineRun) -> list[Candidate]:
        """Return the matches that the engine of a run accepted, and forget them; they are as fresh ones."""
        own = [candidate for candidate in self._accepted if candidate.number == run.planned.number]
        self._accepted = [candidate for candidate in self._accepted if candidate not in own]
        return own

    def _is_known(self, candidate: Candidate, width_px: int) -> bool:
        """Return True if the place of a candidate was searched already, with the stars of the same attempt."""
        return any(c.number == candidate.number and are_near(candidate, c, width_px) for c in self._followed)

    def _confirm(self, candidate: Candidate, planned: PlannedAttempt) -> PlannedAttempt | None:
        """Return the run that found the candidate again if there is enough evidence for it, else None."""
        number = _FIRST_NUMBER + _RUNS_EACH * (len(self._followed) - 1)
        with contextlib.suppress(NovaError, OSError, ValueError):
            search = plan_search(candidate, planned, self._terms.indexes.files, number)
            for precise in precise_searches(search):
                if self._is_solved(precise) and self._corrected_log_odds(precise) >= PRECISE_LOG_ODDS:
                    return precise
            last = dataclasses.replace(search, number=number + _RUNS_EACH - 2)
            if self._is_solved(last) and self._others_confirm(last):
                return last
        return None

    def _others_confirm(self, found: PlannedAttempt) -> bool:
        """Return True if the stars that are not part of a match confirm it."""
        stars = self._longest_list(found.attempt.stars)
        others = plan_verification(found, self._job.run_dir(found.number), stars)
        if others is None or not self._is_solved(others):
            return False
        return self._corrected_log_odds(others) >= OTHERS_LEAST_LEFT

    def _corrected_log_odds(self, solved: PlannedAttempt) -> float:
        return clustering.corrected_log_odds(solved.attempt, self._job.run_dir(solved.number))

    def _is_solved(self, planned: PlannedAttempt) -> bool:
        deadline = min(self._deadline, time.monotonic() + _TIME_LIMIT_S)
        outcome = extra_run.run(self._job, planned, self._terms, deadline)
        self.outcomes.append(outcome)
        return outcome.outcome == SOLVED

    def _longest_list(self, own: Stars) -> Stars:
        """Return the longest star list of the job's attempts."""
        lists = [own]
        for number in self._job.attempts():
            with contextlib.suppress(NovaError):
                lists.append(axy.read(self._job.axy(number)).stars)
        return max(lists, key=len)

    def _accept(self, run: EngineRun, search: PlannedAttempt) -> None:
        """Make the match that a follow-up found the solution of a run."""
        if run.state is not RunState.ENDED:
            run.engine.kill()
            run.change_state(RunState.ENDED)
        outputs.move_outputs(self._job.run_dir(search.number), self._job.run_dir(run.planned.number))
        run.planned = dataclasses.replace(run.planned, files=search.files)
        run.outcome = SOLVED


@contextlib.contextmanager
def _one_suspended(runs: Sequence[EngineRun], first: EngineRun) -> Iterator[None]:
    """Suspend a running engine, that of ``first`` if it runs, so that its core is free for a follow-up."""
    running = [run for run in runs if run.state is RunState.RUNNING and run.engine.has_begun]
    if not running:
        yield
        return
    paused = min(running, key=lambda run: run is not first)
    paused.engine.suspend()
    try:
        yield
    finally:
        paused.engine.resume()


def plan_search(
    candidate: Candidate, planned: PlannedAttempt, files: tuple[IndexFile, ...], number: int
) -> PlannedAttempt:
    """Return the search for any match at a candidate's place, by the stars of its attempt and all fitting index files.

    Parameters
    ----------
    candidate
        The candidate.
    planned
        The attempt that logged it.
    files
        All index files; those that fit are used.
    number
        The number of the search.
    """
    attempt, scale = planned.attempt, candidate.pixscale_arcsec
    odds = min(attempt.odds_to_solve or math.inf, math.exp(_LEAST_LOG_ODDS))
    search = dataclasses.replace(
        attempt,
        center_deg=(candidate.ra_deg, candidate.dec_deg),
        radius_deg=min(180.0, math.hypot(attempt.width, attempt.height) / 2 * scale / 3600),
        scales_arcsec_per_pixel=(axy.Range(scale * (1 - _SCALE_TOLERANCE), scale * (1 + _SCALE_TOLERANCE)),),
        odds_to_solve=odds,
        odds_to_keep=odds,
        schedule=axy.Schedule(label="follow-up"),
    )
    return PlannedAttempt(number, search, selection.select(search, files))


def precise_searches(search: PlannedAttempt) -> Iterator[PlannedAttempt]:
    """Yield the searches for a precise match at a candidate's place."""
    odds = math.exp(PRECISE_LOG_ODDS)
    for turn, (error_px, tolerance) in enumerate(PRECISE):
        attempt = dataclasses.replace(
            search.attempt,
            position_error_px=error_px,
            code_tolerance=tolerance,
            odds_to_solve=odds,
            odds_to_keep=odds,
            odds_to_tune=_NEVER,
        )
        yield PlannedAttempt(search.number + turn, attempt, search.files)


def plan_verification(search: PlannedAttempt, run_dir: Path, stars: Stars) -> PlannedAttempt | None:
    """Return the verification of a match by other stars; None if there are none.

    Parameters
    ----------
    search
        The search that found the match.
    run_dir
        The directory with its ``wcs.fits`` and ``corr.fits``.
    stars
        A star list of the same field; those near matched stars are left out.

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    matched = list(zip(*result_files.read_matches(run_dir / CORR, ("FIELD_X", "FIELD_Y")), strict=True))
    others = [
        row
        for row in zip(stars.x, stars.y, stars.flux, strict=True)
        if all(math.hypot(row[0] - x, row[1] - y) > _SAME_STAR_PX for x, y in matched)
    ]
    if len(others) < _MINIMAL_DEPTHS[0][1]:
        return None
    header = fitsfile.read_primary_header(run_dir / WCS)
    odds = math.exp(OTHERS_LOG_ODDS)
    verification = dataclasses.replace(
        search.attempt,
        stars=Stars(*(array("f", column) for column in zip(*others, strict=True))),
        verify_wcs=tuple(float(header[k]) for k in result_files.WCS_CARDS),
        depths=_MINIMAL_DEPTHS,
        tweak_order=0,
        odds_to_solve=odds,
        odds_to_keep=odds,
        odds_to_tune=_NEVER,
        position_error_px=_OTHERS_ERROR_PX,
    )
    return PlannedAttempt(search.number + 1, verification, search.files)
