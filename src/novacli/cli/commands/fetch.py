"""``nova fetch``: bring home what servers have solved."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from novacli.cli.jobargs import JOBS, JOBS_DIR, load_config
from novacli.cli.progress import progress
from novacli.cli.selection import select_jobs, told
from novacli.errors import RetryLaterError, UsageError, worst_exit_code
from novacli.jobs.filters import JobFilter
from novacli.jobs.local_store import LocalStore
from novacli.jobs.store import FINISHED
from novacli.jobs.summaries import read_result
from novacli.reports.results import open_report
from novacli.text.printable import printable_line
from novacli.text.quantities import count_text
from solvehost.formats.jobdir import REMOTE, JobDir

if TYPE_CHECKING:
    from collections.abc import Callable

    from novacli.config import Config
    from novacli.pipeline.fetch import Fetched
    from novacli.reports.results import Report


@click.command("fetch")
@JOBS
@click.option("--all", "fetch_all", is_flag=True, help="All jobs that servers have.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each job that is finished.")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr what is being done.")
@JOBS_DIR
def command(jobs: tuple[str, ...], fetch_all: bool, as_json: bool, verbose: bool, jobs_dir: str | None) -> int:
    """Bring home what servers have solved of the jobs left there by nova submit --detach.

    JOB is an id from nova jobs, the beginning of one, or "last".  Exit codes are those of nova submit; 75 where a job
    named is not finished.  With --all those that are not are left for another time.
    """
    if fetch_all == bool(jobs):
        raise UsageError("give either jobs or --all" if jobs else "name a job, or give --all: see nova jobs")
    config = load_config(jobs_dir)
    store = LocalStore(config["jobs_dir"])
    report = open_report("json" if as_json else "table", sys.stdout)
    codes: list[int] = []
    if fetch_all:
        away = [job for job in map(store.find, store.names()) if (job.path / REMOTE).exists()]
    else:
        named, codes = select_jobs(store, jobs, JobFilter())
        away = [job for job in named if not _is_at_home(job, report, codes)]
    if away:
        codes += _fetch(away, config, report, verbose=verbose, may_be_unfinished=fetch_all)
    elif fetch_all and sys.stdout.isatty():
        click.echo("nova: no server has a job of yours", err=True)
    return worst_exit_code(codes)


def _is_at_home(job: JobDir, report: Report, codes: list[int]) -> bool:
    """Say whether no server has a job; show the result of one that is finished, so that a fetch can be repeated."""
    if (job.path / REMOTE).exists():
        return False
    with told(codes):
        result = read_result(job)
        if result.status not in FINISHED:
            raise UsageError(f"job {job.job_id} is {result.status}, and no server has it: nova fetch is for those")
        report.add(result)
        codes.append(result.exit_code)
    return True


def _fetch(away: list[JobDir], config: Config, report: Report, *, verbose: bool, may_be_unfinished: bool) -> list[int]:
    from novacli.backends.ssh.command import Ssh
    from novacli.backends.ssh.gate import Watch
    from novacli.pipeline.fetch import fetch_jobs

    codes: list[int] = []
    unfinished = 0
    heard_by: list[Callable[[str], None]] = []

    def hear(words: str) -> None:
        heard_by[-1](words)

    found = fetch_jobs(away, Ssh.of(config), Watch(observe=hear))
    while True:
        with progress(verbose=verbose) as observe:  # off while a result is shown: both may write to one terminal
            heard_by.append(observe)
            observe(f"asking for {count_text(len(away), 'job')}")
            fetched = next(found, None)
        if fetched is None:
            if unfinished and may_be_unfinished and sys.stdout.isatty():
                click.echo(f"nova: {count_text(unfinished, 'job')} not finished yet: fetch again later", err=True)
            return codes
        unfinished += fetched.result is None and fetched.error is None
        with told(codes):
            codes.append(_show(fetched, report, may_be_unfinished=may_be_unfinished))


def _show(fetched: Fetched, report: Report, *, may_be_unfinished: bool) -> int:
    if fetched.error is not None:
        raise fetched.error
    if fetched.result is not None:
        report.add(fetched.result)
        if fetched.result.error is not None:
            click.echo(f"nova: {printable_line(fetched.result.error.message)}", err=True)
        return fetched.result.exit_code
    if may_be_unfinished:
        return 0
    raise RetryLaterError(f"job {fetched.job.job_id} is {fetched.state} on {fetched.server}: fetch it later")
