"""``nova jobs``: list the jobs kept on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from novacli import config as configuration
from novacli.cli.jobargs import JOBS_DIR, open_store
from novacli.errors import UsageError
from novacli.jobs.filters import build_filter
from novacli.jobs.store import STATES
from novacli.reports import joblist

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
@click.option("--on", "server", metavar="HOST", help="The jobs that a server has of yours, in place of those here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each job.")
@JOBS_DIR
def command(
    states: tuple[str, ...],
    newer: str | None,
    older: str | None,
    text: str | None,
    limit: int | None,
    server: str | None,
    as_json: bool,
    jobs_dir: str | None,
) -> int:
    """List the jobs kept on this machine, newest first.

    A job is running, finished (solved, unsolved or failed), remote (a server has it: nova fetch) or interrupted; nova
    retry takes it up again.
    """
    if server is not None:
        _list_remote(server, (*states, newer, older, text, limit), as_json=as_json)
        return 0
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


def _list_remote(server: str, filters: Sequence[object], *, as_json: bool) -> None:
    from novacli.backends.ssh.managing import jobs_on

    if any(value is not None for value in filters):
        raise UsageError("--on shows all that a server has: leave the filters out")
    for number, (name, lines) in enumerate(jobs_on(server, configuration.load())):
        joblist.write_remote(name, lines, sys.stdout, as_json=as_json, with_heading=number == 0)
