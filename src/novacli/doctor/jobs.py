"""Check the jobs directory: that jobs can be kept there, and how long they are kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from novacli.config import Config
from novacli.errors import NovaError, OutputError
from novacli.jobs.store import JobStore, disk_bytes
from novacli.jobs.summaries import FINISHED
from novacli.records.check import Check
from novacli.text.quantities import bytes_text, count_text

#: A job takes about 0.1 MB, so this is room for thousands.
_ENOUGH_DISK_BYTES = 1_000_000_000
#: With less than this, no job can be expected to fit.
_MIN_DISK_BYTES = 10_000_000


def check_jobs_dir(settings: Config) -> Check:
    """Check that the jobs directory can be written, and how much room there is."""
    root: Path = settings["jobs_dir"]
    code = OutputError.exit_code
    nearest = next(path for path in (root, *root.absolute().parents) if os.path.exists(path))  # noqa: PTH110 - never raises
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        remedy = "name another by jobs_dir or $NOVA_JOBS"
        return Check("jobs directory", False, f"{root}: nothing can be written there", remedy, code)
    free_bytes = shutil.disk_usage(nearest).free
    detail = f"{root}, {bytes_text(free_bytes)} free"
    if free_bytes >= _ENOUGH_DISK_BYTES:
        return Check("jobs directory", True, detail)
    ok = None if free_bytes >= _MIN_DISK_BYTES else False
    return Check("jobs directory", ok, detail, "make room: nova rm --older-than 30d", code)


def check_retention(settings: Config) -> Iterator[Check]:
    """Check how many jobs are kept, how much room they take, and when they are removed."""
    store = JobStore(settings["jobs_dir"])
    try:
        jobs = store.summaries()
    except NovaError:
        return  # the check of the jobs directory reports it
    finished = sum(job.state in FINISHED for job in jobs)
    limits = f"those untouched go after {settings['keep_days']:g} days, finished ones beyond {settings['keep_jobs']:,}"
    detail = f"{count_text(len(jobs), 'job')} ({finished:,} finished, {bytes_text(disk_bytes(store.root))}); {limits}"
    yield Check("retention", True, detail)
