"""Detached jobs: kept on disk, solved by a process of their own that no lost line can end, and fetched later."""

from __future__ import annotations

import contextlib
import hashlib
import os
from datetime import UTC, datetime
from typing import Any

from solvehost.engine.manifest import build_manifest
from solvehost.engine.records import RaceResult
from solvehost.engine.slots import Token, held
from solvehost.errors import DataError, DiskError, SolvehostError
from solvehost.formats import jobdir
from solvehost.formats.jobdir import MANIFEST, RESULT, JobDir
from solvehost.server import runner, supervisor
from solvehost.server.request_log import Entry, write
from solvehost.server.settings import Settings
from solvehost.server.state_dir import Client, State
from solvehost.server.stdio import Remarks
from solvehost.server.stored_job import CANCEL, RECORD, STARTED, StoredJob
from solvehost.wire.escaping import escape
from solvehost.wire.json_lines import FAILED, INTERRUPTED, UNSOLVED
from solvehost.wire.request import Request

RECORD_FORMAT = 1


def store(
    state: State, client: Client, request: Request, waiting: list[Token], remarks: Remarks, entry: Entry
) -> StoredJob:
    """Keep a job and have it solved; the same job again is the one that there is, taken up if it was interrupted.

    ``waiting`` goes over to whoever solves it.

    Raises
    ------
    DataError
        Where another job has that id, or the request cannot be used.
    DiskError
        Where there is no room.
    """
    stored = client.job(request.job_id)
    digest = _digest(request)
    if not stored.exists:
        state.check_room()
        client.sweep_if_due()
        client.check_quota()
        if _make(client, stored, request, digest, waiting, remarks, entry):
            return stored
    if stored.record().get("sha256") != digest:
        raise DataError(f"another job is kept under the id {request.job_id}: send this one under a new id")
    if stored.state() == INTERRUPTED:
        _take_up(client, stored, waiting, entry)
    return stored


def _digest(request: Request) -> str:
    found = hashlib.sha256()
    for number, data in sorted(request.axys.items()):
        found.update(b"%d %d\n" % (number, len(data)))
        found.update(data)
    return found.hexdigest()


def _make(
    client: Client, stored: StoredJob, request: Request, digest: str, waiting: list[Token], remarks: Remarks,
    entry: Entry,
) -> bool:  # fmt: skip
    """Build the job beside, then rename it, locked all the time; say whether it was the first under its name."""
    staged = jobdir.create(client.jobs_dir)
    try:
        with staged.locked():
            runner.rebuild(request.axys, staged, remarks, entry)
            runner.forget(request.axys)
            record = {"format": RECORD_FORMAT, "client": client.name, "id": request.job_id, "sha256": digest,
                      "created": _now()}  # fmt: skip
            staged.write_json(RECORD, record)
            is_first = _rename(staged, stored.job)
            if is_first:
                _start(client, stored, waiting, entry)
        return is_first
    finally:
        if staged.path.exists():
            jobdir.discard(staged)


def _rename(staged: JobDir, final: JobDir) -> bool:
    """Give a job its name; say whether it was the first to have it."""
    try:
        staged.path.rename(final.path)
    except OSError as exc:
        if final.path.exists():
            return False
        raise DiskError(f"{final.path}: {exc.strerror}: the job cannot be kept") from exc
    return True


def _take_up(client: Client, stored: StoredJob, waiting: list[Token], entry: Entry) -> None:
    with contextlib.suppress(SolvehostError), stored.job.locked():
        stored.job.clear_results()
        for name in (STARTED, CANCEL):
            (stored.job.path / name).unlink(missing_ok=True)
        _start(client, stored, waiting, entry)


def _start(client: Client, stored: StoredJob, waiting: list[Token], entry: Entry) -> None:
    """Fork the process that solves a job; it takes over the job's lock, which is held here, and the waiting token."""
    if os.fork():
        return
    code = SolvehostError.exit_code
    try:
        os.setsid()
        _close_stdio()
        supervisor.enter()
        _run(client, stored, waiting, entry)
        code = 0
    finally:
        os._exit(code)


def _close_stdio() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.close(nothing)


def _run(client: Client, stored: StoredJob, waiting: list[Token], entry: Entry) -> None:
    """Solve a job that is kept, and leave its result in its directory, written last."""
    settings = client.settings
    remarks = Remarks()
    try:
        result = _solve(client, stored, waiting, entry, remarks)
    except Exception as exc:
        code = exc.exit_code if isinstance(exc, SolvehostError) else SolvehostError.exit_code
        entry.exit_code, entry.reason, entry.result = code, str(exc), FAILED
        result = {"status": FAILED, "exit_code": code, "message": escape(str(exc) or repr(exc), 500)}
    stored.job.write_json(RESULT, {**result, "finished": _now()})
    write(entry.line(), settings.log, remarks)


def _solve(client: Client, stored: StoredJob, waiting: list[Token], entry: Entry, remarks: Remarks) -> dict[str, Any]:
    settings: Settings = client.settings
    state = State(settings)
    host = runner.Host(settings)
    host.check()
    job_id = str(stored.record()["id"])
    try:
        tokens = runner.wait_for_turn(state, client, float("inf"), stored.is_cancelled)
    except SolvehostError:
        if not stored.is_cancelled():
            raise
        return _cancelled(stored, job_id, host, entry)
    waiting.pop().release()
    with held(tokens[:-1]):
        (stored.job.path / STARTED).touch(mode=0o600)
        watch = runner.Watch(stored.job, remarks, stored.is_cancelled)
        solved = runner.solve(host, state, stored.job, watch, tokens[-1], remarks, entry, job_id)
    stored.job.write_json(MANIFEST, solved.manifest)
    return {"status": solved.manifest["status"]}


def _cancelled(stored: StoredJob, job_id: str, host: runner.Host, entry: Entry) -> dict[str, Any]:
    """Finish a job that was cancelled before its turn came."""
    result = RaceResult(UNSOLVED, "cancelled", None, (), (), (), 0.0, 0.0)
    entry.note(result, None)
    manifest = build_manifest(stored.job, result, engine=str(host.engine), client=host.settings.client, job_id=job_id)
    stored.job.write_json(MANIFEST, manifest)
    return {"status": UNSOLVED}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
