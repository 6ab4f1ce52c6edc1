"""A process that answers questions for this one, one at a time: a frame that brings it down takes nothing else along.

It has one thread, and memory that is managed as usual: engines start by a fork there, and large arrays are not handed
back to the system one by one, as Dask has its own workers do.  No question takes longer than its limit, whatever
happens: a process that hangs in the kernel, as over a disk that is gone, which not even SIGKILL ends, is left behind.
"""

from __future__ import annotations

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

#: A process that is not ready after so long never will be.
_READY_S = 120.0
#: How long a process has to end after it was told to, and again after it was killed.
GRACE_S = 3.0
#: Dask sets it for its workers, so that they seem small: each array of a picture is paid for by page faults.
_NOT_INHERITED = "MALLOC_TRIM_THRESHOLD_"
_START = (
    "import sys; from math import inf; sys.path[:] = {path!r}; from novacli.batch.children import childmain; "
    "childmain.serve({entry!r}, {fd}, {pid}, {idle_s}, is_quiet={is_quiet})"
)
#: Processes that hang in the kernel.  Kept, since Python warns of one that is forgotten while it runs.
_left_behind: list[subprocess.Popen[bytes]] = []


class ChildProcess:
    """Such a process, started when it is needed; for one thread, and it ends with that.

    Parameters
    ----------
    entry
        The function that answers there, as ``module:function``.
    idle_s
        It ends by itself when it was asked nothing for so long, and another one is started when it is.
    is_quiet
        Whether nobody shall hear what it writes to stdout, or to stderr once it is ready.
    """

    def __init__(self, entry: str, *, idle_s: float = math.inf, is_quiet: bool = False) -> None:
        self._entry, self._idle_s, self._is_quiet = entry, idle_s, is_quiet
        #: Held while a process is started or signalled: none must be started once no more shall be.
        self._lock = threading.Lock()
        self._is_dismissed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None

    def ask(self, *question: Any, limit_s: float) -> Any:
        """Return what the function answers.

        Raises
        ------
        WorkerLostError
            Where the process ended over it, or was dismissed.
        TaskHungError
            Where it did not come to an end within ``limit_s`` seconds.
        UnavailableError
            Where there can be no such process.
        InternalError
            Where the function raised.
        """
        exit_code: int | None = 0
        for _ in range(2):  # one that ends of itself, since it was idle for long, may do so in the moment it is asked
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
        """Start it before it is asked anything."""
        with contextlib.suppress(UnavailableError, WorkerLostError):  # whoever asks hears of it
            self._ready()

    def dismiss(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Tell it to end, with what it works on, and have no other one started; may be called from any thread."""
        with self._lock:
            self._is_dismissed = True
            if self._process is not None:
                self._process.send_signal(number)

    def end(self) -> bool:
        """End it, with what it works on; say whether it did."""
        is_ended = True
        if self._process is not None:
            self._process.terminate()
            is_ended = _ended(self._process) is not None
        self._forget()
        return is_ended

    def _ready(self) -> tuple[subprocess.Popen[bytes], Channel]:
        """Return a process that is ready, and the channel to it."""
        if self._process is not None and self._process.poll() is not None:
            self._forget()  # it ended while it had nothing to do: no frame is to blame
        if self._process is not None and self._channel is not None:
            return self._process, self._channel
        with self._lock:
            if self._is_dismissed:
                raise WorkerLostError("was let go", is_frames_fault=False)
            running, channel = self._process, self._channel = self._started()
        try:
            channel.receive(time.monotonic() + _READY_S)
        except (EOFError, OSError):
            running.terminate()
            how = how_it_ended(_ended(running))
            self._forget()
            raise _not_started(f"{how} before it was ready") from None
        return running, channel

    def _started(self) -> tuple[subprocess.Popen[bytes], Channel]:
        with contextlib.ExitStack() as unless_started:
            try:
                ours, theirs = channels()
                unless_started.callback(ours.close)
                with contextlib.closing(theirs):
                    running = self._spawned(theirs)
            except OSError as exc:
                raise _not_started(f"cannot be started: {exc}") from exc
            unless_started.pop_all()
        return running, ours

    def _spawned(self, theirs: Channel) -> subprocess.Popen[bytes]:
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
            start_new_session=True,  # Ctrl-C is for this process alone, which sees to its children
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
    """Wait for a process that is about to end, and have it end; return its exit code, None where it does not."""
    for _ in range(2):
        try:
            return running.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            running.kill()
    _left_behind.append(running)
    return None


def how_it_ended(exit_code: int | None) -> str:
    """Return in words how a process ended, to follow "its worker"."""
    if exit_code is None:
        return "hangs in the kernel"
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was killed by signal {-exit_code}"
