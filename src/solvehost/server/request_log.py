"""The request log: one line for each request, for the sysadmin, to standard error, a file, or syslog (and so journald).

Its ``key=value`` words are easy to grep and count.  docs/reference/solvehost.md describes them.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from solvehost.server.stdio import MessageWriter
from solvehost.wire.escaping import escape

if TYPE_CHECKING:
    from solvehost.engine.records import RaceResult

_DEV_LOG = "/dev/log"
#: Do not follow a link, and do not wait for a reader of a FIFO.
_OPEN_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
#: The group of the file, which is that of a set-group-ID directory, may read it.
_FILE_MODE = 0o640


@dataclass(slots=True)
class LogEntry:
    """The content of a line, which the server completes while it serves the request."""

    client: str
    verb: str = "solve"
    job_id: str = "-"
    stars: int = 0
    attempts: int = 0
    result: str = "refused"
    exit_code: int = 0
    cpu_s: float = 0.0
    index: int | None = None
    reason: str = ""
    began: float = field(default_factory=time.monotonic)

    def record_race(self, result: RaceResult, index: int | None) -> None:
        """Record how a race ended, and the number of the index that matched."""
        self.attempts = len(result.attempts)
        self.result = result.status if result.reason in ("none", "exhausted") else result.reason
        self.cpu_s = result.cpu_s
        self.index = index

    def line(self) -> str:
        """Return the line: ``key=value`` words without spaces, and perhaps a quoted reason at the end."""
        words = [
            f"client={self.client}", f"verb={self.verb}", f"id={self.job_id}", f"stars={self.stars}",
            f"attempts={self.attempts}", f"result={self.result}", f"exit={self.exit_code}",
            f"seconds={time.monotonic() - self.began:.2f}", f"cpu={self.cpu_s:.2f}",
            f"index={'-' if self.index is None else self.index}",
        ]  # fmt: skip
        reason = escape(self.reason, 200).replace('"', r"\x22")  # the only quotes are those around the reason
        return " ".join([*words, f'reason="{reason}"'] if self.reason else words)


def write(line: str, destination: str, messages: MessageWriter) -> None:
    """Write a line to ``stderr``, ``syslog`` or a file (an absolute path); to standard error if that fails."""
    try:
        if destination == "syslog" and os.path.exists(_DEV_LOG):  # noqa: PTH110
            _write_to_syslog(line)
        elif destination.startswith("/"):
            _write_to_file(line, destination)
        else:
            messages.write_message(line)
    except OSError as exc:
        messages.write_message(f"{escape(destination)}: {exc.strerror}: {line}")


def _write_to_syslog(line: str) -> None:
    import syslog

    syslog.openlog("solvehost", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_INFO, line)


def _write_to_file(line: str, path: str) -> None:
    """Append a line in one write, so that lines of concurrent jobs do not mix; open the file anew for log rotation."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        fd = os.open(path, _OPEN_FLAGS)
    except FileNotFoundError:
        fd = os.open(path, _OPEN_FLAGS | os.O_CREAT, 0o600)
        os.fchmod(fd, _FILE_MODE)  # the server's umask would remove the right to read from the group
    try:
        os.write(fd, f"{stamp} solvehost[{os.getpid()}]: {line}\n".encode("ascii", "backslashreplace"))
    finally:
        os.close(fd)
