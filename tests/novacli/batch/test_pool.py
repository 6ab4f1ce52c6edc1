"""Worker processes of this machine: one that dies or hangs takes its own frame along and no other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path

import fitsio
import pytest
from made_disk import STUCK, is_in_kernel
from made_sky import scattered, star_picture

from novacli import config
from novacli.batch.children import child
from novacli.batch.executors import Executor, TaskHungError, WorkerLostError, open_executor, pool
from novacli.batch.frames.listing import frame_at
from novacli.batch.records import KEEP_NONE, BatchOutputs, FileContent, FrameTask, RunSetup, TaskOutcome
from novacli.errors import UnavailableError
from novacli.records.params import SolveParams
from novacli.records.status import FAILED, UNSOLVED

PATIENCE_S = 60.0
Install = Callable[[str], Path]


@pytest.fixture
def make_task(tmp_path: Path) -> Callable[[str], FrameTask]:
    """Return a function that makes a task; the engine is started for ``stars…`` alone, the others are no images."""
    (tmp_path / "work").mkdir()

    def make(name: str) -> FrameTask:
        path = tmp_path / name
        if name.startswith("stars"):
            fitsio.write(str(path), star_picture(scattered(40, (300, 400)), (300, 400), flux=9000))
        else:
            path.write_text("no image")
        return FrameTask(setup_of(tmp_path), frame_at(str(path)))

    return make


def setup_of(tmp_path: Path, timeout_s: float = 30.0) -> RunSetup:
    params = SolveParams(timeout_s=timeout_s)
    return RunSetup(
        "key", "local", config.load(), params, BatchOutputs(), KEEP_NONE, str(tmp_path), str(tmp_path / "work")
    )


@pytest.fixture
def workers(tmp_path: Path, stand_in: Install) -> Iterator[pool._PoolExecutor]:
    """Two workers whose engine ends the worker that started it, by SIGKILL."""
    stand_in("kill -9 $PPID")
    made = open_executor("pool", setup_of(tmp_path), 2)
    assert isinstance(made, pool._PoolExecutor)
    yield made
    made.close()


def submitted(workers: Executor, task: FrameTask) -> Future[TaskOutcome]:
    (future,) = workers.submit([task], 0)
    return future


def settled(workers: pool._PoolExecutor, *futures: object) -> None:
    _, pending = wait(futures, timeout=PATIENCE_S)  # type: ignore[type-var]
    assert not pending


def test_a_worker_that_dies_affects_its_own_frame_only(workers: pool._PoolExecutor, make_task) -> None:
    names = ["a.fits", "stars1.fits", "b.fits", "c.fits", "stars2.fits", "d.fits"]
    futures = {name: submitted(workers, make_task(name)) for name in names}
    settled(workers, *futures.values())
    for name, future in futures.items():
        if name.startswith("stars"):
            with pytest.raises(WorkerLostError, match=r"^was killed by SIGKILL$") as lost:
                workers.collect(future)
            assert lost.value.is_frames_fault
        else:
            result = workers.collect(future).result
            assert result is not None
            assert (result.status, result.exit_code) == (FAILED, 65)


def test_a_task_that_hangs_is_stopped(
    tmp_path: Path, stand_in: Install, make_task, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in("exec sleep 60")
    monkeypatch.setattr(pool, "GRACE_S", -27.0)
    workers = open_executor("pool", setup_of(tmp_path), 1)
    try:
        future = submitted(workers, make_task("stars.fits"))
        settled(workers, future)  # type: ignore[arg-type]
        with pytest.raises(TaskHungError, match=r"^within 3 s, and was stopped$"):
            workers.collect(future)
        after = submitted(workers, make_task("a.fits"))
        settled(workers, after)  # type: ignore[arg-type]
        assert workers.collect(after).result is not None
    finally:
        workers.close()


def test_a_worker_serves_many_frames(tmp_path: Path, stand_in: Install, make_task) -> None:
    stand_in(f"echo $PPID >> {tmp_path}/parents; exit 0")
    workers = open_executor("pool", setup_of(tmp_path), 1)
    try:
        futures = [submitted(workers, make_task(f"stars{n}.fits")) for n in range(3)]
        settled(workers, *futures)  # type: ignore[arg-type]
        results = [workers.collect(future).result for future in futures]
        assert [result.status for result in results if result is not None] == [UNSOLVED] * 3
    finally:
        workers.close()
    parents = (tmp_path / "parents").read_text().split()
    assert len(parents) >= 3
    assert len(set(parents)) == 1
    assert int(parents[0]) != os.getpid()


def test_closing_abandons_frames_in_progress(tmp_path: Path, stand_in: Install, make_task) -> None:
    pid_file = tmp_path / "pid"
    stand_in(f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 60")
    workers = open_executor("pool", setup_of(tmp_path), 1)
    future, waiting = (submitted(workers, make_task(name)) for name in ("stars.fits", "a.fits"))
    deadline = time.monotonic() + PATIENCE_S
    while not pid_file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers.close()
    for each in (future, waiting):
        with pytest.raises(WorkerLostError, match="was released") as lost:
            workers.collect(each)
        assert not lost.value.is_frames_fault
    while is_alive(int(pid_file.read_text())):
        assert time.monotonic() < deadline, "the engine lives on"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_workers_that_never_start_fail_no_frame_for_good(
    tmp_path: Path, make_task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    workers = open_executor("pool", setup_of(tmp_path), 1)
    try:
        for _ in range(2):
            future = submitted(workers, make_task("a.fits"))
            settled(workers, future)
            with pytest.raises(UnavailableError, match="ended with exit code 1 before it was ready"):
                workers.collect(future)
    finally:
        workers.close()


def test_a_run_without_threads_does_not_begin(tmp_path: Path, make_task, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(UnavailableError, match="no worker can be started: can't start new thread"):
        open_executor("pool", setup_of(tmp_path), 1)


def test_no_more_workers_are_started_than_frames_need(tmp_path: Path, stand_in: Install, make_task) -> None:
    """One further process is ready for the next frame."""
    stand_in("exit 0")
    workers = open_executor("pool", setup_of(tmp_path), 8)
    assert isinstance(workers, pool._PoolExecutor)
    try:
        assert len(workers._hired) == 1
        futures = [submitted(workers, make_task(name)) for name in ("a.fits", "b.fits")]
        assert len(workers._hired) == 3
        settled(workers, *futures)
    finally:
        workers.close()


# --- A disk that hangs ---------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pool wait only a moment for processes that have to end."""
    monkeypatch.setattr(child, "GRACE_S", 0.3)


