"""``nova cancel``: end jobs that servers are working on."""

from __future__ import annotations

import click

from novacli.cli.jobargs import JOBS, JOBS_DIR, load_config
from novacli.cli.selection import select_jobs, told
from novacli.errors import UsageError, worst_exit_code
from novacli.jobs.filters import JobFilter
from novacli.jobs.local_store import LocalStore
from novacli.text.printable import printable_line
from solvehost.formats.jobdir import JobDir


@click.command("cancel")
@JOBS
@JOBS_DIR
def command(jobs: tuple[str, ...], jobs_dir: str | None) -> int:
    """End jobs that were left with a server; nova fetch then brings what there is of them.

    JOB is an id from nova jobs, the beginning of one, or "last".
    """
    config = load_config(jobs_dir)
    chosen, codes = select_jobs(LocalStore(config["jobs_dir"]), jobs, JobFilter())
    if chosen:
        from novacli.backends.ssh.command import Ssh
        from novacli.backends.ssh.managing import cancel_job

        ssh = Ssh.of(config)
        for job in chosen:
            with told(codes):
                _say(job, cancel_job(job, ssh))
    return worst_exit_code(codes)


def _say(job: JobDir, state: str | None) -> None:
    if state is None:
        raise UsageError(f"job {job.job_id} is with no server: a job that runs here is ended by Ctrl-C")
    click.echo(printable_line(f"{job.job_id}: {state}; nova fetch {job.job_id} brings what there is"))
