"""The line a job: one line whatever is in it, fields that can be counted, written where the settings say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from solvehost.engine.records import RaceResult
from solvehost.server import request_log
from solvehost.server.request_log import Entry
from solvehost.server.stdio import Remarks


@pytest.fixture
def stderr() -> Iterator[tuple[Remarks, int]]:
    """Remarks, and the end at which they can be read."""
    out, into = os.pipe()
    yield Remarks(into), out
    os.close(out)
    os.close(into)


def test_a_line_has_its_fields_in_a_fixed_order() -> None:
    entry = Entry("nova1", job_id="job-1", stars=12)
    entry.note(RaceResult("solved", "none", 1, (), (), (), 1.0, 0.25), 4110)
    line = re.sub(r"seconds=\d+\.\d\d", "seconds=S", entry.line())
    assert line == (
        "client=nova1 verb=solve id=job-1 stars=12 attempts=0 result=solved exit=0 seconds=S cpu=0.25 index=4110"
    )


@pytest.mark.parametrize(
    ("status", "reason", "shown"),
    [("unsolved", "exhausted", "unsolved"), ("unsolved", "time-limit", "time-limit"), ("solved", "none", "solved")],
)
def test_the_result_says_why_a_job_is_unsolved(status: str, reason: str, shown: str) -> None:
    entry = Entry("c")
    entry.note(RaceResult(status, reason, None, (), (), (), 0.0, 0.0), None)
    assert f" result={shown} " in entry.line()


def test_a_reason_cannot_break_the_line_or_move_a_cursor() -> None:
    entry = Entry("c", reason="a\nclient=root \x1b[2J" + "x" * 1000)
    line = entry.line()
    assert "\n" not in line
    assert line.isprintable()
    assert line.isascii()
    assert 'reason="a\\x0aclient=root' in line
    assert len(line) < 400


def test_a_reason_cannot_end_its_quotes() -> None:
    line = Entry("c", reason='"x" client=root result=solved "').line()
    assert line.endswith(r' reason="\x22x\x22 client=root result=solved \x22"')


def test_lines_are_added_to_a_file_that_only_its_group_reads(tmp_path: Path, stderr: tuple[Remarks, int]) -> None:
    path = tmp_path / "log"
    for name in "ab":
        request_log.write(f"client={name}", str(path), stderr[0])
    lines = path.read_text().splitlines()
    assert [re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ solvehost\[\d+\]: (.*)", line)[1] for line in lines] == [  # type: ignore[index]
        "client=a",
        "client=b",
    ]
    assert path.stat().st_mode & 0o137 == 0


def test_a_file_that_cannot_be_written_is_no_reason_to_lose_the_line(
    tmp_path: Path, stderr: tuple[Remarks, int]
) -> None:
    request_log.write("client=a", str(tmp_path / "no" / "log"), stderr[0])
    assert b"No such file or directory: client=a\n" in os.read(stderr[1], 1000)


def test_a_log_is_never_written_through_a_link(tmp_path: Path, stderr: tuple[Remarks, int]) -> None:
    (tmp_path / "victim").write_text("")
    (tmp_path / "log").symlink_to("victim")
    request_log.write("client=a", str(tmp_path / "log"), stderr[0])
    assert (tmp_path / "victim").read_text() == ""
    assert b"client=a\n" in os.read(stderr[1], 1000)


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path, stderr: tuple[Remarks, int]) -> None:
    os.mkfifo(tmp_path / "log")
    request_log.write("client=a", str(tmp_path / "log"), stderr[0])
    assert b"client=a\n" in os.read(stderr[1], 1000)


def test_without_syslog_the_line_goes_to_standard_error(
    tmp_path: Path, stderr: tuple[Remarks, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "_DEV_LOG", str(tmp_path / "none"))
    request_log.write("client=a", "syslog", stderr[0])
    assert os.read(stderr[1], 1000) == b"solvehost: client=a\n"
