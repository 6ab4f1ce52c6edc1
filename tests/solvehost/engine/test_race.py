"""The race, held to its promises with a stand-in engine: who wins, what is left, and that nobody survives."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import standin
from standin import alive, make_attempt, make_job, make_terms, pids, run_race, wait_until

from solvehost.engine import attempts, process, records, referee, scheduler, second_look
from solvehost.engine.slots import Tokens
from solvehost.errors import BusyError, CrashError, DataError, DiskError, NoInputError, UnavailableError
from solvehost.formats.jobdir import JobDir
from solvehost.indexes.index_set import IndexSet

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for survivors in /proc")


def outcomes(result: records.RaceResult) -> list[str]:
    return [a.outcome for a in result.attempts]


def assert_clean(job: JobDir, terms: records.RaceTerms, *left: str) -> None:
    """No engine lives, no working directory is left, every token is free, and only ``left`` was added to the job."""
    wait_until(lambda: not alive(pids(job)))  # what an engine forked was sent its KILL, and takes it when scheduled
    assert not job.run_dirs()
    tokens = [terms.tokens.try_acquire() for _ in range(terms.tokens.count)]
    assert None not in tokens
    for token in tokens:
        assert token is not None
        token.release()
    made_by_standin = {"pids", "record.json", "forked", "elsewhere.fits", "a", "b", "go"}
    inputs = {p.name for p in job.path.glob("job*.axy")}
    assert {p.name for p in job.path.iterdir()} - made_by_standin - inputs == set(left)


# --- Who wins -----------------------------------------------------------------------------------------------------


def test_a_solution_is_put_into_the_job_directory(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt("solve")), make_terms(tmp_path)
    result = run_race(job, terms)
    assert (result.status, result.reason, result.winner) == ("solved", "none", 1)
    assert result.cpu_s > 0
    assert result.indexes == ("index-one.fits",)
    assert_clean(job, terms, "wcs.fits", "corr.fits", "rdls.fits", "backend.log")


def test_the_first_solution_ends_the_others(tmp_path: Path) -> None:
    """The loser ignores TERM, has a child that does too, and neither outlives the race."""
    job = make_job(tmp_path, make_attempt("fork-and-sleep"), make_attempt("solve-when forked"))
    terms = make_terms(tmp_path)
    result = run_race(job, terms)
    assert result.winner == 2
    assert outcomes(result) == ["stopped", "solved"]
    assert len(pids(job)) == 3
    assert_clean(job, terms, "wcs.fits", "corr.fits", "rdls.fits", "backend.log")


def test_what_an_engine_forked_does_not_outlive_it(tmp_path: Path) -> None:
    """The engine ends by itself, its child would sleep for ever."""
    job, terms = make_job(tmp_path, make_attempt("fork-and-exit")), make_terms(tmp_path)
    assert outcomes(run_race(job, terms)) == ["exhausted"]
    assert len(pids(job)) == 2
    assert_clean(job, terms, "backend.log")


@pytest.mark.parametrize("limit", [{"count": 1}, {"count": 2, "engines": 1}], ids=["one token", "one engine"])
def test_with_one_token_attempts_run_one_after_the_other(tmp_path: Path, limit: dict[str, Any]) -> None:
    """Each starts only once the one before is gone, and all are on record; so with one engine at once on two tokens."""
    job = make_job(tmp_path, *(make_attempt(b) for b in ("exhaust", "fail", "crash", "solve", "solve")))
    lives_at_start: list[int] = []
    terms = make_terms(tmp_path, **limit, observe=lambda _label: lives_at_start.append(len(alive(pids(job)))))
    result = run_race(job, terms)
    assert lives_at_start == [0, 0, 0, 0]
    assert outcomes(result) == ["exhausted", "crashed", "crashed", "solved"]
    log = job.log.read_text()
    heads = [line.split(":")[0] for line in log.splitlines() if line.startswith("== ")]
    assert heads == ["== exhaust", "== fail", "== crash", "== solve"]
    assert "about to crash" in log


def test_attempts_come_lazily(tmp_path: Path) -> None:
    """With one token the second attempt is not even prepared where the first solves."""
    job = make_job(tmp_path, make_attempt("solve"), make_attempt("solve"))
    asked: list[int] = []

    def numbers() -> Iterator[int]:
        for number in (1, 2):
            asked.append(number)
            yield number

    run_race(job, make_terms(tmp_path, count=1), numbers())
    assert asked == [1]


def test_an_attempt_starts_no_earlier_than_its_delay(tmp_path: Path) -> None:
    """While another runs; the idle core is not a reason to start before."""
    job = make_job(tmp_path, make_attempt("take-turns a b"), make_attempt("turn-then-sleep b", delay_s=0.4))
    started: dict[str, float] = {}
    began = time.monotonic()
    terms = make_terms(tmp_path, observe=lambda label: started.setdefault(label.split()[0], time.monotonic() - began))
    assert run_race(job, terms).winner == 1
    assert started["turn-then-sleep"] >= 0.4


def test_a_delay_is_cut_short_where_nothing_else_runs(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("exhaust"), make_attempt("solve", delay_s=3600.0))
    assert run_race(job, make_terms(tmp_path)).winner == 2


def test_slices_give_later_attempts_their_turn_and_resume_earlier_ones(tmp_path: Path) -> None:
    """On one core: the first can only solve once the second ran, so it was suspended and resumed."""
    job = make_job(
        tmp_path,
        make_attempt("take-turns a b", slice_s=0.2),
        make_attempt("turn-then-sleep b", slice_s=0.2),
    )
    terms = make_terms(tmp_path, count=1)
    result = run_race(job, terms)
    assert (job.path / "a").exists()
    assert result.winner == 1
    assert outcomes(result) == ["solved", "stopped"]
    assert_clean(job, terms, "wcs.fits", "corr.fits", "rdls.fits", "backend.log")


def test_an_engine_that_has_not_begun_is_not_suspended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its slice is over while it still starts: the second waits, for a stopped starter would outlive a killed race."""
    monkeypatch.setattr(process.EngineProcess, "has_begun", False)
    job = make_job(tmp_path, make_attempt("turn-then-sleep a", slice_s=0.01), make_attempt("solve", slice_s=0.01))
    terms = make_terms(tmp_path, count=1, wall_s=1.0)
    assert outcomes(run_race(job, terms)) == ["stopped"]


