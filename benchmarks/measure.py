"""What every benchmark stands on: a command with what it used, interleaved pairs, and the means of their figures.

The program that measures must stay small: Linux counts into a child's peak memory what its parent used when the child
was started.  So nothing large is imported here, pictures are drawn by child processes, and :func:`memory_floor_bytes`
says what remains.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")

_BYTES_PER_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_CHUNK = 1 << 20
_LEFT_OUT = ("NOVA_", "XDG_", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command.

    Attributes
    ----------
    exit_status
        Its exit code, negative for a signal.
    wall_s
        From just before it was started until it ended.
    cpu_s
        User and system time of it and of all descendants that it waited for.
    peak_bytes
        Largest resident set of it or of any one of those descendants.
    stdout, stderr
        What it wrote, undecodable bytes replaced.
    timed_out
        Whether it was ended for taking too long.
    """

    exit_status: int
    wall_s: float
    cpu_s: float
    peak_bytes: int
    stdout: str
    stderr: str
    timed_out: bool


def run(
    command: Sequence[str | Path],
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    text_in: str = "",
) -> Run:
    """Run a command to its end, or kill it with all its descendants after ``timeout_s``.

    ``text_in`` is its standard input, which ends after it; ``env`` replaces the environment.

    Raises
    ------
    OSError
        Where it cannot be started.
    """
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        files[0].write(text_in.encode())
        files[0].seek(0)
        began = time.perf_counter()
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=files[0],
            stdout=files[1],
            stderr=files[2],
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        wall_s, timed_out = _await_end(child.pid, timeout_s, began)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        return Run(
            exit_status=child.returncode,
            wall_s=wall_s,
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_bytes=usage.ru_maxrss * _BYTES_PER_RSS_UNIT,
            stdout=_read_back(files[1]),
            stderr=_read_back(files[2]),
            timed_out=timed_out,
        )


def _await_end(pid: int, timeout_s: float, began: float) -> tuple[float, bool]:
    """Return (seconds since ``began``, whether time was up) once a process ended; its group is gone, it is unreaped.

    It is reaped by the caller, so that its number cannot be another's while it may still be killed.
    """
    time_is_up = threading.Event()

    def end() -> None:
        time_is_up.set()
        _kill_group(pid)

    timer = threading.Timer(timeout_s, end)
    timer.start()
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return time.perf_counter() - began, time_is_up.is_set()
    finally:
        timer.cancel()
        timer.join()
        _kill_group(pid)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _read_back(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")


def memory_floor_bytes() -> int:
    """Return the peak memory that even a program that does nothing shows when it is started from here."""
    return run(["true"], 10).peak_bytes


# --- A fair start ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def fresh_state() -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield an empty folder and an environment in which nothing is remembered from earlier runs.

    State, cache, settings, job directories, engine tokens and temporary files all go into the folder, which is removed
    at the end; the caller's own NOVA_* settings are left out, and so is what keeps Python from storing the bytecode
    of the modules that it compiles, as installed ones are stored.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        env = {key: value for key, value in os.environ.items() if not key.startswith(_LEFT_OUT)}
        for variable in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
            env[variable] = str(folder / variable.lower())
        env |= {"NOVA_JOBS": str(folder / "jobs"), "TMPDIR": str(folder / "tmp")}
        for variable in ("TMPDIR", "XDG_RUNTIME_DIR"):
            Path(env[variable]).mkdir(mode=0o700)
        yield folder, env


def warm(paths: Iterable[Path]) -> int:
    """Read files once, so that the page cache holds them; return how many bytes they have."""
    total = 0
    for path in paths:
        with path.open("rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK):
                total += len(chunk)
    return total


def interleave(
    first: Callable[[], T],
    second: Callable[[], T],
    pairs: int,
    *,
    second_begins: bool = False,
    goes_on: Callable[[T, T], bool] = lambda _a, _b: True,
) -> tuple[list[T], list[T]]:
    """Call two things in pairs, each pair in the other order than the one before; return the results of each.

    No more pairs follow once ``goes_on`` says no to the results of one.
    """
    firsts: list[T] = []
    seconds: list[T] = []
    for number in range(pairs):
        turns = [(first, firsts), (second, seconds)]
        if (number % 2 == 1) != second_begins:
            turns.reverse()
        for call, results in turns:
            results.append(call())
        if not goes_on(firsts[-1], seconds[-1]):
            break
    return firsts, seconds


# --- Means -------------------------------------------------------------------------------------------------------


def median(values: Iterable[float]) -> float:
    """Return the median, not a number where there is no value."""
    known = list(values)
    return statistics.median(known) if known else math.nan


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean of numbers above zero, not a number where there is no value."""
    known = list(values)
    return statistics.geometric_mean(known) if known else math.nan
