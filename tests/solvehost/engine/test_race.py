"""Races with a stand-in engine: who wins, how a race ends without a solution, and what an engine gets."""

from __future__ import annotations

import itertools
import json
import os
import threading
from pathlib import Path

import pytest
import standin
from standin import assert_clean, make_attempt, make_job, make_terms, outcomes, pids, run_race

from solvehost.engine import attempts, records, referee, second_look
from solvehost.errors import InternalError, RetryLaterError, UnavailableError
from solvehost.indexes.index_set import IndexSet

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


def test_the_files_of_a_solution_are_put_into_the_job_directory(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt("solve")), make_terms(tmp_path)
    result = run_race(job, terms)
    assert (result.status, result.reason, result.winner) == ("solved", "none", 1)
    assert result.cpu_s > 0
    assert result.indexes == ("index-one.fits",)
    assert_clean(job, terms, "wcs.fits", "corr.fits", "rdls.fits", "backend.log")


def test_the_first_solution_ends_the_others(tmp_path: Path) -> None:
    """The loser and its child ignore SIGTERM; neither outlives the race."""
    job = make_job(tmp_path, make_attempt("fork-and-sleep"), make_attempt("solve-when forked"))
    terms = make_terms(tmp_path)
    result = run_race(job, terms)
    assert result.winner == 2
    assert outcomes(result) == ["stopped", "solved"]
    assert len(pids(job)) == 3
    assert_clean(job, terms, "wcs.fits", "corr.fits", "rdls.fits", "backend.log")


def test_a_child_of_an_engine_does_not_outlive_it(tmp_path: Path) -> None:
    """The engine ends by itself; its child would sleep for ever."""
    job, terms = make_job(tmp_path, make_attempt("fork-and-exit")), make_terms(tmp_path)
    assert outcomes(run_race(job, terms)) == ["exhausted"]
    assert len(pids(job)) == 2
    assert_clean(job, terms, "backend.log")


def test_a_second_look_keeps_one_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs one engine; the other tokens are given back."""
    held: list[int] = []
    job = make_job(tmp_path, make_attempt("turn-then-sleep a"), make_attempt("solve-when a"))
    terms = make_terms(tmp_path)
    monkeypatch.setattr(second_look, "improve", lambda *_arguments: (held.append(terms.tokens.count_held()), ())[1])
    assert run_race(job, terms).winner == 2
    assert held == [1]


def test_a_race_whose_attempts_are_exhausted_is_unsolved(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt(), make_attempt()), make_terms(tmp_path)
    result = run_race(job, terms)
    assert (result.status, result.reason, result.winner) == ("unsolved", "exhausted", None)
    assert outcomes(result) == ["exhausted", "exhausted"]
    assert_clean(job, terms, "backend.log")


@pytest.mark.parametrize("behaviour", ["sleep", "fork-and-sleep"])
def test_the_time_limit_ends_engines_that_ignore_sigterm(tmp_path: Path, behaviour: str) -> None:
    job, terms = make_job(tmp_path, make_attempt(behaviour)), make_terms(tmp_path, wall_s=0.5)
    result = run_race(job, terms)
    assert (result.status, result.reason) == ("unsolved", "time-limit")
    assert outcomes(result) == ["stopped"]
    assert_clean(job, terms, "backend.log")


def test_the_total_limit_includes_the_wait_for_a_token(tmp_path: Path) -> None:
    """Time in the queue is missing in the race."""
    job = make_job(tmp_path, make_attempt("sleep"))
    terms = make_terms(tmp_path, count=1, queue_wait_s=60, total_s=0.5)
    held = terms.tokens.try_acquire()
    assert held is not None
    release = threading.Timer(0.2, held.release)
    release.start()
    result = run_race(job, terms)
    release.join()
    assert (result.status, result.reason) == ("unsolved", "time-limit")


def test_the_total_limit_ends_the_wait_for_a_token(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt("solve")), make_terms(tmp_path, count=1, queue_wait_s=60, total_s=0.1)
    held = terms.tokens.try_acquire()
    assert held is not None
    with pytest.raises(RetryLaterError, match="all 1 engine slots were in use"):
        run_race(job, terms)
    held.release()


def test_a_race_can_be_cancelled(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("turn-then-sleep a"), make_attempt("sleep"))
    terms = make_terms(tmp_path, cancelled=(job.path / "a").exists)
    result = run_race(job, terms)
    assert (result.status, result.reason) == ("unsolved", "cancelled")
    assert_clean(job, terms, "backend.log")


def test_a_race_that_waits_for_its_first_token_can_be_cancelled(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("sleep"))
    asked = itertools.count()
    terms = make_terms(tmp_path, count=1, queue_wait_s=standin.PATIENCE_S, cancelled=lambda: next(asked) > 2)
    held = terms.tokens.try_acquire()
    assert held is not None
    result = run_race(job, terms)
    held.release()
    assert (result.status, result.reason, result.attempts) == ("unsolved", "cancelled", ())
    assert next(asked) > 2


def test_without_a_token_in_time_the_machine_is_busy(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt("solve")), make_terms(tmp_path, count=1, queue_wait_s=0.1)
    held = terms.tokens.try_acquire()
    assert held is not None
    with pytest.raises(RetryLaterError, match="all 1 engine slots were in use"):
        run_race(job, terms)
    held.release()
    assert_clean(job, terms)


@pytest.mark.parametrize(
    "behaviour",
    ["half", "no-end", "empty", "nan", "infinite", "singular", "linked", "dangling", "pipe", "crash", "fail"],
)
def test_a_damaged_solution_counts_as_a_crash(tmp_path: Path, behaviour: str) -> None:
    job, terms = make_job(tmp_path, make_attempt(behaviour)), make_terms(tmp_path)
    with pytest.raises(InternalError, match="failed on every attempt: see the job's log"):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log")


def test_a_race_with_one_crash_and_one_exhausted_attempt_is_unsolved(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("half"), make_attempt("exhaust"))
    result = run_race(job, make_terms(tmp_path))
    assert (result.status, outcomes(result)) == ("unsolved", ["crashed", "exhausted"])


def test_the_error_names_the_quads_of_the_index_files_if_none_fits(tmp_path: Path) -> None:
    window = standin.Range(1.0, 2.0)
    job, terms = make_job(tmp_path, make_attempt("solve", quads_arcmin=window)), make_terms(tmp_path)
    with pytest.raises(UnavailableError, match=r"no installed index file fits .* quads of 60 to 85 arcmin"):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log")


def test_the_error_says_that_there_is_no_index_file(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("solve"))
    with pytest.raises(UnavailableError, match="there is none"):
        run_race(job, make_terms(tmp_path, indexes=IndexSet(())))


def test_attempts_that_no_index_fits_are_skipped(tmp_path: Path) -> None:
    window = standin.Range(1.0, 2.0)
    job = make_job(tmp_path, make_attempt("crash", quads_arcmin=window), make_attempt("solve"))
    assert outcomes(run_race(job, make_terms(tmp_path))) == ["no-index", "solved"]


def test_a_race_cancelled_before_its_first_attempt_has_no_error(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("solve"))
    result = run_race(job, make_terms(tmp_path, cancelled=lambda: True))
    assert (result.reason, result.attempts) == ("cancelled", ())


def test_a_race_cancelled_after_a_crash_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every attempt crashed, because the others were not tried."""
    judged: list[str] = []
    real_judge = attempts.judge_exit
    monkeypatch.setattr(referee, "judge_exit", lambda *arguments: (judged.append("one"), real_judge(*arguments))[1])
    job = make_job(tmp_path, make_attempt("crash"), make_attempt("solve"))
    result = run_race(job, make_terms(tmp_path, count=1, cancelled=lambda: bool(judged)))
    assert (result.reason, outcomes(result)) == ("cancelled", ["crashed"])


