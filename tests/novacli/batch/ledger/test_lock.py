"""One run at a time: the lock goes when its holder goes, however that is, and says who has it."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from novacli.batch.ledger import lock as module
from novacli.batch.ledger.lock import holder, is_locked, locked
from novacli.errors import OutputError, RetryLaterError

SOURCE = Path(__file__).parents[4] / "src"
HOLD = """
import os, sys
from pathlib import Path
from novacli.batch.ledger.lock import locked
with locked(Path(sys.argv[1]), wait=False, until_s=0, say=print):
    if len(sys.argv) > 2 and not os.fork():  # a worker that outlives its parent
        print(os.getpid(), flush=True)
        sys.stdin.read()
        os._exit(0)
    if len(sys.argv) == 2:
        print("held", flush=True)
    sys.stdin.read()
"""


def lock_path(ledger: Path) -> Path:
    return ledger.with_name("l.sqlite.lock")


def lock_now(ledger: Path) -> AbstractContextManager[None]:
    """The lock, or an error at once."""
    return locked(ledger, wait=False, until_s=float("inf"), say=pytest.fail)


def lock_patiently(
    ledger: Path, say: Callable[[str], None] = lambda _words: None, until_s: float = float("inf")
) -> AbstractContextManager[None]:
    return locked(ledger, wait=True, until_s=until_s, say=say)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "sub" / "l.sqlite"


@contextlib.contextmanager
def other_run(ledger: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that holds the lock until its standard input ends, and the line that it printed."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(ledger), *arguments],
        env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_second_run_is_reported_which_process_holds_the_lock(ledger: Path) -> None:
    with other_run(ledger) as (process, _):
        assert is_locked(ledger)
        words = rf"another run \(pid {process.pid}\) is solving these frames"
        with pytest.raises(RetryLaterError, match=words) as caught, lock_now(ledger):
            pass
        assert caught.value.exit_code == 75
        process.communicate()
        assert not is_locked(ledger)
        with lock_now(ledger):
            assert is_locked(ledger)
    assert not is_locked(ledger)


def test_the_lock_holds_within_one_process_too(ledger: Path) -> None:
    words = rf"\(pid {os.getpid()}\)"
    with lock_now(ledger), pytest.raises(RetryLaterError, match=words), lock_now(ledger):
        pass


def test_a_waiting_run_says_so_once_and_then_gets_the_lock(ledger: Path) -> None:
    heard: list[str] = []
    with other_run(ledger) as (process, _):

        def end_it(who: str) -> None:
            heard.append(who)
            process.communicate()

        with lock_patiently(ledger, end_it):
            assert holder(ledger) == f" (pid {os.getpid()})"
    assert heard == [f"waiting for another run (pid {process.pid}) over these frames"]


def test_waiting_ends_at_the_given_time(ledger: Path) -> None:
    heard: list[str] = []
    patience = lock_patiently(ledger, heard.append, time.monotonic() + 0.3)
    with other_run(ledger), pytest.raises(RetryLaterError, match="try again later"), patience:
        pass
    assert len(heard) <= 1


def test_a_signal_ends_the_wait(ledger: Path) -> None:
    def interrupt(_words: str) -> None:
        signal.raise_signal(signal.SIGINT)

    with other_run(ledger), pytest.raises(KeyboardInterrupt), lock_patiently(ledger, interrupt):
        pass


def test_kill_9_releases_the_lock(ledger: Path) -> None:
    with other_run(ledger) as (process, _):
        process.kill()
        process.wait()
        assert lock_path(ledger).read_text().split()[0] == str(process.pid)
        assert not is_locked(ledger)
        with lock_now(ledger):
            assert lock_path(ledger).read_text().split()[0] == str(os.getpid())
    assert lock_path(ledger).read_bytes() == b""


def test_a_worker_that_survives_a_killed_run_does_not_hold_the_lock(ledger: Path) -> None:
    with other_run(ledger, "fork") as (process, worker):
        assert is_locked(ledger)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        os.kill(int(worker), 0)  # it lives
        with lock_now(ledger):
            pass


def test_a_child_that_ends_does_not_release_the_lock(ledger: Path) -> None:
    with lock_now(ledger):
        pid = os.fork()
        if not pid:
            os._exit(0 if is_locked(ledger) and not module._held else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert is_locked(ledger)


@pytest.mark.parametrize("text", ["", "rubbish", "99999999999999999 host\n", "1 \x1b[31m\n", "\xff", "0 host\n"])
def test_any_text_in_the_lock_file_is_accepted(text: str, ledger: Path) -> None:
    ledger.parent.mkdir()
    lock_path(ledger).write_text(text)
    assert holder(ledger) == ""
    with lock_now(ledger):
        assert holder(ledger) == f" (pid {os.getpid()})"


def test_the_number_of_a_dead_process_is_ignored(ledger: Path) -> None:
    with other_run(ledger) as (process, _):
        text = lock_path(ledger).read_text()
        process.communicate()
    lock_path(ledger).write_text(text)
    assert holder(ledger) == ""
    lock_path(ledger).write_text("12 elsewhere.example\n")
    assert holder(ledger) == " (pid 12 on elsewhere.example)"


def test_a_lock_on_a_removed_file_does_not_count(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the file is removed between opening and locking, another run could lock a new file."""
    real = module.fcntl.flock

    def flock(fd: int, how: int) -> None:
        monkeypatch.setattr(module.fcntl, "flock", real)
        lock_path(ledger).unlink()
        real(fd, how)

    monkeypatch.setattr(module.fcntl, "flock", flock)
    with lock_patiently(ledger):
        assert is_locked(ledger)


def test_without_a_lock_file_nothing_is_locked(ledger: Path) -> None:
    assert not is_locked(ledger)
    assert holder(ledger) == ""


def test_a_lock_file_that_cannot_be_created_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="--ledger"), lock_now(tmp_path / "file" / "l"):
        pass

    def no_locks(_fd: int, _how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", no_locks)
    with pytest.raises(OutputError, match="No locks available: it cannot be locked"), lock_patiently(tmp_path / "l"):
        pass


def test_a_folder_that_may_not_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.os, "open", denied)
    with pytest.raises(OutputError, match=r"Permission denied.*--ledger"), lock_now(tmp_path / "l"):
        pass


def test_on_a_full_disk_the_lock_holds_without_a_name(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, "pwrite", refuse)
    with lock_now(ledger):
        assert (is_locked(ledger), holder(ledger)) == (True, "")
        with pytest.raises(RetryLaterError, match="another run is solving these frames"), lock_now(ledger):
            pass
    assert not is_locked(ledger)