def test_an_engine_that_has_solved_is_not_suspended(tmp_path: Path) -> None:
    """It does so while the next attempt, whose turn it is, is prepared; that one would never give the core back."""
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


def test_an_engine_that_has_solved_does_not_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For another job that waits, whichever comes first; its solution would have to wait for its next turn."""
    job = make_job(tmp_path, make_attempt("sleep"), make_attempt("solve", rank=1))

    def others_wait(_tokens: Tokens) -> bool:
        if len(started) < 2:
            return False
        wait_until(lambda: len(pids(job)) == 2 and len(alive(pids(job))) == 1)
        return True

    started: list[str] = []
    monkeypatch.setattr(Tokens, "others_wait", others_wait)
    terms = make_terms(tmp_path, wall_s=2.0, observe=started.append)
    monkeypatch.setattr(scheduler, "wait_for_any", lambda _children, _s: None)  # its end is not seen before
    assert run_race(job, terms).winner == 2


def test_a_suspended_engine_is_ended_too(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("turn-then-sleep a", slice_s=0.1), make_attempt("solve-when a", slice_s=0.1))
    terms = make_terms(tmp_path, count=1)
    assert run_race(job, terms).winner == 2
    assert_clean(job, terms, "wcs.fits", "corr.fits", "rdls.fits", "backend.log")


def test_a_borrowed_token_is_returned_to_a_job_that_waits(tmp_path: Path) -> None:
    """Two engines of one race sleep on two tokens; another job asks, and gets one within its patience."""
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


def test_a_second_look_keeps_one_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take seconds, and its one engine leaves the other cores to whoever waits for them."""
    held: list[int] = []
    job = make_job(tmp_path, make_attempt("turn-then-sleep a"), make_attempt("solve-when a"))
    terms = make_terms(tmp_path)
    monkeypatch.setattr(second_look, "improve", lambda *_told: (held.append(terms.tokens.count_held()), ())[1])
    assert run_race(job, terms).winner == 2
    assert held == [1]


