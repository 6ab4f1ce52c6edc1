"""The state directory: its owner, its jobs, and what retention removes from it."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from solvehost.errors import ConfigError, OutputError, RetryLaterError
from solvehost.formats import jobdir
from solvehost.formats.jobdir import RESULT, JobDir
from solvehost.server import settings, state_dir
from solvehost.server.state_dir import ClientDir, StateDir
from solvehost.server.stored_job import RECORD, StoredJob


def make_state(folder: Path, **changes: object) -> StateDir:
    values = {"state": str(folder / "state"), "client": "nova1", **changes}
    return StateDir(settings.load(values)).open()


def keep(client: ClientDir, job_id: str, *, created: str = "", age_s: float = 0.0, **result: object) -> StoredJob:
    """Add a stored job, which is finished if ``result`` is given."""
    stored = client.job(job_id)
    created = created or datetime.fromtimestamp(time.time() - age_s, UTC).isoformat()
    stored.job.path.mkdir(parents=True)
    stored.job.write_json(RECORD, {"client": client.name, "id": job_id, "created": created})
    if result:
        stored.job.write_json(RESULT, {"finished": created, **result})
    return stored


# --- The directory ------------------------------------------------------------------------------------------------


def test_it_is_created_for_its_user_only(tmp_path: Path) -> None:
    assert make_state(tmp_path).path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    make_state(tmp_path).path.chmod(mode)
    with pytest.raises(ConfigError, match="no other user may write to it: chown it, and chmod it to 0700"):
        make_state(tmp_path)


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    """The owner of the link could replace the directory."""
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to("real")
    with pytest.raises(ConfigError, match="must belong to the server's user"):
        make_state(tmp_path)


def test_a_directory_that_cannot_be_created_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(OutputError, match="create it as a directory of the server's user"):
        make_state(tmp_path)


def test_a_full_disk_is_reported_before_a_job_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = make_state(tmp_path)
    found.check_room()
    monkeypatch.setattr(state_dir, "MIN_FREE_BYTES", 2**80)
    with pytest.raises(OutputError, match="MiB are free: make room"):
        found.check_room()


def test_leftovers_of_a_crash_are_removed_and_jobs_in_use_are_not(tmp_path: Path) -> None:
    found = make_state(tmp_path)
    left, used, fresh = make_old(found), make_old(found), found.stage()
    with used.locked():
        assert found.sweep_stale() == 1
    assert [job.path.exists() for job in (left, used, fresh)] == [False, True, True]


def make_old(found: StateDir) -> JobDir:
    """Make the directory of a plain job that began in 1970."""
    return jobdir.create(found.work, f"1-{jobdir.new_id()}")


def test_times_of_files_remove_nothing(tmp_path: Path) -> None:
    """Any process of the server's user can set them, such as an engine that was taken over."""
    found = make_state(tmp_path, keep=2)
    plain, stored = found.stage(), keep(found.client(), "job-1", status="solved")
    staged = found.client().stage()
    (found.client().jobs_dir / ".swept").touch()
    for path in found.path.rglob("*"):
        os.utime(path, (1, 1))
    assert found.sweep_stale() == 0
    assert found.client().sweep() == 0
    assert plain.path.exists()
    assert staged.path.exists()
    assert stored.exists


def test_times_of_files_keep_nothing(tmp_path: Path) -> None:
    found = make_state(tmp_path, keep=2)
    plain, stored = make_old(found), keep(found.client(), "job-1", age_s=3 * 86400, status="solved")
    for path in found.path.rglob("*"):
        os.utime(path, (2**33, 2**33))
    found.client().sweep_if_due()
    assert found.sweep_stale() == 1
    assert not plain.path.exists()
    assert not stored.exists


def test_a_job_with_damaged_records_is_kept_from_its_last_change_on(tmp_path: Path) -> None:
    client = make_state(tmp_path, keep=2).client()
    stored = keep(client, "job-1", created="nonsense")
    os.utime(stored.job.path, (1, 1))
    assert client.sweep() == 0
    assert stored.exists


