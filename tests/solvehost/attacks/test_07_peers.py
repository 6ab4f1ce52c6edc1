"""Attack 7: clients that are slow, stop reading, or disconnect."""

from __future__ import annotations

import fcntl
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attack_server import RunResult, Server, assert_one_line, await_engine, finish, request, told
from rawwire import header
from standin import make_stars, wait_until

from solvehost.formats import axy
from solvehost.formats.axy import Attempt
from solvehost.server import stdio

_WITH_LIMITS = "import solvehost.server.stdio as s; {}; from solvehost.__main__ import main; main()"


def with_limits(server: Server, **seconds: float) -> Server:
    """Change time limits of ``solvehost.server.stdio`` in the program."""
    settings = "; ".join(f"s.{name} = {value}" for name, value in seconds.items())
    server.command = [sys.executable, "-I", "-c", _WITH_LIMITS.format(settings)]
    return server


def slowly(pieces: Iterator[bytes], pause_s: float = 0.05) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        time.sleep(pause_s)


def test_the_time_limits_are_as_documented() -> None:
    assert (stdio.LINE_S, stdio.UPLOAD_S, stdio.STALL_S) == (10, 60, 60)
    assert stdio.MIN_UPLOAD_RATE >= 512


def test_a_silent_client_is_refused_at_the_first_deadline(server: Server) -> None:
    process = with_limits(server, LINE_S=0.3).start()
    assert process.wait(20) == 75
    stdout, stderr = process.communicate()
    assert stdout == b""
    assert_one_line(stderr.decode(), "only 0 bytes arrived in ")
    server.assert_clean()


def test_a_slow_id_line_is_refused(server: Server) -> None:
    done = with_limits(server, LINE_S=0.5).run(slowly(itertools.repeat(b"a", 60), 0.2))
    server.assert_refused(done, 75, "bytes arrived in")
    assert done.taken < 60


def test_a_slow_upload_is_refused(server: Server) -> None:
    """Because of the minimum rate, long before the deadline of the upload."""
    trickle = itertools.chain([b"job-1\n" + header(b"job.axy", 2**20)], itertools.repeat(b"a", 200))
    done = with_limits(server, LINE_S=0.3).run(slowly(trickle))
    server.assert_refused(done, 75, "bytes arrived in")
    assert done.taken < 700


def test_a_long_upload_is_refused_at_its_deadline(server: Server) -> None:
    """Even if its rate is high enough."""
    steady = itertools.chain([b"job-1\n" + header(b"job.axy", 2**24)], itertools.repeat(b"a" * 5000, 200))
    done = with_limits(server, LINE_S=0.3, UPLOAD_S=0.8).run(slowly(steady, 0.02))
    server.assert_refused(done, 75, "bytes arrived in")
    assert done.taken > 5512


def test_an_upload_above_the_minimum_rate_is_accepted(server: Server) -> None:
    stream = told("solve")
    pieces = (stream[at : at + 1024] for at in range(0, len(stream), 1024))
    done = with_limits(server, LINE_S=1.5, MIN_UPLOAD_RATE=1000).run(slowly(pieces, 0.25))
    server.assert_served(done)


def test_a_peer_that_stops_reading_is_given_up(server: Server) -> None:
    """The reply is larger than a pipe."""
    process = with_limits(server, STALL_S=0.3).start()
    assert process.stdin is not None
    process.stdin.write(told("huge-log"))
    process.stdin.close()
    assert process.stdout is not None
    assert process.stderr is not None
    stderr = process.stderr.read()
    assert process.wait(30) == 74
    process.stdout.close()
    process.stderr.close()
    assert stderr.endswith(b"the client did not read the answer for 0.3 s: ask again\n")
    server.assert_clean()


def test_the_number_of_connections_of_a_client_is_limited(server: Server) -> None:
    """Each connection is a process, even if it only follows a log; other clients are not affected."""
    server.flags += ["--slots", "1", "--max-waiting", "2"]
    for job_id, behaviour in ((b"job-1", "sleep"), (b"job-2", "solve")):
        assert server.run(told(behaviour, job_id=job_id), ssh_command="solve --detach").code == 0
    following = [server.start(ssh_command="log job-2 --follow") for _ in range(67)]
    try:
        wait_until((server.state / "clients" / "me" / "connections" / "slot-66").exists)  # the others are taken first
        for command, stream in (("log job-2 --follow", b""), ("info", b""), ("solve", told("solve", job_id=b"job-3"))):
            done = server.run(stream, ssh_command=command)
            assert (done.code, done.stdout) == (75, b"")
            assert "67 connections of me are open already" in done.stderr
        mine, server.flags = server.flags, [w if w != "me" else "other" for w in server.flags]
        assert server.run(ssh_command="info").code == 0
        server.flags = mine
    finally:
        for process in following:
            process.kill()
            process.communicate()
    for job_id in ("job-1", "job-2"):
        assert server.run(ssh_command=f"cancel {job_id}").code == 0
    server.assert_clean()


