"""Arguments and options shared by the commands that work on kept jobs, and their shell completion."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from novacli import config as configuration
from novacli.errors import NovaError
from novacli.jobs.store import LAST, JobStore
from novacli.jobs.summaries import read_summary
from novacli.text.printable import printable_line

#: With more candidates than this, completion leaves out the description beside each id, since each is read from a file.
_MAX_DESCRIBED = 50

JOBS_DIR = click.option("--jobs-dir", metavar="DIR", help="Where job directories are kept.")
NEWER = click.option("--newer", metavar="AGE|DATE", help="Only jobs made since then, such as 90m, 30d or 2026-03-01.")
OLDER_THAN = click.option("--older-than", metavar="AGE|DATE", help="Only jobs made before then.")


def open_store(jobs_dir: str | None) -> JobStore:
    """Return the store of the jobs directory given by ``--jobs-dir`` or by the settings."""
    return JobStore(load_config(jobs_dir)["jobs_dir"])


def load_config(jobs_dir: str | None) -> configuration.Config:
    """Return the settings; ``--jobs-dir`` replaces their jobs directory."""
    return configuration.load().replaced("--jobs-dir", jobs_dir=None if jobs_dir is None else Path(jobs_dir))


def complete_job(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the job ids that start with ``incomplete``, and ``last`` if it does."""
    del param
    try:
        store = open_store(ctx.params.get("jobs_dir"))
        ids = store.names(incomplete)
    except NovaError:
        return []
    is_described = len(ids) <= _MAX_DESCRIBED
    items = [CompletionItem(job_id, help=_description(store.root, job_id) if is_described else None) for job_id in ids]
    return items + ([CompletionItem(LAST, help="the newest job")] if LAST.startswith(incomplete) else [])


def _description(root: Path, job_id: str) -> str | None:
    summary = read_summary(str(root), job_id)
    return None if summary is None else printable_line(f"{summary.state}: {summary.input}")


JOB = click.argument("job", metavar="JOB", shell_complete=complete_job)
JOBS = click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete_job)
