"""Confined engines: the rules for each version of Landlock, and that this kernel enforces them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from solvehost.engine import exec_helper, sandbox
from solvehost.engine.process import EngineLimits, EngineProcess, wait_for_any

NO_LANDLOCK = "the kernel has no Landlock, or it is switched off"


@pytest.mark.parametrize(
    ("abi", "files", "ports", "scopes"),
    [
        (1, 13, 0, 0),
        (2, 14, 0, 0),
        (3, 15, 0, 0),
        (4, 15, 3, 0),
        (5, 16, 3, 0),
        (6, 16, 3, 3),
        (7, 16, 3, 3),
        (99, 16, 3, 3),
    ],
)
def test_a_kernel_is_asked_only_for_rights_that_it_knows(abi: int, files: int, ports: int, scopes: int) -> None:
    """It refuses a ruleset with other bits."""
    assert exec_helper.ruleset(abi) == (2**files - 1, ports, scopes)


def test_rules_name_the_targets_of_links(tmp_path: Path) -> None:
    """The kernel checks the file itself, not the link through which it is opened."""
    real = tmp_path / "elsewhere" / "index-4119.fits"
    real.parent.mkdir()
    real.touch()
    link = tmp_path / "index-4119.fits"
    link.symlink_to(real)
    lines = sandbox.rules(Path("/opt/x/bin/astrometry-engine"), tmp_path / "run", [link]).splitlines()
    assert f"r {real}" in lines
    assert f"r {link}" not in lines
    assert f"rw {tmp_path / 'run'}" in lines
    assert [line for line in lines if line.startswith("rx /opt")] == ["rx /opt/x/bin/astrometry-engine"]
    assert {"r /opt/x/lib", "r /opt/x/lib64"} <= set(lines)


def test_only_the_engine_and_what_the_kernel_needs_to_start_it_can_be_executed(tmp_path: Path) -> None:
    """A script's interpreter, and the dynamic loader of a program."""
    script = tmp_path / "astrometry-engine"
    script.write_text("#! /bin/sh -e\nexit 0\n")
    lines = sandbox.rules(script, tmp_path, []).splitlines()
    executable = [line.removeprefix("rx ") for line in lines if line.startswith("rx ")]
    assert executable[:2] == [str(script), "/bin/sh"]
    assert all("/ld-" in path for path in executable[2:])


@pytest.mark.parametrize(
    "content", [b"", b"#!", b"#!\n", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + b"\xff" * 90, b"text"]
)
def test_a_damaged_program_names_no_interpreter(tmp_path: Path, content: bytes) -> None:
    program = tmp_path / "astrometry-engine"
    program.write_bytes(content)
    lines = sandbox.rules(program, tmp_path, []).splitlines()
    assert [line for line in lines if line.startswith("rx ")] == [f"rx {program}"]


def run_shell(script: str, run: Path, rules: str) -> tuple[int | None, str]:
    """Run a script as an engine is run; return its exit status and its output."""
    run.mkdir()
    child = EngineProcess(["/bin/bash", "-c", script], run, run / "log", EngineLimits(), rules)
    wait_for_any([child], 20)
    assert child.poll()
    return child.exit_status, (run / "log").read_text()


def confined(script: str, run: Path, *reads: Path) -> tuple[int | None, str]:
    """Run a script that Landlock alone confines, and that may run the system's programs."""
    lines = sandbox.rules(Path("/bin/bash"), run, reads).splitlines()
    return run_shell(script, run, "\n".join(["rx /usr", *(x for x in lines if not x.startswith(exec_helper.CALLS))]))


@pytest.mark.skipif(not exec_helper.landlock_abi(), reason=NO_LANDLOCK)
@pytest.mark.parametrize(
    "script",
    [
        "cat {canary}", "ls {folder}", "echo x >{canary}", "echo x >>{canary}", ": >{folder}/new", "rm {canary}",
        "mv own {folder}/own", "ln {canary} linked && cat linked", "ln -s {canary} s && cat s", "mkdir {folder}/d",
        "cat /etc/passwd", "truncate -s 0 {canary}", "mkfifo {folder}/fifo", "{canary}.sh",
    ],
)  # fmt: skip
def test_a_forbidden_access_fails_and_changes_no_file(tmp_path: Path, script: str) -> None:
    folder = tmp_path / "others"
    folder.mkdir()
    canary = folder / "canary"
    canary.write_text("sings")
    program = folder / "canary.sh"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    status, output = confined(f"echo >own; {script.format(canary=canary, folder=folder)}", tmp_path / "run")
    assert status != 0
    assert "denied" in output.lower() or "cross-device" in output.lower() or "not permitted" in output.lower(), output
    assert canary.read_text() == "sings"
    assert sorted(p.name for p in folder.iterdir()) == ["canary", "canary.sh"]


@pytest.mark.skipif(not exec_helper.landlock_abi(), reason=NO_LANDLOCK)
def test_what_an_engine_needs_is_allowed(tmp_path: Path) -> None:
    index = tmp_path / "index.fits"
    index.write_text("quads")
    script = f"cat {index} && echo y >wcs.fits && cat wcs.fits && mv wcs.fits x && rm x && mkdir d && echo >/dev/null"
    assert confined(script, tmp_path / "run", index) == (0, "quadsy\n")


@pytest.mark.skipif(exec_helper.landlock_abi() < 4, reason="the kernel's Landlock does not cover TCP")
def test_connections_are_forbidden(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = f"(exec 3<>/dev/tcp/127.0.0.1/{server.getsockname()[1]}) && echo connected"
        assert run_shell(script, tmp_path / "free", "") == (0, "connected\n")
        status, output = confined(script, tmp_path / "run")
    assert status != 0
    assert "Permission denied" in output


def test_without_landlock_an_engine_runs_unconfined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules are ignored then; the server decides whether it accepts that."""
    monkeypatch.setattr(exec_helper, "landlock_abi", lambda: 0)
    exec_helper._confine("rx /usr")
    assert (tmp_path / "x").write_text("allowed") > 0
