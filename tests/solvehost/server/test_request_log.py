"""The request log: one line for each request, with words that can be counted, at the destination in the settings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from solvehost.engine.records import RaceResult
from solvehost.server import request_log
from solvehost.server.request_log import LogEntry
from solvehost.server.stdio import MessageWriter


@pytest.fixture
def stderr() -> Iterator[tuple[MessageWriter, int]]:
    """A message writer, and the descriptor from which its output can be read."""
    out, into = os.pipe()
    yield MessageWriter(into), out
    os.close(out)
    os.close(into)


def test_the_words_of_a_line_have_a_fixed_order() -> None:
    entry = LogEntry("nova1", job_id="job-1", stars=12)
    entry.record_race(RaceResult("solved", "none", 1, (), (), (), 1.0, 0.25), 4110)
    line = re.sub(r"seconds=\d+\.\d\d", "seconds=S", entry.line())
    assert line == (
        "client=nova1 verb=solve id=job-1 stars=12 attempts=0 result=solved exit=0 seconds=S cpu=0.25 index=4110"
    )


@pytest.mark.parametrize(
    ("status", "reason", "shown"),
    [("unsolved", "exhausted", "unsolved"), ("unsolved", "time-limit", "time-limit"), ("solved", "none", "solved")],
)
def test_the_result_tells_why_a_job_is_unsolved(status: str, reason: str, shown: str) -> None:
    entry = LogEntry("c")
    entry.record_race(RaceResult(status, reason, None, (), (), (), 0.0, 0.0), None)
    assert f" result={shown} " in entry.line()


def test_a_reason_is_escaped_and_cut() -> None:
    entry = LogEntry("c", reason="a\nclient=root \x1b[2J" + "x" * 1000)
    line = entry.line()
    assert "\n" not in line
    assert line.isprintable()
    assert line.isascii()
    assert 'reason="a\\x0aclient=root' in line
    assert len(line) < 400


def test_quotes_in_a_reason_are_escaped() -> None:
    line = LogEntry("c", reason='"x" client=root result=solved "').line()
    assert line.endswith(r' reason="\x22x\x22 client=root result=solved \x22"')


def test_lines_are_appended_to_a_file_readable_by_its_group(tmp_path: Path, stderr: tuple[MessageWriter, int]) -> None:
    path = tmp_path / "log"
    for name in "ab":
        request_log.write(f"client={name}", str(path), stderr[0])
    lines = path.read_text().splitlines()
    assert [re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ solvehost\[\d+\]: (.*)", line)[1] for line in lines] == [  # type: ignore[index]
        "client=a",
        "client=b",
    ]
    assert path.stat().st_mode & 0o137 == 0


def test_a_line_that_cannot_be_written_goes_to_standard_error(
    tmp_path: Path, stderr: tuple[MessageWriter, int]
) -> None:
    request_log.write("client=a", str(tmp_path / "no" / "log"), stderr[0])
    assert b"No such file or directory: client=a\n" in os.read(stderr[1], 1000)


def test_a_symbolic_link_is_not_followed(tmp_path: Path, stderr: tuple[MessageWriter, int]) -> None:
    (tmp_path / "victim").write_text("")
    (tmp_path / "log").symlink_to("victim")
    request_log.write("client=a", str(tmp_path / "log"), stderr[0])
    assert (tmp_path / "victim").read_text() == ""
    assert b"client=a\n" in os.read(stderr[1], 1000)


def test_a_fifo_without_a_reader_does_not_block(tmp_path: Path, stderr: tuple[MessageWriter, int]) -> None:
    os.mkfifo(tmp_path / "log")
    request_log.write("client=a", str(tmp_path / "log"), stderr[0])
    assert b"client=a\n" in os.read(stderr[1], 1000)


def test_without_syslog_the_line_goes_to_standard_error(
    tmp_path: Path, stderr: tuple[MessageWriter, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "_DEV_LOG", str(tmp_path / "none"))
    request_log.write("client=a", "syslog", stderr[0])
    assert os.read(stderr[1], 1000) == b"solvehost: client=a\n"
