"""``solvehost jobs`` lists the jobs of all clients."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import standin

from admin import made_keys, made_state
from solvehost.admin import accounts, jobs
from solvehost.admin.gc import collect
from solvehost.admin.jobs import list_jobs
from solvehost.server.state_dir import StateDir
from solvehost.server.stored_job import record_owner


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(made_state.config(tmp_path / "state")).open()


def test_jobs_are_listed_by_client_oldest_first(state: StateDir) -> None:
    made_state.add_stored(state, "b", "job-1", result={"status": "solved"}, created="2026-01-02T00:00:00+00:00")
    made_state.add_stored(state, "b", "job-0", result={"status": "failed", "exit_code": 69, "message": "no index"},
                          created="2026-01-01T00:00:00+00:00")  # fmt: skip
    made_state.add_stored(state, "a", "job-1")
    rows = list_jobs(state.settings).rows
    assert [(row.client, row.id, row.state, row.message) for row in rows] == [
        ("a", "job-1", "interrupted", ""), ("b", "job-0", "failed", "no index"), ("b", "job-1", "solved", ""),
    ]  # fmt: skip
    assert all(row.size_bytes >= 10_000 for row in rows)


def test_jobs_of_one_client_are_listed(state: StateDir) -> None:
    made_state.add_stored(state, "a", "job-1")
    made_state.add_stored(state, "b", "job-2")
    made_state.add_plain(state)
    assert [row.id for row in list_jobs(state.settings, "b").rows] == ["job-2"]
    assert list_jobs(state.settings, "nobody").rows == ()


def test_plain_jobs_are_running_or_interrupted(state: StateDir) -> None:
    running = made_state.add_plain(state)
    made_state.add_plain(state, age_s=1000)
    with running.locked():
        found = list_jobs(state.settings).rows
    assert sorted((row.client, row.id, row.state) for row in found) == [("", "", "interrupted"), ("", "", "running")]


def test_plain_jobs_are_listed_with_client_and_id(state: StateDir) -> None:
    job = made_state.add_plain(state)
    record_owner(job, "a", "job-1")
    with job.locked():
        assert [(r.client, r.id, r.state) for r in list_jobs(state.settings, "a").rows] == [("a", "job-1", "running")]
    assert list_jobs(state.settings, "b").rows == ()


def test_without_a_state_directory_the_table_is_empty(tmp_path: Path) -> None:
    assert list_jobs(made_state.config(tmp_path / "none")).rows == ()
    assert not (tmp_path / "none").exists()


def test_root_becomes_the_owner_of_the_state_directory(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root must not work in a directory that a user can change."""
    became = []
    monkeypatch.setattr(jobs, "become_owner", became.append)
    list_jobs(state.settings)
    assert became == [state.path]


def test_root_becomes_the_owner_of_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    became: list[accounts.Account] = []
    monkeypatch.setattr(accounts, "become", became.append)
    accounts.become_owner(tmp_path)
    accounts.become_owner(tmp_path / "none")
    assert became == []
    os.chown(tmp_path, 65534, 65534)
    accounts.become_owner(tmp_path)
    os.chown(tmp_path, 54321, 54321)
    accounts.become_owner(tmp_path)
    assert [account.uid for account in became] == [65534, 54321]
    assert made_keys.account(tmp_path).uid == 0


@pytest.mark.parametrize("name", ["record.json", "result.json", "lock", "manifest.json"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["FIFO", "link"])
def test_a_fifo_or_a_link_in_place_of_a_file_of_a_job_hangs_nothing(
    name: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    """``jobs`` and ``gc`` are commands of root, who waited for such a file without end."""
    config = made_state.config(tmp_path)
    path = made_state.add_stored(StateDir(config), "a", "one", age_days=100).job.path / name
    path.unlink(missing_ok=True)
    make(path)
    os.mkfifo(StateDir(config).slots().directory / "slot-0")
    done: list[object] = []

    def use() -> None:
        list_jobs(config)
        collect(config)
        done.append(StateDir(config).slots().count_held())

    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    thread.join(standin.PATIENCE_S)
    assert done == [0]