def test_only_a_frame_on_a_hanging_disk_is_given_up(
    tmp_path: Path, disk: tuple[Path, object], impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even SIGKILL ends the process that reads it: its worker goes on with another one."""
    (tmp_path / "work").mkdir()
    monkeypatch.setattr(pool, "GRACE_S", -28.0)
    workers = open_executor("pool", setup_of(tmp_path), 1)
    try:
        futures = [
            submitted(
                workers, FrameTask(setup_of(tmp_path), frame_at(str(disk[0] / name)), known_content=FileContent("0"))
            )
            for name in ("a.fits", f"{STUCK}.fits", "b.fits")
        ]
        settled(workers, *futures)
        with pytest.raises(TaskHungError, match=r"^within 2 s, and its process hangs in the kernel$"):
            workers.collect(futures[1])
        for future in (futures[0], futures[2]):
            assert workers.collect(future).result is not None
    finally:
        workers.close()


def test_closing_leaves_a_worker_with_a_hanging_disk_behind(
    tmp_path: Path, disk: tuple[Path, Callable[[], object]], impatient: None
) -> None:
    point, until_stuck = disk
    (tmp_path / "work").mkdir()
    workers = open_executor("pool", setup_of(tmp_path), 1)
    assert isinstance(workers, pool._PoolExecutor)
    ((thread, process),) = workers._hired
    future = submitted(
        workers, FrameTask(setup_of(tmp_path), frame_at(str(point / f"{STUCK}.fits")), known_content=FileContent("0"))
    )
    until_stuck()
    workers.close()
    assert process._process is not None
    assert is_in_kernel(process._process.pid)
    with pytest.raises(WorkerLostError, match="was released"):
        workers.collect(future)
    assert thread.daemon, "the interpreter would wait for it at its end"


_PATCHED = """
from novacli.batch.frames import header_reader
from novacli.batch.children import child
from novacli.batch.executors import pool
from novacli.cli.main import main

child.GRACE_S, header_reader._LIMIT_S, pool.GRACE_S = 0.3, 1.0, -298.0
main()
"""


def test_a_run_with_a_hanging_disk_ends_and_tells_all_frames(
    tmp_path: Path, disk: tuple[Path, object], stand_in: Install
) -> None:
    """Its output ends, too: no hanging process keeps it open."""
    stand_in("exit 0")
    command = [sys.executable, "-c", _PATCHED, "batch", "--jobs-dir", str(tmp_path), "--settle", "0", str(disk[0])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 75
    assert f"{STUCK}.fits: it did not end within 2 s, and its process hangs in the kernel" in done.stdout
    assert "3 frames: 2 failed, 1 failed and to be tried again" in done.stderr + done.stdout
