"""What the commands about kept jobs share: how a job is named and completed, where jobs are looked for."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from novacli import config as configuration
from novacli.cli.options import as_path
from novacli.errors import NovaError
from novacli.jobs.local_store import LAST, LocalStore
from novacli.jobs.summaries import read_summary
from novacli.text.printable import printable_line

#: Up to so many candidates are completed with the name of their input beside them.
_DESCRIBED = 50

JOBS_DIR = click.option("--jobs-dir", metavar="DIR", help="Where job directories are kept.")


def open_store(jobs_dir: str | None) -> LocalStore:
    """Return the store of the jobs directory that the option or the settings name."""
    return LocalStore(load_config(jobs_dir)["jobs_dir"])


def load_config(jobs_dir: str | None) -> configuration.Config:
    """Return the settings, with the jobs directory that the option names."""
    return configuration.load().replaced("--jobs-dir", jobs_dir=as_path(jobs_dir))


def complete_job(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the job ids that start with what was typed, and ``last``."""
    del param
    try:
        store = open_store(ctx.params.get("jobs_dir"))
        ids = store.names(incomplete)
    except NovaError:
        return []
    items = [CompletionItem(i, help=_input_of(store.root, i) if len(ids) <= _DESCRIBED else None) for i in ids]
    return items + ([CompletionItem(LAST, help="the newest job")] if LAST.startswith(incomplete) else [])


def _input_of(root: Path, job_id: str) -> str | None:
    summary = read_summary(str(root), job_id)
    return None if summary is None else printable_line(f"{summary.state}: {summary.input}")


JOB = click.argument("job", metavar="JOB", shell_complete=complete_job)
JOBS = click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete_job)
