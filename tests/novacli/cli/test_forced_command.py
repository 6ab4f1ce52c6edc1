"""nova and the real solvehost, connected by a stand-in ssh that runs the forced command as sshd would."""

from __future__ import annotations

import json
import random
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_indexes import make_index
from made_lines import read_lines
from made_servers import HEIGHT, WIDTH, write_star_list
from made_sky import DrawnField

from solvehost.formats import jobdir

PATIENCE_S = 30.0
SIZE = ("--size", f"{WIDTH}x{HEIGHT}")

_SSH = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
SSH_ORIGINAL_COMMAND=$(host=$1; shift; echo "$*")
export SSH_ORIGINAL_COMMAND
exec {python} -m solvehost --state {states}/"$1" --client me --allow-root $(cat {flags})
"""


@pytest.fixture
def flags(home: Path, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install the stand-in ssh, and return a function that sets the options of the forced command."""
    (home / "states").mkdir()
    program = home / "ssh"
    words = {"python": sys.executable, "states": home / "states", "flags": home / "flags"}
    program.write_text(_SSH.format(**{key: shlex.quote(str(value)) for key, value in words.items()}))
    program.chmod(0o755)
    monkeypatch.setenv("NOVA_SSH", str(program))
    (home / "flags").write_text("")
    return lambda text: (home / "flags").write_text(text) and None


@pytest.fixture
def stand_in_engine(home: Path, flags: Callable[[str], None]) -> Callable[..., None]:
    """Return a function that installs a Python script as the engine of all servers, with an index file for every field.

    A confined engine can read the system's interpreter only.
    """
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin")
    if python is None:
        pytest.skip("needs an interpreter of the system's for the stand-in engine")

    def install(script: str, more: str = "") -> None:
        engine = home / "bin" / "astrometry-engine"
        engine.parent.mkdir(exist_ok=True)
        engine.write_text(f"#!{python} -ISB\nimport os, time\n{script}\n")
        engine.chmod(0o755)
        index = make_index(home / "indexes" / "index-4110.fits", 10, 2000)
        config = home / "engine.cfg"
        config.write_text(f"index {index}\n")
        flags(f"--engine {engine} --engine-config {config} {more}")

    return install


@pytest.fixture
def stars(home: Path) -> str:
    return str(write_star_list(home / "stars.csv"))


def line_of(ran: Any) -> dict[str, Any]:
    (line,) = read_lines(ran.out)
    return line


def until(happened: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := happened()):
        assert time.monotonic() < deadline, "what the test waits for did not happen"
        time.sleep(0.05)
    return found


@pytest.mark.engine
def test_an_image_is_solved(
    nova: Any, flags: Callable[[str], None], drawn: DrawnField, home: Path, real_indexes: Any
) -> None:
    ran = nova("submit", str(drawn.write_fits(home / "field.fits")), "--to", "solve1", "--json")
    line = line_of(ran)
    assert (ran.code, line["server"]) == (0, "solve1")
    drawn.assert_found(line["calibration"], parity=-1)
    labels = {attempt["label"] for attempt in line["timing"]["attempts"]}
    assert line["match"]["attempt"] in labels


@pytest.mark.engine
def test_a_job_is_detached_and_fetched(
    nova: Any, flags: Callable[[str], None], drawn: DrawnField, home: Path, real_indexes: Any
) -> None:
    left = line_of(nova("submit", str(drawn.write_fits(home / "f.fits")), "--to", "solve1", "--detach", "--json"))
    ran = until(lambda: (found := nova("fetch", left["job"], "--json")).code == 0 and found)
    drawn.assert_found(line_of(ran)["calibration"], parity=-1)
    assert nova("jobs", "--on", "solve1").out == ""


def test_an_unsolved_job_has_exit_code_1(nova: Any, stand_in_engine, stars: str) -> None:
    stand_in_engine("")
    ran = nova("submit", stars, *SIZE, "--to", "solve1", "--json")
    assert (ran.code, line_of(ran)["reason"]) == (1, "exhausted")


def test_after_a_crash_of_the_engine_the_next_server_is_tried(nova: Any, stand_in_engine, stars: str) -> None:
    stand_in_engine("os._exit(3)")
    ran = nova("submit", stars, *SIZE, "--to", "solve1,solve2", "--json")
    assert ran.code == 70
    message = line_of(ran)["error"]["message"]
    assert "solve1: " in message
    assert "solve2: " in message


def test_a_missing_engine_has_exit_code_69(nova: Any, stand_in_engine, stars: str, home: Path) -> None:
    stand_in_engine("")
    (home / "bin" / "astrometry-engine").unlink()
    ran = nova("submit", stars, *SIZE, "--to", "solve1")
    assert ran.code == 69
    assert "solve1: " in ran.err


