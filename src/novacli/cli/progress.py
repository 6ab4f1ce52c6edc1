"""The progress line of a command: redrawn on a terminal, a line for each step with ``--verbose``, else silent.

It is drawn when a step begins and not by a thread in between: with a second thread, the race could neither start its
engines by forks nor prepare star lists in a child.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from types import TracebackType

from novacli.text.printable import printable_line

#: Go to the line's beginning and clear it; print without going on to the next line; do so again.
_CLEAR, _NO_WRAP, _WRAP = "\r\x1b[K", "\x1b[?7l", "\x1b[?7h"


class ProgressLine:
    """A line that tells the current step; a context manager that shows it, and can be entered again and again.

    Between two entries the line is hidden, so that results can be printed on the same terminal.
    """

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._is_shown = False

    def observe(self, step: str) -> None:
        """Show the current step."""
        text = printable_line(step)
        if self._verbose:
            print(f"nova: {text}", file=sys.stderr, flush=True)
        elif self._is_shown:
            _draw(f"{_CLEAR}{_NO_WRAP}{text}{_WRAP}")

    def __enter__(self) -> ProgressLine:
        self._is_shown = not self._verbose and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._is_shown:
            _draw(_CLEAR)
            self._is_shown = False


def _draw(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


@contextlib.contextmanager
def progress(*, verbose: bool) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the current step."""
    with ProgressLine(verbose=verbose) as line:
        yield line.observe
