"""Attack 8: signals to each process of the chain, and to the engine; no process survives."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from attack_server import Server, await_engine, each, finish, held_locks, told
from rawwire import header
from standin import alive, wait_until

from solvehost.server import supervisor

CHAIN = ("first supervisor", "second supervisor", "worker")
STOPS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@pytest.fixture
def server(server: Server) -> Server:
    """The server of a kernel without seccomp, so that engines can fork."""
    return server.without_call_filter()


def chain_of(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """Return the pids of a running job's processes by name."""
    pids = [process.pid]
    while len(pids) < len(CHAIN):
        # What an engine left behind is a child of a supervisor as well, but in its own session.
        below = [pid for pid in children(pids[-1]) if os.getsid(pid) == os.getsid(process.pid)]
        assert len(below) == 1, below
        pids += below
    return dict(zip(CHAIN, pids, strict=True))


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def begin(server: Server, behaviour: str) -> subprocess.Popen[bytes]:
    process = server.start()
    assert process.stdin is not None
    process.stdin.write(told(behaviour))
    process.stdin.close()
    await_engine(server, "daemons" if behaviour.startswith("daemons") else "here")
    return process


def assert_all_end(server: Server, before: list[int]) -> None:
    """Check that no process and no lock remains, and that a later request removes leftover directories."""
    wait_until(lambda: not alive(before) and not server.processes())
    assert held_locks(server.state) == []
    for left in server.work.iterdir() if server.work.exists() else ():
        left.rename(left.with_name(f".new-1-{left.name[-16:]}"))  # as if it had been made in 1970
    server.assert_served(server.run(told("solve")))


@pytest.mark.parametrize("behaviour", ["sleep", "daemons sleep"])
@pytest.mark.parametrize("whom", CHAIN)
@pytest.mark.parametrize("number", [*STOPS, signal.SIGKILL], ids=lambda n: n.name)
def test_a_signal_to_the_chain_ends_all(server: Server, number: signal.Signals, whom: str, behaviour: str) -> None:
    process = begin(server, behaviour)
    before = server.processes()
    assert len(before) >= (5 if behaviour.startswith("daemons") else 4)
    os.kill(chain_of(process)[whom], number)
    done = finish(process)
    assert done.stdout == b""
    assert "Traceback" not in done.stderr
    expected = 128 + number
    if number == signal.SIGKILL and whom == "first supervisor":
        expected = -number  # as a parent sees it
    assert done.code == expected
    assert_all_end(server, before)


@pytest.mark.parametrize(("behaviour", "number"), **each([
    ("killed", "sleep", signal.SIGKILL), ("killed, with daemons", "daemons sleep", signal.SIGKILL),
    ("aborted", "sleep", signal.SIGABRT), ("hung up", "daemons sleep", signal.SIGHUP),
]))  # fmt: skip
def test_a_signal_to_the_engine_is_a_crash(server: Server, behaviour: str, number: signal.Signals) -> None:
    process = begin(server, behaviour)
    before = server.processes()
    (engine,) = [pid for pid in children(chain_of(process)["worker"]) if os.getsid(pid) == pid]
    os.kill(engine, number)
    done = finish(process)
    assert (done.code, done.stdout) == (70, b"")
    wait_until(lambda: not alive(before))
    server.assert_clean()


@pytest.mark.parametrize("number", [*STOPS, signal.SIGKILL], ids=lambda n: n.name)
def test_a_signal_to_the_whole_group_ends_all(server: Server, number: signal.Signals) -> None:
    """As a terminal or ``kill`` in a shell sends it.  If all are killed at once, none is left to find daemons."""
    process = server.start(start_new_session=True)
    assert process.stdin is not None
    process.stdin.write(told("sleep" if number == signal.SIGKILL else "daemons sleep"))
    process.stdin.close()
    await_engine(server, "here" if number == signal.SIGKILL else "daemons")
    before = server.processes()
    os.killpg(process.pid, number)
    done = finish(process)
    assert done.stdout == b""
    assert done.code in (128 + number, -number)
    assert_all_end(server, before)


@pytest.mark.parametrize("whom", CHAIN)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_a_signal_during_the_upload(server: Server, number: signal.Signals, whom: str) -> None:
    process = server.start()
    assert process.stdin is not None
    process.stdin.write(b"job-1\n" + header(b"job.axy", 5000))
    process.stdin.flush()
    wait_until(lambda: held_locks(server.state))  # it is reading by now
    before = server.processes()
    os.kill(chain_of(process)[whom], number)
    assert process.wait(30) in (128 + number, -number)  # standard input is still open
    stdout, stderr = process.communicate()
    assert stdout == b""
    assert b"Traceback" not in stderr
    assert_all_end(server, before)


def test_a_signal_in_the_queue(server: Server) -> None:
    server.flags += ["--slots", "1"]
    first = begin(server, "sleep")
    second = server.start()
    assert second.stdin is not None
    second.stdin.write(told("solve"))
    second.stdin.close()
    wait_until(lambda: len(list(server.work.iterdir())) == 2)
    second.terminate()
    assert finish(second).code == 143
    wait_until(lambda: len(list(server.work.iterdir())) == 1)
    first.send_signal(signal.SIGHUP)
    assert finish(first).code == 129
    server.assert_clean()


_AN_HOUR_LATER = """
import time
now = time.time
time.time = lambda: now() + 3600
from solvehost.__main__ import main
main()
"""


def test_stale_directories_are_swept_and_live_ones_are_not(server: Server) -> None:
    """The directory of a long job is old, but locked."""
    first = begin(server, "sleep")
    (living,) = server.work.iterdir()
    for number in range(3):
        (server.work / f".new-1-{number:016x}").mkdir()
    server.command = [server.command[0], "-I", "-c", _AN_HOUR_LATER]
    server.assert_served_alone(server.run(told("solve")))
    assert list(server.work.iterdir()) == [living]
    first.terminate()
    assert finish(first).code == 143
    server.assert_clean()


def test_descendants_are_found_through_sessions(server: Server) -> None:
    process = begin(server, "daemons sleep")
    found = alive(supervisor.descendants(process.pid))
    assert {*found, process.pid} == set(server.processes())
    process.terminate()
    finish(process)
    server.assert_clean()
