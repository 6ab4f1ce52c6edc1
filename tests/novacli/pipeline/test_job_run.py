"""One job under its lock: whatever happens, its directory tells how it ended."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from made_jobs import make_job

from novacli.backends.base import DetachOutcome, SolveOutcome
from novacli.errors import RetryLaterError
from novacli.jobs import source_digest
from novacli.jobs.request import JobRequest, read_request
from novacli.jobs.summaries import read_result
from novacli.pipeline import job_run
from novacli.pipeline.context import Context
from novacli.pipeline.job_run import JobRun
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress
from novacli.records.result import SourceRecord
from novacli.records.status import FAILED, REMOTE, UNSOLVED
from solvehost.engine.records import RaceResult
from solvehost.formats.jobdir import RESULT, JobDir
from solvehost.indexes.index_file import IndexFile

EXHAUSTED = SolveOutcome(RaceResult("unsolved", "exhausted", None, (), (), (), 0.1, 0.1))


class Calling:
    """A backend that calls a function while the race would run, then finds nothing."""

    name = "local"

    def __init__(self, during: Callable[[Budget], None]) -> None:
        self.during = during

    def index_files(self) -> Sequence[IndexFile]:
        return ()

    def notes(self) -> Sequence[str]:
        return ()

    def solve(self, job: JobDir, numbers: Iterator[int], budget: Budget, progress: Progress = SILENT) -> SolveOutcome:
        self.during(budget)
        return EXHAUSTED


@pytest.fixture
def job(tmp_path: Path) -> JobDir:
    return make_job(tmp_path / "jobs", "interrupted")


def run_of(job: JobDir, request: JobRequest | None = None, during: Callable[[Budget], None] = lambda _: None) -> JobRun:
    context = Context(job.path.parent, Calling(during))
    return JobRun(job, request or JobRequest(input="a.fits"), (number for number in [1]), context, job.locked())


def fail(_budget: Budget) -> None:
    raise ZeroDivisionError("by accident")


def test_the_lock_is_held_while_the_race_runs(job: JobDir) -> None:
    states = []
    run_of(job, during=lambda _: states.append(job.state())).solve()
    assert (states, job.state()) == (["running"], UNSOLVED)


def test_a_job_that_another_process_works_on_is_left_alone(job: JobDir) -> None:
    with job.locked(), pytest.raises(RetryLaterError, match="is being worked on"):
        run_of(job).solve()
    assert job.read_json(RESULT) is None


def test_a_fault_of_nova_during_the_race_leaves_a_failed_result(job: JobDir) -> None:
    """Such a job was "interrupted" for ever."""
    solved = run_of(job, during=fail).solve()
    assert isinstance(solved.error.__cause__, ZeroDivisionError) if solved.error else False
    kept = read_result(job)
    assert (kept.status, kept.exit_code) == (FAILED, 70)
    assert kept.error is not None
    assert kept.error.message.startswith("a.fits: ZeroDivisionError: by accident: a fault in nova itself")


@pytest.mark.parametrize("start", [JobRun.solve, JobRun.solve_again])
def test_a_fault_of_nova_after_the_race_leaves_a_failed_result(
    job: JobDir, start: Callable[[JobRun], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("low_arcsec")

    monkeypatch.setattr(job_run, "conclude", broken)
    start(run_of(job))
    assert (read_result(job).status, read_result(job).exit_code) == (FAILED, 70)


def test_nova_debug_shows_where_a_fault_is(job: JobDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run_of(job, during=fail).solve()
    assert read_result(job).status == FAILED


def test_a_fault_while_a_job_is_sent_leaves_a_failed_result(job: JobDir) -> None:
    def broken(*_: object) -> DetachOutcome:
        raise ZeroDivisionError

    run_of(job).detach(broken)
    assert read_result(job).status == FAILED


def test_a_job_that_was_sent_is_remote_and_has_no_result_file(job: JobDir) -> None:
    solved = run_of(job).detach(lambda *_: DetachOutcome("solve1", ("late",)))
    assert (solved.result.status, solved.result.server, solved.result.notes) == (REMOTE, "solve1", ("late",))
    assert job.read_json(RESULT) is None


def test_the_time_limit_counts_from_the_start_and_the_budget_of_the_caller_holds(job: JobDir) -> None:
    left: list[float] = []
    request = JobRequest(input="a.fits", timeout_s=50.0)
    run_of(job, request, lambda budget: left.append(budget.left_s)).solve()
    run = run_of(job, request, lambda budget: left.append(budget.left_s))
    replace(run, context=replace(run.context, budget=Budget.of_seconds(20.0))).solve()
    assert 20 < left[0] <= 50
    assert left[1] <= 20


# --- The digest of the source -------------------------------------------------------------------------------------


def request_for(path: Path) -> JobRequest:
    return JobRequest(input="a.fits", source=SourceRecord(str(path), "FITS", 0, "image", 9, 8))


@pytest.mark.skipif(sys.platform != "linux", reason="the race waits for it elsewhere")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_the_race_does_not_wait_for_the_digest_of_the_source(
    job: JobDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race starts while the digest is still being taken; the digest is recorded before the result."""
    path, race_has_begun = tmp_path / "a.fits", tmp_path / "begun"
    path.write_bytes(b"pixels")
    real = source_digest.sha256_of

    def slow(name: str | None) -> str | None:
        while not race_has_begun.exists():
            time.sleep(0.01)
        return real(name)

    monkeypatch.setattr("novacli.parallel.iteration.is_single_threaded", lambda: True)
    monkeypatch.setattr(source_digest, "sha256_of", slow)
    run_of(job, request_for(path), lambda _: race_has_begun.touch()).solve()
    kept = read_request(job)
    assert kept is not None
    assert kept.sha256 == hashlib.sha256(b"pixels").hexdigest()
    assert read_result(job).status == UNSOLVED


def test_a_small_source_has_its_digest_before_the_race(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To start a child for it would take longer."""
    path = tmp_path / "a.fits"
    path.write_bytes(b"pixels")
    source = SourceRecord(str(path), "FITS", 0, "image", 9, 8)
    assert source_digest.digest_of_small(source) == hashlib.sha256(b"pixels").hexdigest()
    monkeypatch.setattr(source_digest, "_SMALL_BYTES", 5)
    assert source_digest.digest_of_small(source) is None
    assert source_digest.digest_of_small(replace(source, path=str(tmp_path / "gone.fits"))) is None
    assert source_digest.digest_of_small(replace(source, path=None)) is None


def test_a_retry_takes_no_digest_since_the_image_may_be_another_one_by_now(job: JobDir, tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(b"other pixels")
    run_of(job, request_for(path)).solve_again()
    kept = read_request(job)
    assert kept is not None
    assert kept.sha256 is None


def test_a_source_that_is_gone_leaves_the_request_as_it_is(job: JobDir, tmp_path: Path) -> None:
    before = read_request(job)
    run_of(job, request_for(tmp_path / "gone.fits")).solve()
    assert read_request(job) == before
