"""``nova show``: show a job's result again."""

from __future__ import annotations

import sys

import click

from novacli.cli.jobargs import JOB, JOBS_DIR, open_store
from novacli.jobs.summaries import read_result
from novacli.records.result import Result
from novacli.records.status import REMOTE, SOLVED, UNSOLVED
from novacli.reports.results import open_report
from novacli.text.printable import printable_line
from solvehost.formats.jobdir import INTERRUPTED, RUNNING


@click.command("show")
@JOB
@click.option("--json", "as_json", is_flag=True, help="One JSON object, as nova submit prints it.")
@JOBS_DIR
def command(job: str, as_json: bool, jobs_dir: str | None) -> int:
    """Show a job's result as nova submit showed it.

    JOB is an id from nova jobs, the beginning of one, or "last".
    """
    found = open_store(jobs_dir).find(job)
    result = read_result(found)
    if as_json or result.status in (SOLVED, UNSOLVED):
        open_report("json" if as_json else "table", sys.stdout).add(result)
    else:
        _print_unfinished(result)
    return 0


def _print_unfinished(result: Result) -> None:
    """Print what is known of a job that failed or has no result yet, and what can be done."""
    click.echo(f"{printable_line(result.input)}: {printable_line(result.status)}")
    if result.error is not None:
        click.echo(f"  {'Error':<14}{printable_line(result.error.message)}")
    click.echo(f"  {'Job':<14}{result.job}")
    click.echo(f"  {'Created':<14}{printable_line(result.created or 'unknown')}")
    click.echo(f"  {'What to do':<14}{_what_to_do(result)}")


def _what_to_do(result: Result) -> str:
    if result.status == REMOTE:
        return f"it is on {result.server}: nova fetch {result.job}; watch it with nova log -f {result.job}"
    if result.status == RUNNING:
        return f"wait, or watch it by nova log -f {result.job}"
    retry = f"nova retry {result.job}"
    if result.status == INTERRUPTED:
        return f"it was interrupted: {retry}"
    safe = result.error is not None and result.error.retry_is_safe
    return retry if safe else f"see nova log {result.job}; then {retry}, or submit the image again"
