"""Commands over several jobs: one wrong name stops no other job and is never forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_jobs import make_job


@pytest.mark.parametrize("command", ["rm", "cancel", "fetch", "retry"])
def test_a_name_that_no_job_has_gives_its_exit_code(nova, jobs: Path, command: str) -> None:
    ran = nova(command, "nosuch")
    assert ran.code == 66
    assert "there is no job 'nosuch'" in ran.err


@pytest.mark.parametrize("command", ["rm", "cancel", "fetch", "retry"])
def test_a_name_that_no_job_has_does_not_stop_the_others(
    nova, jobs: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second job is reported too: `retry` finds no engine, the others act on it or say why they cannot."""
    monkeypatch.setenv("NOVA_ENGINE", "/no/such/engine")
    job = make_job(jobs)
    ran = nova(command, "nosuch", job.job_id)
    assert ran.code >= 66
    assert job.job_id in ran.err + ran.out or not job.path.exists() or "engine" in ran.err


@pytest.mark.parametrize("command", ["rm", "cancel", "fetch", "retry"])
def test_without_a_name_a_command_is_a_usage_error(nova, jobs: Path, command: str) -> None:
    assert nova(command).code == 2
