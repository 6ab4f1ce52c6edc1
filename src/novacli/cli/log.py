"""``nova log``: what the engine said in a job."""

from __future__ import annotations

import sys

import click

from novacli.cli.jobargs import JOB, JOBS_DIR, open_store
from novacli.joblog import follow_log, read_log


@click.command("log")
@JOB
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows, until the job is finished.")
@JOBS_DIR
def command(job: str, follow: bool, jobs_dir: str | None) -> int:
    """Show what the engine said in a job, attempt by attempt.

    JOB is an id from nova jobs, the beginning of one, or "last".
    """
    found = open_store(jobs_dir).find(job)
    for piece in follow_log(found) if follow else read_log(found):
        sys.stdout.write(piece)
        sys.stdout.flush()
    return 0
