"""What scripts/soak runs for long, for short."""

from __future__ import annotations

from pathlib import Path

import pytest
import soak_crowd
import soak_kills
import soak_streams
from served import SYSTEM_PYTHON, Done

from made_sshd import MadeSshd

needs_standin = pytest.mark.skipif(SYSTEM_PYTHON is None, reason="needs an interpreter of the system's")


@needs_standin
@pytest.mark.slow
def test_mutated_streams_are_served_or_refused(tmp_path: Path) -> None:
    found = soak_streams.soak(tmp_path, 300)
    assert found.violations == []
    assert sum(found.codes.values()) == 300
    assert {0, 65, 66} <= set(found.codes)


@pytest.mark.parametrize(("done", "why"), [
    (Done(1, b"", "x", 0), "an unknown exit code"), (Done(75, b"", "x", 0), "an unknown exit code"),
    (Done(70, b"", "Traceback (most recent call last)", 0), "a fault"), (Done(65, b"x", "x", 0), "a refusal with"),
    (Done(70, b"", "a fault in solvehost itself: x", 0), "a fault"), (Done(65, b"", "\x1b", 0), "control characters"),
    (Done(0, b"", "", 0), "a reply that cannot be read"), (Done(-9, b"", "", 0), "an unknown exit code"),
])  # fmt: skip
def test_what_is_wrong_with_an_answer_is_seen(done: Done, why: str) -> None:
    assert soak_streams._wrong(done, b"job-1\n", None).startswith(why)


@needs_standin
@pytest.mark.slow
@pytest.mark.sshd
def test_kills_lose_nothing_and_leave_nobody(sshd: MadeSshd) -> None:
    found = soak_kills.soak(sshd, 10)
    assert found.violations == []
    assert found.solved == 10
    assert len(found.killed) > 2


@needs_standin
@pytest.mark.slow
@pytest.mark.sshd
def test_a_crowd_of_plain_connections_comes_home(sshd: MadeSshd) -> None:
    """More than may wait: those that are sent away come again."""
    found = soak_crowd.soak_raw(sshd, 8, ("--slots", "1", "--queue-wait", "0.5", "--max-waiting", "3"))
    assert found.violations == []
    assert found.solved == 8
    assert found.busy > 0


@needs_standin
@pytest.mark.slow
@pytest.mark.sshd
@pytest.mark.engine
@pytest.mark.usefixtures("drawn_attempt")
def test_a_crowd_of_novas_is_answered_each_with_its_own(sshd: MadeSshd, tmp_path: Path) -> None:
    found = soak_crowd.soak(sshd, tmp_path / "crowd", 5, soak_crowd.Setting("small", soak_crowd.HASTY, False, 0.1))
    assert found.violations == []
    assert found.solved == 5
