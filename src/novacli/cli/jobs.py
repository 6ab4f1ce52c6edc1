"""``nova jobs``: list the jobs kept on this machine."""

from __future__ import annotations

import sys

import click

from novacli.cli.jobargs import JOBS_DIR, open_store
from novacli.reports import joblist
from novacli.stores.base import STATES
from novacli.stores.filters import build_filter

_LIMIT_ON_TERMINAL = 50


@click.command("jobs")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these states; repeatable.")
@click.option("--newer", metavar="AGE", help="Only jobs made within this time, such as 90m, 12h or 30d.")
@click.option("--older", metavar="AGE", help="Only jobs made longer ago.")
@click.option("--text", metavar="TEXT", help="Only jobs with this text in the input's name or the id.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most the N newest.  [default: 50 on a terminal, else all]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each job.")
@JOBS_DIR
def command(
    states: tuple[str, ...],
    newer: str | None,
    older: str | None,
    text: str | None,
    limit: int | None,
    as_json: bool,
    jobs_dir: str | None,
) -> int:
    """List the jobs kept on this machine, newest first.

    A job is running, finished (solved, unsolved or failed) or interrupted; nova retry takes it up again.
    """
    wanted = build_filter(states, newer, older, text)
    jobs = [job for job in open_store(jobs_dir).summaries() if wanted.accepts(job)]
    if limit is None:
        limit = _LIMIT_ON_TERMINAL if sys.stdout.isatty() and not as_json else len(jobs)
    joblist.write(jobs[:limit], sys.stdout, as_json=as_json)
    if not jobs and sys.stdout.isatty():
        click.echo("nova: there are no such jobs", err=True)
    elif len(jobs) > limit:
        click.echo(f"nova: {len(jobs) - limit} more: see them with --limit {len(jobs)}", err=True)
    return 0
