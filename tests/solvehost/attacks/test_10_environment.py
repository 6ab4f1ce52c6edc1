"""Attack 10: environment variables that a client sets with SetEnv, with an sshd that accepts all of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from attack_server import install_engine, read_reply, told
from standin import make_attempt

from made_sshd import MadeSshd
from solvehost.formats import axy

pytestmark = pytest.mark.sshd

_EVIL = "import os; open(os.path.join(os.path.dirname(__file__), 'was-here'), 'w')\n"


@pytest.fixture
def hostile(sshd: MadeSshd) -> dict[str, str]:
    """A hostile environment; the server's user can write to its directory, which must not change."""
    folder = sshd.make_dir()
    folder.chmod(0o755)
    for name in ("sitecustomize.py", "usercustomize.py", "solvehost.py", "startup.py", "os.py"):
        (folder / name).write_text(_EVIL)
    for name in ("astrometry-engine", "python3", "sh", "env", "id"):
        (folder / name).write_text(f"#!/bin/sh\ntouch {folder}/was-here\n")
        (folder / name).chmod(0o755)
    return {
        "LC_ALL": "$(id)", "LANG": "`id`", "PATH": str(folder), "PYTHONPATH": str(folder), "PYTHONHOME": str(folder),
        "PYTHONSTARTUP": f"{folder}/startup.py", "PYTHONINSPECT": "1", "PYTHONUSERBASE": str(folder),
        "PYTHONPYCACHEPREFIX": str(folder), "PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1",
        "PYTHONBREAKPOINT": "os.system", "PYTHONMALLOC": "debug", "PYTHONDUMPREFSFILE": f"{folder}/x",
        "BASH_ENV": f"{folder}/sh", "ENV": f"{folder}/sh", "HOME": str(folder), "TMPDIR": "/nowhere", "IFS": "/",
        "SHELLOPTS": "xtrace", "PS4": "$(id)", "CDPATH": str(folder), "OMP_NUM_THREADS": "4096", "TZ": f":{folder}/x",
        "SOLVEHOST_STATE": "/", "NOVA_SLOTS": "99", "XDG_RUNTIME_DIR": str(folder), "PWD": "/nowhere",
        "MALLOC_CHECK_": "3", "ASTROMETRY_CONFIG": f"{folder}/x", "BAD NAME": "x", "CONTROL": "\x1b[2J\x07",
    }  # fmt: skip


def run(sshd: MadeSshd, alias: str, environment: dict[str, str], stream: bytes) -> subprocess.CompletedProcess[bytes]:
    words = " ".join(f'"{name}={value}"' for name, value in environment.items() if " " not in name)
    command = [*sshd.ssh, "-T", "-x", "-o", f"SetEnv {words}", alias]
    return subprocess.run(command, input=stream, capture_output=True, check=False)


def test_the_environment_of_a_client_does_not_reach_the_engine(sshd: MadeSshd, hostile: dict[str, str]) -> None:
    engine = install_engine(sshd.place("x", "").parent / "engine")
    host = sshd.add_host("--engine", str(engine), "--engine-config", str(engine.parents[1] / "engine.cfg"))
    done = run(sshd, host.alias, hostile, told("environ"))
    assert done.returncode == 0, done.stderr
    _, files = read_reply(done.stdout, "job-1")
    found = [line for line in files["backend.log"].decode().splitlines() if line.startswith("ENV ")]
    assert sorted(found) == ["ENV LC_ALL=C", "ENV OMP_NUM_THREADS=1", "ENV PATH=/usr/bin:/bin"]
    assert_untouched(Path(hostile["PATH"]))


@pytest.mark.engine
def test_the_engine_is_not_searched_in_the_clients_path(
    sshd: MadeSshd, hostile: dict[str, str], real_engine: Path, drawn_axy: bytes
) -> None:
    """The settings give the name of the engine only, as by default."""
    from attack_server import request

    host = sshd.add_host()
    done = run(sshd, host.alias, hostile, request(drawn_axy))
    assert done.returncode == 0, done.stderr
    manifest, _ = read_reply(done.stdout, "job-1")
    assert (manifest["status"], manifest["engine"]) == ("solved", str(real_engine))
    assert_untouched(Path(hostile["PATH"]))


@pytest.mark.parametrize("command", ["internal-sftp", "solve --state /"])
def test_a_command_in_the_environment_is_parsed_as_a_command(sshd: MadeSshd, command: str) -> None:
    """A client can set SSH_ORIGINAL_COMMAND in two ways; the same grammar applies."""
    host = sshd.add_host()
    done = run(sshd, host.alias, {"SSH_ORIGINAL_COMMAND": command.replace(" ", "\t")}, axy.to_bytes(make_attempt()))
    assert (done.returncode, done.stdout) == (64, b"")


def assert_untouched(folder: Path) -> None:
    assert {p.name for p in folder.iterdir()} == {
        "sitecustomize.py", "usercustomize.py", "solvehost.py", "startup.py", "os.py", "astrometry-engine", "python3",
        "sh", "env", "id",
    }  # fmt: skip
