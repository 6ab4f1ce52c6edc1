"""``solvehost gc`` removes expired jobs and leftovers, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from admin import made_state
from solvehost.admin import gc
from solvehost.admin.gc import collect
from solvehost.admin.records import GcResult
from solvehost.errors import RetryLaterError
from solvehost.server.state_dir import StateDir

HOUR_S = 3600.0


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(made_state.config(tmp_path / "state", keep="7")).open()


def test_expired_jobs_are_removed(state: StateDir) -> None:
    solved = {"status": "solved"}
    old = [made_state.add_stored(state, client, "old", result=solved, age_days=8) for client in ("a", "b")]
    old.append(made_state.add_stored(state, "a", "broken", age_days=8))
    young = made_state.add_stored(state, "a", "young", result=solved, age_days=6)
    done = collect(state.settings)
    assert (done.expired_jobs, done.stale_directories, done.failed) == (3, 0, 0)
    assert done.freed_bytes >= 30_000
    assert young.exists
    assert not any(stored.exists for stored in old)


def test_a_dry_run_counts_the_same_and_removes_nothing(state: StateDir) -> None:
    stored = made_state.add_stored(state, "a", "old", result={"status": "solved"}, age_days=8)
    left = made_state.add_plain(state, age_s=1000)
    said = collect(state.settings, dry_run=True)
    assert stored.exists
    assert left.path.exists()
    done = collect(state.settings)
    assert (said.expired_jobs, said.stale_directories, said.freed_bytes) == (1, 1, done.freed_bytes)
    assert done == GcResult(1, 1, said.freed_bytes)
    assert not left.path.exists()


def test_jobs_in_use_are_kept(state: StateDir) -> None:
    stored = made_state.add_stored(state, "a", "old", age_days=8)
    plain = made_state.add_plain(state, age_s=1000)
    with stored.job.locked(), plain.locked():
        assert collect(state.settings) == GcResult(0, 0, 0)
    assert stored.exists
    assert plain.path.exists()


def test_new_directories_are_kept(state: StateDir) -> None:
    """A job that is being uploaded has no lock yet."""
    plain = made_state.add_plain(state, age_s=1)
    assert collect(state.settings) == GcResult(0, 0, 0)
    assert plain.path.exists()


def test_staged_directories_are_removed_after_an_hour(state: StateDir) -> None:
    client = state.client("a")
    old, young = made_state.make_older(client.stage(), 2 * HOUR_S), client.stage()
    assert collect(state.settings).stale_directories == 1
    assert not old.path.exists()
    assert young.path.exists()


def test_jobs_that_cannot_be_removed_are_counted(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = made_state.add_stored(state, "a", "old", age_days=8)

    def refuse(_: object) -> bool:
        raise RetryLaterError("another process holds the lock")

    monkeypatch.setattr(gc.StoredJob, "remove", refuse)
    assert collect(state.settings) == GcResult(0, 0, 0, failed=1, kept=(stored.job.path,))


def test_without_a_state_directory_nothing_is_removed(tmp_path: Path) -> None:
    assert collect(made_state.config(tmp_path / "none")) == GcResult(0, 0, 0)
    assert not (tmp_path / "none").exists()
