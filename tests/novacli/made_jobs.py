"""Job directories made by hand, as the tests of the commands about kept jobs need them."""

from __future__ import annotations

import os
import time
from array import array
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from solvehost.formats import axy, jobdir
from solvehost.formats.jobdir import REQUEST, RESULT, JobDir
from solvehost.formats.star_table import Stars

CALIBRATION = {
    "ra": 187.1955, "dec": 56.7023, "radius": 20.8, "pixscale": 170.4, "orientation": 118.35, "parity": 1.0,
    "width_arcsec": 122520.5, "height_arcsec": 86394.9, "up_deg_e_of_n": 238.48,
}  # fmt: skip
MATCH = {"index": "index-4117.fits", "n": 49, "rms_arcsec": 115.9, "logodds": 248.5, "attempt": "by flux"}


def make_job(
    root: Path, state: str = "solved", *, age_s: float = 0.0, input: str = "field.fits", **more: Any
) -> JobDir:
    """Make a job ``age_s`` seconds old; ``running`` ones are for the caller to lock."""
    staged = jobdir.create(root)
    axy.write(axy.Attempt(width=100, height=80, stars=_stars()), staged.axy(1))
    created = datetime.fromtimestamp(time.time() - age_s, UTC).isoformat(timespec="milliseconds")
    request = {"format": 1, "created": created, "input": input, "timeout_s": 300.0, "backend": "local"}
    staged.write_json(REQUEST, request)
    job = jobdir.publish(staged)
    if state in ("solved", "unsolved", "failed"):
        job.write_json(RESULT, {**_result(job, state), "created": created, "input": input, **more})
    _make_older(job.path, age_s)
    return job


def _stars() -> Stars:
    column = array("f", [10.0, 20.0, 30.0, 40.0, 55.0])
    return Stars(column, column[::-1], column)


def _result(job: JobDir, state: str) -> dict[str, Any]:
    if state == "solved":
        extra: dict[str, Any] = {"calibration": CALIBRATION, "match": MATCH}
    elif state == "unsolved":
        extra = {"reason": "exhausted"}
    else:
        extra = {"error": {"message": "field.fits: the disk is full", "exit_code": 73, "retry_is_safe": True}}
    return {"status": state, "job": job.job_id, "timing": {"total_s": 1.0}, **extra}


def _make_older(path: Path, age_s: float) -> None:
    then = time.time() - age_s
    for entry in [*path.iterdir(), path]:
        os.utime(entry, (then, then))
