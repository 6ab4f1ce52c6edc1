"""A line that says what is being done: redrawn on a terminal, one a step with ``--verbose``, silent otherwise."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from novacli.text.printable import printable_line


@contextlib.contextmanager
def progress(*, verbose: bool) -> Iterator[Callable[[str], None]]:
    """Yield a function that takes a few words about what is being done now."""
    if verbose:
        yield lambda words: print(f"nova: {printable_line(words)}", file=sys.stderr, flush=True)
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.text import Text

        with Console(stderr=True).status("starting") as status:
            # As Text, for a name like a[1].fits is no markup.
            yield lambda words: status.update(Text(printable_line(words)))
    else:
        yield lambda _words: None