def test_a_removal_that_fails_reaches_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory 1,500 deep once made every sweep raise RecursionError."""
    found = make_state(tmp_path, keep=2)
    plain = make_old(found)
    keep(found.client(), "job-1", age_s=3 * 86400, status="solved")

    def fail(_: object) -> None:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(jobdir, "discard", fail)
    assert found.sweep_stale() == 0
    found.client().sweep_if_due()
    monkeypatch.setattr(jobdir, "list_staged", fail)
    assert found.sweep_stale() == 0
    assert plain.path.exists()


# --- A client's part ----------------------------------------------------------------------------------------------


def test_the_number_of_waiting_jobs_is_limited(tmp_path: Path) -> None:
    client = make_state(tmp_path, max_waiting=2).client()
    tokens = [client.begin_waiting(), client.begin_waiting()]
    with pytest.raises(RetryLaterError, match="2 jobs of nova1 are waiting already"):
        client.begin_waiting()
    assert make_state(tmp_path, client="other").client().begin_waiting() is not None
    tokens.pop().release()
    client.begin_waiting().release()


def test_waiting_jobs_of_all_clients_are_counted(tmp_path: Path) -> None:
    one, two = make_state(tmp_path), make_state(tmp_path, client="other")
    tokens = [one.client().begin_waiting(), two.client().begin_waiting(), two.client().begin_waiting()]
    assert one.count_waiting() == 3
    for token in tokens:
        token.release()
    assert one.count_waiting() == 0


def test_two_clients_can_use_the_same_id(tmp_path: Path) -> None:
    mine, theirs = make_state(tmp_path).client(), make_state(tmp_path, client="other").client()
    keep(mine, "job-1", status="solved")
    assert mine.job("job-1").exists
    assert not theirs.job("job-1").exists
    assert theirs.stored() == []


@pytest.mark.parametrize("job_id", ["job-1", "..", "x" * 64])
def test_an_id_is_never_part_of_a_path(tmp_path: Path, job_id: str) -> None:
    client = make_state(tmp_path).client()
    path = client.job(job_id).job.path
    assert path.parent == client.jobs_dir
    assert job_id not in path.name


def test_jobs_are_listed_oldest_first(tmp_path: Path) -> None:
    client = make_state(tmp_path).client()
    for name, created in [("b", "2026-02-01"), ("c", "2026-03-01"), ("a", "2026-01-01")]:
        keep(client, name, created=created)
    assert [stored.line().id for stored in client.stored()] == ["a", "b", "c"]


def test_a_client_above_its_quota_is_refused(tmp_path: Path) -> None:
    client = make_state(tmp_path, max_stored_mb=1).client()
    stored = keep(client, "job-1")
    client.check_quota()
    (stored.job.path / "backend.log").write_bytes(bytes(1_100_000))
    with pytest.raises(
        OutputError,
        match=r"nova1 would take 1 MB of the 1 MB allowed, with 0\.2 MB for each result to come: fetch some",
    ):
        client.check_quota()


def test_many_small_jobs_reach_the_quota(tmp_path: Path) -> None:
    """Otherwise they would exhaust the inodes, and the time to list them, long before the disk is full."""
    client = make_state(tmp_path, max_stored_mb=1).client()
    for number in range(11):
        client.check_quota()
        keep(client, f"job-{number}")
    with pytest.raises(OutputError, match="fetch some and remove them"):
        client.check_quota()


def test_space_is_reserved_for_the_results_to_come(tmp_path: Path) -> None:
    """Also for that of a job which is being stored at the same moment."""
    client = make_state(tmp_path, max_stored_mb=40).client()
    waiting, stored_now, third = keep(client, "waiting").job, client.stage(), client.stage()
    with waiting.locked(), stored_now.locked():
        client.check_quota()
        with third.locked(), pytest.raises(OutputError, match=r"with 10\.0 MB for each result to come"):
            (third.path / "job.axy").write_bytes(bytes(11_000_000))
            client.check_quota()


def test_a_client_leaves_a_slot_to_other_clients(tmp_path: Path) -> None:
    """The only client of a server may use all of them."""
    client = make_state(tmp_path, slots=3).client()
    client.begin_waiting().release()
    assert client.running() is None
    make_state(tmp_path, slots=3, client="other").client().begin_waiting().release()
    running = client.running()
    assert running is not None
    assert running.count == 2
    chosen = make_state(tmp_path, slots=3, max_running=5).client().running()
    assert chosen is not None
    assert chosen.count == 5
    assert make_state(tmp_path, slots=1).client().running() is None


def test_expired_jobs_are_removed_unless_a_process_works_on_them(tmp_path: Path) -> None:
    client = make_state(tmp_path, keep=2).client()
    day_s = 86400.0
    old, fresh = keep(client, "old", age_s=3 * day_s), keep(client, "fresh", age_s=day_s, status="solved")
    busy, done = keep(client, "busy", age_s=3 * day_s), keep(client, "done", age_s=3 * day_s, status="failed")
    with busy.job.locked():
        assert client.sweep() == 2
    assert [job.exists for job in (old, fresh, busy, done)] == [False, True, True, False]


def test_expired_jobs_are_searched_at_most_once_an_hour(tmp_path: Path) -> None:
    client = make_state(tmp_path, keep=1).client()
    client.sweep_if_due()  # the directory does not exist yet
    keep(client, "old", age_s=1e6)
    client.sweep_if_due()
    assert client.stored() == []
    keep(client, "older", age_s=1e7)
    client.sweep_if_due()
    assert len(client.stored()) == 1
