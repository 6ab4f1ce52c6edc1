"""An engine that was taken over: what an intruder tries is possible without confinement, and denied with it."""

from __future__ import annotations

import dataclasses
import platform
import re
import shutil
import socket
import subprocess
from array import array
from collections.abc import Iterator
from pathlib import Path

import intruder
import pytest

from solvehost.engine import attempts as attempts_of_engine
from solvehost.engine import exec_helper, sandbox, syscall_filter
from solvehost.engine.process import EngineLimits, EngineProcess, wait_for_any
from solvehost.formats import axy, jobdir
from solvehost.formats.axy import Attempt
from solvehost.formats.jobdir import JobDir
from solvehost.indexes.index_set import IndexSet

#: A confined program can read the system's interpreter only.
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin")
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}  # fmt: skip
LANDLOCK = exec_helper.landlock_abi()
pytestmark = pytest.mark.skipif(
    PYTHON is None or not exec_helper.filters_calls(), reason="needs seccomp, and an interpreter of the system's"
)


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[int]:
    """Another process of the same user; beside it a canary, a program, and a service that listens."""
    folder = tmp_path / "others"
    folder.mkdir()
    (folder / "canary").write_text("precious")
    (folder / "program").write_text("#!/bin/sh\necho COULD run\n")
    (folder / "program").chmod(0o755)
    with socket.socket(socket.AF_UNIX) as service, subprocess.Popen(["sleep", "1000"]) as process:
        service.bind(str(folder / "socket"))
        service.listen()
        yield process.pid
        process.kill()


def run(script: str | Path, tmp_path: Path, rules: str | None, *arguments: str) -> tuple[int | None, str]:
    """Run a Python script in place of the engine; return its exit status and its output."""
    assert PYTHON is not None
    working = tmp_path / "run"
    working.mkdir()
    program = working / "engine.py"
    program.write_text(script if isinstance(script, str) else script.read_text())
    if rules is None:
        rules = sandbox.rules(Path(PYTHON), working, [])
    limits = EngineLimits(by_fork=True)
    child = EngineProcess([PYTHON, "-ISB", str(program), *arguments], working, working / "log", limits, rules)
    wait_for_any([child], 60)
    assert child.poll()
    return child.exit_status, (working / "log").read_text()


def attempts(tmp_path: Path, victim: int, rules: str | None) -> set[str]:
    """Return the attempts of the intruder that succeed; check that it made all of them."""
    _, output = run(Path(intruder.__file__), tmp_path, rules, str(victim), str(tmp_path / "others"))
    could = set(re.findall("^COULD (.*)$", output, re.MULTILINE))
    denied = set(re.findall("^DENIED (.*?):", output, re.MULTILINE))
    assert could | denied >= {*intruder.TRIES, *intruder.TRIES_WITH_FILES} - {"execute"}, output
    return could


def test_without_confinement_the_attempts_succeed(tmp_path: Path, victim: int) -> None:
    """So a denial elsewhere is a merit of the confinement.  Some kernels lack a facility or reserve it for root."""
    could = attempts(tmp_path, victim, "")
    assert "run" in could
    reserved = {"clone3", "namespace", "key", "openat2", "tcp fast open", "memory of the victim", "ptrace"}
    assert {*intruder.TRIES, *intruder.TRIES_WITH_FILES} - {"execute"} - could <= reserved


