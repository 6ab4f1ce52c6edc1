"""The record of one input's result."""

from __future__ import annotations

import json

import pytest

from novacli.errors import OutputError, RetryLaterError
from novacli.records.result import FAILED, SOLVED, UNSOLVED, Result, error_of

KEYS = (
    "input", "status", "job", "reason", "calibration", "match", "hints", "timing", "files", "error", "notes", "source",
    "created", "server",
)  # fmt: skip


def test_every_key_is_always_there_in_this_order() -> None:
    assert tuple(Result("a.fits", FAILED).to_json()) == KEYS


def test_a_record_survives_json() -> None:
    one = Result(
        "a.fits", SOLVED, job="a1", match={"n": 3, "rms_arcsec": None}, notes=["dropped RA = 654"], files={"wcs": "/w"}
    )
    assert Result.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_keys_of_later_versions_are_passed_over() -> None:
    assert Result.from_json({"input": "a", "status": SOLVED, "weather": "fine"}) == Result("a", SOLVED)


@pytest.mark.parametrize(("status", "code"), [(SOLVED, 0), (UNSOLVED, 1), (FAILED, 70)])
def test_the_exit_code_follows_the_status(status: str, code: int) -> None:
    assert Result("a.fits", status).exit_code == code


def test_an_error_decides_even_where_the_image_was_solved() -> None:
    """An output that could not be written is a failure of the call."""
    assert Result("a.fits", SOLVED, error=error_of(OutputError("out.wcs: the disk is full"))).exit_code == 73


def test_an_error_says_whether_to_retry() -> None:
    told = error_of(RetryLaterError("a.fits: busy"))
    assert told == {"message": "a.fits: busy", "exit_code": 75, "retry_is_safe": True}
