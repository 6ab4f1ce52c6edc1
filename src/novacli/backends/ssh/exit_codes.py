"""What an exit code of ssh, or of a server behind it, means here; and which errors other servers are asked after.

The classes of :mod:`novacli.errors` carry the decision: a server is passed over for another one where it answered
with 69, 70, 73, 74, 75, 78, 127, 137 or 255 (``PASSED_ON``), and asked again where it answered with 75 or 255.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from novacli import errors
from novacli.errors import (
    ConfigError,
    InternalError,
    NovaError,
    OutputError,
    RetryLaterError,
    TransferError,
    UnavailableError,
)

#: ssh's own failure.
SSH_FAILED = 255
_NOT_FOUND = 127
#: An exit code as small as this is none of the protocol's: the remote program is another.
FIRST_OF_PROTOCOL = 64

#: How a solvehost's own lines begin, and that one which sums a job up for its sysadmin.
_OWN, _ACCOUNT = "solvehost: ", "solvehost: client="


class NoProgramError(UnavailableError):
    """There is no solvehost on the server; safe to retry once it is installed."""


class UnreachedError(RetryLaterError):
    """ssh did not get there, or the line broke; safe to retry, but a server that is switched off stays so."""


#: Another server may do better.
PASSED_ON = (UnavailableError, InternalError, OutputError, TransferError, RetryLaterError, ConfigError)

#: What ssh says -> what to do.  None of it mends itself, so asking again would only annoy the server.
_HOPELESS = {
    r"Permission denied|Too many authentication failures": "have your public key added on the server (solvehost "
    "authorize), or load it into your agent",
    r"Host key verification failed|REMOTE HOST IDENTIFICATION": "check the host key, then log in once by hand: "
    "ssh {destination}",
    r"Could not resolve hostname|hostname contains invalid": "check its name",
    r"Bad configuration option|Bad owner or permissions|terminating, \d+ bad": "mend ~/.ssh/config",
}
#: The same for what may mend itself.
_PASSING = {r"Connection refused|Connection timed out|No route to host": "is it switched on, and its sshd there?"}
#: Of the many lines that ssh may write, the one that says it.
_TELLING = re.compile("|".join(_HOPELESS))


def error_of(name: str, destination: str, code: int | None, said: Sequence[str]) -> NovaError:
    """Return the error that stands for an exit code: None, or below zero, where the program was ended."""
    words = _telling_words(said)
    if code == SSH_FAILED:
        telling = next((line for line in reversed(said) if _TELLING.search(line)), words)
        remedy = f": {found}" if (found := remedy_of(telling, destination)) else ""
        return UnreachedError(f"{name}: ssh failed: {telling.rstrip('.')}{remedy}")
    if code == _NOT_FOUND:
        return NoProgramError(f"{name}: there is no solvehost on it ({words}): install it there, see nova hosts check")
    if code is not None and code < 0:
        return UnreachedError(f"{name}: ssh was ended by signal {-code}")
    if code is None:
        return TransferError(f"{name}: ssh did not end as it should ({words})")
    if code < FIRST_OF_PROTOCOL or code > 128:
        return InternalError(f"{name}: the server ended with exit code {code}: {words}")
    return errors.by_exit_code(code)(f"{name}: {words}")


def no_answer(name: str) -> RetryLaterError:
    """Return the error of a server that did not answer while it was waited for."""
    return RetryLaterError(f"{name}: it did not answer in time: try again later")


def _telling_words(said: Sequence[str]) -> str:
    """Return the server's own error, which its account of the job and an engine's log may follow, or the last line."""
    lines = [line for line in said if not line.startswith(_ACCOUNT)]
    own = [line.removeprefix(_OWN) for line in lines if line.startswith(_OWN)]
    return (own or lines or ["it said nothing"])[-1]


def remedy_of(said: str, destination: str) -> str:
    """Return what to do about what ssh said; empty where that is not known."""
    for pattern, remedy in (_HOPELESS | _PASSING).items():
        if re.search(pattern, said):
            return remedy.format(destination=destination)
    return ""


def may_mend_itself(error: NovaError) -> bool:
    """Say whether the same server may answer otherwise in a moment: it was busy, or could not be reached."""
    return isinstance(error, RetryLaterError) and not _TELLING.search(str(error))
