"""What a backend is: it takes a job directory and a lazy sequence of attempts, and fills the directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from solvehost.indexes import IndexFile
from solvehost.jobdir import JobDir
from solvehost.race import RaceResult


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a solve may take, and who is to hear of it.

    ``wall_s`` bounds the whole solve, waiting for a free core included; ``observe`` hears a few words as each
    attempt starts; ``cancelled`` is asked often.
    """

    wall_s: float
    observe: Callable[[str], None] = lambda _words: None
    cancelled: Callable[[], bool] = lambda: False


class Backend(Protocol):
    """A place where fields are solved."""

    name: str

    def index_files(self) -> Sequence[IndexFile]:
        """Return the index files there.

        Raises
        ------
        UnavailableError
            Where there is no engine or no index file; the message says what to install.
        """
        ...

    def notes(self) -> Sequence[str]:
        """Return remarks about the place, such as the names of damaged index files."""
        ...

    def solve(self, job: JobDir, numbers: Iterator[int], patience: Patience) -> RaceResult:
        """Try the attempts that ``numbers`` yields until one solves; leave results, log and manifest in ``job``."""
        ...
