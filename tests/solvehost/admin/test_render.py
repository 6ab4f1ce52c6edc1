"""Results as text and as JSON: ticks where the stream can show them, and nothing that does anything to a terminal."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest

from solvehost.admin import render
from solvehost.admin.records import Check, JobRow, JobTable, Report, Result

REPORT = Report(
    (Check("good", True, "all right"), Check("bad", False, "broken \x1b[2J", "mend it", 69), Check("so so", None, "hm"))
)


def shown(result: Result, encoding: str, **options: bool) -> str:
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=encoding, errors="strict")
    render.write(result, stream, **options)
    stream.flush()
    return buffer.getvalue().decode(encoding)


def test_ticks_where_they_can_be_shown() -> None:
    assert shown(REPORT, "utf-8").splitlines() == [
        "✔ good   all right",
        "✘ bad    broken \\x1b[2J",
        "         → mend it",
        "– so so  hm",
        "",
        "3 checks: 1 failed; 1 worth a look",
    ]


def test_one_check_is_no_plural() -> None:
    assert shown(dataclasses.replace(REPORT, checks=REPORT.checks[:1]), "utf-8").endswith("\n1 check: none failed\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_words_where_they_cannot(encoding: str) -> None:
    assert shown(REPORT, encoding).splitlines() == [
        "ok  good   all right",
        "BAD bad    broken \\x1b[2J",
        "           -> mend it",
        "--  so so  hm",
        "",
        "3 checks: 1 failed; 1 worth a look",
    ]


def test_text_that_a_stream_cannot_show_is_escaped() -> None:
    table = JobTable((JobRow("a", "b", "failed", "yesterday", 1_250_000, "\u00e9\u202e"),))
    assert shown(table, "ascii").splitlines()[1].split() == ["a", "b", "failed", "yesterday", "1.2", "\\xe9\\u202e"]
    assert "\u202e" not in shown(table, "utf-8")


def test_a_report_is_one_object() -> None:
    found = json.loads(shown(REPORT, "ascii", as_json=True))
    assert (found["ok"], found["exit_code"]) == (False, 69)
    assert found["checks"][1] == {
        "name": "bad",
        "ok": False,
        "detail": "broken \x1b[2J",
        "remedy": "mend it",
        "exit_code": 69,
    }


def test_the_largest_code_counts() -> None:
    checks = [Check("a", False, "", exit_code=code) for code in (69, 77, 73)]
    assert Report(tuple(checks)).exit_code == 77
    assert Report((Check("a", None, "", exit_code=78), Check("b", True, ""))).exit_code == 0