@pytest.mark.parametrize("what", ["not executable", "missing", "bad interpreter"])
def test_the_error_says_why_the_engine_cannot_be_run(tmp_path: Path, what: str) -> None:
    program = standin.install(tmp_path)
    if what == "not executable":
        program.chmod(0o644)
    elif what == "missing":
        program.unlink()
    else:
        program.write_text("#!/no/such/shell\n")
    job, terms = make_job(tmp_path, make_attempt("solve")), make_terms(tmp_path, engine=program)
    with pytest.raises(
        UnavailableError, match=r"the engine cannot be run \(.*astrometry-engine: .*\): install it again"
    ):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log")


def test_what_an_engine_gets_is_fixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant environment, limits, a session of its own, nothing on stdin, no other descriptor, fixed arguments."""
    monkeypatch.setenv("LC_ALL", "$(id)")
    monkeypatch.setenv("PYTHONPATH", "/hostile")
    job, terms = make_job(tmp_path, make_attempt("record", parallel=True)), make_terms(tmp_path)
    run_race(job, terms)
    seen = json.loads((job.path / "record.json").read_text())
    assert seen["argv"] == ["-c", "engine.cfg", "../job.axy"]
    allowed = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "OMP_NUM_THREADS": "1"}
    added_by_the_shell = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
    assert {k: v for k, v in seen["environment"].items() if k not in added_by_the_shell} == allowed
    limits = terms.limits
    for name, value in (("CPU", limits.cpu_s), ("DATA", limits.data_bytes), ("FSIZE", limits.file_bytes),
                        ("NOFILE", limits.open_files), ("CORE", 0)):  # fmt: skip
        assert seen["limits"][name] == [value, value], name
    assert seen["cwd"] == ".run-1"
    assert seen["config"] == "inparallel\nindex /no/such/place/index-one.fits\n"
    assert seen["stdin"] == os.devnull
    assert seen["session"]
    assert len(seen["open"]) == 4  # 0, 1, 2 and the one of the listing


@pytest.mark.parametrize("name", ["with blank", "line\nbreak", "quo\"te'", "ümlaut", "$(id) %n", "-c"])
def test_a_job_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    job, terms = make_job(tmp_path / name, make_attempt("solve")), make_terms(tmp_path)
    assert run_race(job, terms).status == "solved"


def test_a_job_directory_may_have_a_very_long_path(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["d" * 200] * 16)
    job, terms = make_job(folder, make_attempt("solve")), make_terms(tmp_path)
    assert run_race(job, terms).status == "solved"


def test_a_job_directory_may_have_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job, terms = make_job(Path(), make_attempt("solve")), make_terms(tmp_path)
    assert run_race(job, terms).status == "solved"


def test_a_race_runs_in_any_thread(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt("sleep"), make_attempt("solve")), make_terms(tmp_path)
    results: list[records.RaceResult] = []
    racer = threading.Thread(target=lambda: results.append(run_race(job, terms)))
    racer.start()
    racer.join()
    assert results[0].winner == 2
    assert_clean(job, terms, "wcs.fits", "corr.fits", "rdls.fits", "backend.log")


def test_a_race_runs_without_process_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS and old kernels."""
    monkeypatch.delattr(os, "pidfd_open")
    job, terms = make_job(tmp_path, make_attempt("sleep"), make_attempt("solve")), make_terms(tmp_path)
    assert run_race(job, terms).winner == 2
    assert_clean(job, terms, "wcs.fits", "corr.fits", "rdls.fits", "backend.log")
