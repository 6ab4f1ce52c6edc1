"""The errors that exit codes of ssh and of servers become."""

from __future__ import annotations

import pytest

from novacli import errors
from novacli.backends.ssh.exit_codes import (
    PASSED_ON,
    NoProgramError,
    ServerOutputError,
    UnreachedError,
    error_of,
    is_temporary,
)


@pytest.mark.parametrize(
    ("code", "kind", "passed_on", "again"),
    [
        (64, errors.UsageError, False, False),
        (65, errors.DataError, False, False),
        (66, errors.InputMissingError, False, False),
        (69, errors.UnavailableError, True, False),
        (70, errors.InternalError, True, False),
        (73, ServerOutputError, True, False),
        (74, errors.TransferError, True, False),
        (75, errors.RetryLaterError, True, True),
        (77, errors.DeniedError, False, False),
        (78, errors.ConfigError, True, False),
        (127, NoProgramError, True, False),
        (137, errors.InternalError, True, False),
        (255, UnreachedError, True, True),
        (1, errors.InternalError, True, False),
        (-9, UnreachedError, True, True),
        (None, errors.TransferError, True, False),
    ],
)
def test_each_exit_code_becomes_an_error(
    code: int | None, kind: type[errors.NovaError], passed_on: bool, again: bool
) -> None:
    """The exit codes of the wire protocol, and ends without an exit code."""
    error = error_of("solve1", "me@solve1", code, ("before", "solvehost: the reason"))
    assert type(error) is kind
    assert str(error).startswith("solve1: ")
    assert (isinstance(error, PASSED_ON), is_temporary(error)) == (passed_on, again)


def test_the_error_quotes_the_last_line_of_solvehost() -> None:
    assert str(error_of("s", "s", 75, ("a", "solvehost: no free slot"))) == "s: no free slot"
    assert str(error_of("s", "s", 75, ())) == "s: it gave no reason"
    log = ("solvehost: no free slot", "engine noise", "solvehost: client=me verb=solve exit=75")
    assert str(error_of("s", "s", 75, log)) == "s: no free slot"
    assert str(error_of("s", "s", 75, ("solvehost: client=me",))) == "s: it gave no reason"


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("me@s: Permission denied (publickey).", "have your public key added"),
        ("Host key verification failed.", "log in once by hand: ssh me@s"),
        ("ssh: Could not resolve hostname s: Name or service not known", "check its name"),
        ("/home/me/.ssh/config: terminating, 1 bad configuration options", r"correct ~/\.ssh/config"),
    ],
)
def test_a_permanent_failure_of_ssh_has_a_remedy_and_is_not_tried_again(line: str, remedy: str) -> None:
    error = error_of("s", "me@s", 255, (line, "the log of an engine"))
    assert f"{line.rstrip('.')}: " in str(error)
    assert remedy.replace("\\", "") in str(error)
    assert not is_temporary(error)


def test_a_line_of_the_server_is_not_quoted_as_the_reason_of_ssh() -> None:
    """The log of an engine comes on the same stream; it decides neither the remedy nor whether nova tries again."""
    log = "cannot read index-4110.fits: Permission denied"
    error = error_of("s", "me@s", 255, (log,))
    assert str(error) == f"s: ssh failed without a reason; the last line on stderr was {log!r}"
    assert is_temporary(error)
    broken = error_of("s", "me@s", 255, ("client_loop: send disconnect: Broken pipe", log))
    assert str(broken) == "s: ssh failed: client_loop: send disconnect: Broken pipe"
    assert str(error_of("s", "me@s", 255, ())) == "s: ssh failed: it gave no reason"


def test_a_server_that_is_switched_off_has_a_remedy_and_is_tried_again() -> None:
    error = error_of("s", "s", 255, ("ssh: connect to host s port 22: Connection refused",))
    assert str(error).endswith("Connection refused: check that it is switched on and runs sshd")
    assert is_temporary(error)
