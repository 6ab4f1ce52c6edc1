"""``nova rm``: remove jobs."""

from __future__ import annotations

import sys

import click

from novacli.cli.jobargs import JOBS, JOBS_DIR, open_store
from novacli.cli.selection import select_jobs, told
from novacli.errors import worst_exit_code
from novacli.quantities import bytes_text, count_text
from novacli.stores.base import STATES
from novacli.stores.filters import build_filter
from solvehost.jobdir import RUNNING

_REMOVABLE = tuple(state for state in STATES if state != RUNNING)


@click.command("rm")
@JOBS
@click.option("--older-than", metavar="AGE", help="Remove jobs made longer ago than this, such as 12h or 30d.")
@click.option("--state", "states", multiple=True, type=click.Choice(_REMOVABLE), help="Only these states; repeatable.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@JOBS_DIR
def command(
    jobs: tuple[str, ...], older_than: str | None, states: tuple[str, ...], yes: bool, jobs_dir: str | None
) -> int:
    """Remove jobs: those named, or those that the filters pick.  A running job is left alone.

    JOB is an id from nova jobs, the beginning of one, or "last".  On a terminal, more than one job is asked about
    first; elsewhere (cron) nothing is asked.
    """
    store = open_store(jobs_dir)
    chosen, codes = select_jobs(store, jobs, build_filter(states, older=older_than))
    if not yes and len(chosen) > 1 and not _is_confirmed(len(chosen)):
        click.echo("nothing was removed")
        return 0
    freed: list[int] = []
    for job in chosen:
        with told(codes):
            freed.append(store.remove(job))
    if freed or not codes:
        click.echo(f"removed {count_text(len(freed), 'job')}: {bytes_text(sum(freed))} came free")
    return worst_exit_code(codes)


def _is_confirmed(count: int) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    return click.confirm(f"Remove {count} jobs?", err=True)
