"""Results as JSON lines."""

from __future__ import annotations

import io
import json
import math
import os

import pytest

from novacli.records.result import Result
from novacli.records.status import FAILED
from novacli.records.timing import Timing
from novacli.reports.results import open_report


def test_one_object_a_line() -> None:
    stream = io.StringIO()
    report = open_report("json", stream)
    for name in ("a.fits", "two\nlines.fits"):
        report.add(Result(name, FAILED))
    assert [json.loads(line)["input"] for line in stream.getvalue().splitlines()] == ["a.fits", "two\nlines.fits"]


def test_each_line_is_flushed_at_once() -> None:
    """A script that reads a pipe gets each result at once."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    open_report("json", stream).add(Result("a", FAILED))
    assert raw.getvalue().endswith(b"}\n")


def test_a_name_that_is_not_utf_8_survives_json() -> None:
    """As escapes (PEP 383) in ASCII, so that any stream accepts it."""
    name = os.fsdecode(b"bad\xff.fits")
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    open_report("json", stream).add(Result(name, FAILED))
    assert os.fsencode(json.loads(raw.getvalue())["input"]) == b"bad\xff.fits"


def test_nan_is_never_written() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="Out of range float values"):
        open_report("json", stream).add(Result("a", FAILED, timing=Timing(total_s=math.nan)))
    assert stream.getvalue() == ""
