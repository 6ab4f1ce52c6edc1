"""Turn the exit codes of ssh, and of a server behind it, into errors.

The class of the error decides what happens next.  After 69, 70, 73, 74, 75, 78, 127, 137 and 255 another server is
tried (``PASSED_ON``).  After 75 and 255 the same server is tried again too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from novacli.errors import (
    ConfigError,
    InternalError,
    NovaError,
    OutputError,
    RetryLaterError,
    TransferError,
    UnavailableError,
    UsageError,
    by_exit_code,
)

#: ssh itself failed.
SSH_FAILED = 255
_NOT_FOUND = 127
#: Smaller exit codes do not belong to the protocol: the program on the server is not solvehost.
FIRST_OF_PROTOCOL = 64

#: The beginning of lines that solvehost writes, and of the line that sums up a job for the administrator.
_OWN, _ACCOUNT = "solvehost: ", "solvehost: client="


class NoProgramError(UnavailableError):
    """There is no solvehost on the server; safe to retry once it is installed."""


class ServerOutputError(OutputError):
    """A server cannot write, so another one is tried; safe to retry.  A full disk here is a plain ``OutputError``."""


class UnreachedError(RetryLaterError):
    """ssh could not connect, or the connection broke; safe to retry, but a server may be switched off."""


#: After these errors another server is tried.
PASSED_ON = (UnavailableError, InternalError, ServerOutputError, TransferError, RetryLaterError, ConfigError)

#: The classes of the protocol's exit codes that differ from those of ``by_exit_code``.  After 64 (the server does not
#: know the command) ``nova`` ends with its own exit code of usage errors, 2.
_SPECIAL: dict[int, type[NovaError]] = {64: UsageError, OutputError.exit_code: ServerOutputError}

#: Pattern of a message of ssh → what to do.  Trying again would not help, and might lock the user out.
_PERMANENT = {
    r"Permission denied|Too many authentication failures": "have your public key added on the server (solvehost "
    "authorize), or load it into your agent",
    r"Host key verification failed|REMOTE HOST IDENTIFICATION": "check the host key, then log in once by hand: "
    "ssh {destination}",
    r"Could not resolve hostname|hostname contains invalid": "check its name",
    r"Bad configuration option|Bad owner or permissions|terminating, \d+ bad": "correct ~/.ssh/config",
}
#: The same for messages after which trying again may help.
_TEMPORARY = {
    r"Connection refused|Connection timed out|No route to host": "check that it is switched on and runs sshd",
}
#: ssh may write many lines; a line that matches this tells the reason.
_PERMANENT_PATTERN = re.compile("|".join(_PERMANENT))


def error_of(name: str, destination: str, code: int | None, stderr_lines: Sequence[str]) -> NovaError:
    """Return the error for an exit code.

    Parameters
    ----------
    name
        The name of the server.
    destination
        Its ssh destination, for remedies.
    code
        The exit code of ssh; -n if signal n killed it, None if nova ended it.
    stderr_lines
        The last lines that ssh and the server wrote to stderr.
    """
    reason = _reason(stderr_lines)
    if code == SSH_FAILED:
        telling = next((line for line in reversed(stderr_lines) if _PERMANENT_PATTERN.search(line)), reason)
        remedy = f": {found}" if (found := remedy_of(telling, destination)) else ""
        return UnreachedError(f"{name}: ssh failed: {telling.rstrip('.')}{remedy}")
    if code == _NOT_FOUND:
        return NoProgramError(f"{name}: there is no solvehost on it ({reason}): install it there, see nova hosts check")
    if code is not None and code < 0:
        return UnreachedError(f"{name}: ssh was ended by signal {-code}")
    if code is None:
        return TransferError(f"{name}: ssh did not end as it should ({reason})")
    if code < FIRST_OF_PROTOCOL or code > 128:
        return InternalError(f"{name}: the server ended with exit code {code}: {reason}")
    return kind_of(code)(f"{name}: {reason}")


def kind_of(code: int) -> type[NovaError]:
    """Return the error class of an exit code of the protocol."""
    return _SPECIAL.get(code) or by_exit_code(code)


def no_answer(name: str) -> RetryLaterError:
    """Return the error for a server that did not answer in time."""
    return RetryLaterError(f"{name}: it did not answer in time: try again later")


def _reason(stderr_lines: Sequence[str]) -> str:
    """Return the last line that solvehost wrote, or else the last line of all.

    The summary of the job and the log of an engine may follow it, so the last line of all is not always the reason.
    """
    lines = [line for line in stderr_lines if not line.startswith(_ACCOUNT)]
    own = [line.removeprefix(_OWN) for line in lines if line.startswith(_OWN)]
    return (own or lines or ["it gave no reason"])[-1]


def remedy_of(message: str, destination: str) -> str:
    """Return what to do about a message of ssh; empty if that is not known."""
    for pattern, remedy in (_PERMANENT | _TEMPORARY).items():
        if re.search(pattern, message):
            return remedy.format(destination=destination)
    return ""


def is_temporary(error: NovaError) -> bool:
    """Return True if the same server may answer in a moment: it was busy, or could not be reached."""
    return isinstance(error, RetryLaterError) and not _PERMANENT_PATTERN.search(str(error))
