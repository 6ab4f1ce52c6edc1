"""A child process that answers questions one at a time, so that a frame which crashes it affects no other frame.

It has one thread, because engines are started by a fork there, and the usual settings of the memory allocator, which
Dask changes for its own workers.  No question takes longer than its limit: a process that hangs in the kernel, as on a
disk that is gone, cannot be ended even by SIGKILL, and is left behind.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from novacli.batch.children.channel import Channel, channels
from novacli.batch.executors import TaskHungError, WorkerLostError
from novacli.errors import InternalError, UnavailableError

#: A process that is not ready after this time will never be.
_READY_S = 120.0
#: How long a process may take to end after SIGTERM, and again after SIGKILL.
GRACE_S = 3.0
#: Dask sets this variable for its workers, so that they use less memory; each array of a picture then costs page
#: faults.
_NOT_INHERITED = "MALLOC_TRIM_THRESHOLD_"
_START = (
    "import sys; from math import inf; sys.path[:] = {path!r}; from novacli.batch.children import childmain; "
    "childmain.serve({entry!r}, {fd}, {pid}, {idle_s}, is_quiet={is_quiet})"
)
#: Processes that did not end in time, most of which hang in the kernel.  They are kept until they have ended, because
#: Python warns if the record of a running process is removed.
_left_behind: list[subprocess.Popen[bytes]] = []


class ChildProcess:
    """A child process, started when it is needed.  It serves one thread, and ends with it.

    Parameters
    ----------
    entry
        The function that answers in the process, as ``module:function``.
    idle_s
        The process ends if no question came for this many seconds; the next question starts another one.
    is_quiet
        True if its standard output is discarded, and its standard error from the moment when it is ready.
    """

    def __init__(self, entry: str, *, idle_s: float = math.inf, is_quiet: bool = False) -> None:
        self._entry, self._idle_s, self._is_quiet = entry, idle_s, is_quiet
        #: Held while a process is started or signalled, so that none is started after :meth:`dismiss`.
        self._lock = threading.Lock()
        self._is_dismissed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None

    def ask(self, *question: Any, limit_s: float) -> Any:
        """Return what the function returns for these arguments.

        Raises
        ------
        WorkerLostError
            If the process ended during the question, or was dismissed.
        TaskHungError
            If there was no answer within ``limit_s`` seconds.
        UnavailableError
            If the process cannot be started.
        InternalError
            If the function raised an exception.
        """
        exit_code: int | None = 0
        for _ in range(2):  # an idle process may end at the moment of the question
            running, channel = self._ready()
            until_s = time.monotonic() + limit_s
            try:
                channel.send(question, until_s)
                is_well, answer = channel.receive(until_s)
            except TimeoutError:
                how = "was stopped" if self.end() else "its process hangs in the kernel"
                raise TaskHungError(f"within {limit_s:.0f} s, and {how}") from None
            except (EOFError, OSError):
                exit_code = _ended(running)
                self._forget()
                if exit_code == 0:
                    continue
                break
            if not is_well:
                raise InternalError(answer)
            return answer
        raise WorkerLostError(how_it_ended(exit_code))

    def start(self) -> None:
        """Start the process before its first question."""
        with contextlib.suppress(UnavailableError, WorkerLostError):  # the first question raises it again
            self._ready()

    def dismiss(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Signal the process to end, and start no other one; may be called from any thread."""
        with self._lock:
            self._is_dismissed = True
            if self._process is not None:
                self._process.send_signal(number)

    def end(self) -> bool:
        """End the process; return True if it ended."""
        is_ended = True
        if self._process is not None:
            self._process.terminate()
            is_ended = _ended(self._process) is not None
        self._forget()
        return is_ended

    def _ready(self) -> tuple[subprocess.Popen[bytes], Channel]:
        """Return a process that is ready, and the channel to it; start one if there is none."""
        if self._process is not None and self._process.poll() is not None:
            self._forget()  # it ended while it was idle, so no frame is the cause
        if self._process is not None and self._channel is not None:
            return self._process, self._channel
        with self._lock:
            if self._is_dismissed:
                raise WorkerLostError("was released", is_frames_fault=False)
            running, channel = self._process, self._channel = self._start_process()
        try:
            channel.receive(time.monotonic() + _READY_S)
        except (EOFError, OSError):
            running.terminate()
            how = how_it_ended(_ended(running))
            self._forget()
            raise _not_started(f"{how} before it was ready") from None
        return running, channel

    def _start_process(self) -> tuple[subprocess.Popen[bytes], Channel]:
        with contextlib.ExitStack() as unless_started:
            try:
                ours, theirs = channels()
                unless_started.callback(ours.close)
                with contextlib.closing(theirs):
                    running = self._spawn(theirs)
            except OSError as exc:
                raise _not_started(f"cannot be started: {exc}") from exc
            unless_started.pop_all()
        return running, ours

    def _spawn(self, theirs: Channel) -> subprocess.Popen[bytes]:
        start = _START.format(
            path=sys.path, entry=self._entry, fd=theirs.fileno(), pid=os.getpid(),
            idle_s=self._idle_s, is_quiet=self._is_quiet,
        )  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-c", start],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if self._is_quiet else None,
            pass_fds=[theirs.fileno()],
            env={name: value for name, value in os.environ.items() if name != _NOT_INHERITED},
            start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its children
        )

    def _forget(self) -> None:
        with self._lock:
            if self._channel is not None:
                self._channel.close()
            self._process = self._channel = None


def _not_started(how: str) -> UnavailableError:
    machine = socket.gethostname()
    return UnavailableError(f"{machine}: the process to solve it in {how}: check nova, memory and process limits there")


def _ended(running: subprocess.Popen[bytes]) -> int | None:
    """Wait for a process to end, and kill it if it does not; return its exit code, None if it goes on."""
    for _ in range(2):
        try:
            return running.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            running.kill()
    reap_left_behind()
    _left_behind.append(running)
    return None


def reap_left_behind() -> None:
    """Take the exit codes of processes that were left behind and have ended since, so that no zombies stay."""
    _left_behind[:] = [process for process in _left_behind if process.poll() is None]


atexit.register(reap_left_behind)


def how_it_ended(exit_code: int | None) -> str:
    """Return how a process ended, in words that follow "its worker"."""
    if exit_code is None:
        return "hangs in the kernel"
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was killed by signal {-exit_code}"
