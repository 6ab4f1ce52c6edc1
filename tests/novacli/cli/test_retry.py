from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import fitsio
import pytest
from made_jobs import make_job
from made_sky import scattered, star_picture

from novacli import backends
from novacli.backends.base import SolveOutcome
from novacli.config import Config
from novacli.jobs.request import read_request
from novacli.records.budget import Budget
from novacli.records.params import SolveParams
from novacli.records.progress import Progress
from solvehost.engine.records import RaceResult
from solvehost.formats.jobdir import REQUEST, JobDir, list_jobs
from solvehost.indexes.index_file import IndexFile


class Exhausted:
    """A backend that finds nothing; it records how much time it was given."""

    name = "local"

    def __init__(self) -> None:
        self.wall_s: list[float] = []

    def index_files(self) -> Sequence[IndexFile]:
        return ()

    def notes(self) -> Sequence[str]:
        return ()

    def solve(self, job: JobDir, numbers: Iterator[int], budget: Budget, progress: Progress) -> SolveOutcome:
        self.wall_s.append(budget.left_s)
        return SolveOutcome(RaceResult("unsolved", "exhausted", None, (), (), (), 0.1, 0.1))


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Exhausted:
    found = Exhausted()
    monkeypatch.setattr(backends, "connect", lambda *_: found)
    return found


def test_named_jobs_are_tried_again(nova, jobs: Path, backend: Exhausted) -> None:
    first, second = make_job(jobs, "failed"), make_job(jobs, "interrupted")
    ran = nova("retry", first.job_id, second.job_id, "--json")
    assert ran.code == 1
    assert [json.loads(line)["job"] for line in ran.out.splitlines()] == [first.job_id, second.job_id]
    assert (first.state(), second.state()) == ("unsolved", "unsolved")


def test_a_state_selects_the_jobs(nova, jobs: Path, backend: Exhausted) -> None:
    make_job(jobs)
    failed = make_job(jobs, "failed")
    ran = nova("retry", "--state", "failed", "--json")
    assert [json.loads(line)["job"] for line in ran.out.splitlines()] == [failed.job_id]


def test_the_time_limit_of_the_job_holds_unless_another_is_given(nova, jobs: Path, backend: Exhausted) -> None:
    make_job(jobs, "failed")
    nova("retry", "last")
    nova("retry", "last", "--timeout", "5")
    assert backend.wall_s == [pytest.approx(300, abs=5), pytest.approx(5, abs=1)]


@pytest.mark.parametrize(
    "damage",
    [
        {"hints": [{"kind": "scale", "source": "x"}]},
        {"hints": ["x"]},
        {"notes": [{}]},
        {"timeout_s": True},
        {"timeout_s": -5},
        {"params": {"tweak_order": "x"}},
        {"source": ["x"]},
    ],
)
def test_a_damaged_request_does_not_end_a_retry(nova, jobs: Path, backend: Exhausted, damage: dict[str, Any]) -> None:
    """These ended in a KeyError, "a fault in nova itself", and left the job interrupted."""
    job = make_job(jobs, "interrupted")
    job.write_json(REQUEST, {**(job.read_json(REQUEST) or {}), **damage})
    ran = nova("retry", "last", "--json")
    assert (ran.code, json.loads(ran.out)["status"]) == (1, "unsolved")
    assert job.state() == "unsolved"
    assert backend.wall_s == [pytest.approx(300, abs=5)]


def test_the_index_files_of_the_job_are_used_again(
    nova, jobs: Path, backend: Exhausted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry used the configured index files, whatever --index and --engine-config had named."""
    used: list[tuple[str, object, object]] = []

    def connect(place: str, config: Config) -> Exhausted:
        used.append((place, config["index"], config["engine_config"]))
        return backend

    monkeypatch.setattr(backends, "connect", connect)
    params = SolveParams(indexes=("/data/4110", "/data/4111"), engine_config="/data/engine.cfg").to_json()
    for job in (make_job(jobs, "failed"), make_job(jobs, "failed")):
        job.write_json(REQUEST, {**(job.read_json(REQUEST) or {}), "params": params})
    plain = make_job(jobs, "failed")
    nova("retry", "--state", "failed")
    assert len(used) == 2
    assert set(used) == {
        ("local", (), None),
        ("local", ("/data/4110", "/data/4111"), Path("/data/engine.cfg")),
    }
    used.clear()
    nova("retry", plain.job_id, "--to", "solve1")
    assert used == [("solve1", (), None)]


def test_a_job_remembers_the_index_files_that_it_was_submitted_with(
    nova, jobs: Path, stand_in: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As absolute paths, since a retry may be called from another folder."""
    stand_in("exit 0")
    picture = star_picture(scattered(40, (300, 400)), (300, 400), flux=9000)
    fitsio.write(str(tmp_path / "a.fits"), picture)
    monkeypatch.chdir(tmp_path)
    assert nova("submit", "a.fits", "--index", "indexes").code == 1
    (job,) = list_jobs(jobs)
    request = read_request(job)
    assert request is not None
    assert request.params is not None
    assert request.params.indexes == (str(tmp_path / "indexes"),)


def test_a_running_job_is_refused(nova, jobs: Path, backend: Exhausted) -> None:
    job = make_job(jobs, "running")
    with job.locked():
        ran = nova("retry", "last")
    assert (ran.code, backend.wall_s) == (75, [])
    assert f"job {job.job_id} is being worked on" in ran.err


@pytest.mark.parametrize(
    "arguments", [(), ("last", "--timeout", "0"), ("last", "--timeout", "nan"), ("--state", "solved")]
)
def test_wrong_arguments_are_usage_errors(nova, jobs: Path, backend: Exhausted, arguments: tuple[str, ...]) -> None:
    make_job(jobs)
    assert (nova("retry", *arguments).code, backend.wall_s) == (2, [])
