"""The sshd of the tests runs jobs, as another user if possible, and its script for ssh accepts nova's options."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from made_sshd import MadeSshd

pytestmark = pytest.mark.sshd


def test_a_host_answers_through_both_programs(sshd: MadeSshd, tmp_path: Path) -> None:
    host = sshd.add_host(client="nova7")
    other = tmp_path / "config"
    other.write_text("Host *\n    ConnectTimeout 10\n")
    for ssh in (sshd.ssh, [str(sshd.program)], [str(sshd.program), "-T", "-F", str(other)]):
        done = subprocess.run([*ssh, host.alias, "jobs"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [p.name for p in (host.state / "clients").iterdir()] == ["nova7"]


def test_root_runs_jobs_as_another_user(sshd: MadeSshd) -> None:
    host = sshd.add_host(command="id -un; echo $SSH_ORIGINAL_COMMAND")
    done = subprocess.run([*sshd.ssh, host.alias, "some words"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{sshd.user}\nsome words\n"
    assert sshd.is_other_user == (os.geteuid() == 0)


def test_each_host_has_its_own_key(sshd: MadeSshd) -> None:
    """Each key has its own command, client and state."""
    hosts = [sshd.add_host("--slots", n, client=f"nova{n}") for n in ("1", "2")]
    for number, host in enumerate(hosts, 1):
        done = subprocess.run([*sshd.ssh, host.alias, "info"], capture_output=True, check=False)
        if done.returncode == 69:
            pytest.skip("no engine is installed")
        found = json.loads(done.stdout)
        assert (found["client"], found["slots"]) == (f"nova{number}", number)
