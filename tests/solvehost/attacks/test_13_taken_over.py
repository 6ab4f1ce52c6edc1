"""Attack 13: code that runs in place of the engine; engine/test_taken_over.py has a longer list of attempts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from attack_server import RunResult, Server, read_reply, told
from test_05_engine import meddle

from solvehost.engine import exec_helper

filtered = pytest.mark.skipif(not exec_helper.filters_calls(), reason="this kernel cannot filter system calls")


@filtered
@pytest.mark.skipif(not exec_helper.landlock_abi(), reason="this kernel has no Landlock")
def test_a_confined_engine_can_do_nothing_outside_its_directory(server: Server) -> None:
    assert [line for line in meddle(server) if not line.startswith("DENIED")] == []


@filtered
@pytest.mark.parametrize("behaviour", ["daemons sleep", "pipe-as-log", "sparse-log"])
def test_an_engine_makes_no_process_directory_or_pipe(server: Server, behaviour: str) -> None:
    done = server.run(told(behaviour))
    assert (done.code, done.stdout) == (70, b"")
    assert "Operation not permitted" in done.stderr
    server.assert_clean()


def test_a_deep_directory_that_was_left_behind_ends_no_job_and_no_command(server: Server) -> None:
    """With 1,500 levels, every plain job of every client ended with exit code 70 from a minute later on."""
    left = server.work / ".new-1-0123456789abcdef"
    _nest(left / ".run-1", 1500)
    for words in (["jobs"], ["gc", "--dry-run"]):
        done = _sysadmin(server, *words)
        assert (done.returncode, done.stderr) == (0, b""), done
    server.assert_served(server.run(told("solve")))
    _nest(server.state / "clients" / "me" / "jobs" / ".new-1-0123456789abcdef", 1500)
    assert _sysadmin(server, "gc").returncode == 0
    assert not list(server.state.glob("**/.new-*"))


def _nest(folder: Path, depth: int) -> None:
    folder.mkdir(parents=True)
    current = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=current)
        inner = os.open("d", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = inner
    os.close(current)


def _sysadmin(server: Server, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-I", "-m", "solvehost", *words, "--state", str(server.state), "--config", os.devnull]
    return subprocess.run(command, capture_output=True, check=False)


_AS_ROOT = """
import os
os.geteuid = lambda: 0
from solvehost.__main__ import main
main()
"""


@pytest.mark.parametrize("verb", [None, "solve --detach", "info", "jobs"])
def test_root_is_refused(server: Server, verb: str | None) -> None:
    """Nothing is made that would belong to root, not even a log."""
    server.flags.remove("--allow-root")
    server.command = [sys.executable, "-I", "-c", _AS_ROOT]
    done: RunResult = server.run(told("solve"), ssh_command=verb)
    server.assert_refused(done, 78, "the server runs as root")
    assert not server.log.exists()
    assert not server.state.exists()


def test_root_is_accepted_if_the_sysadmin_insists(server: Server) -> None:
    done = server.run(told("solve"))
    assert read_reply(done.stdout, "job-1")[0]["status"] == "solved"
