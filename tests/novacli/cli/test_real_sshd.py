"""nova and solvehost through a real ssh and sshd, with the real engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_lines import read_lines
from made_sky import DrawnField

sys.path.insert(0, str(Path(__file__).parents[2]))
from made_sshd import MadeSshd, descendants
from solvehost.formats import jobdir

pytestmark = [pytest.mark.sshd, pytest.mark.engine]

PATIENCE_S = 30.0


def wait_until(happened: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := happened()):
        assert time.monotonic() < deadline, "what the test waits for did not happen"
        time.sleep(0.02)
    return found


@pytest.fixture
def picture(drawn: DrawnField, home: Path) -> Path:
    return drawn.write_fits(home / "field.fits")


@pytest.fixture
def ssh(sshd: MadeSshd, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> MadeSshd:
    """Configure nova to use the sshd of the tests."""
    monkeypatch.setenv("NOVA_SSH", str(sshd.program))
    return sshd


def line_of(ran: Any) -> dict[str, Any]:
    (line,) = read_lines(ran.out)
    return line


def test_an_image_is_solved_and_the_second_shares_the_connection(
    nova: Any, ssh: MadeSshd, picture: Path, drawn: DrawnField
) -> None:
    host = ssh.add_host()
    before = ssh.log().count("Accepted publickey")
    for _ in range(2):
        ran = nova("submit", "--to", host.alias, str(picture), "--json")
        line = line_of(ran)
        assert (ran.code, ran.err, line["server"]) == (0, "", host.alias)
        drawn.assert_found(line["calibration"], parity=-1)
    assert ssh.log().count("Accepted publickey") - before == 1


def test_a_working_host_passes_all_checks(nova: Any, ssh: MadeSshd) -> None:
    host = ssh.add_host()
    ran = nova("hosts", "check", host.alias, "--json")
    checks = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    assert (ran.code, ran.err) == (0, "")
    for name in ("connection", "answer", "index files", "fields", "load", "round trip", "terminal", "forwarding"):
        assert checks[name]["ok"] is True, checks[name]
    assert "a field of 100 stars there and back" in checks["round trip"]["detail"]
    assert checks["round trip"]["detail"].endswith(", solved")


def test_a_job_is_detached_and_fetched(nova: Any, ssh: MadeSshd, picture: Path, drawn: DrawnField) -> None:
    host = ssh.add_host()
    left = line_of(nova("submit", "--detach", "--to", host.alias, str(picture), "--json"))
    assert (left["status"], left["server"]) == ("remote", host.alias)

    def fetched() -> Any:
        ran = nova("fetch", left["job"], "--json")
        assert ran.code in (0, 75), ran.err
        return ran if ran.code == 0 else None

    drawn.assert_found(line_of(wait_until(fetched))["calibration"], parity=-1)
    assert nova("jobs", "--on", host.alias).out == ""


def test_no_engine_runs_on_after_the_client_is_killed(nova: Any, ssh: MadeSshd, picture: Path, home: Path) -> None:
    """With kill -9: its ssh ends with it, and the server notices."""
    engine = ssh.place("astrometry-engine", "#!/usr/bin/python3 -ISB\nimport time\ntime.sleep(1000)\n")
    host = ssh.add_host("--engine", str(engine))
    command = [sys.executable, "-m", "novacli", "submit", "--to", host.alias, str(picture)]
    client = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _sleepers(ssh))
    finally:
        os.kill(client.pid, signal.SIGKILL)
        client.wait()
    wait_until(lambda: not _sleepers(ssh))
    (job,) = jobdir.list_jobs(home / "jobs")
    assert job.state() == "interrupted"


def _sleepers(ssh: MadeSshd) -> list[int]:
    found = []
    for pid in descendants(ssh.pid):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"/usr/bin/python3", b"-ISB"]:
            found.append(pid)
    return found


@pytest.mark.slow
def test_fifty_clients_at_once_are_all_answered(ssh: MadeSshd, picture: Path, home: Path) -> None:
    """sshd has its default limits, the server two slots and a short queue: clients that get 75 try again."""
    host = ssh.add_host("--slots", "2", "--queue-wait", "0.5", "--max-waiting", "4")
    names = [f"field-{number}.fits" for number in range(50)]
    for name in names:
        (home / name).symlink_to(picture)
    words = ["submit", "--to", host.alias, "--json"]
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "novacli", *words, name], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for name in names
    ]
    for name, run in zip(names, runs, strict=True):
        out, said = run.communicate()
        (line,) = read_lines(out.decode())
        assert (run.returncode, said, line["input"], line["status"]) == (0, b"", name, "solved")
