"""Supervisors: if any one of the three processes of a job is killed, none of its processes remains."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from standin import PATIENCE_S, alive, wait_until

from solvehost.server import supervisor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="supervisors exist on Linux only")

WORKER = """
import os, signal, sys, time
from pathlib import Path
from solvehost.server import supervisor

folder = Path(sys.argv[1])
(folder / "first").write_text(str(os.getpid()))
if sys.argv[2] == "exits":
    # Some builds of Python have none, though the kernel does.
    vars(os).pop("pidfd_open", None)
supervisor.enter_worker()

def sleeper(name):
    if os.fork() == 0:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        (folder / f"{name}.new").write_text(str(os.getpid()))
        (folder / f"{name}.new").rename(folder / name)
        time.sleep(600)

sleeper("child")
if os.fork() == 0:
    sleeper("orphan")
    os._exit(0)
def stop(number, frame):
    (folder / "cleaned").touch()
    sys.exit(42)
signal.signal(signal.SIGTERM, stop if sys.argv[2] == "cleans" else signal.SIG_IGN)
(folder / "second").write_text(str(os.getppid()))
(folder / "worker.new").write_text(str(os.getpid()))
(folder / "worker.new").rename(folder / "worker")
if sys.argv[2] == "exits":
    while not (folder / "orphan").exists() or not (folder / "child").exists():
        time.sleep(0.01)
    os._exit(int(sys.argv[3]))
if sys.argv[2] == "dies":
    os.kill(os.getpid(), signal.SIGSEGV)
time.sleep(600)
"""
NAMES = ("first", "second", "worker", "child", "orphan")


@contextlib.contextmanager
def supervised(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a supervised worker with a child and an orphan, each in its own session and ignoring signals to stop."""
    with subprocess.Popen([sys.executable, "-c", WORKER, str(folder), *arguments]) as first:
        wait_until(lambda: all((folder / name).exists() for name in NAMES))
        yield first
        wait_until(lambda: first.poll() is not None)
    wait_until(lambda: not alive([pid_of(folder, name) for name in NAMES]))


def pid_of(folder: Path, name: str) -> int:
    return int((folder / name).read_text())


@pytest.mark.parametrize("name", ["first", "second", "worker"])
def test_no_process_outlives_a_kill(tmp_path: Path, name: str) -> None:
    with supervised(tmp_path, "waits") as first:
        assert len(alive([pid_of(tmp_path, n) for n in NAMES])) == len(NAMES)
        os.kill(pid_of(tmp_path, name), signal.SIGKILL)
    assert first.returncode == (-signal.SIGKILL if name == "first" else 128 + signal.SIGKILL)


@pytest.mark.parametrize("name", ["first", "second", "worker"])
def test_a_worker_cleans_up_after_a_signal_to_stop(tmp_path: Path, name: str) -> None:
    """A supervisor passes SIGTERM on to the worker."""
    with supervised(tmp_path, "cleans") as first:
        os.kill(pid_of(tmp_path, name), signal.SIGTERM)
    assert first.returncode == 42
    assert (tmp_path / "cleaned").exists()


def test_a_worker_that_ignores_signals_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path, "waits") as first:
        first.terminate()
    assert first.returncode == 128 + signal.SIGKILL
    assert not (tmp_path / "cleaned").exists()


@pytest.mark.parametrize("code", [0, 65, 75])
def test_supervisors_exit_with_the_code_of_the_worker(tmp_path: Path, code: int) -> None:
    """Processes that the worker left behind are killed."""
    with supervised(tmp_path, "exits", str(code)) as first:
        pass
    assert first.returncode == code


def test_a_worker_killed_by_a_signal_gives_an_exit_code(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path), "dies"]) as first:
        assert first.wait(PATIENCE_S) == 128 + signal.SIGSEGV


def test_supervisors_keep_no_file_open(tmp_path: Path) -> None:
    """Open pipes would make the client wait, and an open lock file would keep a job locked."""
    with supervised(tmp_path, "waits") as first:
        for name in ("first", "second"):
            fds = Path(f"/proc/{pid_of(tmp_path, name)}/fd")
            wait_until(lambda fds=fds: os.readlink(fds / "0") == os.devnull)
            held = [os.readlink(fd) for fd in fds.iterdir() if int(fd.name) > 2]
            assert all(where.startswith(("pipe:", "anon_inode:")) for where in held), held
        first.kill()


def test_descendants_are_found_at_any_depth() -> None:
    script = "sleep 60 & sh -c 'sleep 60 & wait' & wait"
    with subprocess.Popen(["/bin/sh", "-c", script]) as shell:
        wait_until(lambda: len(supervisor.descendants(shell.pid)) >= 3)
        found = supervisor.descendants(shell.pid)
        for pid in [*found, shell.pid]:
            os.kill(pid, signal.SIGKILL)
    assert shell.pid not in found
