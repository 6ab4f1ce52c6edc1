"""A backend with a time limit of its own, in place of the one that a job was made with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from novacli.backends.base import Backend, Patience
from solvehost.indexes import IndexFile
from solvehost.jobdir import JobDir
from solvehost.race import RaceResult


class TimeLimited:
    """``backend``, which spends at most ``wall_s`` seconds on each job."""

    def __init__(self, backend: Backend, wall_s: float) -> None:
        self.name = backend.name
        self._backend = backend
        self._wall_s = wall_s

    def index_files(self) -> Sequence[IndexFile]:
        """Return the backend's index files."""
        return self._backend.index_files()

    def notes(self) -> Sequence[str]:
        """Return the backend's remarks."""
        return self._backend.notes()

    def solve(self, job: JobDir, numbers: Iterator[int], patience: Patience) -> RaceResult:
        """Solve by the backend, with the other limit."""
        return self._backend.solve(job, numbers, dataclasses.replace(patience, wall_s=self._wall_s))
