"""What a race came to → the result of a job, wherever it was run.  Light: no image is needed."""

from __future__ import annotations

from dataclasses import replace

from novacli.backends.base import Solve
from novacli.jobs.request import JobRequest
from novacli.pipeline.hint_check import refuted
from novacli.records.result import SOLVED, UNSOLVED, Result
from novacli.solution.reading import Solution, Unsolved, read_solution
from solvehost.engine.records import DOUBTFUL
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir

_DOUBTED = "a match was found that rests on clustered sources, as clouds produce them, and was rejected"


def conclude(job: JobDir, request: JobRequest, solve: Solve) -> tuple[Result, Solution | Unsolved]:
    """Return the result of a job whose files are in place, its timing aside, and the answer behind it.

    Raises
    ------
    DataError
        Where the solution cannot be read.
    """
    race, draft = solve.race, request.draft(job)
    is_doubted = race.status != SOLVED and any(attempt.outcome == DOUBTFUL for attempt in race.attempts)
    notes = tuple(dict.fromkeys([*draft.notes, *solve.notes, *([_DOUBTED] if is_doubted else [])]))
    result = replace(draft, notes=notes, server=solve.server, files=files_of(job, race.winner or 1))
    if race.status != SOLVED:
        unsolved = Unsolved(race.reason, len(race.attempts), race.seconds)
        return replace(result, status=UNSOLVED, reason=race.reason), unsolved
    answer = _improved(job, request, race.winner or 1)
    label = next((a.label for a in race.attempts if a.number == race.winner), None)
    answer = replace(answer, match=replace(answer.match, attempt=label))
    result = replace(result, notes=(*notes, *refuted(draft.hints, answer.calibration)))
    return replace(result, status=SOLVED, calibration=answer.calibration, match=answer.match), answer


def _improved(job: JobDir, request: JobRequest, attempt: int) -> Solution:
    """Return the solution, fitted again unless the user said which order of distortion it shall have."""
    from novacli.solution import improve
    from novacli.solution.frame import state_frame

    judgement = improve.improve(job, keep=request.params is not None and request.params.tweak_order is not None)
    state_frame(job)
    answer = read_solution(job.path, is_fits_like=request.is_fits_like, attempt=attempt)
    if judgement is None:
        return answer
    held_out, corner = judgement.heldout_rms_arcsec, judgement.corner_error_arcsec
    return replace(answer, match=replace(answer.match, heldout_rms_arcsec=held_out, corner_error_arcsec=corner))


def files_of(job: JobDir, winner: int = 1) -> dict[str, str]:
    """Return the paths of what is in a job directory, by the names that results have for them."""
    axy_name = jobdir.axy_name(winner)
    names = {"wcs": jobdir.WCS, "corr": jobdir.CORR, "rdls": jobdir.RDLS, "axy": axy_name, "log": jobdir.LOG}
    there = {key: str(job.path / name) for key, name in names.items() if (job.path / name).exists()}
    return {"directory": str(job.path), **there}
