"""Which jobs a command is to work on: those named, or those that filters pick."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import click

from novacli.errors import NovaError, UsageError
from novacli.jobs.filters import JobFilter
from novacli.jobs.store import Store
from novacli.text.printable import printable_line
from solvehost.formats.jobdir import RUNNING, JobDir


def select_jobs(store: Store, names: Sequence[str], wanted: JobFilter) -> tuple[list[JobDir], list[int]]:
    """Return the jobs meant, each once, and the exit codes of names that mean none (said on stderr).

    A filter never picks a running job; who names one is told.

    Raises
    ------
    UsageError
        Where there are neither names nor filters, or both.
    """
    has_filter = wanted != JobFilter()
    if bool(names) == has_filter:
        raise UsageError("give either jobs or filters, not both" if names else "name a job: see nova jobs")
    codes: list[int] = []
    if has_filter:
        names = [job.job_id for job in store.summaries() if job.state != RUNNING and wanted.accepts(job)]
    jobs: dict[JobDir, None] = {}
    for name in names:
        with told(codes):
            jobs[store.find(name)] = None
    return list(jobs), codes


@contextlib.contextmanager
def told(codes: list[int]) -> Iterator[None]:
    """Say an error on stderr and note its exit code, so that the other jobs get their turn."""
    try:
        yield
    except NovaError as exc:
        click.echo(f"nova: {printable_line(str(exc))}", err=True)
        codes.append(exc.exit_code)
