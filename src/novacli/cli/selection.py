"""Select the jobs that a command works on, and collect the errors of the single jobs."""

from __future__ import annotations

from collections.abc import Sequence

import click

from novacli.errors import NovaError, UsageError, worst_exit_code
from novacli.jobs.filters import JobFilter
from novacli.jobs.store import JobStore
from novacli.text.printable import printable_line
from solvehost.formats.jobdir import RUNNING, JobDir


class ErrorCollector:
    """The exit codes of a command over several jobs; an error of one job does not stop the others."""

    def __init__(self) -> None:
        self._exit_codes: list[int] = []
        self._printed: set[str] = set()

    def report(self, error: NovaError) -> None:
        """Print an error on stderr, unless the same one was printed before, and remember its exit code."""
        message = printable_line(str(error))
        if message not in self._printed:
            click.echo(f"nova: {message}", err=True)
            self._printed.add(message)
        self.add(error.exit_code)

    def add(self, exit_code: int) -> None:
        """Remember the exit code of one job."""
        self._exit_codes.append(exit_code)

    @property
    def exit_code(self) -> int:
        """The exit code of the whole command."""
        return worst_exit_code(self._exit_codes)


def select_jobs(store: JobStore, names: Sequence[str], wanted: JobFilter, errors: ErrorCollector) -> list[JobDir]:
    """Return the jobs that the command works on, each once.

    Parameters
    ----------
    store
        Where jobs are kept.
    names
        Ids, prefixes of ids, or ``last``.  A name that matches no job is reported to ``errors``.
    wanted
        Filters of the command line.  They never select a running job.
    errors
        Collects the errors of single names.

    Raises
    ------
    UsageError
        If there are neither names nor filters, or both.
    """
    has_filter = wanted != JobFilter()
    if bool(names) == has_filter:
        raise UsageError("give either jobs or filters, not both" if names else "name a job: see nova jobs")
    if has_filter:
        names = [job.job_id for job in store.summaries() if job.state != RUNNING and wanted.accepts(job)]
    jobs: dict[JobDir, None] = {}
    for name in names:
        try:
            jobs[store.find(name)] = None
        except NovaError as exc:
            errors.report(exc)
    return list(jobs)
