"""The errors that ``solvehost`` and ``nova`` raise, with their exit codes (sysexits.h) and whether a retry is safe.

::

    NovaError
    ├── UsageError         2  options contradict each other, a value is out of range
    │   └── CommandLineError 64  the command line of solvehost, or the command of its client, is wrong
    ├── DataError         65  the input is no image and no star list, or is damaged
    ├── InputMissingError 66  the input does not exist, or nothing was sent
    ├── UnavailableError  69  no engine, no index file that loads, or none that fits the field
    ├── InternalError     70  every attempt crashed, or a bug of ours
    ├── OutputError       73  an output cannot be written; the disk is full
    ├── TransferError     74  a download or a connection broke off
    ├── RetryLaterError   75  busy, or a time-out on the way to an answer
    ├── DeniedError       77  not permitted
    └── ConfigError       78  the configuration is wrong

``novacli.errors`` adds the errors that only the Python API raises.  255 is never used: it is ssh's own.
"""


class NovaError(Exception):
    """Base of the tree; the message is one line: what happened, to which file, and what to do next."""

    exit_code = 70
    retry_is_safe = False


class UsageError(NovaError):
    """Options contradict each other, or a value is out of range; the same call fails again."""

    exit_code = 2


class CommandLineError(UsageError):
    """The command line of ``solvehost``, or the command of its client, is wrong; the same call fails again."""

    exit_code = 64


class DataError(NovaError):
    """The input is no image and no star list, or is damaged; the same input fails again."""

    exit_code = 65


class InputMissingError(NovaError):
    """The input does not exist, is a directory, or was not sent; safe to retry once it exists."""

    exit_code = 66


class UnavailableError(NovaError):
    """No engine, no index file that loads, or none that fits the field; safe to retry after installing one."""

    exit_code = 69
    retry_is_safe = True


class InternalError(NovaError):
    """The engine crashed on every attempt, or a bug of ours; safe to retry, though it may fail again."""

    exit_code = 70
    retry_is_safe = True


class OutputError(NovaError):
    """An output cannot be written, or the disk is full; safe to retry once it can be written."""

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
    """Not permitted; the same call fails again until permissions change."""

    exit_code = 77


class ConfigError(NovaError):
    """The configuration is wrong; the same call fails again until it is corrected."""

    exit_code = 78


_KINDS = (CommandLineError, DataError, InputMissingError, UnavailableError, InternalError, OutputError, TransferError,
          RetryLaterError, DeniedError, ConfigError)  # fmt: skip


def by_exit_code(code: int) -> type[NovaError]:
    """Return the error class of an exit code of sysexits.h; ``InternalError`` if no class has it."""
    return next((kind for kind in _KINDS if kind.exit_code == code), InternalError)
