"""``solvehost jobs``: the stored and the running jobs of all clients."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from solvehost.admin.accounts import become_owner
from solvehost.admin.records import JobRow, JobTable
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir
from solvehost.formats.trees import tree_bytes
from solvehost.server.settings import Settings
from solvehost.server.state_dir import StateDir
from solvehost.server.stored_job import RECORD, StoredJob
from solvehost.wire.json_lines import INTERRUPTED, RUNNING


def list_jobs(config: Settings, client: str | None = None) -> JobTable:
    """Return the jobs of one client, or of all: first each client's detached jobs, oldest first, then plain jobs."""
    become_owner(config.state)
    state = StateDir(config)
    names = state.clients() if client is None else [client]
    rows = [_detached_row(name, job) for name in names for job in state.client(name).stored() if job.exists]
    rows += [row for row in _plain_rows(state) if client in (None, row.client)]
    return JobTable(tuple(rows))


def _detached_row(client: str, stored: StoredJob) -> JobRow:
    line = stored.line()
    return JobRow(client, line.id, line.state, line.created, line.size_bytes, line.message or "")


def _plain_rows(state: StateDir) -> Iterator[JobRow]:
    for path in jobdir.list_staged(state.work):
        try:
            created = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="milliseconds")
        except OSError:
            continue
        job = JobDir(path)
        record = job.read_json(RECORD) or {}
        job_state = RUNNING if job.is_locked() else INTERRUPTED
        yield JobRow(str(record.get("client", "")), str(record.get("id", "")), job_state, created, tree_bytes(path))
