"""Detached jobs are stored once, survive kills, and are visible to their own client only."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attack_server import Server, await_engine, finish, read_reply, told
from rawwire import END, member
from standin import alive, wait_until

DETACH = "solve --detach"


def send(server: Server, stream: bytes, *flags: str) -> dict[str, Any]:
    done = server.run(stream, *flags, ssh_command=DETACH)
    assert done.code == 0, done
    (line,) = done.stdout.splitlines()
    return dict(json.loads(line))


def jobs(server: Server) -> dict[str, dict[str, Any]]:
    done = server.run(ssh_command="jobs")
    assert (done.code, done.stderr) == (0, "")
    return {line["id"]: line for line in map(json.loads, done.stdout.splitlines())}


def wait_for_state(server: Server, job_id: str, state: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(jobs(server)[job_id])
        return found["state"] == state

    wait_until(look)
    return found


def chain(server: Server) -> list[int]:
    """Return the pids of solvehost's processes: first supervisor, second supervisor, worker."""
    pids = [p for p in server.processes() if b"standin_engine" not in Path(f"/proc/{p}/cmdline").read_bytes()]
    parents = {p: int(Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split()[1]) for p in pids}
    first = next(p for p in pids if parents[p] not in pids)
    second = next(p for p in pids if parents[p] == first)
    return [first, second, next(p for p in pids if parents[p] == second)]


def test_a_detached_job_is_stored_solved_fetched_and_removed(server: Server) -> None:
    line = send(server, told("solve-at 77"))
    assert line["id"] == "job-1"
    assert line["state"] in ("waiting", "running", "solved")
    finished = wait_for_state(server, "job-1", "solved")
    assert finished["created"] <= finished["finished"]
    for _ in range(2):  # fetching removes nothing
        done = server.run(ssh_command="fetch job-1")
        manifest, files = server.assert_served(done)
        assert (manifest["id"], manifest["client"], manifest["status"]) == ("job-1", "me", "solved")
        assert b"CRVAL1  =                   77" in files["wcs.fits"]
    assert json.loads(server.run(ssh_command="rm job-1").stdout)["state"] == "removed"
    assert jobs(server) == {}
    server.assert_refused(server.run(ssh_command="fetch job-1"), 66, "there is no job job-1")
    assert not [p for p in server.state.rglob("*") if p.is_dir() and p.parent.name == "jobs"]


def test_the_same_job_sent_again_is_the_stored_job(server: Server) -> None:
    first = send(server, told("solve"))
    wait_for_state(server, "job-1", "solved")
    again = send(server, told("solve"))
    assert (again["state"], again["created"]) == ("solved", first["created"])
    assert len(jobs(server)) == 1
    done = server.run(told("exhaust"), ssh_command=DETACH)
    server.assert_refused(done, 65, "another job is stored under the id job-1")


def test_the_same_job_sent_many_times_at_once_is_one_job(server: Server) -> None:
    runs = [server.start("--slots", "1", ssh_command=DETACH) for _ in range(8)]
    for process in runs:
        assert process.stdin is not None
        process.stdin.write(told("solve"))
        process.stdin.close()
    dones = [finish(process) for process in runs]
    assert [done.code for done in dones] == [0] * 8
    assert len({json.loads(done.stdout)["created"] for done in dones}) == 1
    wait_for_state(server, "job-1", "solved")
    server.assert_clean()


@pytest.mark.parametrize("stream", [b"", b"job-1\n", b"job-1\n" + END, b"job-1\n" + member(b"job.axy", b"x") + END])
def test_a_refused_job_is_not_stored(server: Server, stream: bytes) -> None:
    done = server.run(stream, ssh_command=DETACH)
    server.assert_refused(done, 65 if len(stream) > 1100 else 66, "")
    assert jobs(server) == {}
    assert not list(server.state.glob("clients/*/jobs/[0-9a-f]*"))


def test_a_running_job_is_cancelled(server: Server) -> None:
    send(server.without_call_filter(), told("daemons sleep"))
    await_engine(server, "daemons")
    line = json.loads(server.run(ssh_command="cancel job-1").stdout)
    assert line["id"] == "job-1"
    wait_for_state(server, "job-1", "unsolved")
    manifest, _ = server.assert_served(server.run(ssh_command="fetch job-1"))
    assert manifest["reason"] == "cancelled"


def test_a_waiting_job_is_cancelled(server: Server) -> None:
    server.flags += ["--slots", "1"]
    send(server, told("sleep"))
    await_engine(server)
    assert send(server, told("solve", job_id=b"job-2"))["state"] == "waiting"
    assert server.run(ssh_command="cancel job-2").code == 0
    wait_for_state(server, "job-2", "unsolved")
    manifest, files = read_reply(server.run(ssh_command="fetch job-2").stdout, "job-2")
    assert (manifest["reason"], manifest["attempts"], files) == ("cancelled", [], {})
    assert jobs(server)["job-1"]["state"] == "running"
    assert server.run(ssh_command="rm job-1").code == 75
    server.run(ssh_command="cancel job-1")
    wait_for_state(server, "job-1", "unsolved")
    server.assert_clean()


def test_an_unfinished_job_is_not_fetched(server: Server) -> None:
    send(server, told("sleep"))
    await_engine(server)
    done = server.run(ssh_command="fetch job-1")
    assert (done.code, done.stdout) == (75, b"")
    assert "job job-1 is running: ask again later" in done.stderr
    server.run(ssh_command="cancel job-1")
    wait_for_state(server, "job-1", "unsolved")


