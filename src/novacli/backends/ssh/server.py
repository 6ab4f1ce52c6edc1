"""One solve server, with a method for each verb of the wire protocol.

``solvehost.wire`` checks everything that comes back.  Each method raises the error that
:mod:`novacli.backends.ssh.exit_codes` makes of an exit code, ``TransferError`` if an answer cannot be used, and
``TimeUpError`` or ``CancelledError`` if its budget or the caller ends the call.
"""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from novacli.backends.base import UnusableReplyError
from novacli.backends.ssh import exit_codes
from novacli.backends.ssh.child_process import Call, ProgramEnd
from novacli.backends.ssh.command import Ssh
from novacli.backends.ssh.destinations import SshHost
from novacli.errors import DataError, InputMissingError, NovaError, TransferError, UnavailableError
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress
from novacli.text.printable import printable_text
from solvehost import wire
from solvehost.record import record
from solvehost.wire import Info, JobLine, Reply
from solvehost.wire.command import DETACH, FOLLOW, SOLVE
from solvehost.wire.json_lines import MAX_LINES_BYTES

T = TypeVar("T")

_CHUNK = 64 * 1024
#: The original script differs from site to site.  If nothing is sent, it ends early and prints little.  A program that
#: could not run prints text that matches this pattern.
_BROKEN = re.compile(
    r"Traceback|No such file|not found|can(no|')t open|Permission denied|[Ss]yntax error|not executable"
)
#: The longest log that is read if it is not followed.
_MAX_LOG_BYTES = 64 * 2**20


@record
class Server:
    """A server, and the ssh program that connects to it."""

    host: SshHost
    ssh: Ssh

    @property
    def name(self) -> str:
        """The name by which the user knows it."""
        return self.host.name

    def info(self, budget: Budget, progress: Progress = SILENT) -> Info | None:
        """Ask the server about itself; return None if it runs the original script, which knows no verbs."""
        text, problem, ended = self._exchange(("info",), b"", budget, progress, _read_all)
        is_legacy = not text and ended.code is not None and 0 <= ended.code < exit_codes.FIRST_OF_PROTOCOL
        if is_legacy and not any(map(_BROKEN.search, ended.stderr_lines)):
            return None
        return _parsed(self, wire.read_info, self._checked(text, problem, ended))

    def solve(self, job_id: str, request: bytes, budget: Budget, progress: Progress = SILENT) -> Reply:
        """Solve a request and return the reply."""
        return self._ask((SOLVE,), request, budget, progress, lambda read: wire.read_reply(read, job_id))

    def detach(self, request: bytes, budget: Budget, progress: Progress = SILENT) -> JobLine:
        """Leave a request with the server, and return the stored job."""
        return self._job_line((SOLVE, DETACH), request, budget, progress)

    def jobs(self, budget: Budget, progress: Progress = SILENT) -> list[JobLine]:
        """Return the stored jobs."""
        return _parsed(self, wire.read_jobs, self._ask(("jobs",), b"", budget, progress, _read_all))

    def fetch(self, job_id: str, budget: Budget, progress: Progress = SILENT) -> Reply:
        """Return the result of a stored job."""
        return self._ask(("fetch", job_id), b"", budget, progress, lambda read: wire.read_reply(read, job_id))

    def cancel(self, job_id: str, budget: Budget, progress: Progress = SILENT) -> JobLine:
        """End a stored job."""
        return self._own_line(("cancel", job_id), job_id, budget, progress)

    def rm(self, job_id: str, budget: Budget, progress: Progress = SILENT) -> JobLine:
        """Remove a stored job."""
        return self._own_line(("rm", job_id), job_id, budget, progress)

    def log(self, job_id: str, budget: Budget, progress: Progress = SILENT, *, follow: bool) -> Iterator[str]:
        """Yield the log of a stored job, safe to print; with ``follow``, until the job is finished."""
        words = ("log", job_id, FOLLOW) if follow else ("log", job_id)
        decoder = codecs.getincrementaldecoder("utf-8")(errors="backslashreplace")
        with self._call(words, b"", budget, progress) as call:
            count = 0
            while chunk := call.read(_CHUNK):
                count += len(chunk)
                if count > _MAX_LOG_BYTES and not follow:
                    raise TransferError(f"the log does not end: nova stopped reading it after {_MAX_LOG_BYTES:,} bytes")
                yield printable_text(decoder.decode(chunk))
            ended = call.finish()
        if ended.code != 0:
            raise exit_codes.error_of(self.name, self.host.destination, ended.code, ended.stderr_lines)

    @contextlib.contextmanager
    def _call(self, words: Sequence[str], stdin: bytes, budget: Budget, progress: Progress = SILENT) -> Iterator[Call]:
        try:
            with Call(self.ssh.command(self.host.destination, words), stdin, budget, progress) as call:
                yield call
        except (TransferError, UnavailableError) as exc:  # its message does not name the server
            raise type(exc)(f"{self.name}: {exc}") from exc

    def _own_line(self, words: Sequence[str], job_id: str, budget: Budget, progress: Progress) -> JobLine:
        """Return the answer about a job; raise if it is about another one."""
        line = self._job_line(words, b"", budget, progress)
        self.check_id(line, job_id)
        return line

    def check_id(self, line: JobLine, job_id: str) -> None:
        """Raise ``TransferError`` if an answer is about another job than the one with this id."""
        if line.id != job_id:
            raise TransferError(f"{self.name}: it answered for another job: do not trust it")

    def _job_line(self, words: Sequence[str], stdin: bytes, budget: Budget, progress: Progress = SILENT) -> JobLine:
        lines = _parsed(self, wire.read_jobs, self._ask(words, stdin, budget, progress, _read_all))
        if len(lines) != 1:
            raise TransferError(f"{self.name}: it answered {' '.join(words)} with {len(lines):,} lines instead of 1")
        return lines[0]

    def _ask(
        self, words: Sequence[str], stdin: bytes, budget: Budget, progress: Progress, parse: Callable[[wire.Read], T]
    ) -> T:
        return self._checked(*self._exchange(words, stdin, budget, progress, parse))

    def _exchange(
        self, words: Sequence[str], stdin: bytes, budget: Budget, progress: Progress, parse: Callable[[wire.Read], T]
    ) -> tuple[T | None, NovaError | None, ProgramEnd]:
        """Return the parsed answer or the error of parsing it, and how ssh ended."""
        with self._call(words, stdin, budget, progress) as call:
            try:
                value, problem = parse(call.read), None
            except (DataError, InputMissingError) as exc:  # a fault of the answer; call.read raises other errors
                value, problem = None, exc
            return value, problem, call.finish()

    def _checked(self, value: T | None, problem: NovaError | None, ended: ProgramEnd) -> T:
        """Return the answer, or raise; an exit code tells more than the error of parsing a truncated answer."""
        if ended.code != 0 and (problem is None or ended.code is not None):
            raise exit_codes.error_of(self.name, self.host.destination, ended.code, ended.stderr_lines)
        if problem is not None or value is None:
            raise UnusableReplyError(f"{self.name}: what it sent back cannot be used: {problem}") from problem
        return value


def _read_all(read: wire.Read) -> bytes:
    """Return the whole answer; reading stops when it is longer than an answer may be."""
    data = bytearray()
    while len(data) <= MAX_LINES_BYTES and (chunk := read(_CHUNK)):
        data += chunk
    return bytes(data)


def _parsed(server: Server, parse: Callable[[bytes], T], text: bytes) -> T:
    try:
        return parse(text)
    except NovaError as exc:
        raise TransferError(f"{server.name}: {exc}") from exc
