"""The process in which a thread of a Dask worker has its frames solved, one at a time.

It has one thread, and memory that is managed as usual: engines start by a fork there, and large arrays are not handed
back to the system one by one, as Dask has its own workers do.  A frame that brings a process down, or that hangs,
brings down this one and not the worker, with all that it holds for others.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from novacli.batch.executors import process
from novacli.batch.records import Done, Task
from novacli.errors import InternalError, UnavailableError, fault_text
from novacli.result import FAILED, Result, error_of

#: What came of a task: its record; a path that is not seen here; how the process ended over it; or that it did not
#: come to its end.
DONE, UNSEEN, LOST, HUNG = "done", "unseen", "lost", "hung"
#: A network's file system may show what another machine made only after a while.
_SEEN_S, _LOOK_S = 5.0, 0.5
#: A child that has nothing to do for so long ends: a cluster may live on for days after a run.
_IDLE_S = 300.0
#: A process that is not ready after so long never will be.
_READY_S = 120.0
_GRACE_S = 3.0
#: Dask sets it for its workers, so that they seem small: each array of a picture is paid for by page faults.
_NOT_INHERITED = "MALLOC_TRIM_THRESHOLD_"
_START = (
    "import sys; sys.path[:] = {path!r}; from novacli.batch.executors import daskchild; daskchild.serve({fd}, {pid})"
)


class Child:
    """Such a process, started when it is needed; for one thread, and it ends with that."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Connection[Any, Any] | None = None

    def do(self, task: Task, mark: Path, limit_s: float) -> tuple[str, Any]:
        """Have a task done, unless ``mark`` goes meanwhile; return a word, and what belongs to it.

        Raises
        ------
        UnavailableError
            Where there can be no such process.
        """
        while True:
            running, channel = self._running()
            try:
                channel.send((task, mark))
                if not channel.poll(limit_s):
                    self.end()
                    return HUNG, None
                came: tuple[str, Any] = channel.recv()
                return came
            except (EOFError, OSError):
                exit_code = _wait(running)
                self._forget()
                if exit_code:
                    return LOST, process.how(exit_code)  # else it had been idle for long, and ended in this moment

    def end(self) -> None:
        """End it, with what it works on."""
        if self._process is not None:
            self._process.terminate()
            _wait(self._process)
        self._forget()

    def _running(self) -> tuple[subprocess.Popen[bytes], Connection[Any, Any]]:
        if self._process is not None and self._process.poll() is not None:
            self._forget()  # it ended while it had nothing to do: no frame is to blame
        if self._process is None or self._channel is None:
            self._process, self._channel = _started()
        return self._process, self._channel

    def _forget(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._process = self._channel = None


def _started() -> tuple[subprocess.Popen[bytes], Connection[Any, Any]]:
    """Return a process that is ready to work, and the channel to it."""
    try:
        ours, theirs = Pipe()
        with theirs:
            start = _START.format(path=sys.path, fd=theirs.fileno(), pid=os.getpid())
            running = subprocess.Popen(
                [sys.executable, "-c", start],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={name: value for name, value in os.environ.items() if name != _NOT_INHERITED},
                start_new_session=True,
            )
    except OSError as exc:
        raise _not_started(f"cannot be started: {exc}") from exc
    try:
        if ours.poll(_READY_S):
            ours.recv()
            return running, ours
    except (EOFError, OSError):
        pass
    running.terminate()
    raise _not_started(f"{process.how(_wait(running))} before it was ready")


def _not_started(how: str) -> UnavailableError:
    machine = socket.gethostname()
    return UnavailableError(f"{machine}: the process to solve it in {how}: check nova, memory and process limits there")


def _wait(running: subprocess.Popen[bytes]) -> int:
    """Wait for a process that is about to end, and have it end; return its exit code."""
    for _ in range(2):
        try:
            return running.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            running.kill()
    return -signal.SIGKILL  # it hangs in the kernel, as over a disk that is gone, and ends when that lets it go


# --- In the child -------------------------------------------------------------------------------------------------


def serve(fd: int, parent_pid: int) -> None:
    """Do what comes by a socket, until its other end is closed or nothing has come for long."""
    process.begin(parent_pid)
    channel: Connection[Any, Any] = Connection(fd)
    with contextlib.suppress(EOFError, OSError):
        channel.send(None)  # it is ready
        while channel.poll(_IDLE_S):
            task, mark = channel.recv()
            channel.send(_came_of(task, mark))


def _came_of(task: Task, mark: Path) -> tuple[str, Any]:
    if not is_seen(task.frame.path):
        return UNSEEN, task.frame.path
    try:
        return DONE, process.work(task, _ended_by(mark))
    except Exception as exc:
        error = InternalError(fault_text(exc))
        return DONE, Done(task.frame, result=Result(task.frame.path, FAILED, error=error_of(error)))


def is_seen(path: str) -> bool:
    """Look for a file, for a while where a network's file system may not show it yet."""
    until_s = time.monotonic() + _SEEN_S
    while not os.path.lexists(path):
        if time.monotonic() > until_s:
            return False
        with contextlib.suppress(OSError):
            os.listdir(os.path.dirname(path))  # noqa: PTH120, PTH208 - has what is cached of it asked for anew
        time.sleep(_LOOK_S)
    return True


def _ended_by(mark: Path) -> Callable[[], bool]:
    """Return what says whether nobody waits any more: the worker is gone, or the mark, looked for twice a second."""
    looked_s, is_gone = time.monotonic(), False

    def cancelled() -> bool:
        nonlocal looked_s, is_gone
        if not is_gone and time.monotonic() - looked_s > _LOOK_S:
            looked_s, is_gone = time.monotonic(), not mark.exists()
        return is_gone or process.is_alone()

    return cancelled
