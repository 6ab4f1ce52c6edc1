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
follow-up takes up to four runs of the engine, 0.1 s each, since few quads fit a known place and scale.  An engine that
needs its core is paused meanwhile, so that a race uses no more cores and memory than it holds; its CPU time counts
against the limit of the race.  Each attempt may have ``MAX_PER_ATTEMPT`` follow-ups, so that one whose log is full of
candidates leaves those of the others theirs.  ``benchmarks/false_solutions.py`` measures how often a false candidate is
accepted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

from solvehost.engine import clustering, extra_run, outputs, result_files
from solvehost.engine.attempts import PlannedAttempt
from solvehost.engine.candidates import CandidateReader, are_near
from solvehost.engine.engine_run import EngineRun, RunState
from solvehost.engine.records import SOLVED, AttemptOutcome, Candidate, RaceTerms
from solvehost.engine.scheduler import Scheduler
from solvehost.errors import DataError, InputMissingError
from solvehost.formats import axy, fitsfile
from solvehost.formats.jobdir import CORR, FOLLOW_UPS, MAX_ATTEMPTS, WCS, JobDir
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
#: Positional error of the other stars when they are verified, pixels: the match is extrapolated to them without
#: distortion.
_VERIFICATION_ERROR_PX = 2.5
#: Only the quads of the four best stars are searched, so the engine stops at once after the verification.
_MINIMAL_DEPTHS = ((1, 4),)
#: Runs of the engine that a follow-up may take: the precise searches, the usual one, and the verification.
_RUNS_EACH = len(PRECISE) + 2
#: How many candidates of an attempt are followed up.
MAX_PER_ATTEMPT = len(FOLLOW_UPS) // (_RUNS_EACH * MAX_ATTEMPTS)
#: Limits of one run, in seconds; and the share of an engine's memory that must be left for it.
_TIME_LIMIT_S, _CPU_LIMIT_S, _LEAST_MEMORY = 20.0, 1, 0.25


