from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novacli.errors import UsageError
from novacli.jobs.filters import build_filter, parse_age, parse_time
from novacli.jobs.summaries import JobSummary


def job(state: str = "solved", *, age_s: float = 0.0, input: str = "m31.fits") -> JobSummary:
    now_s = time.time()
    return JobSummary("0123456789abcdef", state, input, "", now_s - age_s, now_s)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", 5400),
        ("12h", 43200),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
        ("10s", 10),
        ("1.5H", 5400),
        (" 3 d ", 259200),
    ],
)
def test_ages(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1y", "1e3d", "nan", "٣d"])
def test_a_text_that_is_not_an_age_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="write 90m"):
        parse_age(text)


@given(st.text(max_size=20))
def test_any_text_is_an_age_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parse_age(text) >= 0


def test_an_empty_filter_accepts_every_job() -> None:
    assert build_filter().accepts(job("running"))


def test_states_are_alternatives() -> None:
    wanted = build_filter(["failed", "unsolved"])
    assert [wanted.accepts(job(s)) for s in ("failed", "unsolved", "solved")] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 92_800.0), ("1970-01-01T00:00:10Z", 10.0), ("1970-01-02T01:00+01:00", 86_400.0)]
)
def test_a_point_in_time_is_an_age_or_a_date(text: str, seconds: float) -> None:
    assert parse_time(text, 100_000.0) == seconds


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "12", "-3h"])
def test_other_texts_are_no_point_in_time(text: str) -> None:
    with pytest.raises(UsageError, match="write an age, such as 90m"):
        parse_time(text, 0.0)


def test_dates_bound_the_age_as_ages_do() -> None:
    wanted = build_filter(newer="2001-09-09T01:46:40Z", older="1d")
    assert wanted.after_s == 1e9


def test_newer_and_older_bound_the_age() -> None:
    wanted = build_filter(newer="2d", older="1d")
    assert [wanted.accepts(job(age_s=hours * 3600)) for hours in (1, 36, 72)] == [False, True, False]


def test_ages_that_no_job_can_meet_are_refused() -> None:
    with pytest.raises(UsageError, match="swap the two"):
        build_filter(newer="1d", older="2d")


def test_the_text_is_looked_for_in_input_and_id_ignoring_case() -> None:
    assert [build_filter(text=t).accepts(job()) for t in ("M31", "89AB", "m33")] == [True, True, False]
