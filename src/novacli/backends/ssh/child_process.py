"""The one subprocess gate of ``novacli``: a program that is fed, read and timed, and surely ended.

Argument lists, never a shell.  One thread moves all three streams, so that no full pipe can hold the others up.  The
program has a session of its own and cannot ask for a password on the terminal.  What it writes to stderr is escaped
and bounded; its end is not waited for there, since a shared connection's background process may hold stderr open.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

from novacli.errors import TransferError, UnavailableError
from solvehost.engine import exec_helper
from solvehost.wire import escape

_CHUNK = 64 * 1024
#: How often the cancel flag is looked at where nothing else wakes this side.
_TICK_S = 0.1
#: A program that has closed stdout is about to end; one that takes longer hangs.
_ENDING_S = 10.0
#: Asked to end, ssh removes its control socket; then it is killed.
_TERM_S = 0.5
#: A log longer than this comes from nothing that works as it should.
MAX_STDERR_BYTES = 16 * 2**20
_LINE_CHARACTERS = 400
_KEPT_LINES = 20
_OBSERVED_LINES = 2_000


class TimeUpError(Exception):
    """The deadline passed before the program was done."""


class CancelledError(Exception):
    """The caller wants no result any more."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How long a call may take (``deadline``, by the monotonic clock), and who hears of it and may end it."""

    deadline: float = math.inf
    observe: Callable[[str], None] = lambda _line: None
    cancelled: Callable[[], bool] = lambda: False

    @classmethod
    def of_seconds(cls, seconds: float, observe: Callable[[str], None] = lambda _line: None) -> Watch:
        """Return one that is over in so many seconds."""
        return cls(time.monotonic() + seconds, observe)

    def check(self) -> None:
        """Raise where the call is to end."""
        if self.cancelled():
            raise CancelledError
        if time.monotonic() >= self.deadline:
            raise TimeUpError


