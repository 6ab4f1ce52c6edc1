"""A server to attack."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from served import SYSTEM_PYTHON, Server

from made_sshd import MadeSshd


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server with the stand-in engine."""
    _need_the_standin()
    return Server.make(tmp_path)


@pytest.fixture
def user_server(sshd: MadeSshd) -> Server:
    """The same, run by the throw-away user of the sshd where there is root (whom the kernel excuses from limits)."""
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
    return server


@pytest.fixture
def real_server(tmp_path: Path, real_engine: Path) -> Server:
    """A server with the real engine."""
    server = Server.make(tmp_path)
    shutil.rmtree(tmp_path / "engine")
    server.seen = server.look_outside()
    server.flags = [*server.flags[4:], "--engine", os.fspath(real_engine)]
    return server


def _need_the_standin() -> None:
    if SYSTEM_PYTHON is None or not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc, and an interpreter of the system's for the stand-in engine")
