"""Worker processes of this machine: one that dies or hangs takes its own frame along and no other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path

import fitsio
import pytest
from made_sky import scattered, star_picture

from novacli import config
from novacli.batch.executors import Executor, TaskHungError, WorkerLostError, open_executor, pool, process
from novacli.batch.frames import frame_at
from novacli.batch.records import KEEP_NONE, Done, Outputs, Setup, Task
from novacli.errors import InternalError
from novacli.params import SolveParams
from novacli.result import FAILED, UNSOLVED

PATIENCE_S = 60.0
Install = Callable[[str], Path]


@pytest.fixture
def make_task(tmp_path: Path) -> Callable[[str], Task]:
    """Return a function that makes a task; the engine is started for ``stars…`` alone, the others are no images."""
    (tmp_path / "work").mkdir()

    def make(name: str) -> Task:
        path = tmp_path / name
        if name.startswith("stars"):
            fitsio.write(str(path), star_picture(scattered(40, (300, 400)), (300, 400), flux=9000))
        else:
            path.write_text("no image")
        return Task(setup_of(tmp_path), frame_at(str(path)))

    return make


def setup_of(tmp_path: Path, timeout_s: float = 30.0) -> Setup:
    params = SolveParams(timeout_s=timeout_s)
    return Setup("key", "local", config.load(), params, Outputs(), KEEP_NONE, str(tmp_path), str(tmp_path / "work"))


@pytest.fixture
def workers(tmp_path: Path, stand_in: Install) -> Iterator[pool._Pool]:
    """Two workers whose engine ends the worker that started it, by SIGKILL."""
    stand_in("kill -9 $PPID")
    made = open_executor("pool", setup_of(tmp_path), 2)
    assert isinstance(made, pool._Pool)
    yield made
    made.close()


def submitted(workers: Executor, task: Task) -> Future[Done]:
    (future,) = workers.submit([task], 0)
    return future


def settled(workers: pool._Pool, *futures: object) -> None:
    _, pending = wait(futures, timeout=PATIENCE_S)  # type: ignore[type-var]
    assert not pending


def test_a_worker_that_dies_takes_only_its_own_frame_along(workers: pool._Pool, make_task) -> None:
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
        with pytest.raises(TaskHungError, match=r"^3 s$"):
            workers.collect(future)
        after = submitted(workers, make_task("a.fits"))
        settled(workers, after)  # type: ignore[arg-type]
        assert workers.collect(after).result is not None
    finally:
        workers.close()


def test_a_worker_lives_on_from_frame_to_frame(tmp_path: Path, stand_in: Install, make_task) -> None:
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


def test_closing_abandons_what_is_being_worked_on(tmp_path: Path, stand_in: Install, make_task) -> None:
    pid_file = tmp_path / "pid"
    stand_in(f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 60")
    workers = open_executor("pool", setup_of(tmp_path), 1)
    future = submitted(workers, make_task("stars.fits"))
    deadline = time.monotonic() + PATIENCE_S
    while not pid_file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers.close()
    with pytest.raises(WorkerLostError) as lost:
        workers.collect(future)
    assert not lost.value.is_frames_fault
    while is_alive(int(pid_file.read_text())):
        assert time.monotonic() < deadline, "the engine lives on"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def end_at_once(_parent_pid: int) -> None:
    os._exit(1)


def test_workers_that_never_start_are_told_and_no_frame_is_blamed(
    tmp_path: Path, stand_in: Install, make_task, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in("exit 0")
    monkeypatch.setattr(process, "begin", end_at_once)
    workers = open_executor("pool", setup_of(tmp_path), 1)
    deadline = time.monotonic() + PATIENCE_S
    try:
        with pytest.raises(InternalError, match="the workers end as soon as they are started"):
            while time.monotonic() < deadline:
                future = submitted(workers, make_task("a.fits"))
                while not future.done() and time.monotonic() < deadline:
                    workers.watch()
                    time.sleep(0.05)
                with pytest.raises(WorkerLostError) as lost:
                    workers.collect(future)
                assert not lost.value.is_frames_fault
                workers.watch()
    finally:
        workers.close()
