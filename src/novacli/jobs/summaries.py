"""What the small JSON files of a job directory say: a summary for lists, a result for ``nova show``.

One file is opened for a finished job, so that tens of thousands list in seconds.  The files may have been damaged or
written by another version, so every value is looked at before it is believed.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from novacli.errors import DataError, InputMissingError
from novacli.jobs.remote import read_remote
from novacli.jobs.request import read_request
from novacli.jobs.store import FINISHED, JobSummary
from novacli.records.json_fields import JsonFields
from novacli.records.result import FAILED, Result
from novacli.records.result import REMOTE as REMOTE_STATE
from solvehost.formats.jobdir import INTERRUPTED, REMOTE, REQUEST, RESULT, RUNNING, JobDir


def read_summary(root: str, name: str) -> JobSummary | None:
    """Return the summary of the job directory ``name`` under ``root``; None where it is no job directory."""
    found = _read_json(f"{root}/{name}/{RESULT}")
    if found is not None:
        return _finished(name, *found)
    request = _read_json(f"{root}/{name}/{REQUEST}")
    if request is None:
        return None
    state = state_of_unfinished(JobDir(Path(root, name)))
    if state != RUNNING:  # unless it came to its end between the two looks
        found = _read_json(f"{root}/{name}/{RESULT}")
        if found is not None:
            return _finished(name, *found)
    return _summary(name, state, *request)


def state_of_unfinished(job: JobDir) -> str:
    """Return ``running``, ``remote`` or ``interrupted`` for a job without a result."""
    if job.is_locked():
        return RUNNING
    return REMOTE_STATE if (job.path / REMOTE).exists() else INTERRUPTED


def read_result(job: JobDir) -> Result:
    """Return the result of a job; of an unfinished one what is known, and ``running``, ``remote`` or ``interrupted``.

    Raises
    ------
    DataError
        Where its files are damaged.
    InputMissingError
        Where it was removed meanwhile.
    """
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
    request = read_request(job)
    if request is None:
        raise InputMissingError(f"{job.path}: there is no such job any more: see nova jobs")
    state = state_of_unfinished(job)
    return replace(request.draft(job), status=state, server=_place_of(job) if state == REMOTE_STATE else None)


def _place_of(job: JobDir) -> str | None:
    """Return the place where a job was left; None if its ``remote.json`` is damaged."""
    try:
        remote = read_remote(job)
    except DataError:
        return None
    return None if remote is None else remote.place


def _read_json(path: str) -> tuple[dict[str, Any], float] | None:
    """Return a file's JSON object and when the file was written, None where there is no such thing."""
    try:
        # By descriptor: half the time of open(), and a list opens tens of thousands.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.fstat(fd)
            value = json.loads(os.read(fd, status.st_size))
        finally:
            os.close(fd)
    except (OSError, ValueError, RecursionError):
        return None
    return (value, status.st_mtime) if isinstance(value, dict) else None


def _finished(name: str, result: dict[str, Any], written_s: float) -> JobSummary:
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
    """Return a time in seconds since 1970; ``otherwise`` where it is none."""
    try:
        time = datetime.fromisoformat(iso)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return otherwise
