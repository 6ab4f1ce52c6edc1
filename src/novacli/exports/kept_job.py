"""The solved field of a kept job, for exports that are asked for after the solve."""

from __future__ import annotations

from pathlib import Path

from novacli.errors import DataError, NotSolvedError, UsageError
from novacli.exports.registry import SolvedField
from novacli.jobs.request import JobRequest, read_request, sha256_of
from novacli.jobs.summaries import read_result
from novacli.records.field import Origin
from novacli.records.result import Result
from novacli.records.status import SOLVED
from novacli.solution.reading import read_solution
from novacli.text.printable import shown_name
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir


def solved_field(job: JobDir, image: Path | None = None) -> SolvedField:
    """Return the solved field of a job.

    Parameters
    ----------
    job
        The job directory.
    image
        The image, if it is no longer where it was solved; None for its path at that time.

    Raises
    ------
    NotSolvedError
        If the job has no solution.
    DataError
        If the solution is damaged.
    """
    result, request = read_result(job), read_request(job) or JobRequest()
    if result.status != SOLVED:
        raise NotSolvedError(f"job {job.job_id} is {result.status} and has no solution to export: see nova show")
    attempt = _attempt(result)
    solution = read_solution(job.path, is_fits_like=request.is_fits_like, attempt=attempt)
    return SolvedField(_origin(result, request, image), job, attempt, solution)


def _attempt(result: Result) -> int:
    """Return the number of the attempt that solved the job, by the star list that its result names."""
    name = Path(result.files.get("axy", "")).name
    return next((n for n in range(1, jobdir.MAX_ATTEMPTS + 1) if jobdir.axy_name(n) == name), 1)


def _origin(result: Result, request: JobRequest, image: Path | None) -> Origin:
    source = result.source or request.source
    if source is None:
        return Origin(result.input, None if image is None else str(image), "")
    path = source.path if image is None else str(image)
    return Origin(result.input if image is None else str(image), path, source.format, source.hdu)


def check_image(field: SolvedField) -> None:
    """Raise if the image of a field is not the one that was solved.

    Raises
    ------
    UsageError
        If the job does not know where its image is.
    DataError
        If the image cannot be read, or has changed since it was solved.
    """
    path = field.origin.path
    if path is None:
        raise UsageError(f"job {field.job.job_id} was not read from a file: name the image by --image")
    digest, request = sha256_of(path), read_request(field.job)
    if digest is None:
        raise DataError(f"{shown_name(path)} cannot be read: name the image by --image if it was moved")
    if request is not None and request.sha256 not in (None, digest):
        raise DataError(
            f"{shown_name(path)} is not the image that was solved, or has changed since: name the image by --image, "
            "or solve it again"
        )
