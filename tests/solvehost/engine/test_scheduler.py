"""The scheduler, in races with a stand-in engine: delays, turns, suspension and borrowed tokens."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import standin
from standin import alive, assert_clean, make_attempt, make_job, make_terms, outcomes, pids, run_race, wait_until

from solvehost.engine import engine_run, process, scheduler
from solvehost.engine.scheduler import RaceClock
from solvehost.engine.slots import Tokens

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.mark.parametrize("limit", [{"count": 1}, {"count": 2, "engines": 1}], ids=["one token", "one engine"])
def test_with_one_core_attempts_run_one_after_the_other(tmp_path: Path, limit: dict[str, Any]) -> None:
    """Each starts after the one before has ended, and all are recorded; a limit of one engine has the same effect."""
    job = make_job(tmp_path, *(make_attempt(b) for b in ("exhaust", "fail", "crash", "solve", "solve")))
    alive_at_start: list[int] = []
    terms = make_terms(tmp_path, **limit, observe=lambda _label: alive_at_start.append(len(alive(pids(job)))))
    result = run_race(job, terms)
    assert alive_at_start == [0, 0, 0, 0]
    assert outcomes(result) == ["exhausted", "crashed", "crashed", "solved"]
    log = job.log.read_text()
    heads = [line.split(":")[0] for line in log.splitlines() if line.startswith("== ")]
    assert heads == ["== exhaust", "== fail", "== crash", "== solve"]
    assert "about to crash" in log


def test_attempts_are_prepared_lazily(tmp_path: Path) -> None:
    """With one token, the second attempt is not prepared if the first solves."""
    job = make_job(tmp_path, make_attempt("solve"), make_attempt("solve"))
    asked: list[int] = []

    def numbers() -> Iterator[int]:
        for number in (1, 2):
            asked.append(number)
            yield number

    run_race(job, make_terms(tmp_path, count=1), numbers())
    assert asked == [1]


def test_the_second_attempt_is_prepared_after_the_head_start_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a core for it, but most fields are solved before it would be needed."""
    monkeypatch.setattr(engine_run, "_LEAST_SHARE", 0.0)
    monkeypatch.setattr(scheduler, "_HEAD_START_S", 10.0)  # more than the stand-in's start takes
    job = make_job(tmp_path, make_attempt("turn-then-sleep a"), make_attempt("solve"))
    asked: list[int] = []

    def numbers() -> Iterator[int]:
        for number in (1, 2):
            asked.append(number)
            yield number

    run_race(job, make_terms(tmp_path, wall_s=1.0), numbers())
    assert asked == [1]


def test_engines_run_and_win_while_the_next_attempt_is_prepared(tmp_path: Path) -> None:
    """Looking for stars in a large image takes longer than most engines."""
    job = make_job(tmp_path, make_attempt("solve-late 0.2 77"))
    numbers: Iterator[int | None] = itertools.chain([1], itertools.repeat(None))
    assert run_race(job, make_terms(tmp_path), numbers).winner == 1


@pytest.mark.parametrize("limit", ["time-limit", "cancelled"])
def test_limits_are_kept_while_no_attempt_is_ready(tmp_path: Path, limit: str) -> None:
    asked = itertools.count()
    terms = (
        make_terms(tmp_path, wall_s=0.1)
        if limit == "time-limit"
        else make_terms(tmp_path, cancelled=lambda: next(asked) > 3)
    )
    result = run_race(make_job(tmp_path, make_attempt("solve")), terms, itertools.repeat(None))
    assert (result.status, result.reason) == ("unsolved", limit)


def test_an_attempt_starts_once_it_is_ready(tmp_path: Path) -> None:
    """Also if the first attempt has ended before; a race is not exhausted while an attempt is prepared."""
    job = make_job(tmp_path, make_attempt("exhaust"), make_attempt("solve"))
    ended = job.run_dir(1) / "log"

    def numbers() -> Iterator[int | None]:
        yield 1
        while not ended.exists() or alive(pids(job)):
            yield None
        yield from (None, None, 2)

    assert run_race(job, make_terms(tmp_path), numbers()).winner == 2


def test_a_delay_passes_while_earlier_attempts_use_cpu_time(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("burn"), make_attempt("solve", delay_s=0.2))
    result = run_race(job, make_terms(tmp_path))
    assert result.winner == 2
    assert result.attempts[0].cpu_s >= 0.2


@pytest.mark.parametrize("schedule", [{"delay_s": 0.2}, {}], ids=["a delay", "a slice"])
def test_time_does_not_pass_for_an_attempt_that_waits_for_a_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedule: dict[str, Any]
) -> None:
    """The first attempt uses no CPU time, as on a busy machine; the second waits for its delay or for its core."""
    monkeypatch.setattr(engine_run, "_LEAST_SHARE", 0.0)
    job = make_job(tmp_path, make_attempt("turn-then-sleep a", slice_s=0.2), make_attempt("solve", **schedule))
    terms = make_terms(tmp_path, count=2 if schedule else 1, wall_s=1.5)
    assert outcomes(run_race(job, terms)) == ["stopped"]


@pytest.mark.parametrize("schedule", [{"delay_s": 0.05}, {}], ids=["a delay", "a slice"])
def test_an_engine_that_waits_for_the_disk_does_not_hold_up_the_others(
    tmp_path: Path, schedule: dict[str, Any]
) -> None:
    """It uses no CPU time, but a share of the time counts."""
    job = make_job(tmp_path, make_attempt("turn-then-sleep a", slice_s=0.05), make_attempt("solve", **schedule))
    assert run_race(job, make_terms(tmp_path, count=2 if schedule else 1)).winner == 2


