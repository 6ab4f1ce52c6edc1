"""The ssh command line, and which configuration the real ``ssh -G`` makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from novacli import config
from novacli.backends.ssh import command as sshcommand
from novacli.backends.ssh.command import Ssh, config_text
from novacli.errors import UnavailableError


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment with a short path for sockets."""
    monkeypatch.setattr(sshcommand.tempfile, "gettempdir", lambda: "/nowhere")
    return {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_RUNTIME_DIR": str(tmp_path)}


def made(env: dict[str, str]) -> Ssh:
    return Ssh.of(config.load(env))


def test_the_destination_follows_all_options(env: dict[str, str]) -> None:
    command = made(env).command("me@solve1", ("fetch", "a-1"))
    assert command[-4:] == ["--", "me@solve1", "fetch", "a-1"]
    assert os.path.isabs(command[0])
    assert {"-T", "-x", "-a", "-oBatchMode=yes", "-oClearAllForwardings=yes"} <= set(command)
    assert {"-oRemoteCommand=none", "-oPermitLocalCommand=no"} <= set(command)


def test_the_settings_can_name_another_program(env: dict[str, str], tmp_path: Path) -> None:
    program = tmp_path / "my-ssh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert made({**env, "NOVA_SSH": str(program)}).program == str(program)
    with pytest.raises(UnavailableError, match="none was not found"):
        made({**env, "NOVA_SSH": "none"})


def test_aliases_of_one_account_share_no_connection() -> None:
    """They may have different keys, which the server takes for different clients."""
    assert config_text("one", Path("/run/x")) != config_text("two", Path("/run/x"))


def test_the_folder_of_sockets_is_closed_to_other_users(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sshcommand, "_MAX_SOCKET_CHARACTERS", 1000)
    assert made(env).control_dir == tmp_path / "nova" / "ssh"
    assert (tmp_path / "nova" / "ssh").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("trouble", ["open", "a link", "a file", "a parent that others write to"])
def test_sockets_are_not_kept_in_an_unsafe_folder(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr(sshcommand, "_MAX_SOCKET_CHARACTERS", 1000)
    monkeypatch.setattr(sshcommand, "Path", lambda *parts: Path(tmp_path / "none" / "none", *map(str, parts[1:])))
    sockets = tmp_path / "nova" / "ssh"
    sockets.parent.mkdir()
    if trouble == "a link":
        sockets.symlink_to(tmp_path)
    elif trouble == "a file":
        sockets.touch()
    else:
        sockets.mkdir()
        (sockets if trouble == "open" else sockets.parent).chmod(0o777)
    assert made(env).control_dir is None
    assert "ControlPath" not in config_text("a", None)


def test_with_too_long_a_path_connections_are_not_shared(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sshcommand, "_MAX_SOCKET_CHARACTERS", 10)
    ssh = made(env)
    assert ssh.control_dir is None
    assert "-F" in ssh.command("solve1", ("info",))


def test_if_the_cache_cannot_be_written_the_defaults_are_left_out(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    assert "-F" not in made(env).command("solve1", ("info",))


# --- The real ssh --------------------------------------------------------------------------------------------------


@pytest.fixture
def effective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Return a function that gives the options of ``ssh -G solve1`` under a user's configuration."""
    program = shutil.which("ssh")
    if program is None:
        pytest.skip("ssh is not installed")
    user = tmp_path / "user_config"
    monkeypatch.setattr(sshcommand, "_FIRST", f"Include {user}\n")

    def ask(text: str | None) -> dict[str, str]:
        if text is not None:
            user.write_text(text)
            user.chmod(0o600)
        ssh = Ssh(program, tmp_path / "generated", Path("/run/nova/ssh"))
        command = ssh.command("solve1", ("solve",), ("-G",))
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        return dict(line.partition(" ")[::2] for line in ran.stdout.splitlines())

    return ask


def test_defaults_apply_if_the_user_sets_nothing(effective) -> None:
    for text in (None, "", "Host other\n  ControlMaster no\n  ConnectTimeout 99\n"):
        found = effective(text)
        assert (found["connecttimeout"], found["serveraliveinterval"], found["serveralivecountmax"]) == (
            "10",
            "15",
            "4",
        )
        assert (found["controlmaster"], found["controlpersist"]) == ("auto", "60")
        assert found["controlpath"].startswith("/run/nova/ssh/")
        assert len(found["controlpath"]) == len("/run/nova/ssh") + sshcommand._SOCKET_NAME_CHARACTERS - 17


@pytest.mark.parametrize("block", ["", "Host solve1\n", "Host *\n", "Match host solve1\n"])
def test_the_user_s_configuration_overrides_the_defaults(effective, block: str) -> None:
    found = effective(
        f"{block}  ConnectTimeout 3\n  ServerAliveInterval 7\n  ControlMaster no\n  User me\n  HostName 10.0.0.9\n"
    )
    assert (found["connecttimeout"], found["serveraliveinterval"], found["controlmaster"]) == ("3", "7", "false")
    assert (found["user"], found["hostname"]) == ("me", "10.0.0.9")
    assert "controlpath" not in effective(f"{block}  ControlPath none\n")
    assert effective(f"{block}  ControlPath /mine/%h\n")["controlpath"].startswith("/mine/")


def test_required_options_override_the_user_s_configuration(effective) -> None:
    found = effective(
        "RequestTTY force\nForwardX11 yes\nForwardAgent yes\nBatchMode no\nRemoteCommand evil\nPermitLocalCommand yes\n"
        "LocalCommand evil\nLocalForward 1234 localhost:1\n"
    )
    assert (found["requesttty"], found["forwardx11"], found["forwardagent"]) == ("false", "no", "no")
    assert (found["batchmode"], found["clearallforwardings"], found["permitlocalcommand"]) == ("yes", "yes", "no")
    assert found.get("remotecommand", "none") == "none"
