"""The protocols of a backend: one for solving, one for jobs that are left at another place and fetched later.

A backend takes a job directory and a lazy sequence of attempts, and fills the directory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from novacli.config import Config
from novacli.errors import NovaError, TransferError
from novacli.jobs.remote import RemoteJob, StoredJob
from novacli.records.budget import Budget
from novacli.records.check import Check
from novacli.records.progress import SILENT, Progress
from solvehost.engine.records import RaceResult
from solvehost.formats.jobdir import JobDir
from solvehost.indexes.index_file import IndexFile
from solvehost.record import record

#: States of a job at another place.  ``LOST``: the place does not have it.
WAITING, RUNNING, SOLVED, UNSOLVED, FAILED = "waiting", "running", "solved", "unsolved", "failed"
INTERRUPTED, LOST = "interrupted", "lost"


class UnusableReplyError(TransferError):
    """A place sent back something that is no result; sending it again would not help, so the job fails."""


@record
class SolveOutcome:
    """The outcome of a solve.

    Attributes
    ----------
    race
        How the race of attempts went.
    server
        The server that ran it; None for this machine.
    notes
        Remarks for the user.
    """

    race: RaceResult
    server: str | None = None
    notes: tuple[str, ...] = ()


@record
class DetachOutcome:
    """The server with which a job was left, and remarks for the user."""

    server: str
    notes: tuple[str, ...] = ()


@record
class RemoteState:
    """The state of a job at another place, and the error of a job that failed there."""

    state: str
    error: NovaError | None = None


#: Leaves the attempts of a job at a place: :meth:`JobKeeper.detach`.
Detach = Callable[[JobDir, Iterator[int | None], Budget, Progress], DetachOutcome]


class Backend(Protocol):
    """A place where fields are solved."""

    name: str

    def index_files(self) -> Sequence[IndexFile] | None:
        """Return the index files of the place; None if it does not tell which it has.

        Raises
        ------
        UnavailableError
            If it has no engine or no index file; the message tells what to install.
        """
        ...

    def notes(self) -> Sequence[str]:
        """Return remarks about the place, such as the names of damaged index files."""
        ...

    def solve(
        self, job: JobDir, numbers: Iterator[int | None], budget: Budget, progress: Progress = SILENT
    ) -> SolveOutcome:
        """Try attempts until one solves; leave results, log and manifest in the job directory.

        Parameters
        ----------
        job
            The job directory.
        numbers
            The numbers of the attempts, best first; each is yielded once its star list is in the job
            directory, and None as long as it is being prepared.
        budget
            The limits of the solve.
        progress
            What hears of each step and may cancel.
        """
        ...


@runtime_checkable
class JobKeeper(Protocol):
    """A place where jobs can be left and fetched later.

    Job keepers that reach the same place are equal and have the same hash, so ``nova fetch`` asks each place once.
    Errors of a place that does not answer in time are ``RetryLaterError``.
    """

    name: str

    def check_detach(self) -> None:
        """Raise if the place keeps no jobs; called before anything is prepared.

        Raises
        ------
        UsageError
            If it keeps none.
        NovaError
            If it cannot be asked.
        """
        ...

    def detach(
        self, job: JobDir, numbers: Iterator[int | None], budget: Budget, progress: Progress = SILENT
    ) -> DetachOutcome:
        """Leave the attempts of a job at the place; ``remote.json`` is written before anything is sent."""
        ...

    def detach_again(self, remote: RemoteJob, budget: Budget, progress: Progress = SILENT) -> str:
        """Send a job again that the place has lost, under the same id, and return its state there."""
        ...

    def states(self, remotes: Sequence[RemoteJob], budget: Budget, progress: Progress = SILENT) -> list[RemoteState]:
        """Return the state of each job, in the same order."""
        ...

    def fetch(self, remote: RemoteJob, budget: Budget, progress: Progress = SILENT) -> SolveOutcome:
        """Put the result of a finished job into its job directory.

        Raises
        ------
        UnusableReplyError
            If what came back is no result.
        NovaError
            If it did not come; the job is still there.
        """
        ...

    def log(self, remote: RemoteJob, *, follow: bool) -> Iterator[str]:
        """Yield the log of a job, safe to print; ``follow`` continues until the job is finished."""
        ...

    def cancel(self, remote: RemoteJob) -> str:
        """End a job there and return its state.

        Raises
        ------
        UsageError
            If jobs cannot be cancelled there.
        """
        ...

    def remove(self, remote: RemoteJob) -> None:
        """Remove a finished job there; do nothing if it is not there, or if the place removes no jobs."""
        ...

    def stored_jobs(self) -> Iterator[tuple[str, list[StoredJob]]]:
        """Yield the name of each machine of the place, with the user's jobs there."""
        ...


class Kind(Protocol):
    """The functions that the module of a backend defines."""

    def connect(self, config: Config, place: str) -> Backend:
        """Return the backend of a place; see :func:`novacli.backends.connect`."""
        ...

    def of_job(self, config: Config, remote: RemoteJob) -> JobKeeper:
        """Return the backend that left a job at another place; see :func:`novacli.backends.of_job`."""
        ...

    def check_place(self, config: Config, place: str) -> Iterator[tuple[str, Iterator[Check]]]:
        """Yield the name of each machine of a place with its checks; see :func:`novacli.backends.check_place`."""
        ...

    def check_destination(self, text: str) -> str:
        """Return ``text`` if it is a destination of this kind, else raise ``UsageError``."""
        ...
