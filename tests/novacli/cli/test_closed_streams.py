"""Standard streams that the caller closed, as cron wrappers and ``nova … >&-`` do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "src"


def run_in_shell(words: str, redirections: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run ``nova`` in a shell that closes some of its streams."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(SOURCE)}
    command = f'"{sys.executable}" -m novacli {words} {redirections}'
    return subprocess.run(["/bin/sh", "-c", command], env=env, cwd=home, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("redirections", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("words", "exit_code"), [("jobs", 0), ("--help", 0), ("config show", 0), ("submit none.fits", 66), ("rm none", 66)]
)
def test_a_closed_stream_does_not_change_the_exit_code(
    words: str, exit_code: int, redirections: str, tmp_path: Path
) -> None:
    done = run_in_shell(words, redirections, tmp_path)
    assert done.returncode == exit_code
    assert "fault" not in done.stderr


def test_a_file_that_is_opened_does_not_get_what_is_printed(tmp_path: Path) -> None:
    """The first free descriptor is 1 if standard output is closed."""
    done = run_in_shell("batch --json --ledger ledger.sqlite .", ">&-", tmp_path)
    assert done.returncode == 0
    assert all(b"{" not in path.read_bytes()[:1] for path in tmp_path.rglob("*") if path.is_file())
