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


class RefusedConnectionError(UnreachedError):
    """ssh could not connect, for a reason that stays: trying again would not help, and might lock the user out."""

    retry_is_safe = False


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
#: How the lines of ssh itself begin.  Its stderr also carries the log of the server, which may contain any other line.
_OF_SSH = re.compile(
    r"ssh: |ssh_|kex_exchange_identification: |client_loop: |mux_client|([\w.-]+@\S+: )?Permission denied \("
    r"|Host key verification failed|.{0,9}WARNING: REMOTE HOST IDENTIFICATION|Too many authentication failures"
    r"|Received disconnect from |Disconnected from |Connection (closed|refused|reset|timed|to)|Timeout, server "
    r"|hostname contains invalid|command-line( line \d+)?: |Bad owner or permissions on |Bad configuration option"
    r"|\S+: (line \d+: |terminating, \d+ bad )|Unable to negotiate with |No \S+ host key is known"
)
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
        return _connection_error(name, destination, stderr_lines)
    if code == _NOT_FOUND:
        return NoProgramError(f"{name}: there is no solvehost on it ({reason}): install it there, see nova hosts check")
    if code is not None and code < 0:
        return UnreachedError(f"{name}: ssh was ended by signal {-code}")
    if code is None:
        return TransferError(f"{name}: ssh did not end as it should ({reason})")
    if code < FIRST_OF_PROTOCOL or code > 128:
        return InternalError(f"{name}: the server ended with exit code {code}: {reason}")
    return kind_of(code)(f"{name}: {reason}")


def _connection_error(name: str, destination: str, stderr_lines: Sequence[str]) -> UnreachedError:
    """Return the error for a failure of ssh itself; only a line that ssh wrote is quoted as its reason."""
    said = [line for line in stderr_lines if _OF_SSH.match(line)]
    if not said:
        other = f" without a reason; the last line on stderr was {stderr_lines[-1]!r}" if stderr_lines else ""
        return UnreachedError(f"{name}: ssh failed{other or ': it gave no reason'}")
    refusal = next((line for line in reversed(said) if _PERMANENT_PATTERN.search(line)), None)
    telling = refusal or said[-1]
    remedy = f": {found}" if (found := remedy_of(telling, destination)) else ""
    kind = UnreachedError if refusal is None else RefusedConnectionError
    return kind(f"{name}: ssh failed: {telling.rstrip('.')}{remedy}")


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
    return isinstance(error, RetryLaterError) and not isinstance(error, RefusedConnectionError)
