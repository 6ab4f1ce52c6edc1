"""The options of ``nova batch --watch``, with the settings and the display that follow from them."""

from __future__ import annotations

import math
import re
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from novacli.cli.options import Decorator
from novacli.errors import UsageError
from novacli.jobs.filters import parse_age

if TYPE_CHECKING:
    from novacli.batch.frames.watch import WatchSettings
    from novacli.batch.run.display import QuietDisplay

WATCH_OPTIONS: tuple[Decorator, ...] = (
    click.option("--watch", is_flag=True, help="Keep running, and solve frames as they land in the folders."),
    click.option("--poll", type=click.FloatRange(min=0.1), metavar="S",
                 help="With --watch: check the folders every S seconds.  [default: 2.0]"),
    click.option("--until", metavar="HH:MM", help="With --watch: solve what has landed by then, and end."),
    click.option("--idle", metavar="AGE", help="With --watch: end if nothing lands for this time, such as 2h."),
    click.option("-v", "--verbose", is_flag=True, help="With --watch: show solved frames in a log, too."),
)  # fmt: skip


def watch_settings(raw: dict[str, Any], now: datetime | None = None) -> WatchSettings | None:
    """Return the settings of a watch, None without ``--watch``.

    Parameters
    ----------
    raw
        The options of the command, by name.
    now
        The present local time, in place of the clock's.

    Raises
    ------
    UsageError
        If an option needs ``--watch``, or a time of day is not valid.
    """
    if not raw["watch"]:
        for name in ("poll", "until", "idle", "verbose"):
            if raw[name]:
                raise UsageError(f"--{name} needs --watch: give both, or neither")
        return None
    from novacli.batch.frames.watch import WatchSettings

    return WatchSettings(
        settle_s=raw["settle"],
        poll_s=2.0 if raw["poll"] is None else raw["poll"],
        ends_s=math.inf if raw["until"] is None else next_time_s(raw["until"], now or datetime.now()),
        idle_s=math.inf if raw["idle"] is None else seconds(raw["idle"]),
    )


def next_time_s(text: str, now: datetime) -> float:
    """Return the next time at which local clocks show a time of day, in seconds since 1970."""
    match = re.fullmatch(r"(\d\d?):(\d\d)", text.strip(), re.ASCII)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise UsageError(f"--until {text!r} is not a time of day: write 06:30")
    then = now.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
    return (then if then > now else then + timedelta(days=1)).timestamp()


def seconds(text: str) -> float:
    """Return the seconds in an age such as ``50m``, or in a plain number of seconds."""
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return float(text)
    return parse_age(text)


def watch_display(*, as_json: bool, quiet: bool, verbose: bool) -> QuietDisplay:
    """Return the display of a watch: no bar, because the number of frames is unknown; in a log only problems."""
    from novacli.batch.run import display

    if as_json:
        return display.JsonDisplay(sys.stdout)
    if quiet:
        return display.QuietDisplay()
    return display.LineDisplay(sys.stdout) if verbose or sys.stdout.isatty() else display.ProblemDisplay(sys.stdout)
