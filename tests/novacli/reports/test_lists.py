"""Lists on a terminal; lists in a pipe are tested with their commands."""

from __future__ import annotations

import io

import pytest

from novacli.jobs.summaries import STATES, JobSummary
from novacli.records.check import Check
from novacli.reports import checklist, joblist


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def terminal_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")


JOBS = [JobSummary(f"job-{n}", state, "[bold]m31.fits", "", 0.0, 0.0) for n, state in enumerate(STATES)]


def test_a_terminal_gets_a_coloured_table_of_every_state() -> None:
    stream = Terminal()
    joblist.write(JOBS, stream, as_json=False)
    assert all(state in stream.getvalue() for state in STATES)
    assert "\x1b[32msolved" in stream.getvalue()


def test_markup_in_a_name_is_not_interpreted() -> None:
    stream = Terminal()
    joblist.write(JOBS, stream, as_json=False)
    assert "[bold]m31.fits" in stream.getvalue()


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    joblist.write(JOBS, stream, as_json=False)
    assert "\x1b[32m" not in stream.getvalue()


def test_a_narrow_terminal_keeps_the_input_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns the centre and the scale are left out rather than the input folded letter by letter."""
    monkeypatch.setenv("COLUMNS", "80")
    job = JobSummary("0123456789abcdef", "solved", "night/m31-0001.fits", "", 0.0, 0.0, 10.7, 41.3, 1.05)
    stream = Terminal()
    joblist.write([job], stream, as_json=False)
    assert "night/m31-0001.fits" in stream.getvalue()
    assert "CENTRE" not in stream.getvalue()


def test_checks_have_ticks_and_remedies() -> None:
    stream = Terminal()
    checklist.write(
        [Check("engine", True, "there"), Check("slots", False, "full", "wait"), Check("x", None, "?")], stream
    )
    assert [mark in stream.getvalue() for mark in ("✓", "✗", "!", "→ wait")] == [True] * 4
