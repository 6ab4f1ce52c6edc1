"""The one subprocess gate of ``solvehost``: an engine as a child that is limited, watched, and surely ended.

Argument lists, never a shell; stdin from /dev/null, output into the attempt's own log, a rebuilt environment, its
own session.  The parent-death signal fires when the *thread* that spawned the engine ends, so a race spawns, waits
and kills from one and the same thread.
"""

from __future__ import annotations

import contextlib
import os
import pkgutil
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from solvehost.errors import UnavailableError

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "OMP_NUM_THREADS": "1"}
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Limits:
    """What one engine may use: CPU seconds, bytes of private memory, bytes in any one file, open files."""

    cpu_s: int = 7200
    data_bytes: int = 4 * 2**30
    file_bytes: int = 64 * 2**20
    open_files: int = 1024

    def text(self) -> str:
        """Return them as ``become.py`` takes them.  RLIMIT_AS is left alone: index files are mapped."""
        return f"cpu={self.cpu_s},data={self.data_bytes},fsize={self.file_bytes},nofile={self.open_files},core=0"


class Child:
    """A running engine.  ``exit_status`` is None until it ended; then its exit code, negative for a signal."""

    def __init__(self, command: Sequence[str], cwd: Path, log: Path, limits: Limits) -> None:
        source = pkgutil.get_data("solvehost", "become.py")
        if source is None:
            raise UnavailableError("solvehost is not installed whole: become.py is missing")
        helper = [sys.executable, "-I", "-S", "-c", source.decode(), str(os.getpid()), limits.text()]
        with log.open("ab") as out:
            self._popen = subprocess.Popen(
                [*helper, *command],
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        self.pid = self._popen.pid
        self.exit_status: int | None = None
        self.cpu_s = 0.0
        self._pidfd = _open_pidfd(self.pid)

    @property
    def pidfd(self) -> int | None:
        """A descriptor that becomes readable when the engine ends; None where the system has none."""
        return self._pidfd

    def poll(self) -> bool:
        """Reap the engine if it ended; say whether it has."""
        if self.exit_status is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._ended(status, usage.ru_utime + usage.ru_stime)
        return self.exit_status is not None

    def suspend(self) -> None:
        """Stop it for now; it keeps what it has found."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, with all that it may have started, and reap it."""
        if self.exit_status is not None:
            return
        self._signal(signal.SIGKILL)
        _, status, usage = os.wait4(self.pid, 0)
        self._ended(status, usage.ru_utime + usage.ru_stime)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _ended(self, status: int, cpu_s: float) -> None:
        self.exit_status = os.waitstatus_to_exitcode(status)
        self._popen.returncode = self.exit_status
        self.cpu_s = cpu_s
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # macOS, old kernels
        return None


def wait_for_any(children: Iterable[Child], timeout_s: float) -> None:
    """Return when one of the children has ended, or after ``timeout_s`` seconds."""
    descriptors = [child.pidfd for child in children]
    if not descriptors or None in descriptors:
        time.sleep(min(timeout_s, _POLL_S) if descriptors else timeout_s)
        return
    poller = select.poll()
    for fd in descriptors:
        if fd is not None:
            poller.register(fd, select.POLLIN)
    poller.poll(max(0, timeout_s) * 1000)
