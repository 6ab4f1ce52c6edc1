"""A server to attack."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from attack_server import SYSTEM_PYTHON, Server

from made_sshd import MadeSshd


def _end(server: Server) -> None:
    """Kill processes that a failed test left running."""
    for pid in server.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with the stand-in engine."""
    _need_the_standin()
    made = Server.make(tmp_path)
    yield made
    _end(made)


@pytest.fixture
def user_server(sshd: MadeSshd) -> Iterator[Server]:
    """A server that a temporary user runs, if the tests run as root, to which some limits do not apply."""
    _need_the_standin()
    folder = sshd.place("anchor", "").parent
    server = Server.make(folder)
    server.state.mkdir(mode=0o700)
    server.log.touch()
    for path in (server.state, server.log, server.canary):
        sshd.give(path)
    server.seen = server.look_outside()
    server.command = [sshd.python, "-I", str(sshd.app)]
    server.more = sshd.as_user()
    yield server
    _end(server)


@pytest.fixture
def real_server(tmp_path: Path, real_engine: Path) -> Iterator[Server]:
    """A server with the real engine."""
    server = Server.make(tmp_path)
    shutil.rmtree(tmp_path / "engine")
    server.seen = server.look_outside()
    server.flags = [*server.flags[4:], "--engine", os.fspath(real_engine)]
    yield server
    _end(server)


def _need_the_standin() -> None:
    if SYSTEM_PYTHON is None or not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc, and an interpreter of the system's for the stand-in engine")