def test_where_cpu_time_is_unknown_the_time_that_engines_ran_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS; the least share, which would do as well, is switched off."""
    monkeypatch.setattr(engine_run, "_LEAST_SHARE", 0.0)
    monkeypatch.setattr(process, "_TELLS_CPU", False)
    job = make_job(tmp_path, make_attempt("turn-then-sleep a"), make_attempt("solve", delay_s=0.2))
    assert run_race(job, make_terms(tmp_path)).winner == 2


def test_the_clock_of_a_race_advances_by_the_average_of_the_running_engines() -> None:
    clock = RaceClock()
    clock.advance(0.2, 2)
    assert clock.seconds == pytest.approx(0.1)
    clock.advance(0.5, 1)
    assert clock.seconds == pytest.approx(0.4)
    clock.advance(0.4, 1)  # an engine ended, and is not reaped yet
    clock.advance(0.5, 0)
    assert clock.seconds == pytest.approx(0.4)


def test_a_delay_ends_when_no_other_attempt_runs(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("exhaust"), make_attempt("solve", delay_s=3600.0))
    assert run_race(job, make_terms(tmp_path)).winner == 2


def test_attempts_take_turns_on_one_core(tmp_path: Path) -> None:
    """The first can only solve after the second ran, so it is suspended and resumed."""
    job = make_job(
        tmp_path,
        make_attempt("take-turns a b", slice_s=0.02),
        make_attempt("turn-then-sleep b", slice_s=0.02),
    )
    terms = make_terms(tmp_path, count=1)
    result = run_race(job, terms)
    assert (job.path / "a").exists()
    assert result.winner == 1
    assert outcomes(result) == ["solved", "stopped"]
    assert_clean(job, terms, "wcs.fits", "corr.fits", "rdls.fits", "backend.log")


def test_an_engine_that_has_not_begun_is_not_suspended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its slice is over while it still starts; suspended then, it would outlive a race that is killed."""
    monkeypatch.setattr(process.EngineProcess, "has_begun", False)
    job = make_job(tmp_path, make_attempt("turn-then-sleep a", slice_s=0.01), make_attempt("solve", slice_s=0.01))
    terms = make_terms(tmp_path, count=1, wall_s=1.0)
    assert outcomes(run_race(job, terms)) == ["stopped"]


def test_an_engine_that_has_solved_is_not_suspended(tmp_path: Path) -> None:
    """It solves while the next attempt is prepared, which would never give the core back."""
    job = make_job(tmp_path, make_attempt("solve-when go", slice_s=0.01), make_attempt("sleep"))

    def numbers() -> Iterator[int]:
        yield 1
        (job.path / "go").touch()
        wait_until(lambda: pids(job) and not alive(pids(job)))
        yield 2

    terms = make_terms(tmp_path, count=1, wall_s=2.0)
    result = run_race(job, terms, numbers())
    assert (result.winner, result.reason) == (1, "none")
    assert_clean(job, terms, "wcs.fits", "corr.fits", "rdls.fits", "backend.log")


def test_an_engine_that_has_solved_is_not_suspended_for_another_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its solution would have to wait for its next turn."""
    job = make_job(tmp_path, make_attempt("sleep"), make_attempt("solve", rank=1))

    def others_wait(_tokens: Tokens) -> bool:
        if len(started) < 2:
            return False
        wait_until(lambda: len(pids(job)) == 2 and len(alive(pids(job))) == 1)
        return True

    started: list[str] = []
    monkeypatch.setattr(Tokens, "others_wait", others_wait)
    terms = make_terms(tmp_path, wall_s=2.0, observe=started.append)
    monkeypatch.setattr(scheduler, "wait_for_any", lambda _children, _s: None)  # so its end is not noticed before
    assert run_race(job, terms).winner == 2


def test_a_suspended_engine_is_killed_at_the_end(tmp_path: Path) -> None:
    job = make_job(
        tmp_path, make_attempt("turn-then-sleep a", slice_s=0.02), make_attempt("solve-when a", slice_s=0.02)
    )
    terms = make_terms(tmp_path, count=1)
    assert run_race(job, terms).winner == 2
    assert_clean(job, terms, "wcs.fits", "corr.fits", "rdls.fits", "backend.log")


def test_a_borrowed_token_is_given_to_a_job_that_waits(tmp_path: Path) -> None:
    """Two engines of one race hold two tokens; another job waits for one and gets it."""
    job = make_job(tmp_path, make_attempt("turn-then-sleep a"), make_attempt("turn-then-sleep b", rank=1))
    done = threading.Event()
    terms = make_terms(tmp_path, cancelled=done.is_set)
    racer = threading.Thread(target=run_race, args=(job, terms))
    racer.start()
    try:
        wait_until(lambda: (job.path / "a").exists() and (job.path / "b").exists())
        terms.tokens.acquire(standin.PATIENCE_S).release()
    finally:
        done.set()
        racer.join()
    assert_clean(job, terms, "backend.log")


def test_a_race_sleeps_while_it_waits_for_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second attempt is due, but another job holds the token for it."""
    waits: list[float] = []
    real_wait = scheduler.wait_for_any
    monkeypatch.setattr(scheduler, "wait_for_any", lambda children, s: (waits.append(s), real_wait(children, s))[1])
    job = make_job(tmp_path, make_attempt("solve-when go"), make_attempt("exhaust"))
    terms = make_terms(tmp_path, cancelled=lambda: len(waits) > 5)
    held = terms.tokens.try_acquire()
    assert held is not None
    try:
        assert run_race(job, terms).reason == "cancelled"
    finally:
        held.release()
    assert min(waits) > 0
