"""One line for each job, that a sysadmin can grep and count: to standard error, a file, or syslog and so journald."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from solvehost.server.stdio import Remarks
from solvehost.wire.escaping import escape

if TYPE_CHECKING:
    from solvehost.engine.records import RaceResult

_DEV_LOG = "/dev/log"
#: A link is not followed, and a pipe that nobody reads is not waited for.
_LOG_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
#: Its group may read it: that of the directory, where it is set-group-ID.
_FILE_MODE = 0o640


@dataclass(slots=True)
class Entry:
    """What the line says of a job, filled in as it becomes known."""

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

    def note(self, result: RaceResult, index: int | None) -> None:
        """Take over how a race ended."""
        self.attempts = len(result.attempts)
        self.result = result.status if result.reason in ("none", "exhausted") else result.reason
        self.cpu_s = result.cpu_s
        self.index = index

    def line(self) -> str:
        """Return the line: ``key=value`` words, no value with a space but the last, in quotes."""
        words = [
            f"client={self.client}", f"verb={self.verb}", f"id={self.job_id}", f"stars={self.stars}",
            f"attempts={self.attempts}", f"result={self.result}", f"exit={self.exit_code}",
            f"seconds={time.monotonic() - self.began:.2f}", f"cpu={self.cpu_s:.2f}",
            f"index={'-' if self.index is None else self.index}",
        ]  # fmt: skip
        reason = escape(self.reason, 200).replace('"', r"\x22")  # the quotes that are there are the line's own
        return " ".join([*words, f'reason="{reason}"'] if self.reason else words)


def write(line: str, where: str, remarks: Remarks) -> None:
    """Write a job's line where the settings say; to standard error where that cannot be done."""
    try:
        if where == "syslog" and os.path.exists(_DEV_LOG):  # noqa: PTH110
            _to_syslog(line)
        elif where.startswith("/"):
            _to_file(line, where)
        else:
            remarks.say(line)
    except OSError as exc:
        remarks.say(f"{escape(where)}: {exc.strerror}: {line}")


def _to_syslog(line: str) -> None:
    import syslog

    syslog.openlog("solvehost", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_INFO, line)


def _to_file(line: str, path: str) -> None:
    """Add one line in one write, so that lines of jobs side by side do not mix; opened anew, for log rotation."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        fd = os.open(path, _LOG_FLAGS)
    except FileNotFoundError:
        fd = os.open(path, _LOG_FLAGS | os.O_CREAT, 0o600)
        os.fchmod(fd, _FILE_MODE)  # which the umask of a server does not grant
    try:
        os.write(fd, f"{stamp} solvehost[{os.getpid()}]: {line}\n".encode("ascii", "backslashreplace"))
    finally:
        os.close(fd)
