"""The sysadmin's commands' one gate to other programs: argument lists, a time limit, every exit status looked at."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from solvehost.admin.accounts import Account
from solvehost.errors import UnavailableError
from solvehost.server.engine_setup import SEARCH_PATH

_PATIENCE_S = 30.0
_ENVIRONMENT = {"PATH": SEARCH_PATH, "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended: its exit code (128 + n where signal n ended it), and what it wrote."""

    exit_code: int
    output: bytes
    remarks: bytes

    @property
    def last_remark(self) -> str:
        """The last line that it wrote to standard error."""
        lines = self.remarks.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self.exit_code}, without a word"


def find(name: str) -> str | None:
    """Return the path of a program, looked for in the system's directories whatever PATH says."""
    return shutil.which(name, path=SEARCH_PATH)


def run(
    command: Sequence[str], account: Account | None = None, *, feed: bytes = b"",
    environment: Mapping[str, str] | None = None, timeout_s: float = _PATIENCE_S,
) -> Ran:  # fmt: skip
    """Run a program in the root directory, as ``account`` where this process may become it.

    Raises
    ------
    UnavailableError
        Where it cannot be started, or takes too long.
    """
    try:
        done = subprocess.run(
            command,
            input=feed,
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
    return Ran(code, done.stdout, done.stderr)


def _credentials(account: Account | None) -> dict[str, Any]:
    if account is None or os.geteuid() != 0 or account.uid == os.geteuid():
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": list(account.groups)}
