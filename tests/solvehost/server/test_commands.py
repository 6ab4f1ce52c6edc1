"""The protocol's commands other than ``solve``.  ``attacks/test_detached.py`` tests them with a running server."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import standin

from solvehost.errors import InputMissingError, RetryLaterError, UnavailableError
from solvehost.formats.jobdir import RESULT
from solvehost.server import commands, settings
from solvehost.server.state_dir import StateDir
from solvehost.server.stdio import AnswerWriter, PeerMonitor
from solvehost.server.stored_job import RECORD, StoredJob
from solvehost.wire import parse_command, read_info


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    (tmp_path / "engine.cfg").write_text(f"index {standin.write_index(tmp_path / 'index-one.fits')}\n")
    flags = {"state": str(tmp_path / "state"), "client": "nova1", "engine": str(standin.install(tmp_path)),
             "engine_config": str(tmp_path / "engine.cfg"), "config": os.devnull}  # fmt: skip
    return StateDir(settings.load(flags)).open()


def answer(state: StateDir, text: str) -> bytes:
    """Return the answer to a command, which must fit into a pipe."""
    read_end, write_end = os.pipe()
    try:
        commands.answer(parse_command(text), state, AnswerWriter(write_end), PeerMonitor(write_end))
    finally:
        os.close(write_end)
        with os.fdopen(read_end, "rb") as stream:
            written = stream.read()
    return written


def store(state: StateDir, job_id: str, **result: object) -> StoredJob:
    stored = state.client().job(job_id)
    stored.job.path.mkdir(parents=True)
    stored.job.write_json(RECORD, {"client": "nova1", "id": job_id, "created": "2026-01-01"})
    (stored.job.path.parent / ".swept").touch()  # or the job would be removed as expired
    if result:
        stored.job.write_json(RESULT, result)
    return stored


def test_info_describes_the_server(state: StateDir) -> None:
    info = read_info(answer(state, "info"))
    assert (info.protocols, info.client, info.running, info.waiting) == ((1,), "nova1", 0, 0)
    assert [index.name for index in info.indexes] == ["index-one.fits"]
    assert info.limits["running"] is None


def test_jobs_skips_damaged_jobs(state: StateDir) -> None:
    store(state, "job-1")
    (store(state, "job-2").job.path / RECORD).write_text("{")
    assert [json.loads(line)["id"] for line in answer(state, "jobs").splitlines()] == ["job-1"]


def test_fetch_of_a_failed_job_fails_in_the_same_way(state: StateDir) -> None:
    store(state, "job-1", status="failed", exit_code=69, message="no engine was found")
    with pytest.raises(UnavailableError, match="no engine was found"):
        answer(state, "fetch job-1")


def test_fetch_of_an_interrupted_job_says_what_to_do(state: StateDir) -> None:
    store(state, "job-1")
    with pytest.raises(RetryLaterError, match="job job-1 is interrupted: send it again"):
        answer(state, "fetch job-1")


@pytest.mark.parametrize("command", ["fetch job-9", "log job-9", "cancel job-9", "rm job-9"])
def test_an_unknown_job_is_no_input(state: StateDir, command: str) -> None:
    with pytest.raises(InputMissingError, match="there is no job job-9"):
        answer(state, command)


def test_rm_of_a_job_in_use_says_what_to_do(state: StateDir) -> None:
    stored = store(state, "job-1")
    with stored.job.locked(), pytest.raises(RetryLaterError, match="job job-1 is waiting: cancel it first"):
        answer(state, "rm job-1")
    assert json.loads(answer(state, "rm job-1"))["state"] == "removed"


def test_log_is_escaped(state: StateDir) -> None:
    stored = store(state, "job-1", status="unsolved")
    stored.job.log.write_bytes(b"field 1\n\x1b[2J\n")
    assert answer(state, "log job-1") == b"field 1\n\\x1b[2J\n"


def test_info_tells_how_many_jobs_may_run(state: StateDir) -> None:
    """The number follows from the clients that the server has served, if no setting limits it."""
    state = StateDir(state.settings._replace(slots=4))
    assert read_info(answer(state, "info")).limits["running"] is None
    state.client("other").begin_waiting().release()
    assert read_info(answer(state, "info")).limits["running"] == 3
