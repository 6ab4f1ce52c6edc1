"""What the small JSON files of a job directory say: a summary for lists, a result for ``nova show``.

One file is opened for a finished job, so that tens of thousands list in seconds.  The files may have been damaged or
written by another version, so every value is looked at before it is believed.
"""

from __future__ import annotations

import json
import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from novacli.errors import DataError, InputMissingError
from novacli.jobs.store import FINISHED, JobSummary
from novacli.records.result import FAILED, Result
from novacli.records.result import REMOTE as REMOTE_STATE
from solvehost.formats.jobdir import INTERRUPTED, REMOTE, REQUEST, RESULT, RUNNING, JobDir

_NOTHING: dict[str, Any] = {}


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
    value = job.read_json(RESULT) or _unfinished(job)
    if not all(isinstance(value.get(key), str) for key in ("input", "status")):
        raise DataError(f"{job.path}: its result is damaged: try nova retry {job.job_id}")
    wrong = {key for key, kind in _KINDS.items() if not isinstance(value.get(key), kind)}
    return Result.from_json({key: v for key, v in value.items() if key not in wrong})


def _unfinished(job: JobDir) -> dict[str, Any]:
    request = job.read_json(REQUEST)
    if request is None:
        raise InputMissingError(f"{job.path}: there is no such job any more: see nova jobs")
    state = state_of_unfinished(job)
    # It may have come to its end between the two looks.
    known = {**request, "status": state, "job": job.job_id}
    if state == REMOTE_STATE:
        known["server"] = (job.read_json(REMOTE) or {}).get("server")
    return job.read_json(RESULT) or known


_KINDS = {
    "calibration": dict, "match": dict, "hints": list, "timing": dict, "files": dict, "error": dict, "notes": list,
    "source": dict, "job": str, "reason": str, "created": str, "server": str,
}  # fmt: skip


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
    status = _text(result.get("status")) or FAILED
    return _summary(name, status if status in FINISHED else FAILED, result, written_s)


def _summary(name: str, state: str, value: dict[str, Any], written_s: float) -> JobSummary:
    created = _text(value.get("created")) or ""
    calibration = _object(value.get("calibration"))
    return JobSummary(
        name,
        state,
        _text(value.get("input")) or "",
        created,
        _seconds(created, written_s),
        written_s,
        _number(calibration.get("ra")),
        _number(calibration.get("dec")),
        _number(calibration.get("pixscale")),
        _text(value.get("reason")),
        _text(_object(value.get("error")).get("message")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else _NOTHING


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e9 and math.isfinite(value) else None


def _seconds(iso: str, otherwise: float) -> float:
    """Return a time in seconds since 1970; ``otherwise`` where it is none."""
    try:
        time = datetime.fromisoformat(iso)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return otherwise
