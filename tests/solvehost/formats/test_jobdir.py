"""The job directory: ids, states, the lock, and what a kill at any moment leaves."""

from __future__ import annotations

import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from standin import PATIENCE_S, wait_until

from solvehost.errors import OutputError, RetryLaterError
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir


def make(root: Path) -> JobDir:
    """Return a published job with its request and its first star list."""
    staged = jobdir.create(root)
    staged.write_json(jobdir.REQUEST, {"input": "a.fits"})
    staged.axy().write_bytes(b"stars")
    return jobdir.publish(staged)


def python(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Start a Python script that can import this project."""
    known = f"import sys; sys.path[:0] = {sys.path!r}\n"
    return subprocess.Popen([sys.executable, "-c", known + textwrap.dedent(script), *map(str, arguments)])


# --- Names --------------------------------------------------------------------------------------------------------


def test_new_ids_are_well_formed_and_unique() -> None:
    ids = {jobdir.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(map(jobdir.is_id, ids))


@pytest.mark.parametrize("text", ["a", "A.b-c_9", "0" * 64])
def test_well_formed_ids_are_accepted(text: str) -> None:
    assert jobdir.is_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "../../x",
        "/abs",
        "-p",
        "_x",
        ".new-1",
        "a b",
        "*",
        "~",
        "a\\b",
        "ä",
        "a\0",
        "a\r",
        "a\n",
        "0" * 65,
    ],
)
def test_malformed_ids_are_refused(text: str) -> None:
    assert not jobdir.is_id(text)


def test_attempts_are_numbered_from_one(tmp_path: Path) -> None:
    job = JobDir(tmp_path)
    for number in (1, 2, 10, 24, 25, 99):
        job.axy(number).touch()
    assert job.attempts() == [1, 2, 10, 24]
    assert [p.name for p in (job.axy(), job.axy(2))] == ["job.axy", "job-2.axy"]


# --- Created and removed ------------------------------------------------------------------------------------------


def test_a_job_is_visible_once_it_is_published(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "jobs"
    staged = jobdir.create(root)
    assert jobdir.list_jobs(root) == []
    assert jobdir.list_staged(root) == [staged.path]
    job = jobdir.publish(staged)
    assert jobdir.list_jobs(root) == [job]
    assert jobdir.list_staged(root) == []
    assert job.job_id == staged.job_id == job.path.name


def test_only_the_owner_may_read_a_job(tmp_path: Path) -> None:
    root = tmp_path / "jobs"
    job = jobdir.publish(jobdir.create(root))
    assert [stat.S_IMODE(p.stat().st_mode) for p in (root, job.path)] == [0o700, 0o700]


def test_other_files_in_the_root_are_not_jobs(tmp_path: Path) -> None:
    job = make(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(job.path)
    (tmp_path / "with blank").mkdir()
    assert jobdir.list_jobs(tmp_path) == [job]
    assert jobdir.list_jobs(tmp_path / "none") == []
    assert jobdir.list_staged(tmp_path / "none") == []


def test_the_error_names_a_root_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file/jobs: Not a directory: a job directory cannot be made there"):
        jobdir.create(tmp_path / "file" / "jobs")


def test_the_error_names_a_job_that_cannot_be_published(tmp_path: Path) -> None:
    """Its id is taken by a directory that is not empty."""
    staged = jobdir.create(tmp_path)
    taken = tmp_path / staged.job_id
    taken.mkdir()
    (taken / "file").touch()
    with pytest.raises(OutputError, match=f"{staged.job_id}: Directory not empty: .* cannot be put in place"):
        jobdir.publish(staged)


def test_a_discarded_job_is_removed(tmp_path: Path) -> None:
    job, staged = make(tmp_path), jobdir.create(tmp_path)
    jobdir.discard(job)
    jobdir.discard(staged)
    assert list(tmp_path.iterdir()) == []


def test_a_partly_removed_job_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the removal is interrupted, the rest is a staged directory."""
    job = make(tmp_path)
    monkeypatch.setattr(jobdir, "remove_tree", lambda path: (path / jobdir.REQUEST).unlink())
    jobdir.discard(job)
    assert jobdir.list_jobs(tmp_path) == []
    assert len(jobdir.list_staged(tmp_path)) == 1


# --- States -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["solved", "unsolved", "failed"])
def test_the_state_of_a_finished_job_is_its_status(tmp_path: Path, status: str) -> None:
    job = make(tmp_path)
    job.write_json(jobdir.RESULT, {"status": status})
    assert job.state() == status
    with job.locked():
        assert job.state() == status


def test_an_unfinished_job_is_running_while_it_is_locked(tmp_path: Path) -> None:
    job = make(tmp_path)
    assert job.state() == "interrupted"
    with job.locked():
        assert job.state() == "running"
    assert job.state() == "interrupted"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_result_counts_as_missing(tmp_path: Path, content: bytes) -> None:
    job = make(tmp_path)
    (job.path / jobdir.RESULT).write_bytes(content)
    assert job.state() == "interrupted"


def test_reading_the_state_writes_no_file(tmp_path: Path) -> None:
    job = make(tmp_path)
    before = sorted(job.path.iterdir())
    assert job.state() == "interrupted"
    assert sorted(job.path.iterdir()) == before


def test_a_lock_is_held_by_one_process(tmp_path: Path) -> None:
    job = make(tmp_path)
    with job.locked(), pytest.raises(RetryLaterError, match=f"job {job.job_id} is being worked on"), job.locked():
        pass
    with job.locked():
        assert job.is_locked()
    assert not job.is_locked()


def test_reading_the_state_does_not_keep_others_from_the_lock(tmp_path: Path) -> None:
    """It holds a shared lock for a moment, which a process that wants the lock waits for."""
    job = make(tmp_path)
    with job.locked():
        pass
    reader = python("""
        import sys
        from pathlib import Path
        from solvehost.formats.jobdir import JobDir
        job = JobDir(Path(sys.argv[1]))
        Path(sys.argv[1], "started").touch()
        while True:
            job.is_locked()
    """, job.path)  # fmt: skip
    try:
        wait_until((job.path / "started").exists)
        for _ in range(50):
            with job.locked():
                pass
    finally:
        reader.kill()
        reader.wait()


def test_the_lock_of_a_removed_job_is_not_the_lock_of_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a process waits for the lock, the job is removed, and another job gets its name."""
    job = make(tmp_path)
    waited = jobdir._flock_soon

    def wait(fd: int) -> bool:
        monkeypatch.setattr(jobdir, "_flock_soon", waited)
        jobdir.discard(job)
        job.path.mkdir()
        (job.path / jobdir.LOCK).touch()
        return waited(fd)

    monkeypatch.setattr(jobdir, "_flock_soon", wait)
    with pytest.raises(RetryLaterError), job.locked():
        pytest.fail("it holds a lock on a removed file")
    with job.locked():
        assert job.is_locked()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    job = make(tmp_path)
    holder = python("""
        import sys, time
        from pathlib import Path
        from solvehost.formats.jobdir import JobDir
        with JobDir(Path(sys.argv[1])).locked():
            time.sleep(600)
    """, job.path)  # fmt: skip
    try:
        wait_until(job.is_locked)
        assert job.state() == "running"
    finally:
        holder.kill()
        holder.wait(PATIENCE_S)
    assert job.state() == "interrupted"
    with job.locked():
        pass


def test_clearing_removes_the_results_of_an_earlier_run(tmp_path: Path) -> None:
    """The star lists and the request stay."""
    job = make(tmp_path)
    for name in (jobdir.RESULT, jobdir.MANIFEST, jobdir.LOG, *jobdir.OUTPUTS):
        (job.path / name).touch()
    (job.run_dir(1) / "deep").mkdir(parents=True)
    for number in (2, jobdir.FOLLOW_UPS[0], jobdir.SECOND_LOOKS[0]):  # two runs that were killed
        job.axy(number).touch()
    job.clear_results()
    job.clear_results()
    assert {p.name for p in job.path.iterdir()} == {jobdir.REQUEST, "job.axy", "job-2.axy"}


# --- Kills and full disks ----------------------------------------------------------------------------------------

LIFE_OF_A_JOB = """
    import os, sys
    from pathlib import Path
    from solvehost.formats import jobdir

    root, calls_left = Path(sys.argv[1]), int(sys.argv[2])

    def count(event, _arguments):
        global calls_left
        if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"):
            calls_left -= 1
            if calls_left < 0:
                os._exit(9)

    real_fsync = os.fsync
    os.fsync = lambda fd: (count("open", ()), real_fsync(fd), count("open", ()))
    sys.addaudithook(count)

    staged = jobdir.create(root)
    staged.write_json(jobdir.REQUEST, {"input": "a.fits"})
    staged.axy().write_bytes(b"stars")
    job = jobdir.publish(staged)
    with job.locked():
        (job.path / jobdir.WCS).write_bytes(b"wcs")
        job.write_json(jobdir.RESULT, {"status": "solved"})
    again = jobdir.JobDir(job.path)
    with again.locked():
        again.clear_results()
        job.write_json(jobdir.RESULT, {"status": "unsolved"})
    jobdir.discard(job)
    sys.exit(7)
"""


def test_a_kill_before_any_change_on_disk_leaves_a_valid_state(tmp_path: Path) -> None:
    """The whole life of a job is killed before its first, second, … call that changes the disk.

    Every visible job has its request and stars; a finished one has a complete result; the others are interrupted.
    """
    seen: set[str] = set()
    for calls in range(100):
        root = tmp_path / f"life-{calls}"
        ended = python(LIFE_OF_A_JOB, root, calls).wait(PATIENCE_S)
        seen |= {_check(job) for job in jobdir.list_jobs(root)}
        if root.exists():
            left = {p.name for p in root.iterdir()}
            assert all(jobdir.is_id(n) or n.startswith(".new-") for n in left)
        if ended == 7:
            break
    assert ended == 7
    assert list(root.iterdir()) == []
    assert calls > 15
    assert seen == {"interrupted", "solved", "unsolved"}


def _check(job: JobDir) -> str:
    assert job.read_json(jobdir.REQUEST) == {"input": "a.fits"}
    assert job.axy().read_bytes() == b"stars"
    state = job.state()
    if state == "solved":
        assert job.wcs.read_bytes() == b"wcs"
    known = {jobdir.REQUEST, "job.axy", jobdir.LOCK, jobdir.WCS, jobdir.RESULT}
    assert all(p.name in known or p.name.startswith(".") for p in job.path.iterdir())
    return state


def test_a_full_file_system_leaves_the_old_result(tmp_path: Path) -> None:
    """On a real file system of 64 KiB, in a mount namespace of its own."""
    script = """
        import os, sys
        from pathlib import Path
        from solvehost.formats import jobdir
        from solvehost.errors import OutputError
        root = Path(sys.argv[1])
        job = jobdir.publish(jobdir.create(root))
        job.write_json("result.json", {"status": "solved"})
        try:
            job.write_json("result.json", {"status": "x" * 2**20})
        except OutputError as exc:
            assert "No space left" in str(exc), exc
        else:
            sys.exit("it was written")
        assert job.state() == "solved"
        assert [p.name for p in job.path.iterdir()] == ["result.json"]
    """
    known = f"import sys; sys.path[:0] = {sys.path!r}\n" + textwrap.dedent(script)
    mount = 'mount -t tmpfs -o size=64k none "$1" || exit 99; exec "$2" -c "$3" "$1"'
    try:
        done = subprocess.run(
            ["unshare", "-Urm", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, known],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
