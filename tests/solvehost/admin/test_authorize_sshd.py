"""With a real sshd, an authorized key can do what its line permits, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from made_sshd import MadeSshd
from solvehost.admin import installation
from solvehost.admin.authorize import REPLACED, authorize

pytestmark = pytest.mark.sshd
Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a key", "-f", tmp_path / "key"], check=True)
    return tmp_path / "key.pub"


@pytest.fixture
def flags(sshd: MadeSshd, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of a server that the sshd of the tests can start, with a program that its user can read."""
    monkeypatch.setattr(installation, "program", lambda: [sshd.python, "-I", str(sshd.app)])
    return {"client": "authorized", "config": os.devnull, "state": str(sshd.make_dir()), "log": "stderr"}


@pytest.fixture
def ask(sshd: MadeSshd, key: Path) -> Ask:
    """Return a function that sends a command with the key, and options of ssh."""
    options = ("BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "LogLevel=ERROR",
               f"UserKnownHostsFile={sshd.folder}/known_hosts")  # fmt: skip

    def call(command: str, *more: str) -> subprocess.CompletedProcess[str]:
        words = ["ssh", "-F", "none", "-i", str(key.with_suffix("")), "-p", str(sshd.port)]
        words += [word for option in options for word in ("-o", option)]
        words += [*more, f"{sshd.user}@127.0.0.1", command]
        return subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    return call


def keys(sshd: MadeSshd) -> Path:
    return sshd.folder / "authorized_keys"


def test_an_authorized_key_reaches_the_server(sshd: MadeSshd, key: Path, flags: dict[str, str], ask: Ask) -> None:
    """With the client and the settings of its line."""
    assert ask("info").returncode == 255
    authorize(key, {**flags, "slots": "3"}, sources="127.0.0.0/8,::1", expiry="2999-01-01", to=keys(sshd))
    said = json.loads(ask("info").stdout)
    assert (said["client"], said["slots"]) == ("authorized", 3)


def test_an_authorized_key_can_do_nothing_else(
    sshd: MadeSshd, key: Path, flags: dict[str, str], ask: Ask, tmp_path: Path
) -> None:
    authorize(key, flags, to=keys(sshd))
    assert ask("id; touch /tmp/x").returncode == 64
    assert ask("info --state /").returncode == 64
    assert "PTY allocation request failed" in ask("info", "-tt").stderr
    assert ask("", "-s", "sftp").returncode != 0
    assert "forward" in ask("", "-W", "127.0.0.1:1").stderr


def test_a_key_from_another_address_is_refused(sshd: MadeSshd, key: Path, flags: dict[str, str], ask: Ask) -> None:
    authorize(key, flags, sources="192.0.2.0/24", to=keys(sshd))
    assert ask("info").returncode == 255
    assert authorize(key, flags, to=keys(sshd), replace=True).outcome == REPLACED
    assert ask("info").returncode == 0


def test_an_expired_key_is_refused(sshd: MadeSshd, key: Path, flags: dict[str, str], ask: Ask) -> None:
    """sshd understands the format of the date."""
    authorize(key, flags, expiry="2999-01-01", to=keys(sshd))
    assert ask("info").returncode == 0
    keys(sshd).write_text(keys(sshd).read_text().replace('"29990101"', '"20200101"'))
    assert ask("info").returncode == 255


def test_paths_with_spaces_reach_the_server(
    sshd: MadeSshd, key: Path, flags: dict[str, str], ask: Ask
) -> None:  # fmt: skip
    """They pass through the file, sshd, and the user's shell."""
    state = Path(flags["state"]) / "a b; $(id) #%h"
    authorize(key, {**flags, "state": str(state)}, to=keys(sshd))
    assert ask("info").returncode == 0, ask("info").stderr
    assert state.is_dir()
