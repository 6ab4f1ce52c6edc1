"""Asking again: a server that is busy, or that ssh could not reach, may answer in a moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from novacli.backends.ssh.child_process import Watch
from novacli.backends.ssh.exit_codes import UnreachedError, may_mend_itself
from novacli.errors import NovaError

T = TypeVar("T")

#: So often a server that is busy is asked at the most: for some three minutes, if the solve has so long; and so often
#: one that is not reached: where many come at once, sshd drops some, but one that is switched off should be told soon.
MOST_TRIES, MOST_CALLS = 24, 6
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_TICK_S = 0.1


def pauses_s() -> Iterator[float]:
    """Yield the pauses between tries: growing, and each of chance length, so that many clients do not come at once."""
    pause_s = _FIRST_PAUSE_S
    for _ in range(MOST_TRIES - 1):
        yield pause_s * (0.5 + int.from_bytes(os.urandom(4)) / 2**32)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def patiently(action: Callable[[], T], watch: Watch, *, sleep: Callable[[float], None] = time.sleep) -> T:
    """Return what ``action`` does, as soon as it succeeds.

    Raises
    ------
    NovaError
        That of the last try, where time or tries are over, or the error is one that does not mend itself.
    CancelledError
        As the watch has it.
    """
    missed = 0
    for pause_s in pauses_s():
        try:
            return action()
        except NovaError as exc:
            missed += isinstance(exc, UnreachedError)
            is_over = missed >= MOST_CALLS or time.monotonic() + pause_s >= watch.deadline
            if is_over or not may_mend_itself(exc):
                raise
            watch.observe(f"{exc}; asking again in {pause_s:.1f} s")
        _pause(pause_s, watch, sleep)
    return action()


def _pause(pause_s: float, watch: Watch, sleep: Callable[[float], None]) -> None:
    end = time.monotonic() + pause_s
    while (left_s := end - time.monotonic()) > 0:
        watch.check()
        sleep(min(_TICK_S, left_s))
