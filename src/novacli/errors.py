"""Every error that ``nova`` raises, with its exit code (sysexits.h) and whether a retry is safe.

::

    NovaError
    ├── UsageError         2  options that contradict each other, a value out of range
    │   └── ParameterError 2  a parameter of the Python API that is out of range; also a ValueError
    ├── NotSolvedError     1  the solution of an image that was not solved was asked for
    ├── DataError         65  the input is no image and no source list, or is damaged
    ├── InputMissingError 66  the input is not there, or is a directory
    ├── UnavailableError  69  no engine, no index file, or none that fits the field
    ├── InternalError     70  the engine crashed, or a bug of ours
    ├── OutputError       73  an output cannot be written; the disk is full
    ├── TransferError     74  a download or a connection broke off
    ├── RetryLaterError   75  busy, or a time-out on the way to an answer
    ├── DeniedError       77  the input may not be read
    └── ConfigError       78  config.toml or an environment variable is wrong

A solved and an unsolved image are results, not errors (exit codes 0 and 1).
"""

from __future__ import annotations

from solvehost import errors as solvehost_errors


class NovaError(Exception):
    """Base of the tree; the message is one line: what happened, to which file, and what to do next."""

    exit_code = 70
    retry_is_safe = False


class UsageError(NovaError):
    """Options contradict each other, or a value is out of range; the same call fails again."""

    exit_code = 2


class ParameterError(UsageError, ValueError):
    """A parameter is out of range or contradicts another; the same call fails again."""


class NotSolvedError(NovaError):
    """The WCS or another part of a solution was asked for, but the image was not solved; retry with other hints."""

    exit_code = 1


class DataError(NovaError):
    """The input is no image and no source list, or is damaged; the same file fails again."""

    exit_code = 65


class InputMissingError(NovaError):
    """The input is not there, or is a directory; safe to retry once it is."""

    exit_code = 66


class UnavailableError(NovaError):
    """No engine, no index file, or none that fits the field; safe to retry after installing one."""

    exit_code = 69
    retry_is_safe = True


class InternalError(NovaError):
    """The engine crashed on every attempt, or a bug of ours; safe to retry, though it may fail again."""

    exit_code = 70
    retry_is_safe = True


class OutputError(NovaError):
    """An output cannot be written, or the disk is full; safe to retry once it can."""

    exit_code = 73
    retry_is_safe = True


class TransferError(NovaError):
    """A download or a connection broke off; safe to retry."""

    exit_code = 74
    retry_is_safe = True


class RetryLaterError(NovaError):
    """Busy, or a time-out on the way to an answer; safe to retry later."""

    exit_code = 75
    retry_is_safe = True


class DeniedError(NovaError):
    """The input may not be read; the same call fails again until permissions change."""

    exit_code = 77


class ConfigError(NovaError):
    """config.toml or an environment variable is wrong; the same call fails again until it is corrected."""

    exit_code = 78


_BY_EXIT_CODE: dict[int, type[NovaError]] = {
    64: UsageError,
    65: DataError,
    66: InputMissingError,
    69: UnavailableError,
    70: InternalError,
    73: OutputError,
    74: TransferError,
    75: RetryLaterError,
    77: DeniedError,
    78: ConfigError,
}


def by_exit_code(code: int) -> type[NovaError]:
    """Return the error class of an exit code of sysexits.h; ``InternalError`` if no class has it."""
    return _BY_EXIT_CODE.get(code, InternalError)


def from_solvehost(exc: solvehost_errors.SolvehostError) -> NovaError:
    """Return the ``NovaError`` with the message and exit code of an error of ``solvehost``; raise it ``from exc``."""
    return by_exit_code(exc.exit_code)(str(exc))


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
