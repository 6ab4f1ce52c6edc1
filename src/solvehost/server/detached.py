"""Detached jobs: kept on disk, solved by a process of their own that no lost connection can end, and fetched later."""

from __future__ import annotations

import contextlib
import hashlib
import os
from datetime import UTC, datetime
from typing import Any

from solvehost.engine.manifest import build_manifest
from solvehost.engine.records import RaceResult
from solvehost.engine.slots import Token, hold
from solvehost.errors import DataError, NovaError, OutputError
from solvehost.formats import jobdir
from solvehost.formats.jobdir import MANIFEST, RESULT, JobDir
from solvehost.server import request_log, supervisor
from solvehost.server.runner import JobRunner
from solvehost.server.state_dir import ClientDir
from solvehost.server.stored_job import CANCEL, RECORD, STARTED, StoredJob
from solvehost.wire.escaping import escape
from solvehost.wire.json_lines import FAILED, INTERRUPTED, UNSOLVED
from solvehost.wire.request import Request

RECORD_FORMAT = 1


def store(runner: JobRunner, client: ClientDir, request: Request, waiting: list[Token]) -> StoredJob:
    """Store a job, and start a process that solves it.

    If the client sends the same job again, return the stored one, and start it again if it was interrupted.

    Parameters
    ----------
    runner
        Solves the job, in the process that is started.
    client
        The client whose job it is.
    request
        The request; its star lists are cleared once they are on disk.
    waiting
        The client's token of a waiting job, which the new process inherits.

    Raises
    ------
    DataError
        If another job of the client has this id, or the request is invalid.
    OutputError
        If there is no room for the job.
    """
    return _DetachedJob(runner, client, request.job_id, waiting).store(request)


class _DetachedJob:
    """A detached job, from its request to its result."""

    def __init__(self, runner: JobRunner, client: ClientDir, job_id: str, waiting: list[Token]) -> None:
        self._runner, self._client, self._job_id, self._waiting = runner, client, job_id, waiting
        self._stored = client.job(job_id)

    def store(self, request: Request) -> StoredJob:
        digest = _digest(request)
        if not self._stored.exists:
            self._runner.state.check_room()
            self._client.sweep_if_due()
            if self._create(request, digest):
                return self._stored
        if self._stored.record().get("sha256") != digest:
            raise DataError(f"another job is stored under the id {self._job_id}: send this one under a new id")
        if self._stored.state() == INTERRUPTED:
            self._runner.release_upload(request.axys)
            self._restart()
        return self._stored

    def _create(self, request: Request, digest: str) -> bool:
        """Build the job's directory, locked all the time, then rename it; return False if the job exists by then."""
        staged = self._client.stage()
        try:
            with staged.locked():
                self._runner.rewrite_star_lists(request.axys, staged)
                self._client.check_quota()
                self._runner.release_upload(request.axys)
                record = {"format": RECORD_FORMAT, "client": self._client.name, "id": self._job_id,
                          "sha256": digest, "created": _now()}  # fmt: skip
                staged.write_json(RECORD, record)
                is_first = _rename(staged, self._stored.job)
                if is_first:
                    self._start()
            return is_first
        finally:
            if staged.path.exists():
                jobdir.discard(staged)

    def _restart(self) -> None:
        """Solve an interrupted job again, unless another process has begun to."""
        with contextlib.suppress(NovaError), self._stored.job.locked():
            self._stored.job.clear_results()
            for name in (STARTED, CANCEL):
                (self._stored.job.path / name).unlink(missing_ok=True)
            self._start()

    def _start(self) -> None:
        """Fork the process that solves the job; it inherits the job's lock and the waiting token."""
        if os.fork():
            return
        code = NovaError.exit_code
        try:
            os.setsid()
            _redirect_stdio()
            supervisor.enter_worker()
            self._run()
            code = 0
        finally:
            os._exit(code)

    def _run(self) -> None:
        """Solve the job, and write its result, as the last of its files."""
        entry = self._runner.entry
        try:
            result = self._solve()
        except Exception as exc:
            code = exc.exit_code if isinstance(exc, NovaError) else NovaError.exit_code
            entry.exit_code, entry.reason, entry.result = code, str(exc), FAILED
            result = {"status": FAILED, "exit_code": code, "message": escape(str(exc) or repr(exc), 500)}
        self._stored.job.write_json(RESULT, {**result, "finished": _now()})
        request_log.write(entry.line(), self._client.settings.log, self._runner.messages)

    def _solve(self) -> dict[str, Any]:
        stored = self._stored
        self._runner.setup.check()
        try:
            tokens = self._runner.wait_for_turn(self._client, float("inf"), stored.is_cancelled)
        except NovaError:
            if not stored.is_cancelled():
                raise
            return self._record_cancelled()
        self._waiting.pop().release()
        with hold(tokens[:-1]):
            (stored.job.path / STARTED).touch(mode=0o600)
            solved = self._runner.solve(stored.job, self._job_id, tokens[-1], stored.is_cancelled)
        size_bytes, limit_bytes = sum(map(len, solved.files.values())), self._client.result_bytes
        if size_bytes > limit_bytes:
            stored.job.clear_results()
            raise OutputError(
                f"result and log have {size_bytes:,} bytes, but only {limit_bytes:,} were reserved for them"
            )
        stored.job.write_json(MANIFEST, solved.manifest)
        return {"status": solved.manifest["status"]}

    def _record_cancelled(self) -> dict[str, Any]:
        """Write the manifest of a job that was cancelled before its turn."""
        result = RaceResult(UNSOLVED, "cancelled", None, (), (), (), 0.0, 0.0)
        self._runner.entry.record_race(result, None)
        engine, client = str(self._runner.setup.engine), self._client.settings.client
        manifest = build_manifest(self._stored.job, result, engine=engine, client=client, job_id=self._job_id)
        self._stored.job.write_json(MANIFEST, manifest)
        return {"status": UNSOLVED}


def _digest(request: Request) -> str:
    """Return the SHA-256 of the request's star lists and their numbers."""
    digest = hashlib.sha256()
    for number, data in sorted(request.axys.items()):
        digest.update(b"%d %d\n" % (number, len(data)))
        digest.update(data)
    return digest.hexdigest()


def _rename(staged: JobDir, final: JobDir) -> bool:
    """Rename a job's directory to its final path; return False if that path exists already."""
    try:
        staged.path.rename(final.path)
    except OSError as exc:
        if final.path.exists():
            return False
        raise OutputError(f"{final.path}: {exc.strerror}: the job cannot be stored") from exc
    return True


def _redirect_stdio() -> None:
    """Redirect standard input, output and error to /dev/null, so that the connection can close."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.close(nothing)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
