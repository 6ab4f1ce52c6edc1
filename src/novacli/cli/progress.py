"""A line that says what is being done: redrawn on a terminal, one a step with ``--verbose``, silent otherwise."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress(*, verbose: bool) -> Iterator[Callable[[str], None]]:
    """Yield a function that takes a few words about what is being done now."""
    if verbose:
        yield lambda words: print(f"nova: {words}", file=sys.stderr, flush=True)
    elif sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("starting") as status:
            yield status.update
    else:
        yield lambda _words: None