def test_a_race_that_waits_for_a_token_does_not_spin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second attempt is due, but its token is held elsewhere: the race sleeps between looks."""
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


# --- How a race ends without a solution ---------------------------------------------------------------------------


def test_exhausted_attempts_are_an_honest_answer(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt(), make_attempt()), make_terms(tmp_path)
    result = run_race(job, terms)
    assert (result.status, result.reason, result.winner) == ("unsolved", "exhausted", None)
    assert outcomes(result) == ["exhausted", "exhausted"]
    assert_clean(job, terms, "backend.log")


@pytest.mark.parametrize("behaviour", ["sleep", "fork-and-sleep"])
def test_the_wall_clock_ends_engines_that_ignore_term(tmp_path: Path, behaviour: str) -> None:
    job, terms = make_job(tmp_path, make_attempt(behaviour)), make_terms(tmp_path, wall_s=0.5)
    result = run_race(job, terms)
    assert (result.status, result.reason) == ("unsolved", "time-limit")
    assert outcomes(result) == ["stopped"]
    assert_clean(job, terms, "backend.log")


def test_the_total_bounds_the_wait_for_a_token_and_the_race_together(tmp_path: Path) -> None:
    """Time that was spent in the queue is not there for the race."""
    job = make_job(tmp_path, make_attempt("sleep"))
    terms = make_terms(tmp_path, count=1, queue_wait_s=60, total_s=0.5)
    held = terms.tokens.try_acquire()
    assert held is not None
    release = threading.Timer(0.2, held.release)
    release.start()
    result = run_race(job, terms)
    release.join()
    assert (result.status, result.reason) == ("unsolved", "time-limit")


def test_the_total_bounds_the_wait_for_a_token(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt("solve")), make_terms(tmp_path, count=1, queue_wait_s=60, total_s=0.1)
    held = terms.tokens.try_acquire()
    assert held is not None
    with pytest.raises(BusyError, match="all 1 engine slots were in use"):
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


def test_no_token_in_time_is_busy(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt("solve")), make_terms(tmp_path, count=1, queue_wait_s=0.1)
    held = terms.tokens.try_acquire()
    assert held is not None
    with pytest.raises(BusyError, match="all 1 engine slots were in use"):
        run_race(job, terms)
    held.release()
    assert_clean(job, terms)


@pytest.mark.parametrize(
    "behaviour",
    ["half", "no-end", "empty", "nan", "infinite", "singular", "linked", "dangling", "pipe", "crash", "fail"],
)
def test_anything_but_a_whole_finite_wcs_is_a_crash(tmp_path: Path, behaviour: str) -> None:
    job, terms = make_job(tmp_path, make_attempt(behaviour)), make_terms(tmp_path)
    with pytest.raises(CrashError, match="failed on every attempt: see the job's log"):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log")


def test_one_crash_does_not_hide_an_honest_answer(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("half"), make_attempt("exhaust"))
    result = run_race(job, make_terms(tmp_path))
    assert (result.status, outcomes(result)) == ("unsolved", ["crashed", "exhausted"])


def test_a_field_that_no_index_serves(tmp_path: Path) -> None:
    window = standin.Range(1.0, 2.0)
    job, terms = make_job(tmp_path, make_attempt("solve", quads_arcmin=window)), make_terms(tmp_path)
    with pytest.raises(UnavailableError, match=r"no installed index file fits .* quads of 60 to 85 arcmin"):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log")


def test_no_index_at_all(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("solve"))
    with pytest.raises(UnavailableError, match="there is none"):
        run_race(job, make_terms(tmp_path, indexes=IndexSet(())))


def test_attempts_without_an_index_are_passed_over(tmp_path: Path) -> None:
    window = standin.Range(1.0, 2.0)
    job = make_job(tmp_path, make_attempt("crash", quads_arcmin=window), make_attempt("solve"))
    assert outcomes(run_race(job, make_terms(tmp_path))) == ["no-index", "solved"]


def test_a_race_cancelled_before_its_first_attempt_blames_nobody(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("solve"))
    result = run_race(job, make_terms(tmp_path, cancelled=lambda: True))
    assert (result.reason, result.attempts) == ("cancelled", ())


def test_a_race_cancelled_after_a_crash_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every attempt crashed: the others were not asked."""
    judged: list[str] = []
    real_judge = attempts.judge_exit
    monkeypatch.setattr(referee, "judge_exit", lambda *told: (judged.append("one"), real_judge(*told))[1])
    job = make_job(tmp_path, make_attempt("crash"), make_attempt("solve"))
    result = run_race(job, make_terms(tmp_path, count=1, cancelled=lambda: bool(judged)))
    assert (result.reason, outcomes(result)) == ("cancelled", ["crashed"])