@dataclass(frozen=True, slots=True)
class Ended:
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
    """A running program; a context manager, at whose end it is gone in any case.

    Raises
    ------
    UnavailableError
        Where no process can be started.
    """

    def __init__(self, command: Sequence[str], stdin: bytes, watch: Watch) -> None:
        self._watch = watch
        self._to_send = memoryview(stdin)
        self._log = _Log(watch.observe)
        self._stdout_ended = False
        self._selector = _selector()  # first: what fails after the start would leave the program behind
        self._popen = _spawn(command)
        assert self._popen.stdin and self._popen.stdout and self._popen.stderr  # noqa: S101 - all three are pipes
        self._stdin, self._stdout, self._stderr = self._popen.stdin, self._popen.stdout, self._popen.stderr
        for stream in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(stream.fileno(), False)
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ, self._hear)
        self._selector.register(self._stdin, selectors.EVENT_WRITE, self._send)

    def __enter__(self) -> Call:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._end()
        self._selector.close()
        for stream in (self._stdin, self._stdout, self._stderr):
            with contextlib.suppress(OSError):
                stream.close()

    def read(self, size: int) -> bytes:
        """Return at least one byte of stdout and at most ``size``, none at its end: a ``wire.Read``.

        Raises
        ------
        TimeUpError, CancelledError
            As the watch has it.
        TransferError
            Where stderr does not end.
        """
        while not self._stdout_ended:
            self._watch.check()
            for key, _ in self._selector.select(self._patience_s()):
                if key.data is not None:
                    key.data()
                elif (data := self._take(min(size, _CHUNK))) is not None:
                    return data
        return b""

    def finish(self) -> Ended:
        """Return how the program ended; one that still has something to say on stdout is ended here.

        Raises
        ------
        TimeUpError, CancelledError, TransferError
            As :meth:`read`.
        """
        if not self._stdout_ended:
            self._end()
            return Ended(None, self._log.lines)
        self._forget(self._stdin)
        deadline = min(self._watch.deadline, time.monotonic() + _ENDING_S)
        with _pidfd(self._popen.pid) as fd:
            if fd is not None:
                self._selector.register(fd, selectors.EVENT_READ, lambda: None)
            while not self._has_ended() and time.monotonic() < deadline:
                if self._watch.cancelled():
                    raise CancelledError
                self._pump(_TICK_S if fd is not None else 0.005)
            if fd is not None:
                self._selector.unregister(fd)
        if not self._has_ended():
            self._watch.check()
            self._end()
            return Ended(None, self._log.lines)
        self._pump(0)
        self._end()
        return Ended(self._popen.returncode, self._log.lines)

    def _patience_s(self) -> float:
        return max(0.0, min(_TICK_S, self._watch.deadline - time.monotonic()))

    def _pump(self, timeout_s: float) -> None:
        if not self._selector.get_map():
            time.sleep(timeout_s)
            return
        for key, _ in self._selector.select(timeout_s):
            key.data()

    def _take(self, size: int) -> bytes | None:
        try:
            data = self._stdout.read(size)
        except BlockingIOError:
            return None
        if data == b"":
            self._stdout_ended = True
            self._selector.unregister(self._stdout)
        return data

    def _send(self) -> None:
        try:
            count = os.write(self._stdin.fileno(), self._to_send[:_CHUNK]) if self._to_send else 0
        except BlockingIOError:
            return
        except OSError as exc:
            if exc.errno != errno.EPIPE:
                raise
            self._forget(self._stdin)  # it reads no further; its exit code will say why
            return
        self._to_send = self._to_send[count:]
        if not self._to_send:
            self._forget(self._stdin)

    def _forget(self, stream: object) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(stream)  # type: ignore[arg-type]
        stream.close()  # type: ignore[attr-defined]

    def _hear(self) -> None:
        try:
            data = os.read(self._stderr.fileno(), _CHUNK)
        except BlockingIOError:
            return
        if data:
            self._log.add(data)
        else:
            self._log.end()
            self._selector.unregister(self._stderr)

    def _has_ended(self) -> bool:
        """Say whether the program has ended, and leave it to be reaped: its number stays its own until then."""
        if self._popen.returncode is not None:
            return True
        try:
            return os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except (AttributeError, ChildProcessError):  # macOS before Python 3.13; a host that ignores SIGCHLD
            return self._popen.poll() is not None

    def _end(self) -> None:
        """End the program and all that it left in its session, and reap it."""
        if self._popen.returncode is not None:
            return
        if not self._has_ended():
            self._signal(signal.SIGTERM)
            deadline = time.monotonic() + _TERM_S
            while not self._has_ended() and time.monotonic() < deadline:
                time.sleep(0.005)
        self._signal(signal.SIGKILL)
        self._popen.wait()
        self._log.end()

    def _signal(self, number: signal.Signals) -> None:
        if self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses where all are zombies
                os.killpg(self._popen.pid, number)


class _Log:
    """What a program writes to stderr: lines, escaped, the last of which are kept."""

    def __init__(self, observe: Callable[[str], None]) -> None:
        self._observe = observe
        self._partial = b""
        self._is_cut = False
        self._count = self._bytes = 0
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(self._lines)

    def add(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes > MAX_STDERR_BYTES:
            raise TransferError(f"its log does not end: it was left after {MAX_STDERR_BYTES:,} bytes")
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._add_line(self._partial + line)
            self._partial, self._is_cut = b"", False
        if not self._is_cut:
            self._partial += rest[: 2 * _LINE_CHARACTERS]
            self._is_cut = len(self._partial) > _LINE_CHARACTERS

    def end(self) -> None:
        """Take what has no line feed for a line."""
        self._add_line(self._partial)
        self._partial = b""

    def _add_line(self, line: bytes) -> None:
        text = escape(line.rstrip(b"\r"), _LINE_CHARACTERS).strip()
        if not text:
            return
        if len(text) > _LINE_CHARACTERS:  # escapes are four characters each
            text = f"{text[:_LINE_CHARACTERS]}..."
        self._lines.append(text)
        self._count += 1
        if self._count <= _OBSERVED_LINES:
            self._observe(text)


def _selector() -> selectors.BaseSelector:
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


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int | None]:
    """Yield a descriptor that becomes readable when the process ends, None where the system has none."""
    try:
        fd = os.pidfd_open(pid)
    except (AttributeError, OSError):  # macOS, old kernels
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)
