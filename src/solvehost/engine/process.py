"""Start an engine as a child process, limit it, watch it, and end it in every case.

Every engine of ``solvehost`` is started here: by an argument list, never a shell, with nothing on stdin, output into
the log of the attempt, a rebuilt environment, and a session of its own.  An engine starts only once this process has
recorded it (``exec_helper.py`` waits for permission), so that an interrupt in between leaves none behind.  The
parent-death signal fires when the *thread* that spawned the engine ends, so a race spawns, waits for and kills its
engines from one thread.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from solvehost.engine import exec_helper
from solvehost.engine.descriptors import above_standard, close_others
from solvehost.errors import UnavailableError
from solvehost.record import record

if TYPE_CHECKING:
    import subprocess

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "OMP_NUM_THREADS": "1"}
_POLL_S = 0.01
_OWN_MEMORY = re.compile(rb"^(?:RssAnon|VmSwap):\s*([0-9]+) kB", re.MULTILINE)


@record
class EngineLimits:
    """What one engine may use: CPU seconds, bytes of private memory, bytes in any one file, open files.

    ``alone`` forbids it to start processes; ``confined`` forbids all files but its own (see ``sandbox.py``).
    ``by_fork`` starts it by a fork, which saves the start of an interpreter; None does so if that is safe, in a
    process with one thread.
    """

    cpu_s: int = 7200
    data_bytes: int = 4 * 2**30
    file_bytes: int = 64 * 2**20
    open_files: int = 1024
    alone: bool = False
    confined: bool = False
    by_fork: bool | None = None

    def text(self) -> str:
        """Return the limits as ``exec_helper.py`` parses them, without RLIMIT_AS because index files are mapped."""
        limits = f"cpu={self.cpu_s},data={self.data_bytes},fsize={self.file_bytes},nofile={self.open_files},core=0"
        return f"{limits},nproc=1" if self.alone else limits


class EngineProcess:
    """A running engine.

    Parameters
    ----------
    command
        The engine's absolute path and its arguments.
    cwd, log
        Its working directory, and the file to which its output is appended.
    limits
        What it may use.
    rules
        What it may open, by :func:`solvehost.engine.sandbox.rules`; empty if it is not confined.

    Attributes
    ----------
    exit_status
        None until it has ended, then its exit code, negative for a signal.
    cpu_s
        CPU seconds that it used, once it has ended.

    Raises
    ------
    UnavailableError
        If no process can be started.
    """

    def __init__(self, command: Sequence[str], cwd: Path, log: Path, limits: EngineLimits, rules: str = "") -> None:
        arguments = [str(os.getpid()), limits.text(), rules, *command]
        self.exit_status: int | None = None
        self.cpu_s = 0.0
        self._pidfd: int | None = None
        self._popen: subprocess.Popen[bytes] | None = None
        permission, give = map(above_standard, os.pipe())
        self._permission: int | None = permission
        try:
            if is_single_threaded() if limits.by_fork is None else limits.by_fork:
                self.pid = _fork(arguments, cwd, log, permission, give)
            else:
                self._popen = _spawn(arguments, cwd, log, permission)
                self.pid = self._popen.pid
            self._give_permission(give)
        except BaseException:
            self._close_permission()
            raise
        finally:
            os.close(give)

    def _give_permission(self, give: int) -> None:
        """Let the child become the engine, now that this object can end it."""
        try:
            self._pidfd = _open_pidfd(self.pid)
            os.write(give, b"!")  # this process holds the read end as well, so the pipe is never broken
        except BaseException:
            self.kill()
            raise

    @property
    def has_begun(self) -> bool:
        """True if it has read its permission, and so ends with this process; if suspended before that, it would not."""
        if self._permission is None:
            return True
        waiting = array.array("i", [0])
        fcntl.ioctl(self._permission, termios.FIONREAD, waiting)
        if waiting[0] == 0:
            self._close_permission()
        return self._permission is None

    def _close_permission(self) -> None:
        if self._permission is not None:
            os.close(self._permission)
            self._permission = None

    @property
    def pidfd(self) -> int | None:
        """A descriptor that becomes readable when the engine ends; None if the system has none."""
        return self._pidfd

    def poll(self) -> bool:
        """Return True if the engine has ended, after reaping it and killing what it may have left running."""
        if self.exit_status is None:
            try:
                if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                    self.kill()
            except (AttributeError, ChildProcessError):  # macOS before Python 3.13; a host that ignores SIGCHLD
                self._reap(os.WNOHANG)
        return self.exit_status is not None

    @property
    def cpu_so_far_s(self) -> float | None:
        """CPU seconds that it has used until now; None while it runs on a system that does not tell (macOS)."""
        if self.exit_status is not None:
            return self.cpu_s
        if not _TELLS_CPU:
            return None
        try:
            return time.clock_gettime(_cpu_clock(self.pid))
        except OSError:  # it has ended, and is not reaped yet
            return self.cpu_s

    @property
    def memory_bytes(self) -> int:
        """Bytes of private memory that it uses, in RAM and in swap; 0 on a system that does not tell (macOS)."""
        try:
            with open(f"/proc/{self.pid}/status", "rb") as status:  # noqa: PTH123 - called often
                found = _OWN_MEMORY.findall(status.read()) if self.exit_status is None else []
        except OSError:
            return 0
        return 1024 * sum(map(int, found))

    def suspend(self) -> None:
        """Stop it for now; it keeps its memory."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it continue after :meth:`suspend`."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it with every process that it may have started, and reap it."""
        if self.exit_status is not None:
            return
        self._signal(signal.SIGKILL)
        self._reap()

    def _signal(self, number: signal.Signals) -> None:
        """Signal its process group; the engine is not reaped yet, so the number is not another process's."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses if all are zombies
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:  # just forked, it has no process group of its own yet
                os.kill(self.pid, number)

    def _reap(self, options: int = 0) -> None:
        try:
            pid, status, usage = os.wait4(self.pid, options)
        except ChildProcessError:  # the host program ignores SIGCHLD; only the files tell how the engine ended
            self.exit_status = 0
        else:
            if not pid:
                return
            self.exit_status = os.waitstatus_to_exitcode(status)
            self.cpu_s = usage.ru_utime + usage.ru_stime
        if self._popen is not None:
            self._popen.returncode = self.exit_status
        self._close_permission()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def _cpu_clock(pid: int) -> int:
    """Return the clock of a process's CPU time, as clock_getcpuclockid(3) makes it on Linux."""
    return (~pid << 3) | 2


