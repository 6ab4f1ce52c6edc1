"""Engine tokens: never more than ``count``, none lost, and waiting jobs are noticed and served in order."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from standin import PATIENCE_S, wait_until

from solvehost.engine import slots
from solvehost.engine.slots import Token, Tokens
from solvehost.errors import OutputError, RetryLaterError


def take_all(tokens: Tokens) -> list[Token]:
    taken = []
    while (token := tokens.try_acquire()) is not None:
        taken.append(token)
    return taken


@pytest.mark.parametrize("count", [1, 2, 5])
def test_there_are_count_tokens(tmp_path: Path, count: int) -> None:
    """Also after some were released in another order."""
    tokens = Tokens(tmp_path / "deep" / "slots", count)
    for _ in range(2):
        taken = take_all(tokens)
        assert len(taken) == count
        taken.pop(0).release()
        again = take_all(tokens)
        assert len(again) == 1
        for token in taken + again:
            token.release()


def test_two_records_of_one_directory_share_its_tokens(tmp_path: Path) -> None:
    held = take_all(Tokens(tmp_path, 2))
    assert Tokens(tmp_path, 2).try_acquire() is None
    assert Tokens(tmp_path, 3).try_acquire() is not None
    assert len(held) == 2


def test_by_default_there_is_one_token_for_each_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Tokens(tmp_path).count == slots.default_slots() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert slots.default_slots() == os.cpu_count()


def test_a_wait_that_is_too_long_is_an_error(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, 1)
    (held,) = take_all(tokens)
    with pytest.raises(RetryLaterError, match=r"all 1 engine slots were in use for 0\.\d s: try again later"):
        tokens.acquire(0.1)
    assert not tokens.others_wait()
    held.release()
    tokens.acquire(0.0).release()


def test_a_wait_can_be_cancelled(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, 1)
    (held,) = take_all(tokens)
    with pytest.raises(RetryLaterError, match="in use"):
        tokens.acquire(3600.0, cancelled=lambda: True)
    held.release()


def test_a_waiting_job_is_noticed_until_it_has_its_token(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, 1)
    (held,) = take_all(tokens)
    got: list[Token] = []
    waiter = threading.Thread(target=lambda: got.append(tokens.acquire(PATIENCE_S)))
    assert not tokens.others_wait()
    waiter.start()
    wait_until(tokens.others_wait)
    held.release()
    waiter.join()
    assert len(got) == 1
    assert not tokens.others_wait()
    assert tokens.try_acquire() is None


def test_a_race_that_only_looks_is_not_taken_for_a_waiting_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two races look at the same moment: the second finds the lock held, and looks again."""
    tokens = Tokens(tmp_path, 1)
    other = os.open(tmp_path / "waiting", os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)
    monkeypatch.setattr(slots.time, "sleep", lambda _s: fcntl.flock(other, fcntl.LOCK_UN))
    assert not tokens.others_wait()
    os.close(other)


HOLD = """
import sys, time
sys.path[:0] = {path!r}
from pathlib import Path
from solvehost.engine.slots import Tokens
tokens = Tokens(Path({folder!r}), 2)
held = [tokens.try_acquire(), tokens.try_acquire()]
Path({folder!r}, "held").touch()
tokens.acquire(600)
"""


def test_a_killed_process_holds_no_token_and_does_not_wait(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD.format(path=sys.path, folder=str(tmp_path))])
    tokens = Tokens(tmp_path, 2)
    try:
        wait_until((tmp_path / "held").exists)
        assert tokens.try_acquire() is None
        wait_until(tokens.others_wait)
    finally:
        holder.kill()
        holder.wait(PATIENCE_S)
    assert not tokens.others_wait()
    assert len(take_all(tokens)) == 2


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, 2)
    taken = take_all(tokens)
    before = os.dup(0)
    os.close(before)
    assert tokens.try_acquire() is None
    assert not tokens.others_wait()
    with pytest.raises(RetryLaterError, match="in use"):
        tokens.acquire(0.0)
    after = os.dup(0)
    os.close(after)
    assert after == before
    assert len(taken) == 2


def test_the_error_names_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file/slots: Not a directory: engine slots cannot be kept there"):
        Tokens(tmp_path / "file" / "slots", 1)


def test_the_error_names_a_lock_file_that_cannot_be_made(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, 1)
    (tmp_path / "slot-0").mkdir()
    with pytest.raises(OutputError, match="slot-0: Is a directory"):
        tokens.try_acquire()


def test_the_error_names_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_fd: int, _how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(slots.fcntl, "flock", refuse)
    with pytest.raises(OutputError, match="No locks available: engine slots cannot be locked there"):
        Tokens(tmp_path, 1).try_acquire()


# --- The queue ----------------------------------------------------------------------------------------------------

WAITING_PROCESS = """
import sys
from pathlib import Path
from solvehost.engine.slots import Tokens
token = Tokens(Path(sys.argv[1]), 1).acquire(60)
with open(sys.argv[2], "a") as served:
    served.write(sys.argv[3] + "\\n")
token.release()
"""


def queue_up(tokens: Tokens, served: Path, name: str, program: str = WAITING_PROCESS) -> subprocess.Popen[bytes]:
    """Start a process that waits for a token, and return once it is in the queue."""
    before = len(list((tokens.directory / "queue").glob("[0-9]*")))
    child = subprocess.Popen([sys.executable, "-c", program, str(tokens.directory), str(served), name])
    wait_until(lambda: len(list((tokens.directory / "queue").glob("[0-9]*"))) > before)
    return child