@pytest.mark.parametrize("behaviour", ["crash", "half"])
def test_a_failed_job_is_fetched_with_its_exit_code(server: Server, behaviour: str) -> None:
    send(server, told(behaviour))
    line = wait_for_state(server, "job-1", "failed")
    assert (line["exit_code"], "the engine failed" in line["message"]) == (70, True)
    server.assert_refused(server.run(ssh_command="fetch job-1"), 70, "the engine failed on every attempt")


@pytest.mark.parametrize("whom", [0, 1, 2], ids=["first supervisor", "second supervisor", "worker"])
def test_a_killed_job_is_interrupted_and_can_be_sent_again(server: Server, whom: int) -> None:
    """For each process of its chain."""
    send(server, told("solve-once go 55"))
    await_engine(server)
    before = server.processes()
    os.kill(chain(server)[whom], signal.SIGKILL)
    wait_until(lambda: not alive(before))
    line = jobs(server)["job-1"]
    assert (line["state"], line["finished"]) == ("interrupted", None)
    done = server.run(ssh_command="fetch job-1")
    server.assert_refused(done, 75, "job job-1 is interrupted: send it again")
    # The same bytes start it again; this time it can finish.
    (Path(server.flags[1]).parents[1] / "lib" / "go").touch()
    server.seen = server.look_outside()
    assert send(server, told("solve-once go 55"))["state"] in ("waiting", "running", "solved")
    wait_for_state(server, "job-1", "solved")
    server.assert_served(server.run(ssh_command="fetch job-1"))


def test_expired_jobs_are_removed(server: Server) -> None:
    send(server, told("solve"))
    send(server, told("exhaust", job_id=b"job-2"))
    for job_id, state in (("job-1", "solved"), ("job-2", "unsolved")):
        wait_for_state(server, job_id, state)
    (old,) = [p.parent for p in server.state.glob("clients/me/jobs/*/wcs.fits")]
    result = json.loads((old / "result.json").read_text())
    ended = datetime.fromisoformat(result["finished"]) - timedelta(days=8)
    (old / "result.json").write_text(json.dumps({**result, "finished": ended.isoformat()}))
    (server.state / "clients" / "me" / "jobs" / ".swept").unlink()
    assert set(jobs(server)) == {"job-2"}
    assert not old.exists()


def test_a_client_above_its_quota_is_refused(server: Server) -> None:
    """Jobs that have not ended count with the space that their results may take."""
    server.flags += ["--max-stored-mb", "1", "--slots", "1"]
    for number in (b"1", b"2", b"3"):
        send(server, told("sleep", job_id=b"job-" + number))
    done = server.run(told("solve", job_id=b"job-4"), ssh_command=DETACH)
    assert (done.code, done.stdout) == (73, b"")
    assert "with 0.2 MB for each result to come: fetch some and remove them" in done.stderr
    for number in (3, 2, 1):
        assert server.run(ssh_command=f"cancel job-{number}").code == 0
        wait_for_state(server, f"job-{number}", "unsolved")
    send(server, told("solve", job_id=b"job-4"))
    wait_for_state(server, "job-4", "solved")


def test_a_result_that_is_larger_than_its_reserved_space_is_not_kept(server: Server) -> None:
    server.flags += ["--max-stored-mb", "1"]
    send(server, told("huge-log"))
    line = wait_for_state(server, "job-1", "failed")
    assert line["exit_code"] == 73
    assert "were reserved for them" in line["message"]
    assert line["size_bytes"] < 10**5


def test_the_number_of_waiting_jobs_is_limited(server: Server) -> None:
    """Jobs of other clients do not count."""
    server.flags += ["--slots", "1", "--max-waiting", "2"]
    send(server, told("sleep"))
    await_engine(server)
    for number in (b"2", b"3"):
        assert send(server, told("solve", job_id=b"job-" + number))["state"] == "waiting"
    for command in (DETACH, "solve"):
        done = server.run(told("solve", job_id=b"job-4"), ssh_command=command)
        assert (done.code, done.stdout) == (75, b"")
        assert "2 jobs of me are waiting already" in done.stderr
    server.flags = [w if w != "me" else "other" for w in server.flags]
    assert send(server, told("solve"))["state"] == "waiting"
    server.flags = [w if w != "other" else "me" for w in server.flags]
    server.run(ssh_command="cancel job-1")
    for number in (2, 3):
        wait_for_state(server, f"job-{number}", "solved")
    wait_until(lambda: not server.processes())
    server.assert_clean()


def test_the_number_of_running_jobs_is_limited(server: Server) -> None:
    server.flags += ["--slots", "4", "--max-running", "1"]
    send(server, told("sleep"))
    await_engine(server)
    assert send(server, told("solve", job_id=b"job-2"))["state"] == "waiting"
    time.sleep(0.3)
    assert jobs(server)["job-2"]["state"] == "waiting"
    server.run(ssh_command="cancel job-1")
    wait_for_state(server, "job-2", "solved")


def test_a_log_is_followed_to_its_end(server: Server) -> None:
    send(server, told("huge-log"))
    done = server.run(ssh_command="log job-1 --follow")
    assert done.code == 0
    assert b"first words" in done.stdout
    assert b"last words" in done.stdout
    assert jobs(server)["job-1"]["state"] == "unsolved"


def test_a_follower_can_disconnect(server: Server) -> None:
    """The job continues."""
    send(server, told("sleep"))
    await_engine(server)
    follower = server.start(ssh_command="log job-1 --follow")
    assert follower.stdout is not None
    follower.stdout.close()
    assert follower.wait(20) in (0, 74)
    follower.stdout = None
    follower.communicate()
    assert jobs(server)["job-1"]["state"] == "running"
    assert server.run(ssh_command="cancel job-1").code == 0
    assert wait_for_state(server, "job-1", "unsolved")["exit_code"] is None
    server.assert_clean()
