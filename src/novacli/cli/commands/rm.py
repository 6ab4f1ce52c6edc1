"""``nova rm``: remove jobs."""

from __future__ import annotations

import sys

import click

from novacli.cli.jobargs import JOBS, JOBS_DIR, NEWER, OLDER_THAN, load_config
from novacli.cli.selection import ErrorCollector, select_jobs
from novacli.config import Config
from novacli.errors import InputMissingError, NovaError
from novacli.jobs.filters import build_filter
from novacli.jobs.remote import read_remote
from novacli.jobs.store import JobStore
from novacli.jobs.summaries import STATES
from novacli.text.quantities import bytes_text, count_text
from solvehost.formats.jobdir import RUNNING, JobDir

_REMOVABLE = tuple(state for state in STATES if state != RUNNING)


@click.command("rm")
@JOBS
@NEWER
@OLDER_THAN
@click.option("--state", "states", multiple=True, type=click.Choice(_REMOVABLE), help="Only these states; repeatable.")
@click.option("--forget", is_flag=True, help="Remove jobs that servers have only here, without asking the servers.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@JOBS_DIR
def command(
    jobs: tuple[str, ...],
    newer: str | None,
    older_than: str | None,
    states: tuple[str, ...],
    forget: bool,
    yes: bool,
    jobs_dir: str | None,
) -> int:
    """Remove jobs: those that are named, or those that the filters select.

    A running job is not removed.  A job that a server has is ended and removed there too.

    JOB is an id from nova jobs, the beginning of one, or "last".  On a terminal, nova asks before it removes more than
    one job; elsewhere (cron) it does not ask.
    """
    config = load_config(jobs_dir)
    store = JobStore(config["jobs_dir"])
    errors = ErrorCollector()
    selected = select_jobs(store, jobs, build_filter(states, newer, older_than), errors)
    if not yes and len(selected) > 1 and not _is_confirmed(len(selected)):
        click.echo("nothing was removed")
        return errors.exit_code
    freed_bytes: list[int] = []
    for job in selected:
        try:
            if not forget:
                _remove_there(job, config)
            freed_bytes.append(store.remove(job))
        except NovaError as exc:
            errors.report(exc)
    if freed_bytes or not errors.exit_code:
        click.echo(f"removed {count_text(len(freed_bytes), 'job')}: {bytes_text(sum(freed_bytes))} came free")
    return errors.exit_code


def _remove_there(job: JobDir, config: Config) -> None:
    """End a job and remove it from the place where it was left; do nothing if it was left nowhere."""
    try:
        remote = read_remote(job)
        if remote is None:
            return
        from novacli import backends

        keeper = backends.of_job(remote, config)
        keeper.cancel(remote)
        keeper.remove(remote)
    except InputMissingError:
        return  # the server does not have it any more
    except NovaError as exc:
        raise type(exc)(f"{exc}; job {job.job_id} is kept: --forget removes it here alone") from exc


def _is_confirmed(count: int) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    return click.confirm(f"Remove {count} jobs?", err=True)
