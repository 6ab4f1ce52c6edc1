"""Results as text and as JSON: marks that the stream can encode, and no control characters."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest

from solvehost.admin import render
from solvehost.admin.records import CheckReport, Finding, JobRow, JobTable, Result

REPORT = CheckReport(
    (
        Finding("good", True, "all right"),
        Finding("bad", False, "broken \x1b[2J", "repair it", 69),
        Finding("so so", None, "hm"),
    )
)


def shown(result: Result, encoding: str, **options: bool) -> str:
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=encoding, errors="strict")
    render.write(result, stream, **options)
    stream.flush()
    return buffer.getvalue().decode(encoding)


def test_a_stream_that_can_encode_ticks_gets_ticks() -> None:
    assert shown(REPORT, "utf-8").splitlines() == [
        "✔ good   all right",
        "✘ bad    broken \\x1b[2J",
        "         → repair it",
        "– so so  hm",
        "",
        "3 checks: 1 failed; 1 worth knowing",
    ]


def test_the_singular_is_used_for_one_check() -> None:
    assert shown(dataclasses.replace(REPORT, checks=REPORT.checks[:1]), "utf-8").endswith("\n1 check: none failed\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_other_streams_get_words(encoding: str) -> None:
    assert shown(REPORT, encoding).splitlines() == [
        "ok  good   all right",
        "BAD bad    broken \\x1b[2J",
        "           -> repair it",
        "--  so so  hm",
        "",
        "3 checks: 1 failed; 1 worth knowing",
    ]


def test_text_that_a_stream_cannot_encode_is_escaped() -> None:
    table = JobTable((JobRow("a", "b", "failed", "yesterday", 1_250_000, "\u00e9\u202e"),))
    assert shown(table, "ascii").splitlines()[1].split() == ["a", "b", "failed", "yesterday", "1.2", "\\xe9\\u202e"]
    assert "\u202e" not in shown(table, "utf-8")


def test_a_report_is_one_json_object() -> None:
    found = json.loads(shown(REPORT, "ascii", as_json=True))
    assert (found["ok"], found["exit_code"]) == (False, 69)
    assert found["checks"][1] == {
        "name": "bad",
        "ok": False,
        "detail": "broken \x1b[2J",
        "remedy": "repair it",
        "exit_code": 69,
    }


def test_the_exit_code_is_the_largest_of_failed_findings() -> None:
    checks = [Finding("a", False, "", exit_code=code) for code in (69, 77, 73)]
    assert CheckReport(tuple(checks)).exit_code == 77
    assert CheckReport((Finding("a", None, "", exit_code=78), Finding("b", True, ""))).exit_code == 0
