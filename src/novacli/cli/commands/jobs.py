"""``nova jobs``: list the jobs kept on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from novacli import config as configuration
from novacli.cli.jobargs import JOBS_DIR, NEWER, OLDER_THAN, open_store
from novacli.errors import UsageError
from novacli.jobs.filters import build_filter
from novacli.jobs.summaries import STATES
from novacli.reports import joblist

_LIMIT_ON_TERMINAL = 50


@click.command("jobs")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these states; repeatable.")
@NEWER
@OLDER_THAN
@click.option("--text", metavar="TEXT", help="Only jobs with this text in the input's name or the id.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most the N newest.  [default: 50 on a terminal, else all]",
)
@click.option("--on", "server", metavar="HOST", help="Your jobs on a server, instead of those here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each job.")
@JOBS_DIR
def command(
    states: tuple[str, ...],
    newer: str | None,
    older_than: str | None,
    text: str | None,
    limit: int | None,
    server: str | None,
    as_json: bool,
    jobs_dir: str | None,
) -> int:
    """List the jobs kept on this machine, newest first.

    A job is running, finished (solved, unsolved or failed), remote (a server has it: use nova fetch) or interrupted
    (try it again with nova retry).
    """
    if server is not None:
        _list_remote(server, (*states, newer, older_than, text, limit), as_json=as_json)
        return 0
    wanted = build_filter(states, newer, older_than, text)
    jobs = [job for job in open_store(jobs_dir).summaries() if wanted.accepts(job)]
    if limit is None:
        limit = _LIMIT_ON_TERMINAL if sys.stdout.isatty() and not as_json else len(jobs)
    joblist.write(jobs[:limit], sys.stdout, as_json=as_json)
    if not jobs and sys.stdout.isatty():
        click.echo("nova: there are no such jobs", err=True)
    elif len(jobs) > limit:
        click.echo(f"nova: {len(jobs) - limit} more: see them with --limit {len(jobs)}", err=True)
    return 0


def _list_remote(server: str, filters: Sequence[object], *, as_json: bool) -> None:
    from novacli import backends
    from novacli.backends.base import JobKeeper

    if any(value is not None for value in filters):
        raise UsageError("--on lists all jobs on a server: leave the filters out")
    keeper = backends.connect(server, configuration.load())
    if not isinstance(keeper, JobKeeper):
        raise UsageError(f"{server}: it keeps no jobs for nova fetch: leave --on out")
    for number, (name, jobs) in enumerate(keeper.stored_jobs()):
        joblist.write_remote(name, jobs, sys.stdout, as_json=as_json, with_heading=number == 0)