def test_the_log_of_a_running_job_is_followed_and_the_job_is_cancelled_and_fetched(
    nova: Any, stand_in_engine, stars: str, home: Path
) -> None:
    stand_in_engine("print('here I am', flush=True); time.sleep(1000)")
    left = line_of(nova("submit", stars, *SIZE, "--to", "solve1", "--detach", "--json"))
    until(lambda: "here I am" in nova("log", left["job"]).out)
    assert nova("fetch", left["job"]).code == 75
    states = [json.loads(line)["state"] for line in nova("jobs", "--on", "solve1", "--json").out.splitlines()]
    assert states == ["running"]
    assert nova("cancel", left["job"]).code == 0
    ran = until(lambda: (found := nova("fetch", left["job"], "--json")).code != 75 and found)
    assert (ran.code, line_of(ran)["reason"]) == (1, "cancelled")
    (job,) = jobdir.list_jobs(home / "jobs")
    assert "here I am" in job.log.read_text()


def test_rm_ends_a_running_job_on_the_server(nova: Any, stand_in_engine, stars: str) -> None:
    stand_in_engine("print('my number is', os.getpid(), flush=True); time.sleep(1000)")
    nova("submit", stars, *SIZE, "--to", "solve1", "--detach")
    found = until(lambda: re.search(r"my number is (\d+)", nova("log", "last").out))
    ran = nova("rm", "last")
    assert (ran.code, ran.err) == (0, "")
    assert nova("jobs", "--on", "solve1").out == ""
    until(lambda: not Path(f"/proc/{found[1]}").exists())


def test_a_job_that_failed_on_the_server_fails_here(nova: Any, stand_in_engine, stars: str) -> None:
    stand_in_engine("os._exit(3)")
    left = line_of(nova("submit", stars, *SIZE, "--to", "solve1", "--detach", "--json"))
    ran = until(lambda: (found := nova("fetch", left["job"], "--json")).code != 75 and found)
    assert (ran.code, line_of(ran)["status"]) == (70, "failed")
    assert nova("jobs", "--on", "solve1").out == ""


def test_a_client_that_finds_the_queue_full_tries_again(
    nova: Any, stand_in_engine, stars: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One slot, no queue: both clients succeed, because a client that gets 75 tries again."""
    stand_in_engine("time.sleep(0.5)", "--slots 1 --queue-wait 0.05")
    command = [
        sys.executable,
        "-m",
        "novacli",
        "submit",
        stars,
        *SIZE,
        "--to",
        "solve1",
        "--json",
        "-L",
        "5",
        "-H",
        "6",
    ]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for run in runs:
        out, _ = run.communicate(timeout=120)
        (line,) = read_lines(out)
        assert (run.returncode, line["reason"]) == (1, "exhausted")


def test_a_client_cannot_change_the_options_of_a_server(nova: Any, stand_in_engine, stars: str) -> None:
    """No word of the client reaches a shell or the options of the forced command."""
    stand_in_engine("")
    assert nova("submit", stars, *SIZE, "--to", "solve1;touch${IFS}x", "--json").code in (1, 65, 75)
    assert not Path("x").exists()


def test_clients_that_are_killed_at_any_moment_lose_no_job_and_repeat_none(
    nova: Any, stand_in_engine, stars: str, home: Path
) -> None:
    """Ten clients submit and fetch; in the end each job is unsolved here, and none is left on the server."""
    stand_in_engine("")
    chance = random.Random(1)
    for _ in range(10):
        _run_and_kill(["submit", stars, *SIZE, "--to", "solve1", "--detach"], chance.uniform(0.2, 1.5))
        if chance.random() < 0.5:
            _run_and_kill(["fetch", "--all"], chance.uniform(0.1, 1.0))
    jobs = jobdir.list_jobs(home / "jobs")
    until(lambda: nova("fetch", "--all").code in (0, 1) and not nova("jobs", "--state", "remote").out)
    interrupted = [job.job_id for job in jobs if not (job.path / "result.json").exists()]
    if interrupted:
        assert nova("retry", *interrupted).code == 1
    assert {job.state() for job in jobs} <= {"unsolved"}
    assert nova("jobs", "--on", "solve1").out == ""
    assert [path for job in jobs for path in job.path.glob("remote.json")] == []


def _run_and_kill(words: list[str], after_s: float) -> None:
    client = subprocess.Popen(
        [sys.executable, "-m", "novacli", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(after_s)
    client.kill()
    client.wait()