def test_waiting_processes_are_served_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    tokens, served = Tokens(tmp_path / "slots", 1), tmp_path / "served"
    (held,) = take_all(tokens)
    children = [queue_up(tokens, served, name) for name in "abcd"]
    held.release()
    assert [child.wait(PATIENCE_S) for child in children] == [0, 0, 0, 0]
    assert served.read_text().split() == ["a", "b", "c", "d"]
    assert list((tokens.directory / "queue").iterdir()) == []


def test_a_new_process_does_not_overtake_the_queue(tmp_path: Path) -> None:
    """Even if a token is free at that moment."""
    tokens, served = Tokens(tmp_path / "slots", 1), tmp_path / "served"
    (held,) = take_all(tokens)
    child = queue_up(tokens, served, "first")
    os.kill(child.pid, signal.SIGSTOP)
    held.release()
    with pytest.raises(RetryLaterError):
        tokens.acquire(0.0)
    os.kill(child.pid, signal.SIGCONT)
    assert child.wait(PATIENCE_S) == 0


def test_a_suspended_process_in_the_queue_is_skipped(tmp_path: Path) -> None:
    tokens, served = Tokens(tmp_path / "slots", 1), tmp_path / "served"
    (held,) = take_all(tokens)
    child = queue_up(tokens, served, "suspended")
    os.kill(child.pid, signal.SIGSTOP)
    held.release()
    token = tokens.acquire(PATIENCE_S)
    token.release()
    os.kill(child.pid, signal.SIGCONT)
    assert child.wait(PATIENCE_S) == 0
    assert served.read_text() == "suspended\n"


def test_the_ticket_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "slots", 1)
    (held,) = take_all(tokens)
    child = queue_up(tokens, tmp_path / "served", "killed")
    child.kill()
    child.wait(PATIENCE_S)
    held.release()
    tokens.acquire(0.0).release()
    assert list((tokens.directory / "queue").iterdir()) == []


def test_tokens_in_use_are_counted(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, 3)
    assert tokens.count_held() == 0
    one, two = tokens.try_acquire(), tokens.try_acquire()
    assert one is not None
    assert two is not None
    assert tokens.count_held() == 2
    one.release()
    assert tokens.count_held() == 1
    two.release()


# --- Turns of several owners ----------------------------------------------------------------------------------------

WAITING_OWNER = """
import sys
from pathlib import Path
from solvehost.engine.slots import Tokens
token = Tokens(Path(sys.argv[1]), 1, owner=sys.argv[3][0]).acquire(60)
with open(sys.argv[2], "a") as served:
    served.write(sys.argv[3] + "\\n")
token.release()
"""


def test_owners_take_turns(tmp_path: Path) -> None:
    """Jobs of one owner that wait already do not delay the first job of another one."""
    tokens, served = Tokens(tmp_path / "slots", 1, owner="a"), tmp_path / "served"
    held = tokens.acquire(0.0)
    children = [queue_up(tokens, served, name, WAITING_OWNER) for name in ("a1", "a2", "a3", "b1", "c1", "b2")]
    held.release()
    assert [child.wait(PATIENCE_S) for child in children] == [0] * 6
    assert served.read_text().split() == ["b1", "c1", "a1", "b2", "a2", "a3"]


def test_an_owner_who_holds_more_tokens_waits(tmp_path: Path) -> None:
    """Even if the other one was served later."""
    folder = tmp_path / "slots"
    tokens = {owner: Tokens(folder, 3, owner=owner) for owner in "ab"}
    held = [tokens["a"].try_acquire(), tokens["a"].try_acquire(), tokens["b"].try_acquire()]
    assert None not in held
    with tokens["a"]._ticket() as of_a, tokens["b"]._ticket() as of_b:
        assert tokens["a"]._in_turn([of_a.name, of_b.name]) == [of_b.name, of_a.name]


def test_a_process_that_leaves_the_queue_wakes_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without that, each process would sleep for as long as it may."""
    monkeypatch.setattr(slots, "_SLEEP_NEXT_S", 10 * PATIENCE_S)
    monkeypatch.setattr(slots, "_SLEEP_S", 10 * PATIENCE_S)
    monkeypatch.setattr(slots, "_ASLEEP_S", 100 * PATIENCE_S)
    tokens = Tokens(tmp_path, 1)
    (held,) = take_all(tokens)
    waiters = [
        threading.Thread(target=lambda: tokens.acquire(100 * PATIENCE_S).release(), daemon=True) for _ in range(5)
    ]
    for waiter in waiters:
        waiter.start()
    wait_until(lambda: len(list((tmp_path / "queue").glob("[0-9]*"))) == len(waiters))
    held.release()
    for waiter in waiters:
        waiter.join(PATIENCE_S)
        assert not waiter.is_alive()


def test_the_times_of_files_decide_nothing(tmp_path: Path) -> None:
    """An engine runs as the same user, and can set them on the ticket of another job."""
    tokens, served = Tokens(tmp_path / "slots", 1), tmp_path / "served"
    (held,) = take_all(tokens)
    child = queue_up(tokens, served, "first")
    (ticket,) = (tokens.directory / "queue").glob("[0-9]*")
    os.utime(ticket, (0, 0))
    assert tokens._next_tickets() == [ticket.name]
    held.release()
    assert child.wait(PATIENCE_S) == 0


def test_a_file_system_without_fifos_serves_waiting_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(slots.os, "mkfifo", refuse)
    tokens = Tokens(tmp_path, 1)
    (held,) = take_all(tokens)
    waiter = threading.Thread(target=lambda: tokens.acquire(PATIENCE_S).release())
    waiter.start()
    wait_until(tokens.others_wait)
    held.release()
    waiter.join(PATIENCE_S)
    assert not waiter.is_alive()
