"""Try a job again from its star lists; if the image is still there, further attempts are made from it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from novacli.errors import DataError, NovaError
from novacli.extraction.extractor import StarExtractor
from novacli.indexes.series import LIKELY_INDEXES
from novacli.inputs import FileInput, open_field
from novacli.jobs.request import JobRequest, read_request, sha256_of
from novacli.pipeline.context import Context, Solved
from novacli.pipeline.job_run import JobRun
from novacli.pipeline.prepare import gather_hints, write_each
from novacli.records.field import Field
from novacli.records.params import SolveParams
from novacli.strategy import attempts as strategy
from solvehost.formats import axy, jobdir
from solvehost.formats.jobdir import JobDir


def retry_job(job: JobDir, context: Context, timeout_s: float | None = None) -> Solved:
    """Try a finished or interrupted job again from its star lists; the image is not needed.

    A job that ended early has only the lists of its first attempts; the others are extracted now if its image is still
    the same.

    Parameters
    ----------
    job
        The job directory.
    context
        The backend to solve with, what hears of it, its limits.
    timeout_s
        Wall-clock limit in seconds, in place of the one that the job was made with.

    Raises
    ------
    DataError
        If the directory has no star lists.
    RetryLaterError
        If another process works on it.
    """
    request = read_request(job)
    numbers = job.attempts()
    if request is None or not numbers:
        raise DataError(f"{job.path}: it has no star lists to try again: submit the image instead")
    context.backend.index_files()
    notes = tuple(dict.fromkeys([*request.notes, *context.backend.notes()]))
    again = replace(request, notes=notes, timeout_s=request.timeout_s if timeout_s is None else timeout_s)
    return JobRun(job, again, _attempts(job, numbers, request, context), context, job.locked()).solve_again()


def _attempts(job: JobDir, numbers: list[int], request: JobRequest, context: Context) -> Generator[int | None]:
    """Yield ``numbers``, then the attempts that an interrupted job did not reach, if its image is unchanged."""
    yield from numbers
    try:
        field, params = _same_source(request)
        tried = {axy.read(job.axy(number)).schedule.label for number in numbers}
        given = gather_hints(field, params)
        files = context.backend.index_files()
        extractor = StarExtractor(field, params.max_stars, params.invert)
        known = LIKELY_INDEXES if files is None else files
        attempts = strategy.plan_attempts(extractor, params, given, known, context.matcher)
        fresh = (attempt for attempt in attempts if attempt.schedule.label not in tried)
        yield from write_each(job, fresh, range(numbers[-1] + 1, jobdir.MAX_ATTEMPTS + 1))
    except NovaError:
        return  # only the existing star lists are tried


def _same_source(request: JobRequest) -> tuple[Field, SolveParams]:
    """Return the job's image, read again, and the parameters that it was submitted with.

    Raises
    ------
    NovaError
        If the image is not there, or has changed.
    """
    path = None if request.source is None else request.source.path
    if path is None or not request.sha256 or sha256_of(path) != request.sha256:
        raise DataError(f"{path}: it is not the image that was submitted")
    if request.params is None:
        raise DataError(f"{path}: the parameters that it was submitted with are not understood")
    params = request.params
    return open_field(FileInput(path), hdu=params.hdu, size=params.size), params
