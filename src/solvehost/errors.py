"""The errors that ``solvehost`` raises, with their exit codes (sysexits.h) and whether a retry is safe.

::

    SolvehostError
    ├── UsageError        64  the command line is wrong
    ├── DataError         65  the data sent cannot be used
    ├── NoInputError      66  no data was sent, or a file is missing
    ├── UnavailableError  69  no engine, or no index file that loads
    ├── CrashError        70  every attempt crashed
    ├── DiskError         73  the disk is full, or a file cannot be made
    ├── PeerError         74  the other side stopped reading or writing
    ├── BusyError         75  no free slot in time
    ├── DeniedError       77  not permitted
    └── ConfigError       78  the configuration is wrong

255 is never used: it is ssh's own.
"""


class SolvehostError(Exception):
    """Base of the tree; its message says what happened, to what, and what to do next."""

    exit_code = 70
    retry_is_safe = False


class UsageError(SolvehostError):
    """The command line is wrong; the same call fails again."""

    exit_code = 64


class DataError(SolvehostError):
    """The data sent cannot be used; the same data fails again."""

    exit_code = 65


class NoInputError(SolvehostError):
    """No data was sent, or a file is missing; safe to retry once it exists."""

    exit_code = 66


class UnavailableError(SolvehostError):
    """No engine, or no index file that loads; safe to retry after installing one."""

    exit_code = 69
    retry_is_safe = True


class CrashError(SolvehostError):
    """Every attempt crashed; safe to retry, though it may crash again."""

    exit_code = 70
    retry_is_safe = True


class DiskError(SolvehostError):
    """The disk is full, or a file cannot be made; safe to retry once there is space."""

    exit_code = 73
    retry_is_safe = True


class PeerError(SolvehostError):
    """The other side stopped reading or writing; safe to retry."""

    exit_code = 74
    retry_is_safe = True


class BusyError(SolvehostError):
    """No slot came free in time; safe to retry later."""

    exit_code = 75
    retry_is_safe = True


class DeniedError(SolvehostError):
    """Not permitted; the same call fails again."""

    exit_code = 77


class ConfigError(SolvehostError):
    """The configuration is wrong; the same call fails again until it is corrected."""

    exit_code = 78


def from_exit_code(code: int, message: str) -> SolvehostError:
    """Return the error with an exit code; a ``CrashError`` if there is none."""
    kinds = (UsageError, DataError, NoInputError, UnavailableError, CrashError, DiskError, PeerError, BusyError,
             DeniedError, ConfigError)  # fmt: skip
    return next((kind for kind in kinds if kind.exit_code == code), CrashError)(message)
