"""Races with the stand-in engine: its installation, attempts for it, and which processes are still alive."""

from __future__ import annotations

import math
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

from solvehost.engine import race
from solvehost.engine.records import RaceResult, RaceTerms
from solvehost.engine.slots import Tokens
from solvehost.formats import axy, jobdir
from solvehost.formats.axy import Attempt, Range, Schedule
from solvehost.formats.fitsfile import card, end_header, pad_data
from solvehost.formats.jobdir import JobDir
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_file import IndexFile
from solvehost.indexes.index_set import IndexSet

#: How long a test waits for an event before it fails; no statement about speed.
PATIENCE_S = 20.0


def install(folder: Path) -> Path:
    """Put the stand-in engine into ``folder`` and return its path."""
    program = folder / "astrometry-engine"
    script = Path(__file__).with_name("standin_engine.py")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{script}" "$@"\n')
    program.chmod(0o755)
    return program


def make_stars(count: int = 12) -> Stars:
    """Return stars on a spiral."""
    numbers = range(1, count + 1)
    return Stars(
        array("f", (10.0 * n for n in numbers)),
        array("f", (7.5 * n for n in numbers)),
        array("f", (1000.0 / n for n in numbers)),
    )


def make_attempt(behaviour: str = "exhaust", **schedule: object) -> Attempt:
    """Return an attempt at which the stand-in engine shows a behaviour (see ``standin_engine.py``)."""
    return Attempt(1000, 800, make_stars(), schedule=Schedule(label=behaviour, **schedule))  # type: ignore[arg-type]


def make_index(name: str, low: float = 60.0, high: float = 85.0) -> IndexFile:
    """Return the record of an index file that does not exist."""
    return IndexFile(Path("/no/such/place") / name, 4110, -1, 0, Range(low, high), 1000, 1000, 10_000)


def write_index(path: Path, low_arcmin: float = 60.0, high_arcmin: float = 85.0, **changes: object) -> Path:
    """Write the headers and some data of an index file; ``changes`` replace cards, None leaves one out."""
    values = {
        "SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "INDEXID": 4110, "HEALPIX": -1, "HPNSIDE": 0,
        "SCALE_L": math.radians(low_arcmin / 60), "SCALE_U": math.radians(high_arcmin / 60),
        "NSTARS": 100, "NQUADS": 200, **changes,
    }  # fmt: skip
    primary = end_header([card(k, v) for k, v in values.items() if v is not None])  # type: ignore[arg-type]
    table = end_header([card("BITPIX", 8), card("NAXIS", 1), card("NAXIS1", 5000)]) + pad_data(b"q" * 5000)
    path.write_bytes(primary + table)
    return path


ONE_INDEX = IndexSet((make_index("index-one.fits"),))


def make_job(folder: Path, *attempts: Attempt) -> JobDir:
    """Return a published job directory with the axy files of the attempts."""
    staged = jobdir.create(folder / "jobs")
    for number, attempt in enumerate(attempts, 1):
        axy.write(attempt, staged.axy(number))
    return jobdir.publish(staged)


def make_terms(
    folder: Path, *, engine: Path | None = None, indexes: IndexSet = ONE_INDEX, count: int = 2,
    engines: int | None = None, wall_s: float = PATIENCE_S, queue_wait_s: float = 0.0, total_s: float = math.inf,
    cancelled: Callable[[], bool] = lambda: False,
    observe: Callable[[str], None] = lambda _label: None,
) -> RaceTerms:  # fmt: skip
    """Return the terms of a race with the stand-in engine."""
    return RaceTerms(
        engine=engine or install(folder),
        indexes=indexes,
        tokens=Tokens(folder / "slots", count),
        wall_s=wall_s,
        queue_wait_s=queue_wait_s,
        total_s=total_s,
        engines=engines,
        cancelled=cancelled,
        observe=observe,
    )


def run_race(job: JobDir, terms: RaceTerms, numbers: Iterator[int | None] | None = None) -> RaceResult:
    """Race all attempts of a job."""
    return race.run(job, iter(job.attempts()) if numbers is None else numbers, terms)


def pids(job: JobDir) -> list[int]:
    """Return the ids of all processes of the stand-in engine, and of those that it forked."""
    try:
        return [int(line) for line in (job.path / "pids").read_text().split()]
    except FileNotFoundError:
        return []


def alive(numbers: list[int]) -> list[int]:
    """Return those of the processes that are alive; a zombie is not."""
    return [n for n in numbers if _state(n) not in ("Z", "X", "")]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_until(happened: Callable[[], object]) -> None:
    """Return once ``happened()`` is true; fail if that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, "the event that the test waits for did not happen"
        time.sleep(0.005)


def outcomes(result: RaceResult) -> list[str]:
    """Return how the attempts ended."""
    return [a.outcome for a in result.attempts]


def assert_clean(job: JobDir, terms: RaceTerms, *left: str) -> None:
    """Check that no engine lives, no working directory is left, every token is free, and only ``left`` was added."""
    wait_until(lambda: not alive(pids(job)))  # a process that was sent SIGKILL ends when it is scheduled
    assert not job.run_dirs()
    tokens = [terms.tokens.try_acquire() for _ in range(terms.tokens.count)]
    assert None not in tokens
    for token in tokens:
        assert token is not None
        token.release()
    of_the_standin = {"pids", "record.json", "forked", "elsewhere.fits", "a", "b", "go"}
    inputs = {p.name for p in job.path.glob("job*.axy")}
    assert {p.name for p in job.path.iterdir()} - of_the_standin - inputs == set(left)
