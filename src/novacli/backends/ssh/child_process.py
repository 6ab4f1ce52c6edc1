"""Run a program: feed its stdin, read its stdout, collect its stderr, limit its time, and end it in any case.

This is the one place where ``novacli`` starts programs.  It takes argument lists and never uses a shell.  One thread
serves all three streams, so a full pipe never blocks the others.  The program runs in a session of its own, so that it
cannot ask for a password on the terminal.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import IO

from novacli.backends.ssh.limits import CancelledError, check_limits
from novacli.backends.ssh.stderr_log import StderrLog
from novacli.errors import UnavailableError
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress
from solvehost.engine import exec_helper
from solvehost.record import record

_Stream = IO[bytes]
_CHUNK = 64 * 1024
#: How often the caller is asked whether it has cancelled, if nothing else happens.
_TICK_S = 0.1
#: A program that has closed stdout is expected to end within this time; else it hangs.
_ENDING_S = 10.0
#: When ssh is asked to end, it removes its control socket.  After this time it is killed.
_TERM_S = 0.5


@record
class ProgramEnd:
    """How a program ended.

    Attributes
    ----------
    code
        Its exit code; -n if signal n killed it, None if this side ended it.
    stderr_lines
        The last lines that it wrote to stderr, escaped.
    """

    code: int | None
    stderr_lines: tuple[str, ...]


class Call:
    """A running program with its three streams.  Used as a context manager; on leaving it the program is gone.

    Each stream is registered at the selector with the method that serves it, and is unregistered when it ends.

    Raises
    ------
    UnavailableError
        If no process can be started.
    """

    def __init__(self, command: Sequence[str], stdin: bytes, budget: Budget, progress: Progress = SILENT) -> None:
        self._budget, self._progress = budget, progress
        self._to_send = memoryview(stdin)
        self._log = StderrLog(progress.observe)
        self._received = b""
        self._read_size = _CHUNK
        self._stdout_ended = False
        self._selector = _new_selector()  # made first: an error after the start would leave the program running
        self._program = _Program(command)
        for stream in self._program.streams:
            os.set_blocking(stream.fileno(), False)
        self._serve(self._program.stdin, selectors.EVENT_WRITE, self._write_stdin)
        self._serve(self._program.stdout, selectors.EVENT_READ, self._read_stdout)
        self._serve(self._program.stderr, selectors.EVENT_READ, self._read_stderr)

    def __enter__(self) -> Call:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._end()
        self._selector.close()
        self._program.close_streams()

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes of stdout, at least one; none at its end.

        Raises
        ------
        TimeUpError, CancelledError
            If the deadline has passed, or the caller has cancelled.
        TransferError
            If the program writes too much to stderr.
        """
        self._read_size = min(size, _CHUNK)
        while not self._received and not self._stdout_ended:
            check_limits(self._budget, self._progress)
            self._serve_streams(max(0.0, min(_TICK_S, self._budget.left_s)))
        received, self._received = self._received, b""
        return received

    def finish(self) -> ProgramEnd:
        """Wait until the program ends, and return how.  If its stdout was not read to the end, it is ended here.

        The end of stderr is not waited for: the background process of a shared connection may keep it open.

        Raises
        ------
        TimeUpError, CancelledError, TransferError
            As :meth:`read`.
        """
        if self._stdout_ended:
            self._stop_serving(self._program.stdin)
            self._program.stdin.close()
            self._wait_for_end(min(self._budget.deadline_s, time.monotonic() + _ENDING_S))
        if not self._program.has_ended():
            self._end()
            return ProgramEnd(None, self._log.lines)
        self._serve_streams(0)
        self._end()
        return ProgramEnd(self._program.exit_status, self._log.lines)

    def _wait_for_end(self, deadline: float) -> None:
        with self._program.pidfd() as fd:
            if fd is not None:
                self._selector.register(fd, selectors.EVENT_READ, lambda: None)
            while not self._program.has_ended() and time.monotonic() < deadline:
                if self._progress.cancelled():
                    raise CancelledError
                self._serve_streams(_TICK_S if fd is not None else 0.005)
            if fd is not None:
                self._selector.unregister(fd)
        if not self._program.has_ended():
            check_limits(self._budget, self._progress)

    def _serve(self, stream: _Stream, event: int, callback: Callable[[], None]) -> None:
        self._selector.register(stream, event, callback)

    def _stop_serving(self, stream: _Stream) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(stream)

    def _serve_streams(self, timeout_s: float) -> None:
        """Wait until a stream is ready or the time is up, and serve the streams that are ready."""
        if not self._selector.get_map():
            time.sleep(timeout_s)
            return
        for key, _ in self._selector.select(timeout_s):
            key.data()

    def _read_stdout(self) -> None:
        data = _read_ready(self._program.stdout, self._read_size)
        if data == b"":
            self._stdout_ended = True
            self._stop_serving(self._program.stdout)
        elif data is not None:
            self._received = data

    def _read_stderr(self) -> None:
        data = _read_ready(self._program.stderr, _CHUNK)
        if data == b"":
            self._log.end()
            self._stop_serving(self._program.stderr)
        elif data is not None:
            self._log.add(data)

    def _write_stdin(self) -> None:
        stream = self._program.stdin
        try:
            count = os.write(stream.fileno(), self._to_send[:_CHUNK]) if self._to_send else 0
        except BlockingIOError:
            return
        except OSError as exc:
            if exc.errno != errno.EPIPE:
                raise
            self._to_send = memoryview(b"")  # the program reads no further; its exit code tells why
        else:
            self._to_send = self._to_send[count:]
        if not self._to_send:
            self._stop_serving(stream)
            stream.close()

    def _end(self) -> None:
        self._program.end()
        self._log.end()


