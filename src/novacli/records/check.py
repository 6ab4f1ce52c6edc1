"""One line of a check-up: what ``nova doctor`` and ``nova hosts check`` print."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from solvehost.record import record


@record
class Check:
    """The outcome of one check.

    Attributes
    ----------
    name
        What was checked.
    ok
        True if it is in order, False if solving cannot work, None for a remark that prevents nothing.
    detail
        What was found.
    remedy
        What to do about it; empty if there is nothing to do.
    exit_code
        The exit code of the command if ``ok`` is False.
    """

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""
    exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of the check."""
        return {"name": self.name, "ok": self.ok, "detail": self.detail, "remedy": self.remedy or None}


def exit_codes(checks: Iterable[Check]) -> list[int]:
    """Return the exit codes of the checks that failed."""
    return [check.exit_code for check in checks if check.ok is False]
