"""Attack 5: engines that misbehave, as root and as another user, since some limits do not apply to root.

The filter of system calls is off, as on a kernel without seccomp: with it, most of these engines fail at once.  What an
engine can do that was taken over is in test_13_taken_over.py.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import pytest
from attack_server import RunResult, Server, await_engine, engines_of, finish, told
from standin import alive, wait_until

from solvehost.engine import exec_helper

confined = pytest.mark.skipif(not exec_helper.landlock_abi(), reason="this kernel has no Landlock")


@pytest.fixture
def server(server: Server) -> Server:
    """The server of a kernel without seccomp."""
    return server.without_call_filter()


@pytest.fixture
def user_server(user_server: Server) -> Server:
    """The server of a kernel without seccomp, run by another user."""
    return user_server.without_call_filter()


@pytest.fixture(params=["mine", pytest.param("users", marks=pytest.mark.sshd)])
def any_server(request: pytest.FixtureRequest) -> Server:
    """The server, run by the user of the tests, and by another user."""
    return request.getfixturevalue("server" if request.param == "mine" else "user_server")


def test_an_engine_that_ignores_sigterm_ends_at_the_time_limit(any_server: Server) -> None:
    manifest, files = any_server.assert_served(any_server.run(told("sleep", "sleep"), "--max-wall", "0.5"))
    assert (manifest["status"], manifest["reason"]) == ("unsolved", "time-limit")
    assert {a["outcome"] for a in manifest["attempts"]} == {"stopped"}
    assert set(files) == {"backend.log"}


@pytest.mark.parametrize(("then", "code"), [("sleep", 0), ("solve", 0), ("exhaust", 0), ("crash", 70)])
def test_processes_in_other_sessions_end_with_the_engine(server: Server, then: str, code: int) -> None:
    """Only as root can the engine fork."""
    done = server.run(told(f"daemons {then}"), *(("--max-wall", "1") if then == "sleep" else ()))
    assert done.code == code, done
    server.assert_clean()


@pytest.mark.sshd
@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user, whom the kernel does not let fork")
def test_an_engine_cannot_fork(user_server: Server) -> None:
    done = user_server.run(told("daemons sleep"))
    assert (done.code, done.stdout) == (70, b"")
    assert "Resource temporarily unavailable" in done.stderr
    user_server.assert_clean()


def test_an_endless_log_is_cut(any_server: Server) -> None:
    """The limit of file size kills the engine, and its log is cut to that size."""
    done = any_server.run(told("flood"))
    assert (done.code, done.stdout) == (70, b"")
    assert len(done.stderr) < 70 * 2**20
    any_server.assert_clean()


def test_a_log_that_is_not_read_delays_nothing(server: Server) -> None:
    """Standard error is a full pipe, and the log has 3 MB."""
    unread, stderr = os.pipe()
    try:
        manifest, files = server.assert_served(server.run(told("huge-log"), stderr=stderr))
    finally:
        os.close(unread)
        os.close(stderr)
    assert manifest["status"] == "unsolved"
    assert b"last words" in files["backend.log"]


def test_a_log_that_grows_at_once_delays_nothing(server: Server) -> None:
    """64 MiB of zeros are four times as long when escaped; memory stays small, and the time limit still applies."""
    manifest, files = server.assert_served(server.run(told("sparse-log"), "--max-wall", "1"))
    assert manifest["reason"] == "time-limit"
    assert manifest["seconds"] < 10
    assert len(files["backend.log"]) < 2 * 2**20


def test_suspended_engines_together_stay_below_the_memory_limit(server: Server) -> None:
    """Each of 15 engines takes more than half of the limit, and is suspended for the next one; some are then killed.

    The last attempt solves the field once an engine was killed, however long that takes on a busy machine.
    """
    hogs = ["hog 60"] * 15
    process = server.start("--slots", "1", "--max-memory-mb", "100", "--max-wall", "100")
    done: list[RunResult] = []
    stream = told(*hogs, "solve-once go 55", slice_s=0.2)
    feeder = threading.Thread(target=lambda: done.append(finish(process, stream)))
    feeder.start()
    largest_mb = 0.0
    seen: set[int] = set()
    go = Path(server.flags[1]).parents[1] / "lib" / "go"
    while process.poll() is None:
        engines = engines_of(server)
        if seen - set(engines):
            go.touch()
        seen.update(engines)
        largest_mb = max(largest_mb, sum(map(_own_memory_mb, engines)))
        time.sleep(0.02)
    feeder.join()
    go.unlink()
    server.seen = server.look_outside()
    manifest, _ = server.assert_served(done[0])
    assert manifest["status"] == "solved"
    assert "crashed" in {a["outcome"] for a in manifest["attempts"]}
    assert 60 < largest_mb < 250, "of 900"


def _own_memory_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")) / 1024


def test_an_endless_file_is_a_crash(any_server: Server) -> None:
    done = any_server.run(told("too-large-a-file"))
    assert (done.code, done.stdout) == (70, b"")
    any_server.assert_clean()


def test_many_large_files_end_the_job(any_server: Server) -> None:
    done = any_server.run(told("fill"))
    assert (done.code, done.stdout) == (73, b"")
    assert "the job was ended: it wrote more than 512 MiB" in done.stderr
    any_server.assert_clean()


def test_a_result_that_clients_would_refuse_is_not_sent(server: Server) -> None:
    done = server.run(told("huge-solution"))
    assert (done.code, done.stdout) == (70, b"")
    server.assert_clean()


def test_incomplete_files_beside_a_complete_solution_are_not_sent(server: Server) -> None:
    manifest, files = server.assert_served(server.run(told("half-matches")))
    assert manifest["status"] == "solved"
    assert set(files) == {"backend.log", "wcs.fits"}


def test_other_files_of_an_engine_are_removed_and_not_sent(any_server: Server) -> None:
    """Core files, links, FIFOs, setuid programs, closed directories: the reply has known regular files only."""
    manifest, files = any_server.assert_served(any_server.run(told("leftovers")))
    assert manifest["status"] == "solved"
    assert set(files) == {"backend.log", "wcs.fits"}  # corr.fits is a pipe, rdls.fits has two names
    assert b"kept here" not in files["backend.log"]


@pytest.mark.parametrize("behaviour", ["crash", "fail", "half", "no-end", "empty", "nan", "infinite", "linked",
                                       "dangling", "pipe"])  # fmt: skip
def test_crashes_and_invalid_solutions_give_70(server: Server, behaviour: str) -> None:
    done = server.run(told(behaviour, behaviour))
    assert (done.code, done.stdout) == (70, b"")
    assert done.stderr.endswith("solvehost: the engine failed on every attempt: see the job's log\n")
    assert " exit=70 " in server.log.read_text()
    server.assert_clean()


def test_one_crash_beside_an_exhausted_attempt_is_unsolved(server: Server) -> None:
    manifest, _ = server.assert_served(server.run(told("crash", "solve")))
    assert (manifest["status"], manifest["winner"]) == ("solved", 2)


def test_a_fifo_in_place_of_the_log_is_not_opened(server: Server) -> None:
    manifest, _ = server.assert_served(server.run(told("pipe-as-log")))
    assert manifest["status"] == "unsolved"


def meddle(server: Server) -> list[str]:
    """Run an engine that tries what is forbidden; return what it says of each attempt."""
    _, files = server.assert_served(server.run(told("meddle ../../../../outside/canary")))
    said = [line for line in files["backend.log"].decode().splitlines() if line.startswith(("COULD", "DENIED"))]
    assert len(said) == 13
    return said


@confined
def test_a_confined_engine_can_do_nothing_outside_its_directory(any_server: Server) -> None:
    """The stand-in tries what an intruder would try, and every attempt is denied."""
    any_server.canary.chmod(0o666)
    any_server.seen = any_server.look_outside()
    for line in meddle(any_server):
        assert line.startswith("DENIED"), line
    assert stat.S_IMODE(any_server.canary.stat().st_mode) == 0o666


def test_the_engine_inherits_nothing_from_the_server(server: Server) -> None:
    """It has three descriptors, three environment variables, no standard input, and its own session."""
    process = server.start(env={"LD_LIBRARY_PATH": "/nowhere", "SECRET": "1", "LC_ALL": "$(id)", "PATH": "/x"})
    assert process.stdin is not None
    process.stdin.write(told("sleep"))
    process.stdin.close()
    here = await_engine(server)
    pids = [p for p in server.processes() if os.readlink(f"/proc/{p}/cwd") == str(here)]
    assert len(pids) == 1
    (pid,) = pids
    with open(f"/proc/{pid}/environ", "rb") as environ:
        names = {word.split(b"=")[0] for word in environ.read().split(b"\0") if word}
    assert names <= {b"PATH", b"LC_ALL", b"OMP_NUM_THREADS", b"PWD"}
    descriptors = {n: os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
    assert descriptors == {"0": "/dev/null", "1": f"{here}/log", "2": f"{here}/log"}
    assert os.getsid(pid) == pid
    process.terminate()
    assert finish(process).code == 143
    wait_until(lambda: not alive(pids))
    server.assert_clean()