class FollowUps:
    """Follows up the candidates of one race.

    Parameters
    ----------
    job
        The job directory.
    terms
        The terms of the race.
    scheduler
        The scheduler of the race, which frees a core for a follow-up.
    deadline
        When the race ends (monotonic clock).

    Attributes
    ----------
    outcomes
        How the engines of all follow-ups ended.
    best
        The candidate of the highest log-odds, None if there was none.
    """

    def __init__(self, job: JobDir, terms: RaceTerms, scheduler: Scheduler, deadline: float) -> None:
        self._job, self._terms, self._scheduler, self._deadline = job, terms, scheduler, deadline
        self._reader = CandidateReader(job)
        self._numbers = iter(FOLLOW_UPS[::_RUNS_EACH])
        self._followed: list[Candidate] = []
        self._left_to_engine: list[Candidate] = []
        self.outcomes: list[AttemptOutcome] = []
        self.best: Candidate | None = None

    @property
    def used_s(self) -> float:
        """CPU seconds that the engines of all follow-ups have used."""
        return sum(outcome.cpu_s for outcome in self.outcomes)

    def find_winner(self) -> EngineRun | None:
        """Follow up what the engines have logged since the last call; return the run whose candidate is accepted.

        The candidates of each run are taken best first.  The engine of the returned run is killed, and its working
        directory has the files of the solution.

        Raises
        ------
        UnavailableError
            If the engine cannot be run.
        OutputError
            If a file cannot be written or moved, or the disk is full.
        """
        for run in self._scheduler.runs:
            for candidate in sorted(self._fresh_candidates(run), key=lambda c: -c.logodds):
                if self._is_to_be_followed(candidate, run.planned.attempt.width) and self._is_accepted(candidate, run):
                    return run
        return None

    def note_last_candidates(self) -> None:
        """Read the logs to their end once all engines have ended, to find the best candidate of the race."""
        for run in self._scheduler.runs:
            self._fresh_candidates(run)

    def close(self) -> None:
        """Close the logs."""
        self._reader.close()

    def _fresh_candidates(self, run: EngineRun) -> list[Candidate]:
        """Return the candidates that a run has logged since the last call; attempts of other programs have none.

        An engine that accepts a match is about to end.  Such a match is a candidate only if the referee rejects it.
        """
        attempt, number, label = run.planned.attempt, run.planned.number, run.planned.label
        if attempt.schedule == axy.Schedule():
            return []
        has_ended = run.state is RunState.ENDED
        logged = self._reader.read_to_end(number, label) if has_ended else self._reader.read(number, label)
        found = [candidate for candidate in logged if candidate.logodds >= _LEAST_LOG_ODDS]
        self.best = max(filter(None, (self.best, *found)), key=lambda c: c.logodds, default=None)
        if has_ended:
            rejected = [candidate for candidate in self._left_to_engine if candidate.number == number]
            self._left_to_engine = [candidate for candidate in self._left_to_engine if candidate.number != number]
            return [*rejected, *found]
        odds_to_solve = attempt.odds_to_solve or clustering.DEFAULT_ODDS
        self._left_to_engine += [candidate for candidate in found if candidate.logodds >= math.log(odds_to_solve)]
        return [candidate for candidate in found if candidate.logodds < math.log(odds_to_solve)]

    def _is_to_be_followed(self, candidate: Candidate, width_px: int) -> bool:
        """Return True unless the candidate's attempt had its share, or its stars were tried at this place before."""
        own = [earlier for earlier in self._followed if earlier.number == candidate.number]
        return len(own) < MAX_PER_ATTEMPT and not any(are_near(candidate, earlier, width_px) for earlier in own)

    def _is_accepted(self, candidate: Candidate, run: EngineRun) -> bool:
        """Follow a candidate up; if there is enough evidence for it, make the match the solution of its run."""
        with self._scheduler.free_core(run) as memory_bytes:
            limits = self._terms.limits
            if memory_bytes < limits.data_bytes * _LEAST_MEMORY:
                return False
            limits = dataclasses.replace(
                limits, cpu_s=min(limits.cpu_s, _CPU_LIMIT_S), data_bytes=min(limits.data_bytes, memory_bytes)
            )
            self._followed.append(candidate)
            found = self._find_again(candidate, run.planned, dataclasses.replace(self._terms, limits=limits))
            if found is not None:
                self._take_over(run, found)
        return found is not None

    def _find_again(self, candidate: Candidate, planned: PlannedAttempt, terms: RaceTerms) -> PlannedAttempt | None:
        """Return the run that found the candidate again if there is enough evidence for it, else None."""
        search = plan_search(candidate, planned, terms.indexes.files, next(self._numbers))
        for precise in precise_searches(search):
            if self._is_solved(precise, terms) and self._corrected_log_odds(precise) >= PRECISE_LOG_ODDS:
                return precise
        last = dataclasses.replace(search, number=search.number + len(PRECISE))
        return last if self._is_solved(last, terms) and self._others_confirm(last, terms) else None

    def _others_confirm(self, found: PlannedAttempt, terms: RaceTerms) -> bool:
        """Return True if the stars that are not part of a match confirm it."""
        stars = self._longest_list(found.attempt.stars)
        try:
            others = plan_verification(found, self._job.run_dir(found.number), stars)
        except DataError:  # what the engine left cannot be read
            return False
        if others is None or not self._is_solved(others, terms):
            return False
        return self._corrected_log_odds(others) >= OTHERS_LEAST_LEFT

    def _corrected_log_odds(self, solved: PlannedAttempt) -> float:
        """Return the log-odds without those that are due to clustering; minus infinity if they cannot be read."""
        try:
            return clustering.corrected_log_odds(solved.attempt, self._job.run_dir(solved.number))
        except DataError:
            return -math.inf

    def _is_solved(self, planned: PlannedAttempt, terms: RaceTerms) -> bool:
        """Run the engine on a search, unless the race is to end; return True if it solved."""
        is_used_up = self._scheduler.used_s + self.used_s >= terms.cpu_s
        if is_used_up or time.monotonic() >= self._deadline or terms.cancelled():
            return False
        deadline = min(self._deadline, time.monotonic() + _TIME_LIMIT_S)
        outcome = extra_run.run(self._job, planned, terms, deadline)
        self.outcomes.append(outcome)
        return outcome.outcome == SOLVED

    def _longest_list(self, own: Stars) -> Stars:
        """Return the longest star list of the job's attempts."""
        lists = [own]
        for number in self._job.attempts():
            with contextlib.suppress(DataError, InputMissingError):  # the client of a server may have sent anything
                lists.append(axy.read(self._job.axy(number)).stars)
        return max(lists, key=len)

    def _take_over(self, run: EngineRun, found: PlannedAttempt) -> None:
        """Make the match that a follow-up found the solution of a run; the run ends only once it has the files."""
        if not run.engine.poll():
            run.engine.suspend()  # so that it writes no file in between
        outputs.move_outputs(self._job.run_dir(found.number), self._job.run_dir(run.planned.number))
        run.end(SOLVED)
        run.planned = dataclasses.replace(run.planned, files=found.files)


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
        position_error_px=_VERIFICATION_ERROR_PX,
    )
    return PlannedAttempt(search.number + 1, verification, search.files)
