"""The one place where the sysadmin's commands start other programs: argument lists, a time limit, the exit code.

``engine.process`` starts engines.  It is not used here, because it limits and watches its children, and sends their
output to a log.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from solvehost.admin.accounts import Account
from solvehost.errors import UnavailableError
from solvehost.record import record
from solvehost.server.engine_setup import SEARCH_PATH

_TIMEOUT_S = 30.0
_ENVIRONMENT = {"PATH": SEARCH_PATH, "LC_ALL": "C"}


@record
class ProgramResult:
    """How a program ended: its exit code (128 + n if signal n ended it) and its output."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def last_line(self) -> str:
        """The last line that the program wrote to standard error, or its exit code if it wrote none."""
        lines = self.stderr.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self.exit_code}, without a message"


def find(name: str) -> str | None:
    """Return the path of a program, searched in the system's directories and not in PATH."""
    return shutil.which(name, path=SEARCH_PATH)


def run(
    command: Sequence[str], account: Account | None = None, *, stdin: bytes = b"",
    environment: Mapping[str, str] | None = None, timeout_s: float = _TIMEOUT_S,
) -> ProgramResult:  # fmt: skip
    """Run a program in the root directory.

    Parameters
    ----------
    command
        The program and its arguments.
    account
        The user to run it as, if this process is root; by default, the user of this process.
    stdin
        Its standard input.
    environment
        Variables in addition to PATH and LC_ALL.
    timeout_s
        Time limit, in seconds.

    Raises
    ------
    UnavailableError
        If the program cannot be started, or exceeds the time limit.
    """
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            check=False,
            cwd="/",
            env={**_ENVIRONMENT, **(environment or {})},
            timeout=timeout_s,
            umask=0o077,
            **_credentials(account),
        )
    except subprocess.TimeoutExpired as exc:
        raise UnavailableError(f"{command[0]} did not end within {timeout_s:g} s") from exc
    except OSError as exc:
        raise UnavailableError(f"{command[0]}: {exc.strerror}") from exc
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return ProgramResult(code, done.stdout, done.stderr)


@contextlib.contextmanager
def running(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that reads from a pipe without content and whose output is dropped; kill it at the end."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", env=_ENVIRONMENT
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def _credentials(account: Account | None) -> dict[str, Any]:
    if account is None or os.geteuid() != 0 or account.uid == os.geteuid():
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": list(account.groups)}
