"""After an error, an interrupt or a kill, a race leaves no engine, no token taken and no partial result."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import standin
from standin import alive, assert_clean, make_attempt, make_job, make_terms, pids, run_race, wait_until

from solvehost.engine import attempts, process, records
from solvehost.engine.slots import Tokens
from solvehost.errors import DataError, InputMissingError, InternalError, OutputError, UnavailableError
from solvehost.formats.jobdir import JobDir

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, DataError])
def test_after_an_error_of_the_iterator_nothing_is_left(tmp_path: Path, error: type[BaseException]) -> None:
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


def test_the_error_names_a_missing_star_list(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path), make_terms(tmp_path)
    with pytest.raises(InputMissingError, match=r"job\.axy: No such file"):
        run_race(job, terms, iter([1]))
    assert_clean(job, terms, "backend.log")


def test_tokens_are_given_back_if_an_engine_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second start fails; the first engine is killed."""
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


def test_tokens_are_given_back_if_killing_an_engine_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other engines are killed as well."""
    job = make_job(tmp_path, make_attempt("turn-then-sleep a"), make_attempt("turn-then-sleep b"))
    terms = make_terms(tmp_path, cancelled=lambda: (job.path / "a").exists() and (job.path / "b").exists())
    real_kill = process.EngineProcess.kill

    def kill_and_raise(child: process.EngineProcess) -> None:
        real_kill(child)
        raise OSError("Operation not permitted")

    monkeypatch.setattr(process.EngineProcess, "kill", kill_and_raise)
    with pytest.raises(OSError, match="Operation not permitted"):
        run_race(job, terms)
    assert len(pids(job)) == 2
    assert not alive(pids(job))
    assert terms.tokens.try_acquire() is not None
    assert terms.tokens.try_acquire() is not None


def test_the_error_names_a_working_directory_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, terms = make_job(tmp_path, make_attempt("solve")), make_terms(tmp_path)
    monkeypatch.setattr(JobDir, "run_dir", lambda job, number: job.path / "no" / "such" / "place")
    with pytest.raises(OutputError, match="working directory cannot be made"):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log")


def test_results_that_cannot_be_put_in_place_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full between corr.fits and wcs.fits; no part of the solution stays."""
    real_replace = Path.replace

    def replace(path: Path, target: Path) -> Path:
        if path.name == "wcs.fits":
            raise OSError(28, "No space left on device")
        return real_replace(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    job, terms = make_job(tmp_path, make_attempt("solve")), make_terms(tmp_path)
    with pytest.raises(OutputError, match="No space left on device: the results cannot be put in place"):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log")


def test_only_plain_files_are_taken_from_an_engine(tmp_path: Path) -> None:
    """A link in place of corr.fits, directories and pipes are removed; the solution stays."""
    job, terms = make_job(tmp_path, make_attempt("litter")), make_terms(tmp_path)
    assert run_race(job, terms).status == "solved"
    assert_clean(job, terms, "wcs.fits", "rdls.fits", "backend.log")


def test_a_pipe_in_place_of_the_log_does_not_block(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt("pipe-as-log")), make_terms(tmp_path)
    assert run_race(job, terms).status == "unsolved"
    assert_clean(job, terms, "backend.log")


def test_a_huge_log_keeps_its_beginning_and_end(tmp_path: Path) -> None:
    job, terms = make_job(tmp_path, make_attempt("huge-log")), make_terms(tmp_path)
    run_race(job, terms)
    log = job.log.read_text()
    assert "first words" in log
    assert "last words" in log
    assert "bytes left out" in log
    assert len(log) < 2 * 2**20


def test_the_limit_of_file_size_kills_an_engine(tmp_path: Path) -> None:
    """By a signal, so that it does not retry for ever."""
    job = make_job(tmp_path, make_attempt("too-large-a-file"))
    terms = make_terms(tmp_path)
    with pytest.raises(InternalError, match="failed on every attempt"):
        run_race(job, records.RaceTerms(**{**_fields(terms), "limits": process.EngineLimits(file_bytes=2**20)}))
    assert_clean(job, terms, "backend.log")


def _fields(terms: records.RaceTerms) -> dict[str, object]:
    return {name: getattr(terms, name) for name in records.RaceTerms.__dataclass_fields__}


def test_a_race_leaves_no_descriptor_open(tmp_path: Path) -> None:
    """However it ends."""
    terms = make_terms(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for behaviours in (("solve", "sleep"), ("exhaust", "exhaust"), ("half",)):
        job = make_job(tmp_path, *map(make_attempt, behaviours))
        with contextlib.suppress(InternalError):
            run_race(job, terms)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], JobDir]]:
    """A process that races two sleeping engines, and survives an interrupt, which it notes in a file."""
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


def test_ctrl_c_leaves_no_engine_if_the_program_survives_it(parent: tuple[subprocess.Popen[bytes], JobDir]) -> None:
    process, job = parent
    process.send_signal(signal.SIGINT)
    wait_until((job.path / "interrupted").exists)
    assert process.poll() is None
    assert not alive(pids(job))
    assert not job.run_dirs()


def test_the_tokens_of_a_killed_race_are_free(parent: tuple[subprocess.Popen[bytes], JobDir], tmp_path: Path) -> None:
    process, _ = parent
    tokens = Tokens(tmp_path / "slots", 2)
    assert tokens.try_acquire() is None
    process.kill()
    tokens.acquire(standin.PATIENCE_S).release()
