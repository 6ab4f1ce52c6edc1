"""Repeat an exchange with a server that is busy or out of reach, after growing pauses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from novacli.backends.ssh.exit_codes import UnreachedError, is_temporary
from novacli.backends.ssh.limits import check_limits
from novacli.errors import NovaError
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress

T = TypeVar("T")

#: How often a busy server is asked at most: for about three minutes, if the time limit allows.
MAX_TRIES = 24
#: How often a server out of reach is asked at most.  If many clients come at once, sshd drops some of them, so a second
#: try may succeed; but a server that is switched off should be reported soon.
MAX_CONNECTIONS = 6
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_TICK_S = 0.1


def pauses_s() -> Iterator[float]:
    """Yield growing pauses between tries, in seconds, with random parts, so that many clients spread out."""
    pause_s = _FIRST_PAUSE_S
    for _ in range(MAX_TRIES - 1):
        yield pause_s * (0.5 + int.from_bytes(os.urandom(4)) / 2**32)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def patiently(
    action: Callable[[], T], budget: Budget, progress: Progress = SILENT, *, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Call ``action`` until it succeeds, and return its result.

    Parameters
    ----------
    action
        The exchange.
    budget
        The limits of the whole.
    progress
        What hears of each step and may cancel.
    sleep
        Called with the seconds to wait, for tests.

    Raises
    ------
    NovaError
        The error of the last try, if the time or the number of tries is used up, or if trying again would not help.
    CancelledError
        If the caller has cancelled.
    """
    failed_connections = 0
    for pause_s in pauses_s():
        try:
            return action()
        except NovaError as exc:
            failed_connections += isinstance(exc, UnreachedError)
            is_over = failed_connections >= MAX_CONNECTIONS or time.monotonic() + pause_s >= budget.deadline_s
            if is_over or not is_temporary(exc):
                raise
            progress.observe(f"{exc}; asking again in {pause_s:.1f} s")
        _pause(pause_s, budget, progress, sleep)
    return action()


def _pause(pause_s: float, budget: Budget, progress: Progress, sleep: Callable[[float], None]) -> None:
    end = time.monotonic() + pause_s
    while (left_s := end - time.monotonic()) > 0:
        check_limits(budget, progress)
        sleep(min(_TICK_S, left_s))