def _tells_cpu() -> bool:
    """Return True if this system tells the CPU time of another process."""
    try:
        return sys.platform == "linux" and time.clock_gettime(_cpu_clock(os.getpid())) > 0
    except OSError:
        return False


_TELLS_CPU = _tells_cpu()


def is_single_threaded() -> bool:
    """Return True if this process has one thread, so that a fork copies no lock that another thread holds."""
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208
    except OSError:
        return False


def _fork(arguments: list[str], cwd: Path, log: Path, permission: int, give: int) -> int:
    """Fork a child that becomes the engine; return its pid."""
    try:
        out = above_standard(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
    except OSError as exc:
        raise _not_started(exc) from exc
    try:
        pid = os.fork()
    except OSError as exc:
        os.close(out)
        raise _not_started(exc) from exc
    if pid:
        os.close(out)
        return pid
    try:
        os.close(give)
        os.setsid()
        os.chdir(cwd)
        for fd, number in (permission, 0), (out, 1), (out, 2):
            os.dup2(fd, number)
        close_others()  # also those that this program inherited open
        exec_helper.become_engine(arguments, _ENVIRONMENT)
    finally:
        os._exit(exec_helper.EXIT_NOT_STARTED)


def _spawn(arguments: list[str], cwd: Path, log: Path, permission: int) -> subprocess.Popen[bytes]:
    """Start an interpreter that becomes the engine."""
    try:
        import subprocess  # a solve server forks, and so spares this import

        with log.open("ab") as out:
            return subprocess.Popen(
                [*exec_helper.command_line("engine"), *arguments],
                cwd=cwd,
                stdin=permission,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
    except OSError as exc:
        raise _not_started(exc) from exc


def _not_started(exc: OSError) -> UnavailableError:
    return UnavailableError(f"the engine's process cannot be started: {exc}: check memory and process limits")


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # macOS, old kernels
        return None


def wait_for_any(engines: Iterable[EngineProcess], timeout_s: float) -> None:
    """Return when one of the engines has ended, or after ``timeout_s`` seconds."""
    descriptors = [engine.pidfd for engine in engines]
    if not descriptors or None in descriptors:
        time.sleep(min(timeout_s, _POLL_S) if descriptors else timeout_s)
        return
    poller = select.poll()
    for fd in descriptors:
        if fd is not None:
            poller.register(fd, select.POLLIN)
    poller.poll(max(0, timeout_s) * 1000)
