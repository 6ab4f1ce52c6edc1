"""Raise if a call to a server has to end."""

from __future__ import annotations

from novacli.records.budget import Budget
from novacli.records.progress import Progress


class TimeUpError(Exception):
    """The deadline passed before the call was done."""


class CancelledError(Exception):
    """The caller has cancelled the call."""


def check_limits(budget: Budget, progress: Progress) -> None:
    """Raise if the call has to end.

    Raises
    ------
    CancelledError
        If the caller has cancelled it.
    TimeUpError
        If its deadline has passed.
    """
    if progress.cancelled():
        raise CancelledError
    if budget.left_s <= 0:
        raise TimeUpError
