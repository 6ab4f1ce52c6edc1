"""What all benchmarks need: running a command and measuring its resources, interleaved pairs, and means.

The measuring program must stay small, because Linux includes the memory of the parent at the start of a child in the
child's peak memory.  So nothing large is imported here, images are drawn by child processes, and
:func:`memory_floor_bytes` returns the remaining offset.
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
        Seconds from just before its start to its end.
    cpu_s
        User and system time of the process and of all descendants that it waited for.
    peak_bytes
        Largest resident set of the process or of one of those descendants.
    stdout, stderr
        Its output; undecodable bytes are replaced.
    timed_out
        Whether it was killed because it took too long.
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
    """Run a command; after ``timeout_s`` seconds, kill it with all its descendants.

    ``text_in`` is its whole standard input; ``env`` replaces the environment.

    Raises
    ------
    OSError
        If it cannot be started.
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
    """Wait for a process to end; return (seconds since ``began``, whether it timed out).

    Its process group is killed, but the caller reaps it, so that its id cannot be reused while it may still be killed.
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
    """Return the peak memory of a program that does nothing, started from this process."""
    return run(["true"], 10).peak_bytes


# --- A fair start ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def fresh_state() -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield an empty folder, and an environment without any state of earlier runs.

    State, cache, settings, job directories, engine tokens and temporary files go into the folder, which is removed at
    the end.  The caller's NOVA_* variables are left out, and so is PYTHONDONTWRITEBYTECODE, since installed modules
    have stored bytecode.
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
    """Read files once, so that they are in the page cache; return their total size in bytes."""
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
    """Call two functions in pairs, each pair in the opposite order of the previous one; return the results of each.

    Stop after a pair if ``goes_on`` returns False for its results.
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
    """Return the median; NaN if there are no values."""
    known = list(values)
    return statistics.median(known) if known else math.nan


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean of positive numbers; NaN if there are none."""
    known = list(values)
    return statistics.geometric_mean(known) if known else math.nan
