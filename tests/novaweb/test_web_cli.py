"""``nova-web`` as a sysadmin runs it, each command in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import novacli
from novacli.errors import ConfigError
from novaweb.cli.main import COMMANDS
from novaweb.config import KEYS
from novaweb.folders import Folders

SHARE = Path(novacli.__file__).parent / "share"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def nova_web(clean_environment: Path, tmp_path: Path) -> Run:
    """A function that runs ``nova-web`` with its data in a fresh folder."""

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "NOVAWEB_DATA": str(tmp_path / "data"), **variables}
        env.pop("DJANGO_SETTINGS_MODULE", None)
        command = [sys.executable, "-m", "novaweb", *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)

    return run


def free_port() -> int:
    """Return a port of loopback that no server uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def test_help_names_all_commands(nova_web: Run) -> None:
    shown = nova_web("--help").stdout
    assert all(f"\n  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(nova_web: Run, name: str) -> None:
    assert nova_web(name, "--help").stdout.startswith(f"Usage: nova-web {name}")


def test_users_and_keys(nova_web: Run, tmp_path: Path) -> None:
    assert nova_web("migrate").stdout == "the database is up to date\n"
    assert nova_web("user", "add", "ada").stdout == "user ada was made\n"
    assert nova_web("user", "list").stdout == "ada\n"
    key = nova_web("key", "add", "ada", "--name", "laptop").stdout.strip()
    assert (len(key), key.isalpha()) == (16, True)
    assert nova_web("key", "list", "ada").stdout == "laptop  never used\n"
    assert nova_web("key", "revoke", "ada", "laptop").returncode == 0
    assert "revoked" in nova_web("key", "list", "ada").stdout
    assert nova_web("user", "disable", "ada").stdout == "user ada can no longer sign in\n"
    assert nova_web("user", "list").stdout == "ada  not active\n"
    assert nova_web("user", "approve", "ada").stdout == "user ada can sign in\n"
    assert len(nova_web("user", "password", "ada").stdout.strip()) == 20
    assert key.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "data").glob("*") if path.is_file())


@pytest.mark.parametrize(
    ("words", "variables", "code", "message"),
    [
        (["serve"], {}, 78, "the database is not up to date: run nova-web migrate"),
        (["work"], {}, 78, "the database is not up to date: run nova-web migrate"),
        (["user", "add", "a b"], {}, 78, "the database is not up to date: run nova-web migrate"),
        (["config"], {"NOVAWEB_DATABASE": "mysql://x"}, 78, "$NOVAWEB_DATABASE: database = 'mysql://x': it must be"),
        (["config"], {"NOVAWEB_DATABASE": "postgresql://h:99999/x"}, 78, "$NOVAWEB_DATABASE: database = 'postgresql"),
        (["config"], {"NOVAWEB_SITE_URL": "http://h:x"}, 78, "$NOVAWEB_SITE_URL: site_url = 'http://h:x': its port"),
        (["config"], {"NOVAWEB_FETCH_NETWORKS": "10.0.0.0/99"}, 78, "$NOVAWEB_FETCH_NETWORKS: fetch_networks = '10"),
        (["config"], {"NOVAWEB_SITE_URL": "nova"}, 78, "$NOVAWEB_SITE_URL: site_url = 'nova': it must be a URL"),
        (["migrate"], {"NOVAWEB_DATA": "/dev/null/x"}, 78, "/dev/null/x: Not a directory: choose another data_dir"),
        (["migrate"], {"NOVAWEB_SECRET_KEY_FILE": "/nosuch"}, 78, "/nosuch: the secret key cannot be read"),
        (["work", "--executor", "dask"], {}, 2, "--scheduler and --executor dask belong together"),
        (["nosuch"], {}, 2, "No such command 'nosuch'"),
    ],
)
def test_what_is_wrong_is_one_line(nova_web: Run, words: list[str], variables: dict, code: int, message: str) -> None:
    ran = nova_web(*words, **variables)
    assert (ran.returncode, ran.stderr.count("\n")) == (code, 1)
    assert ran.stderr.startswith(f"nova-web: {message}")


def test_mistakes_with_users_and_keys_are_named(nova_web: Run) -> None:
    nova_web("migrate")
    nova_web("user", "add", "ada")
    assert "exists already" in nova_web("user", "add", "Ada").stderr
    assert "is no user name" in nova_web("user", "add", "a b").stderr
    assert "there is no user bob" in nova_web("key", "add", "bob").stderr
    assert "there is no user anonymous" in nova_web("key", "add", "anonymous").stderr
    assert "no valid key called x" in nova_web("key", "revoke", "ada", "x").stderr
    nova_web("key", "add", "ada")
    assert "has a key called key already" in nova_web("key", "add", "ada").stderr


