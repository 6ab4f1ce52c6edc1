from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from made_jobs import make_job

from novacli import config
from novacli.config import Config
from novacli.jobs import retention
from novacli.jobs.retention import STAMP, SweepResult, sweep, sweep_if_due
from solvehost.formats import jobdir
from solvehost.formats.jobdir import REQUEST, RESULT

DAY_S = 86400
MANY = 1000


def settings(root: Path, keep_days: str = "90", keep_jobs: str = "1000") -> Config:
    return config.load({"HOME": "/nonexistent", "NOVA_JOBS": str(root), "NOVA_KEEP_DAYS": keep_days,
                        "NOVA_KEEP_JOBS": keep_jobs})  # fmt: skip


def kept(root: Path) -> set[str]:
    return {job.job_id for job in jobdir.list_jobs(root)}


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    for entry in [*path.iterdir(), path]:
        os.utime(entry, (then, then))


def test_finished_jobs_beyond_the_age_are_removed_and_the_others_stay(tmp_path: Path) -> None:
    for state in ("solved", "unsolved", "failed"):
        make_job(tmp_path, state, age_s=91 * DAY_S)
    young = {make_job(tmp_path, state, age_s=89 * DAY_S).job_id for state in ("solved", "failed")}
    assert sweep(tmp_path, 90, MANY) == SweepResult(3, 0, is_done=True)
    assert kept(tmp_path) == young


def test_the_oldest_of_too_many_jobs_are_removed(tmp_path: Path) -> None:
    jobs = [make_job(tmp_path, age_s=n * 60) for n in range(5)]
    assert sweep(tmp_path, 90, 2).jobs == 3
    assert kept(tmp_path) == {jobs[0].job_id, jobs[1].job_id}


def test_unfinished_jobs_do_not_count_towards_the_number(tmp_path: Path) -> None:
    made = {make_job(tmp_path, "running").job_id for _ in range(3)}
    made |= {make_job(tmp_path).job_id, make_job(tmp_path).job_id}
    assert sweep(tmp_path, 90, 2).jobs == 0
    assert kept(tmp_path) == made


def test_an_old_interrupted_job_is_removed(tmp_path: Path) -> None:
    make_job(tmp_path, "interrupted", age_s=91 * DAY_S)
    recent = make_job(tmp_path, "interrupted", age_s=DAY_S)
    assert sweep(tmp_path, 90, MANY).jobs == 1
    assert kept(tmp_path) == {recent.job_id}


def test_a_job_that_a_process_works_on_stays_even_if_it_is_old(tmp_path: Path) -> None:
    job = make_job(tmp_path, "running", age_s=400 * DAY_S)
    with job.locked():
        assert sweep(tmp_path, 90, MANY).jobs == 0
    assert job.path.exists()


def test_an_old_job_that_was_retried_recently_stays(tmp_path: Path) -> None:
    job = make_job(tmp_path, age_s=400 * DAY_S)
    job.write_json(RESULT, {"status": "solved", "input": "a"})
    assert sweep(tmp_path, 90, MANY).jobs == 0


def test_directories_that_are_not_jobs_are_never_touched(tmp_path: Path) -> None:
    """If the jobs directory is set to a home directory by mistake, no file there is removed."""
    for name in ("Documents", "src", "abc123"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.tex").touch()
        age(tmp_path / name, 400 * DAY_S)
    other = make_job(tmp_path, age_s=400 * DAY_S)
    (other.path / REQUEST).unlink()
    assert sweep(tmp_path, 90, 1).jobs == 0
    assert kept(tmp_path) == {"Documents", "src", "abc123", other.job_id}


def test_staged_directories_are_removed_after_an_hour_unless_they_are_locked(tmp_path: Path) -> None:
    stale, fresh, held = (jobdir.create(tmp_path) for _ in range(3))
    for job in (stale, held):
        job.axy(1).touch()
    with held.locked():
        age(stale.path, 7200)
        age(held.path, 7200)
        assert sweep(tmp_path, 90, MANY) == SweepResult(0, 1, is_done=True)
    assert (stale.path.exists(), fresh.path.exists(), held.path.exists()) == (False, True, True)


def test_a_sweep_without_time_stops_early(tmp_path: Path) -> None:
    make_job(tmp_path, age_s=91 * DAY_S)
    assert sweep(tmp_path, 90, MANY, budget_s=-1) == SweepResult(0, 0, is_done=False)


def test_a_sweep_is_due_once_a_day(tmp_path: Path) -> None:
    make_job(tmp_path, age_s=91 * DAY_S)
    assert sweep_if_due(settings(tmp_path)) == SweepResult(1, 0, is_done=True)
    assert sweep_if_due(settings(tmp_path)) is None
    os.utime(tmp_path / STAMP, (time.time() - 2 * DAY_S,) * 2)
    assert sweep_if_due(settings(tmp_path)) == SweepResult(0, 0, is_done=True)


def test_a_stamp_from_the_future_does_not_stop_sweeping(tmp_path: Path) -> None:
    (tmp_path / STAMP).touch()
    os.utime(tmp_path / STAMP, (time.time() + 10 * DAY_S,) * 2)
    assert sweep_if_due(settings(tmp_path)) is not None


def test_a_sweep_that_stopped_early_continues_at_the_next_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "sweep", lambda *_limits: SweepResult(1, 0, is_done=False))
    assert sweep_if_due(settings(tmp_path)) is not None
    assert sweep_if_due(settings(tmp_path)) is not None


def test_a_sweep_makes_no_jobs_directory(tmp_path: Path) -> None:
    assert sweep_if_due(settings(tmp_path / "none")) is None
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("error", [PermissionError("no"), retention.NovaError("no")])
def test_an_error_in_a_sweep_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_limits: object) -> SweepResult:
        raise error

    monkeypatch.setattr(retention, "sweep", fail)
    assert sweep_if_due(settings(tmp_path)) is None
