"""Standard input, output and error of the forced command.  A slow or silent peer cannot block any of them for ever.

:class:`RequestReader` reads with deadlines and a minimum rate.  :class:`AnswerWriter` writes with a deadline for each
piece and a minimum rate.  :class:`MessageWriter` drops messages that the peer does not read.  Other processes may share
these descriptors, so none is made non-blocking: a write is never longer than a pipe accepts at once after poll(2) says
that it is writable.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable

from solvehost.errors import RetryLaterError, TransferError
from solvehost.wire.escaping import escape_lines

STDIN, STDOUT, STDERR = 0, 1, 2
#: Seconds within which the id line must arrive, and the whole request.
LINE_S, UPLOAD_S = 10.0, 60.0
#: After LINE_S seconds, the average rate of a request must not fall below this, in bytes per second.
MIN_UPLOAD_RATE = 1024
#: A request of more bytes than this is large: the server's memory lasts for a few of them at the same time.
LARGE_BYTES = 2**20
#: Seconds that a peer may take to read the next piece of the answer.
STALL_S = 60.0
#: Minimum average rate at which a peer must read, in bytes per second; without it, a peer that reads tiny pieces could
#: keep this process for days.
MIN_ANSWER_RATE = 4096
_CHUNK = 64 * 1024
#: PIPE_BUF of Linux: a pipe that is writable accepts this many bytes at once (POSIX).
_ATOMIC = 4096


class RequestReader:
    """Standard input, as the ``read`` function of ``solvehost.wire``.

    ``on_large`` is called once LARGE_BYTES were read, with the seconds for which it may wait.

    Raises
    ------
    RetryLaterError
        If the peer sends too slowly.
    TransferError
        If reading fails.
    """

    def __init__(self, fd: int = STDIN, on_large: Callable[[float], None] = lambda _wait_s: None) -> None:
        self._fd, self._on_large = fd, on_large
        self._is_large = False
        self._began = time.monotonic()
        self._buffer = b""
        self._has_id = False
        self.count = 0
        self._poller = select.poll()
        self._poller.register(fd, select.POLLIN)

    def end_id_line(self) -> None:
        """Replace the deadline of the id line by the limits of the whole request."""
        self._has_id = True

    def read(self, size: int) -> bytes:
        """Return between 1 and ``size`` bytes, or none at the end of the stream."""
        if not self._buffer:
            self._buffer = self._read_chunk()
        piece, self._buffer = self._buffer[:size], self._buffer[size:]
        return piece

    def _read_chunk(self) -> bytes:
        self._wait()
        try:
            chunk = os.read(self._fd, _CHUNK)
        except OSError as exc:
            raise TransferError(f"the upload broke off: {exc.strerror}: send it again") from exc
        self.count += len(chunk)
        if self.count > LARGE_BYTES and not self._is_large:
            self._is_large = True
            waits_since = time.monotonic()
            self._on_large(UPLOAD_S)
            self._began += time.monotonic() - waits_since  # the peer is not to blame for this wait
        return chunk

    def _wait(self) -> None:
        while True:
            elapsed_s = time.monotonic() - self._began
            # The limit grows with the bytes received, so a slow peer is refused long before UPLOAD_S.
            allowed_s = min(UPLOAD_S, LINE_S + self.count / MIN_UPLOAD_RATE) if self._has_id else LINE_S
            if elapsed_s >= allowed_s:
                raise RetryLaterError(f"only {self.count:,} bytes arrived in {elapsed_s:.0f} s: send it again, faster")
            if self._poller.poll((allowed_s - elapsed_s) * 1000):
                return


class AnswerWriter:
    """Standard output: an answer is written completely, or the peer is given up.

    Raises
    ------
    TransferError
        If the peer stops reading, or reads too slowly.
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
                    raise TransferError(f"the client does not read the answer: {exc.strerror}") from exc
                self._count += count
                view = view[count:]

    def _wait(self) -> None:
        if self._poller.poll(0):
            return
        began = time.monotonic()
        allowed_s = STALL_S + self._count / MIN_ANSWER_RATE - self._waited_s
        if not self._poller.poll(max(0.0, min(STALL_S, allowed_s)) * 1000):
            waited_s = self._waited_s + time.monotonic() - began
            too_slow = f"fast enough ({self._count:,} bytes in {waited_s:.0f} s)"
            how = f"for {STALL_S:g} s" if allowed_s >= STALL_S else too_slow
            raise TransferError(f"the client did not read the answer {how}: ask again")
        self._waited_s += time.monotonic() - began


class PeerMonitor:
    """Detects that the reader of standard output is gone: sshd closes it after a lost connection, without a signal."""

    def __init__(self, fd: int = STDOUT) -> None:
        self._poller = select.poll()
        self._poller.register(fd, 0)

    def is_gone(self) -> bool:
        """Return True if nothing reads standard output any more."""
        return bool(self._poller.poll(0))


class MessageWriter:
    """Standard error, a log for people: text is escaped, and dropped unless the peer reads it at once."""

    def __init__(self, fd: int = STDERR) -> None:
        self._fd = fd
        self._poller = select.poll()
        self._poller.register(fd, select.POLLOUT)
        self.is_closed = False
        self._is_inside_line = False

    def write_message(self, message: str) -> None:
        """Write a message, which must be safe to print, on a line of its own even if a log ended without a newline."""
        begin = "\n" if self._is_inside_line else ""
        self._write(f"{begin}solvehost: {message}\n".encode("ascii", "backslashreplace"))

    def write_log(self, log: bytes) -> None:
        """Escape and write a piece of an engine's log."""
        # In small pieces: escaped text is up to four times as long, and need not be made if it is dropped.
        pieces = (log[at : at + _ATOMIC] for at in range(0, len(log), _ATOMIC))
        all(self._write(escape_lines(piece).encode("ascii")) for piece in pieces)

    def _write(self, data: bytes) -> bool:
        """Write as much as the peer reads at once; return True if that was everything."""
        view = memoryview(data)
        while view and not self.is_closed and self._poller.poll(0):
            try:
                count = os.write(self._fd, view[:_ATOMIC])
            except OSError:
                self.is_closed = True
            else:
                self._is_inside_line = view[count - 1] != ord("\n")
                view = view[count:]
        return not view
