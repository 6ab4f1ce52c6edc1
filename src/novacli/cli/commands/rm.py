"""``nova rm``: remove jobs."""

from __future__ import annotations

import sys

import click

from novacli.cli.jobargs import JOBS, JOBS_DIR, load_config
from novacli.cli.selection import select_jobs, told
from novacli.config import Config
from novacli.errors import NovaError, worst_exit_code
from novacli.jobs.filters import build_filter
from novacli.jobs.local_store import LocalStore
from novacli.jobs.store import STATES
from novacli.text.quantities import bytes_text, count_text
from solvehost.formats.jobdir import REMOTE, RUNNING, JobDir

_REMOVABLE = tuple(state for state in STATES if state != RUNNING)


@click.command("rm")
@JOBS
@click.option("--older-than", metavar="AGE", help="Remove jobs made longer ago than this, such as 12h or 30d.")
@click.option("--state", "states", multiple=True, type=click.Choice(_REMOVABLE), help="Only these states; repeatable.")
@click.option("--forget", is_flag=True, help="Remove jobs that servers have here alone, without asking the servers.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@JOBS_DIR
def command(
    jobs: tuple[str, ...],
    older_than: str | None,
    states: tuple[str, ...],
    forget: bool,
    yes: bool,
    jobs_dir: str | None,
) -> int:
    """Remove jobs: those named, or those that the filters pick.  A running job is left alone; one that a server
    has is ended and removed there, too.

    JOB is an id from nova jobs, the beginning of one, or "last".  On a terminal, more than one job is asked about
    first; elsewhere (cron) nothing is asked.
    """
    config = load_config(jobs_dir)
    store = LocalStore(config["jobs_dir"])
    chosen, codes = select_jobs(store, jobs, build_filter(states, older=older_than))
    if not yes and len(chosen) > 1 and not _is_confirmed(len(chosen)):
        click.echo("nothing was removed")
        return 0
    freed: list[int] = []
    for job in chosen:
        with told(codes):
            if not forget:
                _remove_there(job, config)
            freed.append(store.remove(job))
    if freed or not codes:
        click.echo(f"removed {count_text(len(freed), 'job')}: {bytes_text(sum(freed))} came free")
    return worst_exit_code(codes)


def _remove_there(job: JobDir, config: Config) -> None:
    """Remove a job from the server that has it."""
    if not (job.path / REMOTE).exists():
        return
    from novacli.backends.ssh.command import Ssh
    from novacli.backends.ssh.managing import remove_there
    from novacli.backends.ssh.remote_job import read_remote

    try:
        remote = read_remote(job)
        if remote is not None:
            remove_there(remote, Ssh.of(config))
    except NovaError as exc:
        raise type(exc)(f"{exc}; job {job.job_id} is kept: --forget removes it here alone") from exc


def _is_confirmed(count: int) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    return click.confirm(f"Remove {count} jobs?", err=True)
