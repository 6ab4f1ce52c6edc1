"""``nova log``: what the engine said in a job."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from novacli.cli.jobargs import JOB, JOBS_DIR, load_config
from novacli.config import Config
from novacli.jobs.local_store import LocalStore
from novacli.jobs.log import follow_log, read_log
from solvehost.formats.jobdir import REMOTE, JobDir


@click.command("log")
@JOB
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows, until the job is finished.")
@JOBS_DIR
def command(job: str, follow: bool, jobs_dir: str | None) -> int:
    """Show what the engine said in a job, attempt by attempt; of a job that a server has, what it says there.

    JOB is an id from nova jobs, the beginning of one, or "last".
    """
    config = load_config(jobs_dir)
    found = LocalStore(config["jobs_dir"]).find(job)
    try:
        for piece in _pieces(found, config, follow=follow):
            sys.stdout.write(piece)
            sys.stdout.flush()
    except KeyboardInterrupt:  # whoever has read enough; the job goes on
        return 130
    return 0


def _pieces(job: JobDir, config: Config, *, follow: bool) -> Iterator[str]:
    if (job.path / REMOTE).exists():
        from novacli.backends.ssh.command import Ssh
        from novacli.backends.ssh.managing import remote_log, where_is

        remote = where_is(job)
        if remote is not None:
            return remote_log(remote, Ssh.of(config), follow=follow)
    return follow_log(job) if follow else read_log(job)
