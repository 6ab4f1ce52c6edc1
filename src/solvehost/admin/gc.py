"""``solvehost gc``: remove at once what retention removes bit by bit."""

from __future__ import annotations

import contextlib
from pathlib import Path

from solvehost.admin.accounts import become_owner
from solvehost.admin.records import Collected
from solvehost.errors import SolvehostError
from solvehost.formats import jobdir
from solvehost.server.settings import Settings
from solvehost.server.state_dir import StateDir
from solvehost.server.stored_job import StoredJob, folder_bytes


def collect(config: Settings, *, dry_run: bool = False) -> Collected:
    """Remove jobs beyond their days, and what crashes left; where it is a dry run, only say what would go."""
    become_owner(config.state)
    state = StateDir(config)
    clients = [state.client(name) for name in state.clients()]
    expired = [stored for client in clients for stored in client.expired() if _is_idle(stored)]
    stale = [*state.stale(), *(job for client in clients for job in client.stale())]
    freed = {job.path: folder_bytes(job.path) for job in (*(stored.job for stored in expired), *stale)}
    if dry_run:
        return Collected(len(expired), len(stale), sum(freed.values()), is_dry_run=True)
    removed = [stored for stored in expired if _remove(stored)]
    for job in stale:
        with contextlib.suppress(OSError):
            jobdir.discard(job)
    left = [stored.job.path for stored in expired if stored not in removed]
    left += [job.path for job in stale if job.path.exists()]
    return Collected(
        len(removed), sum(not job.path.exists() for job in stale), _freed(freed, left), failed=len(left)
    )  # fmt: skip


def _is_idle(stored: StoredJob) -> bool:
    return not stored.job.is_locked()


def _remove(stored: StoredJob) -> bool:
    try:
        return stored.remove() and not stored.job.path.exists()
    except (OSError, SolvehostError):
        return False


def _freed(sizes: dict[Path, int], left: list[Path]) -> int:
    return sum(size for path, size in sizes.items() if path not in left)
