"""``nova log``: show the engine's log of a job."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from novacli.cli.jobargs import JOB, JOBS_DIR, load_config
from novacli.config import Config
from novacli.jobs.log import follow_log, read_log
from novacli.jobs.remote import read_unfinished
from novacli.jobs.store import JobStore
from solvehost.formats.jobdir import JobDir


@click.command("log")
@JOB
@click.option("-f", "--follow", is_flag=True, help="Continue as the log grows, until the job is finished.")
@JOBS_DIR
def command(job: str, follow: bool, jobs_dir: str | None) -> int:
    """Show the engine's log of a job, attempt by attempt.  If a server has the job, its log is read there.

    JOB is an id from nova jobs, the beginning of one, or "last".
    """
    config = load_config(jobs_dir)
    found = JobStore(config["jobs_dir"]).find(job)
    try:
        for piece in _pieces(found, config, follow=follow):
            sys.stdout.write(piece)
            sys.stdout.flush()
    except KeyboardInterrupt:  # the reader has seen enough; the job continues
        return 130
    return 0


def _pieces(job: JobDir, config: Config, *, follow: bool) -> Iterator[str]:
    remote = read_unfinished(job)
    if remote is not None:
        from novacli import backends

        return backends.of_job(remote, config).log(remote, follow=follow)
    return follow_log(job) if follow else read_log(job)
