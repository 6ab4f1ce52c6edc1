"""The errors that ``nova`` raises: those of :mod:`solvehost.errors`, and two of the Python API.

Each class has an exit code and says whether a retry is safe.  A solved and an unsolved image are results, not errors
(exit codes 0 and 1).
"""

from __future__ import annotations

from solvehost.errors import (
    ConfigError,
    DataError,
    DeniedError,
    InputMissingError,
    InternalError,
    NovaError,
    OutputError,
    RetryLaterError,
    TransferError,
    UnavailableError,
    UsageError,
    by_exit_code,
)

__all__ = [
    "ConfigError", "DataError", "DeniedError", "InputMissingError", "InternalError", "NotSolvedError", "NovaError",
    "OutputError", "ParameterError", "RetryLaterError", "TransferError", "UnavailableError", "UsageError",
    "by_exit_code", "fault_text", "worst_exit_code",
]  # fmt: skip


class ParameterError(UsageError, ValueError):
    """A parameter is out of range or contradicts another; the same call fails again."""


class NotSolvedError(NovaError):
    """The WCS or another part of a solution was asked for, but the image was not solved; retry with other hints."""

    exit_code = 1


def fault_text(exc: Exception) -> str:
    """Return one line on an unexpected exception: what it is, and how to report it."""
    return f"{type(exc).__name__}: {exc}: a fault in nova itself; NOVA_DEBUG=1 shows where, please report it"


def worst_exit_code(codes: list[int]) -> int:
    """Return the exit code of a call over several inputs: that of the hardest failure, else 75, else 1, else 0.

    Hard failures are ranked by their number, so the code of a mixed call can be foretold.
    """
    hard = [code for code in codes if code not in (0, 1, 75)]
    if hard:
        return max(hard)
    return 75 if 75 in codes else max(codes, default=0)