def test_head_of_one_byte_gives_no_traceback(server: Server) -> None:
    words = server.words()
    done = subprocess.run(
        ["/bin/sh", "-c", '{ "$@"; echo "$?" >&2; } | head -c1', "sh", *words], input=told("huge-log"),
        capture_output=True, cwd=server.outside, check=True,
    )  # fmt: skip
    assert done.stdout == b"m"
    *_, said, code = done.stderr.decode().splitlines()
    assert (said, code) == ("solvehost: the client does not read the answer: Broken pipe", "74")
    assert b"Traceback" not in done.stderr
    server.assert_clean()


@pytest.mark.parametrize("behaviour", ["sleep", "daemons"])
def test_the_engine_of_a_client_that_disconnects_ends(server: Server, behaviour: str) -> None:
    process = server.without_call_filter().start()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(told(behaviour))
    process.stdin.close()
    await_engine(server, "daemons" if behaviour == "daemons" else "here")
    done = leave(process)
    assert done.code == 74
    assert "the connection was lost before the job was done" in done.stderr
    server.assert_clean()


def test_a_client_that_disconnects_while_waiting_leaves_the_queue(server: Server) -> None:
    first = server.start("--slots", "1")
    assert first.stdin is not None
    first.stdin.write(told("sleep"))
    first.stdin.close()
    await_engine(server)
    second = server.start("--slots", "1")
    assert second.stdin is not None
    assert second.stdout is not None
    second.stdin.write(told("solve"))
    second.stdin.close()
    waiting = server.state / "clients" / "me" / "waiting"
    wait_until(lambda: (waiting / "slot-0").exists() and len(list(server.work.iterdir())) == 2)
    assert leave(second).code == 74
    assert first.poll() is None
    first.terminate()
    assert finish(first).code == 143
    server.assert_clean()


def leave(process: subprocess.Popen[bytes]) -> RunResult:
    """Close the program's standard output, as sshd does after a lost connection, and wait for its end."""
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    return finish(process)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_cause_no_damage(server: Server, closed: str) -> None:
    """No reply is written to a file that got the number of a closed descriptor."""
    words = ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *server.words()]
    done = subprocess.run(words, input=told("solve"), capture_output=True, cwd=server.outside, check=False)
    assert done.returncode in ((0,) if closed == "2>&-" else (66, 74))
    assert b"Traceback" not in done.stderr
    for path in server.state.rglob("slot-*"):
        assert path.read_bytes() in (b"", b"me")  # the name of the client at most
    server.assert_clean()


def test_a_terminal_as_standard_input_is_refused(server: Server) -> None:
    leader, follower = os.openpty()
    try:
        process = server.start(stdin=follower)
        assert process.wait(20) == 64
        stdout, stderr = process.communicate()
    finally:
        os.close(leader)
        os.close(follower)
    assert stdout == b""
    assert_one_line(stderr.decode(), "standard input is a terminal")
    server.assert_clean()


@pytest.mark.parametrize("ssh_command", [None, "solve --detach"])
def test_waiting_jobs_use_little_memory(server: Server, ssh_command: str | None) -> None:
    """A client may have a hundred waiting jobs of 32 MiB each."""
    first = server.start("--slots", "1")
    assert first.stdin is not None
    first.stdin.write(told("sleep"))
    first.stdin.close()
    await_engine(server)
    before = set(server.processes())
    large = axy.to_bytes(Attempt(1000, 800, make_stars(600_000)))
    second = server.start("--slots", "1", ssh_command=ssh_command)
    assert second.stdin is not None
    second.stdin.write(request(large, large))
    second.stdin.close()
    waiting = server.state / "slots" / "waiting"
    wait_until(lambda: waiting.exists() and is_held(waiting))
    for pid in set(server.processes()) - before:
        assert own_memory_kb(pid) < 20_000
    for process in (second, first):
        if process.poll() is None:
            process.terminate()
        finish(process)
    if ssh_command:
        assert server.run(ssh_command="cancel job-1").code == 0
    server.assert_clean()


def is_held(path: Path) -> bool:
    with path.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def own_memory_kb(pid: int) -> int:
    """Return the private memory of a process, 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)
