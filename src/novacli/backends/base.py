"""What a backend is: it takes a job directory and a lazy sequence of attempts, and fills the directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from solvehost.engine.records import RaceResult
from solvehost.formats.jobdir import JobDir
from solvehost.indexes.index_file import IndexFile


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a solve may take, and who is to hear of it.

    ``wall_s`` bounds the whole solve, waiting for a free core included; ``observe`` hears a few words as each
    attempt starts; ``cancelled`` is asked often.  On this machine, ``engines`` is how many may run at once (None: as
    many as cores are idle), and ``cpu_share`` how much of their CPU time a field is worth that may well have no answer.
    """

    wall_s: float
    observe: Callable[[str], None] = lambda _words: None
    cancelled: Callable[[], bool] = lambda: False
    engines: int | None = None
    cpu_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Solve:
    """What came of a solve: how the race went, the server that ran it (None: this machine), remarks for the user."""

    race: RaceResult
    server: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a job now is that was sent away, and remarks for the user."""

    server: str
    notes: tuple[str, ...] = ()


#: Leaves the attempts of a job with a server, and says in the job directory where they are.
Detach = Callable[[JobDir, Iterator[int], Patience], Sent]


@runtime_checkable
class Detaching(Protocol):
    """What a backend that can be left with jobs has besides."""

    def check_detach(self) -> None:
        """Hold it to be able to, before anything is prepared.

        Raises
        ------
        UsageError
            Where it is not.
        NovaError
            Where that cannot be found out.
        """
        ...

    def detach(self, job: JobDir, numbers: Iterator[int], patience: Patience) -> Sent:
        """Leave the attempts of a job with a server, and say in the job directory where they are."""
        ...


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

    def solve(self, job: JobDir, numbers: Iterator[int], patience: Patience) -> Solve:
        """Try the attempts that ``numbers`` yields until one solves; leave results, log and manifest in ``job``."""
        ...
