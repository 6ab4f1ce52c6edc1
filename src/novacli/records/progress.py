"""What a caller hears of a solve while it runs, and how the caller ends it."""

from __future__ import annotations

from collections.abc import Callable

from solvehost.record import record


@record
class Progress:
    """``observe`` is called with a few words at each step; ``cancelled`` is asked often, and True ends the solve."""

    observe: Callable[[str], None] = lambda _words: None
    cancelled: Callable[[], bool] = lambda: False


#: Hears nothing and never cancels.
SILENT = Progress()