@pytest.mark.parametrize("version", [7, 2])
def test_nothing_that_an_intruder_tries_succeeds(
    tmp_path: Path, victim: int, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a kernel like Debian 12's, whose Landlock has version 2."""
    if version > LANDLOCK:
        pytest.skip(f"this kernel's Landlock is of version {LANDLOCK}")
    monkeypatch.setattr(exec_helper, "landlock_abi", lambda: version)
    monkeypatch.setattr(sandbox, "landlock_abi", lambda: version)
    assert attempts(tmp_path, victim, None) == set()


def test_without_landlock_only_files_can_be_reached(
    tmp_path: Path, victim: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_helper, "landlock_abi", lambda: 0)
    could = attempts(tmp_path, victim, None)
    assert could & {*intruder.TRIES} == set()


def test_limits_of_system_calls_alone_stop_the_same_attempts(tmp_path: Path, victim: int) -> None:
    """As nova sets them for engines on its user's own machine."""
    rules = sandbox.rules_of_calls(Path("/bin/ls"))
    assert attempts(tmp_path, victim, rules) & {*intruder.TRIES} == set()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other numbers of calls exist on x86-64 only")
def test_a_call_by_the_numbers_of_another_architecture_is_not_made(tmp_path: Path) -> None:
    """Call 20 is getpid on i386 and writev on x86-64; the numbers of x32 have a bit of their own."""
    code = "b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3'"  # mov eax, 20; int 0x80; ret
    script = f"""
import ctypes, mmap
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(0x40000000 + 39), ctypes.get_errno(), flush=True)
memory = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
memory.write({code})
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
print("COULD")
"""
    status, output = run(script, tmp_path, None)
    assert (status is not None and status < 0, output) == (True, "-1 1\n")


def test_a_script_in_place_of_the_engine_is_not_limited_on_its_users_own_machine(tmp_path: Path) -> None:
    """It may start the engine in a container, for example."""
    script = tmp_path / "engine"
    script.write_text("#!/bin/sh\n")
    assert sandbox.rules_of_calls(script) == ""
    assert sandbox.rules_of_calls(tmp_path / "missing") == ""


@pytest.mark.engine
@pytest.mark.parametrize("parity", [-1, 1])
@pytest.mark.parametrize("version", [LANDLOCK, 2, 0])
def test_the_real_engine_gives_the_same_answer_under_confinement(
    parity: int, version: int, drawn_attempt: Attempt, real_engine: Path, real_indexes: IndexSet, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The files of the solution are equal, except for the time in them."""
    monkeypatch.setattr(exec_helper, "landlock_abi", lambda: version)
    attempt = dataclasses.replace(drawn_attempt, parity=None)
    if parity < 0:
        x = array("f", (attempt.width + 1 - value for value in attempt.stars.x))
        attempt = dataclasses.replace(attempt, stars=dataclasses.replace(attempt.stars, x=x))
    plain, confined = (solve(attempt, real_engine, real_indexes, tmp_path / str(is_confined), is_confined)
                       for is_confined in (False, True))  # fmt: skip
    assert plain[jobdir.WCS]
    assert confined == plain


def solve(attempt: Attempt, engine: Path, indexes: IndexSet, folder: Path, is_confined: bool) -> dict[str, list[bytes]]:
    """Run the real engine; return the cards or blocks of each file of the solution, without dates and comments."""
    folder.mkdir()
    job = JobDir(folder)
    axy.write(attempt, job.axy())
    planned = attempts_of_engine.plan_attempt(job, 1, indexes.files)
    working = job.run_dir(1)
    working.mkdir()
    (working / "engine.cfg").write_text("".join(f"index {file.path}\n" for file in planned.files))
    rules = sandbox.rules(engine, working, [job.axy(), *(f.path for f in planned.files)]) if is_confined else ""
    command = [str(engine), "-c", "engine.cfg", f"../{job.axy().name}"]
    child = EngineProcess(command, working, working / "log", EngineLimits(by_fork=True), rules)
    wait_for_any([child], 60)
    assert child.poll()
    assert child.exit_status == 0, (working / "log").read_text()
    found = {}
    for name in jobdir.OUTPUTS:
        data = (working / name).read_bytes()
        cards = [data[at : at + 80] for at in range(0, len(data), 80)]
        found[name] = [card for card in cards if not card.startswith((b"DATE", b"HISTORY", b"COMMENT"))]
    return found


@pytest.mark.parametrize("machine", syscall_filter.MACHINES)
def test_the_numbers_are_those_of_the_kernel(machine: str) -> None:
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip("the kernel's headers are not installed (Debian: apt install linux-libc-dev)")
    text = header.read_text()
    kernels = {name: int(number) for name, number in re.findall(r"__NR(?:3264)?_(\w+)\s+(\d+)", text)}
    kernels |= {new: kernels[old] for new, old in re.findall(r"__NR_(\w+) __NR3264_(\w+)", text) if old in kernels}
    assert {name: kernels.get(name) for name in syscall_filter.numbers(machine)} == syscall_filter.numbers(machine)