@pytest.mark.parametrize("what", ["not executable", "missing", "bad interpreter"])
def test_an_engine_that_cannot_be_run(tmp_path: Path, what: str) -> None:
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


# --- What is left when something breaks ---------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, DataError])
def test_an_iterator_that_raises_is_cleaned_up_after(tmp_path: Path, error: type[BaseException]) -> None:
    job = make_job(tmp_path, make_attempt("turn-then-sleep a"))

    def numbers() -> Iterator[int]:
        yield 1
        wait_until((job.path / "a").exists)
        raise error("stars cannot be found")

    terms = make_terms(tmp_path)
    with pytest.raises(error, match="stars cannot be found"):
        run_race(job, terms, numbers())
    assert_clean(job, terms, "backend.log")


@pytest.mark.parametrize("where", ["cancelled", "observe"])
def test_an_interrupt_leaves_no_engine(tmp_path: Path, where: str) -> None:
    job = make_job(tmp_path, make_attempt("turn-then-sleep a"), make_attempt("sleep"))

    def interrupt(*_label: str) -> bool:
        if (job.path / "a").exists() or (where == "observe" and _label[0] == "sleep"):
            raise KeyboardInterrupt
        return False

    terms = make_terms(tmp_path, **{where: interrupt})  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log")


def test_a_missing_star_list_is_named(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path), make_terms(tmp_path)
    with pytest.raises(NoInputError, match=r"job\.axy: No such file"):
        run_race(job, terms, iter([1]))
    assert_clean(job, terms, "backend.log")


def test_tokens_come_back_where_an_engine_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second start fails; the first engine is ended all the same."""
    job = make_job(tmp_path, make_attempt("sleep"), make_attempt("solve"))
    real_child, calls = process.EngineProcess, itertools.count()

    def start(*args: object) -> process.EngineProcess:
        if next(calls):
            raise UnavailableError("the engine's process cannot be started: out of memory")
        return real_child(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(attempts, "EngineProcess", start)
    terms = make_terms(tmp_path)
    with pytest.raises(UnavailableError, match="out of memory"):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log")


def test_tokens_come_back_even_where_engines_cannot_be_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the engines after the one that makes trouble are ended."""
    job = make_job(tmp_path, make_attempt("turn-then-sleep a"), make_attempt("turn-then-sleep b"))
    terms = make_terms(tmp_path, cancelled=lambda: (job.path / "a").exists() and (job.path / "b").exists())
    real_kill = process.EngineProcess.kill

    def kill_and_complain(child: process.EngineProcess) -> None:
        real_kill(child)
        raise OSError("the system says no")

    monkeypatch.setattr(process.EngineProcess, "kill", kill_and_complain)
    with pytest.raises(OSError, match="the system says no"):
        run_race(job, terms)
    assert len(pids(job)) == 2
    assert not alive(pids(job))
    assert terms.tokens.try_acquire() is not None
    assert terms.tokens.try_acquire() is not None


def test_a_working_directory_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, terms = make_job(tmp_path, make_attempt("solve")), make_terms(tmp_path)
    monkeypatch.setattr(JobDir, "run_dir", lambda job, number: job.path / "no" / "such" / "place")
    with pytest.raises(DiskError, match="working directory cannot be made"):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log")


