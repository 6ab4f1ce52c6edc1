"""Standard input, output and error of the forced command, none of which can hold it up: each has its patience.

``Upload`` reads with deadlines and a least rate; ``Answer`` writes with a deadline for each bit of progress;
``Remarks`` are dropped where nobody reads them.  A descriptor may be shared with others, so none is made non-blocking:
writes are as short as a pipe takes whole once it polls writable.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterable

from solvehost.errors import BusyError, PeerError
from solvehost.wire.escaping import escape_lines

STDIN, STDOUT, STDERR = 0, 1, 2
#: Seconds within which the id line must be there, and the whole upload.
LINE_S, UPLOAD_S = 10.0, 60.0
#: After as many seconds as a line may take, an upload must have come at this many bytes a second on the whole.
LEAST_RATE = 1024
#: Seconds that a peer may take to read another piece of the answer.
STALL_S = 60.0
#: As many bytes of it a second he must read on the whole, else little pieces would keep it here for days.
LEAST_ANSWER_RATE = 4096
_CHUNK = 64 * 1024
#: What a pipe takes whole and at once, where it takes anything (POSIX).
_ATOMIC = 4096


class Upload:
    """Standard input as a ``wire.Read``.

    Raises
    ------
    BusyError
        Where the peer sends too slowly.
    PeerError
        Where reading fails.
    """

    def __init__(self, fd: int = STDIN) -> None:
        self._fd = fd
        self._began = time.monotonic()
        self._held = b""
        self._seen_line = False
        self.count = 0
        self._poller = select.poll()
        self._poller.register(fd, select.POLLIN)

    def line_is_read(self) -> None:
        """Say that what counts from now on is the whole."""
        self._seen_line = True

    def read(self, size: int) -> bytes:
        """Return at least one of the next ``size`` bytes, none at the end."""
        if not self._held:
            self._held = self._more()
        piece, self._held = self._held[:size], self._held[size:]
        return piece

    def _more(self) -> bytes:
        self._wait()
        try:
            found = os.read(self._fd, _CHUNK)
        except OSError as exc:
            raise PeerError(f"the upload broke off: {exc.strerror}: send it again") from exc
        self.count += len(found)
        return found

    def _wait(self) -> None:
        while True:
            passed_s = time.monotonic() - self._began
            # A slow peer is told as soon as its rate is too low, and not when all the time is up.
            allowed_s = min(UPLOAD_S, LINE_S + self.count / LEAST_RATE) if self._seen_line else LINE_S
            if passed_s >= allowed_s:
                raise BusyError(f"only {self.count:,} bytes came in {passed_s:.0f} s: send it again, and faster")
            if self._poller.poll((allowed_s - passed_s) * 1000):
                return


class Answer:
    """Standard output: written whole, or given up.

    Raises
    ------
    PeerError
        Where the peer stopped reading.
    """

    def __init__(self, fd: int = STDOUT) -> None:
        self._fd = fd
        self._poller = select.poll()
        self._poller.register(fd, select.POLLOUT)
        self._count = 0
        self._waited_s = 0.0

    def write(self, pieces: Iterable[bytes]) -> None:
        """Write all pieces."""
        for piece in pieces:
            view = memoryview(piece)
            while view:
                self._wait()
                try:
                    count = os.write(self._fd, view[:_ATOMIC])
                except OSError as exc:
                    raise PeerError(f"nobody reads the answer: {exc.strerror}") from exc
                self._count += count
                view = view[count:]

    def _wait(self) -> None:
        if self._poller.poll(0):
            return
        began = time.monotonic()
        left_s = STALL_S + self._count / LEAST_ANSWER_RATE - self._waited_s
        if not self._poller.poll(max(0.0, min(STALL_S, left_s)) * 1000):
            slowly = f"fast enough ({self._count:,} bytes in {self._waited_s + time.monotonic() - began:.0f} s)"
            how = f"for {STALL_S:g} s" if left_s >= STALL_S else slowly
            raise PeerError(f"nobody read the answer {how}: ask again")
        self._waited_s += time.monotonic() - began


class PeerWatch:
    """Says whether whoever reads standard output is gone: sshd closes it when the line is lost, and sends no signal."""

    def __init__(self, fd: int = STDOUT) -> None:
        self._poller = select.poll()
        self._poller.register(fd, 0)

    def is_gone(self) -> bool:
        """Look."""
        return bool(self._poller.poll(0))


class Remarks:
    """Standard error, a log for people: escaped, and what the peer does not read at once is dropped."""

    def __init__(self, fd: int = STDERR) -> None:
        self._fd = fd
        self._poller = select.poll()
        self._poller.register(fd, select.POLLOUT)
        self.is_dead = False
        self._is_in_line = False

    def say(self, line: str) -> None:
        """Write one line, which is safe to print already; on a line of its own, wherever a log was cut."""
        begin = "\n" if self._is_in_line else ""
        self._write(f"{begin}solvehost: {line}\n".encode("ascii", "backslashreplace"))

    def show(self, log: bytes) -> None:
        """Write a piece of an engine's log."""
        # In small pieces, since escapes are four times as long, and what is dropped need not be made.
        pieces = (log[at : at + _ATOMIC] for at in range(0, len(log), _ATOMIC))
        all(self._write(escape_lines(piece).encode("ascii")) for piece in pieces)

    def _write(self, data: bytes) -> bool:
        """Write as much as is read at once; say whether that was all."""
        view = memoryview(data)
        while view and not self.is_dead and self._poller.poll(0):
            try:
                count = os.write(self._fd, view[:_ATOMIC])
            except OSError:
                self.is_dead = True
            else:
                self._is_in_line = view[count - 1] != ord("\n")
                view = view[count:]
        return not view
