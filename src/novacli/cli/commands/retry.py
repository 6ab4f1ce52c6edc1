"""``nova retry``: try jobs again from their star lists."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from novacli.cli.jobargs import JOBS, JOBS_DIR, load_config
from novacli.cli.progress import progress
from novacli.cli.selection import ErrorCollector, select_jobs
from novacli.errors import NovaError, RetryLaterError, UsageError
from novacli.jobs.filters import build_filter
from novacli.jobs.local_store import LocalStore
from novacli.jobs.store import STATES
from novacli.jobs.summaries import read_result
from novacli.records.progress import Progress
from novacli.records.result import REMOTE
from novacli.reports.results import open_report
from novacli.text.printable import printable_line
from solvehost.formats.jobdir import RUNNING

if TYPE_CHECKING:
    from novacli.backends.base import Backend
    from novacli.config import Config
    from novacli.reports.results import Report
    from solvehost.formats.jobdir import JobDir

_RETRIABLE = tuple(state for state in STATES if state not in ("solved", RUNNING, REMOTE))


@click.command("retry")
@JOBS
@click.option("--state", "states", multiple=True, type=click.Choice(_RETRIABLE), help="All in this state; repeatable.")
@click.option("--to", "place", metavar="PLACE", help="Where to solve.  [default: where the job was submitted to]")
@click.option("--timeout", type=float, metavar="S", help="Wall-clock seconds a job may take.  [default: as before]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each job.")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr what is being done.")
@JOBS_DIR
def command(
    jobs: tuple[str, ...],
    states: tuple[str, ...],
    place: str | None,
    timeout: float | None,
    as_json: bool,
    verbose: bool,
    jobs_dir: str | None,
) -> int:
    """Try jobs again from the star lists they keep; the image is not needed.

    JOB is an id from nova jobs, the beginning of one, or "last".  Exit codes are those of nova submit.
    """
    if timeout is not None and not timeout > 0:
        raise UsageError(f"time-out {timeout:g} is not above zero: give seconds")
    config = load_config(jobs_dir)
    errors = ErrorCollector()
    chosen = select_jobs(LocalStore(config["jobs_dir"]), jobs, build_filter(states), errors)
    report = open_report("json" if as_json else "table", sys.stdout)
    from novacli import backends

    connected = {} if place is None else {place: backends.connect(place, config)}
    for job in chosen:
        try:
            where = place or _place_of(job)
            if where not in connected:
                connected[where] = backends.connect(where, config)
            errors.add(_retry(job, config, connected[where], report, timeout, verbose))
        except NovaError as exc:
            errors.report(exc)
    return errors.exit_code


def _place_of(job: JobDir) -> str:
    """Return where a job was submitted to.

    Raises
    ------
    RetryLaterError
        Where a server has it.
    """
    if read_result(job).status == REMOTE:
        raise RetryLaterError(f"job {job.job_id} is with a server: nova fetch it, or name another place by --to")
    from novacli.jobs.request import JobRequest, read_request

    return (read_request(job) or JobRequest()).place


def _retry(
    job: JobDir, config: Config, backend: Backend, report: Report, timeout_s: float | None, verbose: bool
) -> int:
    from novacli.pipeline.context import Context
    from novacli.pipeline.retry import retry_job

    with progress(verbose=verbose) as observe:
        result = retry_job(job, Context(config["jobs_dir"], backend, Progress(observe)), timeout_s).result
    report.add(result)
    if result.error is not None:
        click.echo(f"nova: {printable_line(result.error.message)}", err=True)
    return result.exit_code
