"""What a store of jobs is, and the light record of a job that lists are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from novacli.records.result import FAILED, REMOTE, SOLVED, UNSOLVED
from solvehost.formats.jobdir import INTERRUPTED, RUNNING, JobDir

STATES = (SOLVED, UNSOLVED, FAILED, RUNNING, REMOTE, INTERRUPTED)
FINISHED = frozenset({SOLVED, UNSOLVED, FAILED})


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One job as lists show it.

    Attributes
    ----------
    created
        When the job was made, as its files say it (ISO 8601, UTC); empty where they do not.
    created_s
        The same in seconds since 1970.
    written_s
        When the file that this was read from was written, in seconds since 1970.
    ra_deg, dec_deg, pixscale_arcsec
        Centre and pixel scale of a solved job, else None.
    reason
        Why an unsolved job is unsolved.
    error
        What a failed job says.
    """

    job_id: str
    state: str
    input: str
    created: str
    created_s: float
    written_s: float
    ra_deg: float | None = None
    dec_deg: float | None = None
    pixscale_arcsec: float | None = None
    reason: str | None = None
    error: str | None = None

    @property
    def order(self) -> tuple[float, float]:
        """What newer jobs have more of."""
        return self.created_s, self.written_s

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``nova jobs --json`` prints."""
        return {
            "job": self.job_id,
            "state": self.state,
            "input": self.input,
            "created": self.created or None,
            "ra": self.ra_deg,
            "dec": self.dec_deg,
            "pixscale": self.pixscale_arcsec,
            "reason": self.reason,
            "error": self.error,
        }


class Store(Protocol):
    """A place where jobs are kept."""

    def summaries(self) -> Sequence[JobSummary]:
        """Return all jobs, newest first.

        Raises
        ------
        NovaError
            Where the place cannot be read.
        """
        ...

    def find(self, name: str) -> JobDir:
        """Return the job that ``name`` means: its id, a prefix of it that no other job has, or ``last``.

        Raises
        ------
        InputMissingError
            Where there is no such job.
        UsageError
            Where several jobs have that prefix.
        """
        ...

    def names(self, prefix: str = "") -> Sequence[str]:
        """Return the ids that start with ``prefix``, sorted; cheap, for shell completion."""
        ...

    def remove(self, job: JobDir) -> int:
        """Remove a job; return how many bytes came free.

        Raises
        ------
        RetryLaterError
            Where a process works on it.
        NovaError
            Where it cannot be removed.
        """
        ...
