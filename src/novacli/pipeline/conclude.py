"""The outcome of a race → the result of the job, wherever it ran; the image is not needed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from novacli.backends.base import SolveOutcome
from novacli.jobs.request import JobRequest
from novacli.pipeline.hint_check import wrong_hints
from novacli.records.calibration import Match
from novacli.records.diagnosis import Cause
from novacli.records.result import Result
from novacli.records.status import SOLVED, UNSOLVED
from novacli.solution.reading import Solution, Unsolved, read_solution
from solvehost.formats import atomic, jobdir
from solvehost.formats.jobdir import JobDir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from novacli.solution.improve import Judgement
    from solvehost.indexes.index_file import IndexFile

_CLUSTERED_NOTE = "a match was found that rests on clustered sources, as clouds produce them, and was rejected"


def conclude(
    job: JobDir, request: JobRequest, solve: SolveOutcome, files: Sequence[IndexFile] | None = None
) -> tuple[Result, Solution | Unsolved]:
    """Return the result of a job whose race is over, and the object behind it; the timing is left to the caller.

    Parameters
    ----------
    job
        The job directory, with the files that the race left.
    request
        Its ``job.json``.
    solve
        The outcome of the race.
    files
        The index files of the place, None if they are not known; for the diagnosis of an unsolved job.

    Raises
    ------
    DataError
        If the solution cannot be read.
    """
    race, draft = solve.race, request.draft(job)
    notes = [*draft.notes, *solve.notes]
    result = replace(draft, server=solve.server, files=files_of(job, race.winner or 1))
    if race.status != SOLVED:
        from novacli.pipeline.diagnosis import diagnose

        found = diagnose(job, race, files)
        if Cause.CLUSTERED in found.causes:
            notes.append(_CLUSTERED_NOTE)
        attempts = sum(outcome.number <= jobdir.MAX_ATTEMPTS for outcome in race.attempts)  # without follow-ups
        result = replace(result, status=UNSOLVED, reason=race.reason, notes=_once_each(notes), diagnosis=found)
        return result, Unsolved(race.reason, attempts, race.seconds)
    judgement = _fit_again(job, request, notes)
    label = next((a.label for a in race.attempts if a.number == race.winner), None)
    answer = _read(job, request, race.winner or 1, files or ())
    answer = replace(answer, match=_with_judgement(replace(answer.match, attempt=label), judgement))
    notes += wrong_hints(draft.hints, answer.calibration, request)
    result = replace(result, status=SOLVED, calibration=answer.calibration, match=answer.match, notes=_once_each(notes))
    return result, answer


def _fit_again(job: JobDir, request: JobRequest, notes: list[str]) -> Judgement | None:
    """Improve the solution, unless the user chose the order of its distortion; append a note if the fit fails."""
    from novacli.solution import improve

    keep = request.params is not None and request.params.tweak_order is not None
    try:
        return improve.improve(job, keep=keep)
    except improve.FitError as exc:
        notes.append(str(exc))
        return None


def _read(job: JobDir, request: JobRequest, attempt: int, files: Sequence[IndexFile]) -> Solution:
    """Return the solution, and replace ``wcs.fits`` by nova's own description of it."""
    answer = read_solution(job.path, is_fits_like=request.is_fits_like, attempt=attempt, index_files=files)
    atomic.write_atomic(job.wcs, answer.files.wcs, durable=False)
    return answer


def _with_judgement(match: Match, judgement: Judgement | None) -> Match:
    if judgement is None:
        return match
    held_out, corner = judgement.heldout_rms_arcsec, judgement.corner_error_arcsec
    return replace(match, heldout_rms_arcsec=held_out, corner_error_arcsec=corner)


def _once_each(notes: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(notes))


def files_of(job: JobDir, winner: int = 1) -> dict[str, str]:
    """Return the paths of the files in a job directory, by the names that results have for them."""
    axy_name = jobdir.axy_name(winner)
    names = {"wcs": jobdir.WCS, "corr": jobdir.CORR, "rdls": jobdir.RDLS, "axy": axy_name, "log": jobdir.LOG}
    there = {key: str(job.path / name) for key, name in names.items() if (job.path / name).exists()}
    return {"directory": str(job.path), **there}
