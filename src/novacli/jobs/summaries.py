"""Read the small JSON files of a job directory: a summary for lists, a result for ``nova show``.

Only one file of a finished job is opened, so that tens of thousands of jobs are listed in seconds.  The files may be
damaged or written by another version, so every value is checked.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from novacli.errors import DataError, InputMissingError
from novacli.records.json_fields import JsonFields
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from novacli.records.status import REMOTE as REMOTE_STATE
from solvehost.formats.jobdir import INTERRUPTED, REMOTE, REQUEST, RESULT, RUNNING, JobDir
from solvehost.record import record

if TYPE_CHECKING:
    from novacli.records.result import Result

STATES = (SOLVED, UNSOLVED, FAILED, RUNNING, REMOTE_STATE, INTERRUPTED)
FINISHED = frozenset({SOLVED, UNSOLVED, FAILED})


@record
class JobSummary:
    """One job as lists show it.

    Attributes
    ----------
    created
        When the job was made: ISO 8601, UTC; empty if its files do not say so.
    created_s
        The same in seconds since 1970.
    written_s
        When the file that the summary was read from was written, in seconds since 1970.
    ra_deg, dec_deg, pixscale_arcsec
        Centre and pixel scale of a solved job; None for other jobs.
    reason
        Why an unsolved job is unsolved.
    error
        The error message of a failed job.
    """

    job_id: str
    state: str
    input: str
    created: str
    created_s: float
    written_s: float
    ra_deg: float | None = None
    dec_deg: float | None = None
    pixscale_arcsec: float | None = None
    reason: str | None = None
    error: str | None = None

    @property
    def order(self) -> tuple[float, float]:
        """Sort key; larger for newer jobs."""
        return self.created_s, self.written_s

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``nova jobs --json`` prints."""
        return {
            "job": self.job_id,
            "state": self.state,
            "input": self.input,
            "created": self.created or None,
            "ra": self.ra_deg,
            "dec": self.dec_deg,
            "pixscale": self.pixscale_arcsec,
            "reason": self.reason,
            "error": self.error,
        }


def read_summary(root: str, name: str) -> JobSummary | None:
    """Return the summary of the job directory ``name`` below ``root``; None if it is not a job directory."""
    found = _read_json(f"{root}/{name}/{RESULT}")
    if found is not None:
        return _finished_summary(name, *found)
    request = _read_json(f"{root}/{name}/{REQUEST}")
    if request is None:
        return None
    state = state_of_unfinished(JobDir(Path(root, name)))
    if state != RUNNING:  # the job may have been finished meanwhile
        found = _read_json(f"{root}/{name}/{RESULT}")
        if found is not None:
            return _finished_summary(name, *found)
    return _summary(name, state, *request)


def state_of_unfinished(job: JobDir) -> str:
    """Return ``running``, ``remote`` or ``interrupted`` for a job without a result."""
    if job.is_locked():
        return RUNNING
    return REMOTE_STATE if (job.path / REMOTE).exists() else INTERRUPTED


def read_result(job: JobDir) -> Result:
    """Return the result of a job.

    The result of an unfinished job has what is known, and the status ``running``, ``remote`` or ``interrupted``.

    Raises
    ------
    DataError
        If its files are damaged.
    InputMissingError
        If it was removed meanwhile.
    """
    from novacli.records.result import Result  # lists of jobs do not need it

    value = job.read_json(RESULT)
    if value is None:
        unfinished = _unfinished(job)
        value = job.read_json(RESULT)  # the job may have been finished meanwhile
        if value is None:
            return unfinished
    try:
        return Result.from_json(value)
    except ValueError as exc:
        raise DataError(f"{job.path}: its result is damaged: {exc}; try nova retry {job.job_id}") from exc


def _unfinished(job: JobDir) -> Result:
    from novacli.jobs.request import read_request

    request = read_request(job)
    if request is None:
        raise InputMissingError(f"{job.path}: there is no such job any more: see nova jobs")
    state = state_of_unfinished(job)
    return replace(request.draft(job), status=state, server=_place_of(job) if state == REMOTE_STATE else None)


def _place_of(job: JobDir) -> str | None:
    """Return the place where a job was left; None if its ``remote.json`` is damaged."""
    from novacli.jobs.remote import read_remote

    try:
        remote = read_remote(job)
    except DataError:
        return None
    return None if remote is None else remote.place


def _read_json(path: str) -> tuple[dict[str, Any], float] | None:
    """Return a file's JSON object and the time when the file was written; None if there is no such file or object."""
    try:
        # os.open takes half the time of open(), which counts for tens of thousands of files.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.fstat(fd)
            value = json.loads(os.read(fd, status.st_size))
        finally:
            os.close(fd)
    except (OSError, ValueError, RecursionError):
        return None
    return (value, status.st_mtime) if isinstance(value, dict) else None


def _finished_summary(name: str, result: dict[str, Any], written_s: float) -> JobSummary:
    status = result.get("status")
    return _summary(name, status if isinstance(status, str) and status in FINISHED else FAILED, result, written_s)


def _summary(name: str, state: str, value: dict[str, Any], written_s: float) -> JobSummary:
    fields = JsonFields(value)
    created = fields.or_else(fields.text, "created", "")
    calibration = fields.or_else(fields.part, "calibration", _NOTHING)
    error = fields.or_else(fields.part, "error", _NOTHING)
    return JobSummary(
        name,
        state,
        fields.or_else(fields.text, "input", ""),
        created,
        _seconds(created, written_s),
        written_s,
        calibration.or_else(calibration.number, "ra", None),
        calibration.or_else(calibration.number, "dec", None),
        calibration.or_else(calibration.number, "pixscale", None),
        fields.or_else(fields.text, "reason", None),
        error.or_else(error.text, "message", None),
    )


_NOTHING = JsonFields({})


def _seconds(iso: str, otherwise: float) -> float:
    """Return a time in seconds since 1970; ``otherwise`` if the text is not a time."""
    try:
        time = datetime.fromisoformat(iso)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return otherwise
