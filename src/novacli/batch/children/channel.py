"""Sends objects between two processes over a pair of sockets, with a time limit on each.

A pipe of ``multiprocessing`` has no such limit: it waits without end if the other process is stopped in the middle of
an object, or does not read.
"""

from __future__ import annotations

import math
import pickle
import socket
import struct
import time
from typing import Any

#: Each object is preceded by its length in bytes.
_LENGTH = struct.Struct("!Q")
#: A time-out of 0 would make the socket non-blocking, so that it could not even read what has arrived.
_LEAST_S = 0.001


class Channel:
    """One end of a connection; times are by ``time.monotonic``."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    @classmethod
    def at(cls, descriptor: int) -> Channel:
        """Return the end with this descriptor, which a process was started with."""
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        """Return the descriptor of this end."""
        return self._end.fileno()

    def close(self) -> None:
        """Close this end; the other one then reads the end of the stream."""
        self._end.close()

    def send(self, what: object, until_s: float = math.inf) -> None:
        """Send an object.

        Raises
        ------
        TimeoutError
            If the other end did not read it in time; then nothing more can be sent.
        OSError
            If the other end is closed.
        """
        data = pickle.dumps(what)
        self._end.settimeout(_left_s(until_s))
        self._end.sendall(_LENGTH.pack(len(data)) + data)

    def receive(self, until_s: float = math.inf) -> Any:
        """Return the next object.

        Raises
        ------
        TimeoutError
            If it did not arrive in time as a whole.
        EOFError, OSError
            If the other end is closed.
        """
        (size,) = _LENGTH.unpack(self._received(_LENGTH.size, until_s))
        return pickle.loads(self._received(size, until_s))  # noqa: S301 - from a process of our own

    def _received(self, size: int, until_s: float) -> bytearray:
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            self._end.settimeout(_left_s(until_s))
            count = self._end.recv_into(rest)
            if not count:
                raise EOFError
            rest = rest[count:]
        return data


def channels() -> tuple[Channel, Channel]:
    """Return both ends of a new connection."""
    ours, theirs = socket.socketpair()
    return Channel(ours), Channel(theirs)


def _left_s(until_s: float) -> float | None:
    return None if until_s == math.inf else max(_LEAST_S, until_s - time.monotonic())
