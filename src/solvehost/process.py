"""The one subprocess gate of ``solvehost``: an engine as a child that is limited, watched, and surely ended.

Argument lists, never a shell; nothing on stdin, output into the attempt's own log, a rebuilt environment, its own
session.  An engine starts only once this side holds on to it (``become.py`` waits for the word), so that an interrupt
in between leaves none behind.  The parent-death signal fires when the *thread* that spawned the engine ends, so a
race spawns, waits and kills from one and the same thread.
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
    """What one engine may use: CPU seconds, bytes of private memory, bytes in any one file, open files.

    ``alone`` keeps it from starting processes; ``confined`` from all files but its own (see ``sandbox.py``).
    """

    cpu_s: int = 7200
    data_bytes: int = 4 * 2**30
    file_bytes: int = 64 * 2**20
    open_files: int = 1024
    alone: bool = False
    confined: bool = False

    def text(self) -> str:
        """Return them as ``become.py`` takes them.  RLIMIT_AS is left alone: index files are mapped."""
        limits = f"cpu={self.cpu_s},data={self.data_bytes},fsize={self.file_bytes},nofile={self.open_files},core=0"
        return f"{limits},nproc=1" if self.alone else limits


class Child:
    """A running engine.  ``exit_status`` is None until it ended; then its exit code, negative for a signal.

    Raises
    ------
    UnavailableError
        Where no process can be started.
    """

    def __init__(self, command: Sequence[str], cwd: Path, log: Path, limits: Limits, rules: str = "") -> None:
        helper = [sys.executable, "-I", "-S", "-c", _helper_source(), str(os.getpid()), limits.text(), rules]
        self.exit_status: int | None = None
        self.cpu_s = 0.0
        self._pidfd: int | None = None
        self._popen = _spawn([*helper, *command], cwd, log)
        self.pid = self._popen.pid
        try:
            self._pidfd = _open_pidfd(self.pid)
            self._give_the_word()
        except BaseException:
            self.kill()
            raise
        finally:
            if self._popen.stdin is not None:
                self._popen.stdin.close()

    def _give_the_word(self) -> None:
        if self._popen.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it ended already, and its exit status will say why
                self._popen.stdin.write(b"!")

    @property
    def pidfd(self) -> int | None:
        """A descriptor that becomes readable when the engine ends; None where the system has none."""
        return self._pidfd

    def poll(self) -> bool:
        """Reap the engine if it ended, and end what it may have left behind; say whether it has ended."""
        if self.exit_status is None:
            try:
                if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                    self.kill()
            except (AttributeError, ChildProcessError):  # macOS before Python 3.13; a host that ignores SIGCHLD
                self._reap(os.WNOHANG)
        return self.exit_status is not None

    @property
    def cpu_so_far_s(self) -> float:
        """CPU seconds that it has used until now; 0 while it runs where the system does not say (macOS)."""
        if self.exit_status is not None:
            return self.cpu_s
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as stat:  # noqa: PTH123 - looked at often
                user, system = stat.read().rpartition(b")")[2].split()[11:13]
        except (OSError, ValueError):
            return 0.0
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

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
        self._reap()

    def _signal(self, number: signal.Signals) -> None:
        """Signal its process group; the number cannot be another's, since the engine has not been reaped."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses where all are zombies
            os.killpg(self.pid, number)

    def _reap(self, options: int = 0) -> None:
        try:
            pid, status, usage = os.wait4(self.pid, options)
        except ChildProcessError:  # the host program ignores SIGCHLD; its files alone say how the engine fared
            self.exit_status = 0
        else:
            if not pid:
                return
            self.exit_status = os.waitstatus_to_exitcode(status)
            self.cpu_s = usage.ru_utime + usage.ru_stime
        self._popen.returncode = self.exit_status
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def _helper_source() -> str:
    source = pkgutil.get_data("solvehost", "become.py")
    if source is None:
        raise UnavailableError("solvehost is not installed whole: become.py is missing")
    return source.decode()


def _spawn(command: Sequence[str], cwd: Path, log: Path) -> subprocess.Popen[bytes]:
    try:
        with log.open("ab") as out:
            return subprocess.Popen(
                command,
                cwd=cwd,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
    except OSError as exc:
        raise UnavailableError(
            f"the engine's process cannot be started: {exc}: check memory and process limits"
        ) from exc


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