def test_results_that_cannot_be_put_in_place_leave_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fills up between corr.fits and wcs.fits: no half of a solution stays."""
    real_replace = Path.replace

    def replace(path: Path, target: Path) -> Path:
        if path.name == "wcs.fits":
            raise OSError(28, "No space left on device")
        return real_replace(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    job, terms = make_job(tmp_path, make_attempt("solve")), make_terms(tmp_path)
    with pytest.raises(DiskError, match="No space left on device: the results cannot be put in place"):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log")


def test_only_plain_files_are_taken_from_an_engine(tmp_path: Path) -> None:
    """A link in place of corr.fits, directories and pipes are thrown away; the solution stands."""
    job, terms = make_job(tmp_path, make_attempt("litter")), make_terms(tmp_path)
    assert run_race(job, terms).status == "solved"
    assert_clean(job, terms, "wcs.fits", "rdls.fits", "backend.log")


def test_a_pipe_in_place_of_the_log_blocks_nobody(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt("pipe-as-log")), make_terms(tmp_path)
    assert run_race(job, terms).status == "unsolved"
    assert_clean(job, terms, "backend.log")


def test_a_huge_log_keeps_its_ends(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt("huge-log")), make_terms(tmp_path)
    run_race(job, terms)
    log = job.log.read_text()
    assert "first words" in log
    assert "last words" in log
    assert "bytes left out" in log
    assert len(log) < 2 * 2**20


def test_an_engine_dies_of_too_large_a_file(tmp_path: Path) -> None:
    """The limit ends it by a signal, so it cannot try again for ever."""
    job = make_job(tmp_path, make_attempt("too-large-a-file"))
    terms = make_terms(tmp_path)
    with pytest.raises(CrashError, match="failed on every attempt"):
        run_race(job, records.RaceTerms(**{**_fields(terms), "limits": process.EngineLimits(file_bytes=2**20)}))
    assert_clean(job, terms, "backend.log")


def _fields(terms: records.RaceTerms) -> dict[str, object]:
    return {name: getattr(terms, name) for name in records.RaceTerms.__dataclass_fields__}


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    """A race, whatever its end, leaves as many open as before."""
    terms = make_terms(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for behaviours in (("solve", "sleep"), ("exhaust", "exhaust"), ("half",)):
        job = make_job(tmp_path, *map(make_attempt, behaviours))
        with contextlib.suppress(CrashError):
            run_race(job, terms)
    assert len(os.listdir("/proc/self/fd")) == before


# --- What the engine is given -------------------------------------------------------------------------------------


def test_the_engine_sees_a_world_made_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Constant environment, limits, its own session, nothing on stdin, no descriptor of ours, fixed arguments."""
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
    assert len(seen["open"]) == 4  # 0, 1, 2 and the one that lists them


@pytest.mark.parametrize("name", ["with blank", "line\nbreak", "quo\"te'", "ümlaut", "$(id) %n", "-c"])
def test_any_job_directory_will_do(tmp_path: Path, name: str) -> None:
    job, terms = make_job(tmp_path / name, make_attempt("solve")), make_terms(tmp_path)
    assert run_race(job, terms).status == "solved"


def test_a_very_long_path_will_do(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["d" * 200] * 16)
    job, terms = make_job(folder, make_attempt("solve")), make_terms(tmp_path)
    assert run_race(job, terms).status == "solved"


def test_a_relative_job_directory_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job, terms = make_job(Path(), make_attempt("solve")), make_terms(tmp_path)
    assert run_race(job, terms).status == "solved"


def test_a_race_runs_from_any_thread(tmp_path: Path) -> None:
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


# --- A parent that dies -------------------------------------------------------------------------------------------


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], JobDir]]:
    """A process of its own that races two sleepers, and says when it was interrupted but lives on."""
    job = make_job(tmp_path, make_attempt("turn-then-sleep a"), make_attempt("turn-then-sleep b"))
    script = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        sys.path[:0] = {[str(Path(__file__).parents[1]), *sys.path]!r}
        import standin
        job = standin.JobDir(Path({str(job.path)!r}))
        try:
            standin.run_race(job, standin.make_terms(Path({str(tmp_path)!r}), wall_s=600))
        except KeyboardInterrupt:
            (job.path / "interrupted").touch()
            time.sleep(600)
    """)
    started = subprocess.Popen([sys.executable, "-c", script])
    try:
        wait_until(lambda: (job.path / "a").exists() and (job.path / "b").exists())
        yield started, job
    finally:
        started.kill()
        started.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent-death signal")
def test_a_killed_parent_leaves_no_engine(parent: tuple[subprocess.Popen[bytes], JobDir]) -> None:
    process, job = parent
    assert len(alive(pids(job))) == 2
    process.kill()
    wait_until(lambda: not alive(pids(job)))


def test_ctrl_c_leaves_no_engine_though_the_program_lives_on(parent: tuple[subprocess.Popen[bytes], JobDir]) -> None:
    process, job = parent
    process.send_signal(signal.SIGINT)
    wait_until((job.path / "interrupted").exists)
    assert process.poll() is None
    assert not alive(pids(job))
    assert not job.run_dirs()


def test_tokens_of_a_killed_race_come_free(parent: tuple[subprocess.Popen[bytes], JobDir], tmp_path: Path) -> None:
    process, _ = parent
    tokens = Tokens(tmp_path / "slots", 2)
    assert tokens.try_acquire() is None
    process.kill()
    tokens.acquire(standin.PATIENCE_S).release()
