"""Select jobs by state, age and text."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable
from dataclasses import field
from datetime import datetime

from novacli.errors import UsageError
from novacli.jobs.summaries import JobSummary
from solvehost.record import record

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([smhdw])", re.ASCII)


def parse_age(text: str) -> float:
    """Parse an age such as ``90m``, ``12h``, ``30d`` or ``2w``; return seconds.

    Raises
    ------
    UsageError
        If the text is not an age.
    """
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        raise UsageError(f"age {text[:40]!r} is not understood: write 90m (minutes), 12h, 30d or 2w")
    return float(match[1]) * _UNIT_S[match[2]]


def parse_time(text: str, now_s: float) -> float:
    """Parse a point in time: an age, a date, or a date and time; return seconds since 1970.

    Parameters
    ----------
    text
        An age before ``now_s``, as :func:`parse_age` takes it, or a date such as ``2026-03-01`` or
        ``2026-03-01T20:00``; without a zone, it is in the zone of this machine.
    now_s
        The present time in seconds since 1970.

    Raises
    ------
    UsageError
        If the text is neither an age nor a date.
    """
    with contextlib.suppress(ValueError, OverflowError):
        return datetime.fromisoformat(text.strip()).timestamp()
    try:
        return now_s - parse_age(text)
    except UsageError:
        raise UsageError(
            f"time {text[:40]!r} is not understood: write an age, such as 90m, 12h, 30d or 2w, or a date, such as "
            "2026-03-01 or 2026-03-01T20:00"
        ) from None


@record
class JobFilter:
    """The conditions that a job must meet.

    Attributes
    ----------
    states
        Its state is one of these; empty for any state.
    after_s, before_s
        It was made in this interval, in seconds since 1970; None for an open end.
    text
        Its input or its id contains this text, ignoring case; None for any.
    """

    states: frozenset[str] = field(default_factory=frozenset)
    after_s: float | None = None
    before_s: float | None = None
    text: str | None = None

    def accepts(self, job: JobSummary) -> bool:
        """Return True if a job meets the conditions."""
        return (
            (not self.states or job.state in self.states)
            and (self.after_s is None or job.created_s >= self.after_s)
            and (self.before_s is None or job.created_s < self.before_s)
            and (self.text is None or self.text.casefold() in f"{job.input}\n{job.job_id}".casefold())
        )


def build_filter(
    states: Iterable[str] = (), newer: str | None = None, older: str | None = None, text: str | None = None
) -> JobFilter:
    """Return the filter for the values of options.

    Parameters
    ----------
    states
        States to accept; none for all.
    newer, older
        Ages or dates, as :func:`parse_time` takes them.
    text
        Text to look for in input and id.

    Raises
    ------
    UsageError
        If a time is not understood, or no job can be both newer and older.
    """
    now_s = time.time()
    after_s = None if newer is None else parse_time(newer, now_s)
    before_s = None if older is None else parse_time(older, now_s)
    if after_s is not None and before_s is not None and after_s >= before_s:
        raise UsageError(f"no job can be newer than {newer} and older than {older}: swap the two")
    return JobFilter(frozenset(states), after_s, before_s, text)