def test_the_secret_key_is_made_once_and_only_its_user_reads_it(nova_web: Run, tmp_path: Path) -> None:
    nova_web("migrate")
    path = tmp_path / "data" / "secret-key"
    first = path.read_text()
    nova_web("migrate")
    assert (path.read_text(), path.stat().st_mode & 0o777) == (first, 0o600)
    path.write_text("short\n")
    assert "the secret key is too short" in nova_web("user", "list").stderr


def test_settings_have_their_sources_and_no_password(nova_web: Run) -> None:
    ran = nova_web("config", "--json", NOVAWEB_DATABASE="postgresql://nova:hush@db/nova")
    shown = json.loads(ran.stdout)["settings"]
    assert shown["database"]["value"] == "postgresql://nova:***@db/nova"
    assert shown["data_dir"]["source"] == "$NOVAWEB_DATA"
    assert "hush" not in ran.stdout + nova_web("config", NOVAWEB_DATABASE="postgresql://nova:hush@db/nova").stdout


def test_the_database_is_read_by_its_user_alone(nova_web: Run, tmp_path: Path) -> None:
    """The folder of the data may exist already, open to all."""
    (tmp_path / "data").mkdir(mode=0o755)
    nova_web("migrate")
    assert (tmp_path / "data" / "web.sqlite3").stat().st_mode & 0o077 == 0


def test_serve_names_a_host_that_is_none(nova_web: Run) -> None:
    nova_web("migrate")
    ran = nova_web("serve", "--host", "host.invalid")
    assert (ran.returncode, ran.stderr) == (2, "nova-web: --host host.invalid: this is no address of this machine\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_at_a_signal(nova_web: Run, tmp_path: Path, number: int) -> None:
    nova_web("migrate")
    env = {**os.environ, "NOVAWEB_DATA": str(tmp_path / "data")}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, "-m", "novaweb", "serve", "--port", str(free_port())]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        assert server.stderr.readline().startswith("answering at")
        server.send_signal(number)
        assert (server.wait(60), server.stderr.read()) == (0, "")


@pytest.mark.parametrize("command", ["migrate", "demo"])
def test_a_file_that_is_no_database_is_named(nova_web: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "web.sqlite3").write_text("no database, but long enough to be looked at")
    ran = nova_web(command, *(["--port", str(free_port())] if command == "demo" else []))
    message = "nova-web: the database cannot be used: file is not a database: see $NOVAWEB_DATABASE\n"
    assert (ran.returncode, ran.stderr) == (69, message)


def test_the_demonstration_sends_no_key_to_another_server(nova_web: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ran = nova_web("demo", "--port", str(port))
        other.settimeout(0)
        with pytest.raises(BlockingIOError):
            other.accept()
    message = f"nova-web: 127.0.0.1:{port} cannot be used: Address already in use: choose another --port\n"
    assert (ran.returncode, ran.stderr, (tmp_path / "data").exists()) == (69, message, False)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match=r"this user cannot write there: choose another data_dir \(\$NOVAWEB_DATA\)"):
        Folders(tmp_path / "data").make()


@pytest.mark.engine
def test_the_demonstration_solves_a_drawn_sky(nova_web: Run) -> None:
    port = free_port()
    ran = nova_web("demo", "--once", "--port", str(port))
    assert ran.returncode == 0, ran.stderr
    assert f"address of the API: http://127.0.0.1:{port}/api/" in ran.stdout
    assert "the drawn sky: success" in ran.stdout


def test_the_commands_in_the_units_are_valid() -> None:
    text = "".join((SHARE / name).read_text() for name in ("nova-web.service", "nova-web-work.service"))
    assert re.findall(r"^Exec\w+=/opt/nova/bin/nova-web (.*)$", text, re.MULTILINE) == ["migrate", "serve", "work"]
    assert {"migrate", "serve", "work"} <= {*COMMANDS}
    assert {*re.findall(r"^Environment=(\w+)", text, re.MULTILINE)} <= {key.variable for key in KEYS}


@pytest.mark.engine
def test_the_children_of_a_killed_demonstration_end(tmp_path: Path) -> None:
    env = {**os.environ, "NOVAWEB_DATA": str(tmp_path / "data")}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    port = free_port()
    command = [sys.executable, "-m", "novaweb", "demo", "--port", str(port)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as demo:
        assert demo.stdout is not None
        lines = iter(demo.stdout.readline, "")
        assert any("Ctrl-C ends the service" in line for line in lines)
        demo.kill()
    until = time.monotonic() + 30
    while True:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) != 0:
                return
        assert time.monotonic() < until
        time.sleep(0.05)
