"""The checks of the jobs directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from made_jobs import make_job

from novacli.config import Config
from novacli.doctor import jobs


def test_a_jobs_directory_that_does_not_exist_yet_passes(settings: Config) -> None:
    assert jobs.check_jobs_dir(settings).ok is True


def test_a_file_in_place_of_the_jobs_directory_fails_the_check(settings: Config, tmp_path: Path) -> None:
    (tmp_path / "jobs").touch()
    assert jobs.check_jobs_dir(settings.replaced("test", jobs_dir=tmp_path / "jobs")).ok is False


@pytest.mark.parametrize(("free_bytes", "ok"), [(10**10, True), (10**8, None), (10**6, False)])
def test_a_disk_that_is_nearly_full_is_reported(
    settings: Config, monkeypatch: pytest.MonkeyPatch, free_bytes: int, ok: bool | None
) -> None:
    usage = jobs.shutil.disk_usage(os.sep)._replace(free=free_bytes)
    monkeypatch.setattr(jobs.shutil, "disk_usage", lambda _path: usage)
    check = jobs.check_jobs_dir(settings)
    assert (check.ok, bool(check.remedy)) == (ok, ok is not True)


def test_the_check_of_retention_counts_jobs_and_states_the_limits(settings: Config) -> None:
    make_job(settings["jobs_dir"])
    make_job(settings["jobs_dir"], "interrupted")
    (check,) = jobs.check_retention(settings)
    assert check.detail.startswith("2 jobs (1 finished, ")
    assert check.detail.endswith("); those untouched go after 90 days, finished ones beyond 50,000")
