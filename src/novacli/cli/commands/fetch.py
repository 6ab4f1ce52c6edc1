"""``nova fetch``: fetch the results of jobs that were left at other places."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from novacli.cli.jobargs import JOBS, JOBS_DIR, NEWER, OLDER_THAN, load_config
from novacli.cli.progress import ProgressLine
from novacli.cli.selection import ErrorCollector, select_jobs
from novacli.errors import NovaError, RetryLaterError, UsageError
from novacli.jobs.filters import JobFilter, build_filter
from novacli.jobs.remote import is_remote
from novacli.jobs.store import JobStore
from novacli.jobs.summaries import FINISHED, read_result
from novacli.records.status import REMOTE
from novacli.reports.results import open_report
from novacli.text.printable import printable_line
from novacli.text.quantities import count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from novacli.config import Config
    from novacli.pipeline.fetch import FetchOutcome
    from novacli.reports.results import Report
    from solvehost.formats.jobdir import JobDir


@click.command("fetch")
@JOBS
@click.option("--all", "fetch_all", is_flag=True, help="All jobs that servers have.")
@NEWER
@OLDER_THAN
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each job that is finished.")
@click.option("-v", "--verbose", is_flag=True, help="Report each step on stderr.")
@JOBS_DIR
def command(
    jobs: tuple[str, ...],
    fetch_all: bool,
    newer: str | None,
    older_than: str | None,
    as_json: bool,
    verbose: bool,
    jobs_dir: str | None,
) -> int:
    """Fetch the results of jobs that were left with servers by nova submit --detach.

    JOB is an id from nova jobs, the beginning of one, or "last".  With --all, --newer or --older-than, jobs that are
    not finished are skipped.  Exit codes are those of nova submit; 75 if a job that was named is not finished.
    """
    by_filter = fetch_all or newer is not None or older_than is not None
    if by_filter == bool(jobs):
        raise UsageError("give either jobs or --all" if jobs else "name a job, or give --all: see nova jobs")
    config = load_config(jobs_dir)
    store = JobStore(config["jobs_dir"])
    report = open_report("json" if as_json else "table", sys.stdout)
    errors = ErrorCollector()
    if by_filter:
        remote = _select_remote(store, build_filter((), newer, older_than))
    else:
        named = select_jobs(store, jobs, JobFilter(), errors)
        remote = [job for job in named if is_remote(job)]
        _show_finished([job for job in named if not is_remote(job)], report, errors)
    if remote:
        unfinished = _fetch(remote, config, report, errors, verbose=verbose)
        _report_unfinished(unfinished, errors, is_error=not by_filter)
    elif by_filter and sys.stdout.isatty():
        click.echo("nova: none of your jobs is with a server", err=True)
    return errors.exit_code


def _select_remote(store: JobStore, wanted: JobFilter) -> list[JobDir]:
    """Return the jobs that were left at other places and that the filter accepts."""
    if wanted == JobFilter():  # faster: no job is opened
        return [job for job in map(store.find, store.names()) if is_remote(job)]
    return [store.find(job.job_id) for job in store.summaries() if job.state == REMOTE and wanted.accepts(job)]


def _show_finished(jobs: Sequence[JobDir], report: Report, errors: ErrorCollector) -> None:
    """Show the results of jobs that were fetched before, so that a fetch can be repeated."""
    for job in jobs:
        try:
            result = read_result(job)
            if result.status not in FINISHED:
                raise UsageError(f"job {job.job_id} is {result.status} and is not with a server: see nova show")
        except NovaError as exc:
            errors.report(exc)
        else:
            report.add(result)
            errors.add(result.exit_code)


def _fetch(
    jobs: Sequence[JobDir], config: Config, report: Report, errors: ErrorCollector, *, verbose: bool
) -> list[FetchOutcome]:
    """Fetch jobs, show each result as it arrives, and return those that are not finished."""
    from novacli.pipeline.fetch import fetch_jobs
    from novacli.records.budget import Budget
    from novacli.records.progress import Progress

    line = ProgressLine(verbose=verbose)
    outcomes = fetch_jobs(jobs, config, Budget(), Progress(line.observe))
    unfinished: list[FetchOutcome] = []
    while True:
        with line:  # hidden while a result is shown: both write to one terminal
            line.observe(f"asking for {count_text(len(jobs), 'job')}")
            fetched = next(outcomes, None)
        if fetched is None:
            return unfinished
        if fetched.error is not None:
            errors.report(fetched.error)
        elif fetched.result is None:
            unfinished.append(fetched)
        else:
            report.add(fetched.result)
            errors.add(fetched.result.exit_code)
            if fetched.result.error is not None:
                click.echo(f"nova: {printable_line(fetched.result.error.message)}", err=True)


def _report_unfinished(unfinished: Sequence[FetchOutcome], errors: ErrorCollector, *, is_error: bool) -> None:
    """Report the jobs that are not finished; ``is_error`` if the user named them."""
    if is_error:
        for fetched in unfinished:
            errors.report(
                RetryLaterError(f"job {fetched.job.job_id} is {fetched.state} on {fetched.place}: fetch it later")
            )
    elif unfinished and sys.stdout.isatty():
        click.echo(f"nova: {count_text(len(unfinished), 'job')} not finished yet: fetch again later", err=True)
