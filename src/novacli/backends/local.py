"""Solve on this machine, by ``solvehost``'s race in process."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

from novacli.backends.base import Backend, Patience, Solve
from novacli.config import Config
from novacli.errors import UnavailableError, from_solvehost
from novacli.indexes.places import index_places
from solvehost.engine import program, race, records
from solvehost.engine.manifest import build_manifest
from solvehost.engine.slots import Tokens
from solvehost.errors import SolvehostError
from solvehost.formats.jobdir import MANIFEST, JobDir
from solvehost.indexes import index_file, index_set
from solvehost.indexes.cache import IndexCache

#: A race is given up when its engines have used so much CPU time together, or this share of a longer time limit: the
#: slowest field that was seen to solve took 8 s, and a batch has clouded frames by the hundred.
_LEAST_CPU_S, _CPU_SHARE = 120.0, 0.4


def engine_cpu_s(timeout_s: float) -> float:
    """Return how much CPU time the engines of one race may use together, by its limit on wall-clock time."""
    return max(_LEAST_CPU_S, _CPU_SHARE * timeout_s)


def connect(config: Config, place: str = "local") -> Backend:
    """Return the local backend; engine and index files are looked for when first needed."""
    del place
    return _Local(config)


class _Local:
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

    def index_files(self) -> Sequence[index_file.IndexFile]:
        try:
            files = self._indexes.files
        except SolvehostError as exc:
            raise from_solvehost(exc) from exc
        if not files:
            raise UnavailableError(self._nothing_found())
        return files

    def _nothing_found(self) -> str:
        damaged = "; ".join(f"{path}: {why}" for path, why in self._indexes.damaged)
        where = ", ".join(str(p) for p in self._indexes.searched) or "no directory was named"
        return (
            f"no index file was found ({where}{'; ' + damaged if damaged else ''}): install some "
            "(Debian, Ubuntu: apt install astrometry-data-tycho2; others: data.astrometry.net) or name them by --index"
        )

    def notes(self) -> Sequence[str]:
        return [f"index file {path} is left out: {why}" for path, why in self._indexes.damaged]

    def solve(self, job: JobDir, numbers: Iterator[int], patience: Patience) -> Solve:
        try:
            terms = records.RaceTerms(
                engine=self._engine,
                indexes=self._indexes,
                tokens=Tokens(self._config["slots_dir"], self._config["slots"]),
                wall_s=patience.wall_s,
                queue_wait_s=patience.wall_s,
                total_s=patience.wall_s,
                cpu_s=patience.cpu_share * engine_cpu_s(patience.wall_s),
                engines=patience.engines,
                cancelled=patience.cancelled,
                observe=patience.observe,
            )
            result = race.run(job, numbers, terms)
            damaged = self._indexes.damaged_names
            job.write_json(MANIFEST, build_manifest(job, result, engine=str(self._engine), damaged=damaged))
        except SolvehostError as exc:
            raise from_solvehost(exc) from exc
        return Solve(result)
