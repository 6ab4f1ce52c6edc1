"""Objects between two processes, over a pair of sockets, none of which is waited for longer than a limit.

A pipe of ``multiprocessing`` waits for ever where its other end is stopped in the middle of an object, or before it has
room for one.
"""

from __future__ import annotations

import math
import pickle
import socket
import struct
import time
from typing import Any

#: Before each object stands how many bytes it takes.
_LENGTH = struct.Struct("!Q")
#: A time-out of nothing at all would mean not to wait for what is there already.
_LEAST_S = 0.001


class Channel:
    """One end; times are by ``time.monotonic``."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    @classmethod
    def at(cls, descriptor: int) -> Channel:
        """Return the end that a process was started with."""
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._end.fileno()

    def close(self) -> None:
        """Close this end; the other one learns of it."""
        self._end.close()

    def send(self, what: object, until_s: float = math.inf) -> None:
        """Send an object.

        Raises
        ------
        TimeoutError
            Where the other end did not take it in time; nothing can be sent any more.
        OSError
            Where there is no other end.
        """
        data = pickle.dumps(what)
        self._end.settimeout(_left_s(until_s))
        self._end.sendall(_LENGTH.pack(len(data)) + data)

    def receive(self, until_s: float = math.inf) -> Any:
        """Return the object that comes next.

        Raises
        ------
        TimeoutError
            Where it did not come in time, or not all of it.
        EOFError, OSError
            Where there is no other end.
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
    """Return both ends of a new one."""
    ours, theirs = socket.socketpair()
    return Channel(ours), Channel(theirs)


def _left_s(until_s: float) -> float | None:
    return None if until_s == math.inf else max(_LEAST_S, until_s - time.monotonic())
