"""``nova cancel``: end jobs that servers are working on."""

from __future__ import annotations

import click

from novacli.cli.jobargs import JOBS, JOBS_DIR, load_config
from novacli.cli.selection import ErrorCollector, select_jobs
from novacli.config import Config
from novacli.errors import NovaError, UsageError
from novacli.jobs.filters import JobFilter
from novacli.jobs.remote import read_unfinished
from novacli.jobs.store import JobStore
from novacli.text.printable import printable_line
from solvehost.formats.jobdir import JobDir


@click.command("cancel")
@JOBS
@JOBS_DIR
def command(jobs: tuple[str, ...], jobs_dir: str | None) -> int:
    """End jobs that were left with a server; nova fetch then fetches them as unsolved.

    JOB is an id from nova jobs, the beginning of one, or "last".
    """
    config = load_config(jobs_dir)
    errors = ErrorCollector()
    for job in select_jobs(JobStore(config["jobs_dir"]), jobs, JobFilter(), errors):
        try:
            state = _cancel(job, config)
        except NovaError as exc:
            errors.report(exc)
        else:
            click.echo(printable_line(f"{job.job_id}: {state}; fetch it with nova fetch {job.job_id}"))
    return errors.exit_code


def _cancel(job: JobDir, config: Config) -> str:
    """End a job and return its state."""
    remote = read_unfinished(job)
    if remote is None:
        raise UsageError(f"job {job.job_id} was not left with a server: end a job that runs here with Ctrl-C")
    from novacli import backends

    return backends.of_job(remote, config).cancel(remote)
