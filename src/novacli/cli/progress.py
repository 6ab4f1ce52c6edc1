"""The progress line of a command: redrawn on a terminal, a line for each step with ``--verbose``, else silent."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from novacli.text.printable import printable_line

if TYPE_CHECKING:
    from rich.status import Status


class ProgressLine:
    """A line that tells the current step; a context manager that shows it, and can be entered again and again.

    Between two entries the line is hidden, so that results can be printed on the same terminal.
    """

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._status: Status | None = None

    def observe(self, step: str) -> None:
        """Show the current step."""
        text = printable_line(step)
        if self._verbose:
            print(f"nova: {text}", file=sys.stderr, flush=True)
        elif self._status is not None:
            from rich.text import Text

            self._status.update(Text(text))  # a name such as a[1].fits must not be read as markup

    def __enter__(self) -> ProgressLine:
        if not self._verbose and sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("starting")
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


@contextlib.contextmanager
def progress(*, verbose: bool) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the current step."""
    with ProgressLine(verbose=verbose) as line:
        yield line.observe