class _Program:
    """The process of a program, in a session of its own."""

    def __init__(self, command: Sequence[str]) -> None:
        self._popen = _spawn(command)
        assert self._popen.stdin and self._popen.stdout and self._popen.stderr  # noqa: S101 - all three are pipes
        self.stdin, self.stdout, self.stderr = self._popen.stdin, self._popen.stdout, self._popen.stderr
        self.streams = (self.stdin, self.stdout, self.stderr)

    @property
    def exit_status(self) -> int | None:
        """The exit status, once :meth:`end` was called."""
        return self._popen.returncode

    def has_ended(self) -> bool:
        """Return True if the program has ended.  It is not reaped yet, so its process id is not used again."""
        if self._popen.returncode is not None:
            return True
        try:
            return os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except (AttributeError, ChildProcessError):  # macOS before Python 3.13; a process that ignores SIGCHLD
            return self._popen.poll() is not None

    def end(self) -> None:
        """End the program and all processes of its session, and reap it."""
        if self._popen.returncode is not None:
            return
        if not self.has_ended():
            self._signal(signal.SIGTERM)
            deadline = time.monotonic() + _TERM_S
            while not self.has_ended() and time.monotonic() < deadline:
                time.sleep(0.005)
        self._signal(signal.SIGKILL)
        self._popen.wait()

    def close_streams(self) -> None:
        for stream in self.streams:
            with contextlib.suppress(OSError):
                stream.close()

    @contextlib.contextmanager
    def pidfd(self) -> Iterator[int | None]:
        """Yield a descriptor that becomes readable when the program ends; None on systems without such descriptors."""
        try:
            fd = os.pidfd_open(self._popen.pid)
        except (AttributeError, OSError):  # macOS, old kernels
            yield None
            return
        try:
            yield fd
        finally:
            os.close(fd)

    def _signal(self, number: signal.Signals) -> None:
        if self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses if all are zombies
                os.killpg(self._popen.pid, number)


def _read_ready(stream: _Stream, size: int) -> bytes | None:
    """Return what is ready in a stream; None if nothing is, no bytes at its end."""
    try:
        return os.read(stream.fileno(), size)
    except BlockingIOError:
        return None


def _new_selector() -> selectors.BaseSelector:
    try:
        return selectors.DefaultSelector()
    except OSError as exc:
        raise UnavailableError(f"no program can be started: {exc}: check the limit of open files") from exc


def _spawn(command: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [*_prefix(), *command],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as exc:
        raise UnavailableError(f"{command[0]} cannot be started: {exc}: check memory and process limits") from exc


def _prefix() -> list[str]:
    """Return the words before a command that end it when this thread ends (Linux)."""
    if not sys.platform.startswith("linux"):
        return []
    return [*exec_helper.command_line("program"), str(os.getpid())]
