"""Solve on this machine, with the race of ``solvehost`` in this process."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

from novacli.backends.base import Backend, JobKeeper, SolveOutcome
from novacli.config import Config
from novacli.errors import UnavailableError, UsageError
from novacli.indexes.places import index_places
from novacli.jobs.remote import RemoteJob, damaged_remote
from novacli.records.budget import Budget
from novacli.records.check import Check
from novacli.records.progress import SILENT, Progress
from novacli.text.printable import printable_line
from solvehost.engine import program, race, records
from solvehost.engine.manifest import build_manifest
from solvehost.engine.slots import Tokens
from solvehost.formats.jobdir import MANIFEST, JobDir
from solvehost.indexes import index_set
from solvehost.indexes.cache import IndexCache
from solvehost.indexes.index_file import IndexFile

#: CPU seconds that the engines of one race may use together: at least the first number, and at least this share of the
#: time limit.  The slowest field seen to solve took 8 s, and a batch has hundreds of cloudy frames.
_MIN_CPU_S, _CPU_SHARE = 120.0, 0.4


def engine_cpu_s(timeout_s: float) -> float:
    """Return the CPU seconds that the engines of one race may use together, for a wall-clock limit in seconds."""
    return max(_MIN_CPU_S, _CPU_SHARE * timeout_s)


def connect(config: Config, place: str = "local") -> Backend:
    """Return the local backend; engine and index files are located when they are first needed."""
    check_destination(place)
    return LocalBackend(config)


def of_job(config: Config, remote: RemoteJob) -> JobKeeper:
    """Raise ``DataError``: no job is ever left with this machine."""
    del config
    raise damaged_remote(remote.job)


def check_place(config: Config, place: str) -> Iterator[tuple[str, Iterator[Check]]]:
    """Yield this machine with the checks of ``nova doctor``."""
    from novacli.doctor import examine

    del config
    yield check_destination(place), iter(examine().checks)


def check_destination(text: str) -> str:
    """Return ``text`` if it denotes this machine, else raise ``UsageError``."""
    if text != LocalBackend.name:
        raise UsageError(f"{printable_line(repr(text[:64]))} is not this machine: write local")
    return text


class LocalBackend:
    """This machine."""

    name = "local"

    def __init__(self, config: Config) -> None:
        self._config = config

    @functools.cached_property
    def _engine(self) -> Path:
        return program.find_engine(self._config["engine"])

    @functools.cached_property
    def _indexes(self) -> index_set.IndexSet:
        cache = IndexCache(self._config.folders.cache / "indexes.json")
        return index_set.scan(index_places(self._config, self._engine), cache)

    def index_files(self) -> Sequence[IndexFile]:
        """Return the installed index files.

        Raises
        ------
        UnavailableError
            If there is no engine or no index file.
        """
        files = self._indexes.files
        if not files:
            raise UnavailableError(self._no_index_file_text())
        return files

    def _no_index_file_text(self) -> str:
        damaged = "; ".join(f"{path}: {reason}" for path, reason in self._indexes.damaged)
        searched = ", ".join(str(path) for path in self._indexes.searched) or "no directory was named"
        return (
            f"no index file was found ({searched}{'; ' + damaged if damaged else ''}): install some "
            "(Debian, Ubuntu: apt install astrometry-data-tycho2; others: data.astrometry.net) or name them by --index"
        )

    def notes(self) -> Sequence[str]:
        """Return a remark on each damaged index file."""
        return [f"index file {path} is left out: {reason}" for path, reason in self._indexes.damaged]

    def solve(
        self, job: JobDir, numbers: Iterator[int | None], budget: Budget, progress: Progress = SILENT
    ) -> SolveOutcome:
        """Race the attempts; see :meth:`novacli.backends.base.Backend.solve`."""
        wall_s = budget.left_s
        terms = records.RaceTerms(
            engine=self._engine,
            indexes=self._indexes,
            tokens=Tokens(self._config["slots_dir"], self._config["slots"]),
            wall_s=wall_s,
            queue_wait_s=wall_s,
            total_s=wall_s,
            cpu_s=budget.cpu_share * engine_cpu_s(wall_s),
            engines=budget.engines,
            cancelled=progress.cancelled,
            observe=progress.observe,
        )
        result = race.run(job, numbers, terms)
        damaged = self._indexes.damaged_names
        job.write_json(MANIFEST, build_manifest(job, result, engine=str(self._engine), damaged=damaged))
        return SolveOutcome(result)
