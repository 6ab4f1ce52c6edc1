"""``solvehost gc``: remove everything that has expired at once; requests remove it little by little."""

from __future__ import annotations

import contextlib

from solvehost.admin.accounts import become_owner
from solvehost.admin.records import GcResult
from solvehost.formats import jobdir
from solvehost.formats.trees import tree_bytes
from solvehost.server.settings import Settings
from solvehost.server.state_dir import StateDir
from solvehost.server.stored_job import StoredJob


def collect(config: Settings, *, dry_run: bool = False) -> GcResult:
    """Remove expired jobs, and directories that crashes left behind; in a dry run, only count them."""
    become_owner(config.state)
    state = StateDir(config)
    clients = [state.client(name) for name in state.clients()]
    expired = [stored for client in clients for stored in client.expired() if not stored.job.is_locked()]
    stale = [*state.stale(), *(job for client in clients for job in client.stale())]
    sizes = {job.path: tree_bytes(job.path) for job in (*(stored.job for stored in expired), *stale)}
    if dry_run:
        return GcResult(len(expired), len(stale), sum(sizes.values()), is_dry_run=True)
    removed = [stored for stored in expired if _remove(stored)]
    for job in stale:
        with contextlib.suppress(Exception):  # one that cannot be removed must not keep the others
            jobdir.discard(job)
    kept = [stored.job.path for stored in expired if stored not in removed]
    kept += [job.path for job in stale if job.path.exists()]
    freed_bytes = sum(size for path, size in sizes.items() if path not in kept)
    return GcResult(
        len(removed), sum(not job.path.exists() for job in stale), freed_bytes, failed=len(kept), kept=tuple(kept)
    )


def _remove(stored: StoredJob) -> bool:
    try:
        return stored.remove() and not stored.job.path.exists()
    except Exception:
        return False
