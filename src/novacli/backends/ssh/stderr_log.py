"""Collect what a program writes to stderr: lines, escaped and bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from novacli.errors import TransferError
from solvehost.wire import escape

#: No program that works writes more than this.
MAX_BYTES = 16 * 2**20
_MAX_LINE_CHARACTERS = 400
_KEPT_LINES = 20
#: After this many lines ``observe`` is not called any more.
_MAX_OBSERVED_LINES = 2_000


class StderrLog:
    """The last lines that a program wrote to stderr; ``observe`` is called with each line as it comes."""

    def __init__(self, observe: Callable[[str], None]) -> None:
        self._observe = observe
        self._partial = b""
        self._is_partial_full = False
        self._line_count = self._byte_count = 0
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines."""
        return tuple(self._lines)

    def add(self, data: bytes) -> None:
        """Add what was read.

        Raises
        ------
        TransferError
            If the program has written too much.
        """
        self._byte_count += len(data)
        if self._byte_count > MAX_BYTES:
            raise TransferError(f"its log does not end: nova stopped reading it after {MAX_BYTES:,} bytes")
        first, *others = data.split(b"\n")
        self._extend_partial(first)
        if others:
            self._end_line()
            *whole, last = others
            for line in self._worth_adding(whole):
                self._add_line(line)
            self._extend_partial(last)

    def end(self) -> None:
        """Add the last line, if it did not end with a line feed."""
        self._end_line()

    def _worth_adding(self, lines: list[bytes]) -> list[bytes]:
        """Return the lines that can still be observed or kept: a flood of lines must not cost much CPU time."""
        if self._line_count < _MAX_OBSERVED_LINES:
            return lines
        return [line for line in lines if line.strip()][-_KEPT_LINES:]

    def _extend_partial(self, data: bytes) -> None:
        if not self._is_partial_full:
            self._partial += data[: 2 * _MAX_LINE_CHARACTERS]
            self._is_partial_full = len(self._partial) > _MAX_LINE_CHARACTERS

    def _end_line(self) -> None:
        self._add_line(self._partial)
        self._partial, self._is_partial_full = b"", False

    def _add_line(self, line: bytes) -> None:
        text = escape(line.rstrip(b"\r"), _MAX_LINE_CHARACTERS).strip()
        if not text:
            return
        if len(text) > _MAX_LINE_CHARACTERS:  # an escaped byte is four characters long
            text = f"{text[:_MAX_LINE_CHARACTERS]}..."
        self._lines.append(text)
        self._line_count += 1
        if self._line_count <= _MAX_OBSERVED_LINES:
            self._observe(text)
