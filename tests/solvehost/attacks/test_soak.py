"""Short runs of the long tests in scripts/soak."""

from __future__ import annotations

from pathlib import Path

import pytest
import soak_crowd
import soak_kills
import soak_streams
import soak_turns
from attack_server import SYSTEM_PYTHON, RunResult, Server

from made_sshd import MadeSshd

needs_standin = pytest.mark.skipif(SYSTEM_PYTHON is None, reason="needs an interpreter of the system's")


@needs_standin
@pytest.mark.slow
def test_mutated_streams_are_served_or_refused(tmp_path: Path) -> None:
    found = soak_streams.soak(tmp_path, 300)
    assert found.violations == []
    assert sum(found.codes.values()) == 300
    assert {0, 65, 66} <= set(found.codes)


@needs_standin
@pytest.mark.slow
def test_a_client_with_many_waiting_jobs_does_not_delay_another_one(server: Server) -> None:
    found = soak_turns.soak(server, 6, measured_s=0.0)
    assert found.violations == []
    assert found.served == ["other", *["me"] * 6]


@pytest.mark.parametrize(("code", "stdout", "stderr", "why"), [
    (1, b"", "x", "an unknown exit code"), (75, b"", "x", "an unknown exit code"),
    (70, b"", "Traceback (most recent call last)", "a fault"), (65, b"x", "x", "a refusal with"),
    (70, b"", "a fault in solvehost itself: x", "a fault"), (65, b"", "\x1b", "control characters"),
    (0, b"", "", "a reply that cannot be read"), (-9, b"", "", "an unknown exit code"),
])  # fmt: skip
def test_wrong_answers_are_found(code: int, stdout: bytes, stderr: str, why: str) -> None:
    assert soak_streams._wrong(RunResult(code, stdout, stderr, 0), b"job-1\n", None).startswith(why)


@needs_standin
@pytest.mark.slow
@pytest.mark.sshd
def test_kills_lose_no_job_and_leave_no_process(sshd: MadeSshd) -> None:
    found = soak_kills.soak(sshd, 10)
    assert found.violations == []
    assert found.solved == 10
    assert len(found.killed) > 2


@needs_standin
@pytest.mark.slow
@pytest.mark.sshd
def test_many_plain_connections_all_get_their_answers(sshd: MadeSshd) -> None:
    """There are more jobs than may wait; refused ones are sent again."""
    found = soak_crowd.soak_raw(sshd, 8, ("--slots", "1", "--queue-wait", "0.5", "--max-waiting", "3"))
    assert found.violations == []
    assert found.solved == 8
    assert found.busy > 0


@needs_standin
@pytest.mark.slow
@pytest.mark.sshd
@pytest.mark.engine
@pytest.mark.usefixtures("drawn_attempt")
def test_many_nova_commands_all_get_their_own_answers(sshd: MadeSshd, tmp_path: Path) -> None:
    found = soak_crowd.soak(sshd, tmp_path / "crowd", 5, soak_crowd.CrowdSetting("small", soak_crowd.HASTY, False, 0.1))
    assert found.violations == []
    assert found.solved == 5
