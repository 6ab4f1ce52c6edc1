"""Jobs that are left with a server: sent, fetched, lost, cancelled, removed, and interrupted by a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_jobs import make_job
from made_lines import read_lines
from made_servers import HEIGHT, WIDTH, Servers, make_info, solved_files, write_star_list

from novacli.backends.ssh import stored_jobs
from novacli.jobs.remote import read_remote
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir
from solvehost.wire import JobLine

SIZE = ("--size", f"{WIDTH}x{HEIGHT}")
#: Answers a detached job with its line, and keeps the request.
TAKES_IT = """IFS= read -r id; cat > request.tar
echo '{"id": "'$id'", "state": "waiting", "created": "", "finished": null, "size_bytes": 1, "exit_code": null,' \
     '"message": null}'
"""


@pytest.fixture
def stars(home: Path) -> str:
    return str(write_star_list(home / "stars.csv"))


@pytest.fixture
def leave(nova: Any, stars: str, jobs: Path, servers: Servers) -> Callable[..., JobDir]:
    """Return a function that leaves a job with a server."""

    def leave(destination: str = "solve1") -> JobDir:
        servers.add(destination, solve=TAKES_IT)
        ran = nova("submit", stars, *SIZE, "--to", destination, "--detach", "--json")
        (line,) = read_lines(ran.out)
        assert (ran.code, ran.err, line["status"], line["server"]) == (0, "", "remote", destination)
        return JobDir(jobs / line["job"])

    return leave


def wire_id(job: JobDir) -> str:
    remote = read_remote(job)
    assert remote is not None
    return str(remote.reference["id"])


def line_of(ran: Any) -> dict[str, Any]:
    (line,) = read_lines(ran.out)
    return line


# --- Leaving a job -------------------------------------------------------------------------------------------------


def test_a_detached_job_is_remote(leave, nova: Any, servers: Servers) -> None:
    job = leave()
    assert json.loads(nova("jobs", "--json", "--state", "remote").out)["job"] == job.job_id
    assert f"it is on solve1: nova fetch {job.job_id}" in nova("show", "last").out
    assert "nova fetch" in nova("submit", "--help").out
    remote = job.read_json("remote.json")
    assert remote is not None
    assert (remote["kind"], remote["place"], remote["times_sent"]) == ("ssh", "solve1", 1)
    reference = remote["reference"]
    assert (reference["destination"], reference["numbers"]) == ("solve1", job.attempts())
    assert reference["id"].startswith(f"{job.job_id}-")
    assert len(reference["id"]) == len(job.job_id) + 17
    assert not (job.path / "result.json").exists()
    assert servers.calls("solve") == ["solve1 solve --detach"]


def test_a_job_that_the_server_refuses_fails(nova: Any, stars: str, jobs: Path, servers: Servers) -> None:
    servers.add("solve1", solve="cat > /dev/null; echo 'solvehost: you have too many' >&2; exit 77")
    ran = nova("submit", stars, *SIZE, "--to", "solve1", "--detach", "--json")
    assert (ran.code, line_of(ran)["status"]) == (77, "failed")
    (job,) = jobdir.list_jobs(jobs)
    assert not (job.path / "remote.json").exists()


def test_after_a_failure_a_job_is_left_with_the_next_server(
    nova: Any, stars: str, jobs: Path, servers: Servers
) -> None:
    servers.add("solve1", solve="cat > /dev/null; exit 73")
    servers.says("solve2", make_info(running=1))
    servers.add("solve2", solve=TAKES_IT)
    line = line_of(nova("submit", stars, *SIZE, "--to", "solve1,solve2", "--detach", "--json"))
    assert (line["status"], line["server"]) == ("remote", "solve2")
    assert line["notes"] == ["solve1: it gave no reason; asked solve2 instead"]


def test_a_job_that_is_sent_twice_keeps_its_id(nova: Any, stars: str, jobs: Path, servers: Servers) -> None:
    """A server that took the job before the connection broke answers with the job that it has."""
    note = "echo $id >> ids; [ -e been ] || { touch been; cat > /dev/null; exit 255; }; cat > request.tar"
    servers.add("solve1", solve=TAKES_IT.replace("cat > request.tar", note))
    assert nova("submit", stars, *SIZE, "--to", "solve1", "--detach").code == 0
    first, second = (servers.place / "solve1" / "ids").read_text().split()
    (job,) = jobdir.list_jobs(jobs)
    assert first == second == wire_id(job)


def test_the_original_script_keeps_no_jobs(nova: Any, stars: str, jobs: Path, servers: Servers) -> None:
    servers.add("old", info="exit 1")
    ran = nova("submit", stars, *SIZE, "--to", "old", "--detach")
    assert ran.code == 2
    assert "old: it runs the original script, which keeps no jobs" in ran.err
    assert (servers.calls(), jobdir.list_jobs(jobs)) == (["old info"], [])


def test_an_answer_for_another_job_is_refused(nova: Any, stars: str, jobs: Path, servers: Servers) -> None:
    servers.add("solve1", solve=TAKES_IT.replace("$id", "another"))
    ran = nova("submit", stars, *SIZE, "--to", "solve1", "--detach")
    assert (ran.code, "solve1: it answered for another job" in ran.err) == (74, True)


@pytest.mark.parametrize(
    "answer", ["echo 'solvehost: the answer was not read' >&2; exit 74", "exec sleep 1000", "echo nonsense"]
)
def test_if_it_is_unknown_whether_the_server_took_the_job_the_record_is_kept(
    nova: Any, stars: str, jobs: Path, servers: Servers, answer: str
) -> None:
    """The server may have solved it by now; if the job failed, the user would solve it again."""
    servers.add("solve1", solve=f"cat > /dev/null; {answer}")
    line = line_of(nova("submit", stars, *SIZE, "--to", "solve1", "--detach", "--json", "--timeout", "1"))
    assert (line["status"], line["server"]) == ("remote", "solve1")
    assert "it is not known whether it has the job; nova fetch finds out" in line["notes"][-1]
    job = JobDir(jobs / line["job"])
    finish(servers, job)
    assert (nova("fetch", "--all").code, job.state()) == (0, "solved")


@pytest.mark.parametrize(("code", "said"), [(75, "no free slot"), (255, "Connection refused"), (73, "disk is full")])
def test_a_job_that_was_refused_has_no_record(
    nova: Any, stars: str, jobs: Path, servers: Servers, code: int, said: str
) -> None:
    servers.add("solve1", solve=f"cat > /dev/null; echo 'solvehost: {said}' >&2; exit {code}")
    line = line_of(nova("submit", stars, *SIZE, "--to", "solve1", "--detach", "--json"))
    assert (line["status"], said in line["error"]["message"]) == ("failed", True)
    assert not (JobDir(jobs / line["job"]).path / "remote.json").exists()


# --- Fetching ------------------------------------------------------------------------------------------------------


def finish(servers: Servers, job: JobDir, state: str = "solved", destination: str = "solve1", **more: Any) -> None:
    """Have the server say that a job is in a state, and be ready to hand out its result."""
    servers.has(destination, JobLine(wire_id(job), state, **more))
    servers.replies(destination, solved_files() if state == "solved" else {"backend.log": b""}, verb="fetch")
    servers.add(destination, rm=f'cat jobs.json; echo "$2" > removed; echo {wire_id(job)} >> removed')


def test_a_solved_job_is_fetched(leave, nova: Any, servers: Servers) -> None:
    job = leave()
    finish(servers, job)
    ran = nova("fetch", job.job_id, "--json")
    line = line_of(ran)
    assert (ran.code, ran.err, line["status"], line["server"]) == (0, "", "solved", "solve1")
    assert line["timing"]["total_s"] == 0.75
    assert job.read_json("result.json") == line
    assert job.state() == "solved"
    assert not (job.path / "remote.json").exists()
    assert servers.calls("rm")[0].startswith(f"solve1 rm {job.job_id}-")


@pytest.mark.parametrize(
    "ends", ["exit 74", "exec >&-; exec sleep 1000"], ids=["the answer was not read", "ssh does not end"]
)
def test_if_the_connection_ends_badly_the_job_stays_on_the_server(
    leave, nova: Any, servers: Servers, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """A result that was being transferred is not lost: the server keeps it until it is safe here."""
    monkeypatch.setattr(stored_jobs, "FETCH_S", 1.0)
    job = leave()
    finish(servers, job)
    servers.replies("solve1", verb="fetch", after=ends)
    assert nova("fetch", "last").code in (74, 75)
    assert (job.path / "remote.json").exists()
    assert servers.calls("rm") == []
    servers.replies("solve1", verb="fetch")
    assert (nova("fetch", "last").code, job.state()) == (0, "solved")


def test_a_fetch_can_be_repeated(leave, nova: Any, servers: Servers) -> None:
    job = leave()
    finish(servers, job)
    first = nova("fetch", "last", "--json")
    assert nova("fetch", job.job_id, "--json").out == first.out
    assert len(servers.calls("fetch")) == 1


def test_an_unsolved_job_is_fetched_as_a_result(leave, nova: Any, servers: Servers) -> None:
    finish(servers, leave(), "unsolved")
    ran = nova("fetch", "--all", "--json")
    assert (ran.code, line_of(ran)["reason"]) == (1, "exhausted")


def test_a_job_that_failed_on_the_server_fails_here(leave, nova: Any, servers: Servers) -> None:
    job = leave()
    finish(servers, job, "failed", exit_code=69, message="no index file fits")
    ran = nova("fetch", "last", "--json")
    line = line_of(ran)
    assert (ran.code, line["status"], line["error"]["exit_code"]) == (69, "failed", 69)
    assert line["error"]["message"].endswith("stars.csv: solve1: no index file fits")
    assert job.state() == "failed"


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_an_unfinished_job_is_not_fetched(leave, nova: Any, servers: Servers, state: str) -> None:
    job = leave()
    finish(servers, job, state)
    ran = nova("fetch", "last")
    assert (ran.code, f"job {job.job_id} is {state} on solve1: fetch it later" in ran.err) == (75, True)
    ran = nova("fetch", "--all", "--json")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (job.path / "remote.json").exists()


def test_each_server_is_asked_once(leave, nova: Any, servers: Servers) -> None:
    for _ in range(3):
        leave()
    leave("solve2")
    for name in ("solve1", "solve2"):
        servers.has(name)
    nova("fetch", "--all")
    assert sorted(servers.calls("jobs")) == ["solve1 jobs", "solve2 jobs"]


@pytest.mark.parametrize("state", ["interrupted", None])
def test_a_job_that_the_server_lost_is_sent_again(leave, nova: Any, servers: Servers, state: str | None) -> None:
    """It has the same id and the same bytes, so a server that still has it does not solve it twice."""
    job = leave()
    before = (servers.place / "solve1" / "request.tar").read_bytes()
    servers.has("solve1", *([JobLine(wire_id(job), state)] if state else []))
    nova("fetch", "--all")
    assert servers.calls("solve") == ["solve1 solve --detach"] * 2
    assert (servers.place / "solve1" / "request.tar").read_bytes() == before
    finish(servers, job)
    line = line_of(nova("fetch", "last", "--json"))
    assert line["notes"][-1] == f"solve1 had {state or 'lost'} the job; it was sent again"


def test_a_job_that_is_lost_three_times_fails(leave, nova: Any, servers: Servers) -> None:
    job = leave()
    servers.has("solve1")
    codes = [nova("fetch", "--all").code for _ in range(4)]
    assert codes == [0, 0, 70, 0]
    assert len(servers.calls("solve")) == 3
    assert job.state() == "failed"


def test_a_server_out_of_reach_does_not_stop_the_others(leave, nova: Any, servers: Servers) -> None:
    away, home = leave("solve1"), leave("solve2")
    servers.add("solve1", jobs="echo 'Connection refused' >&2; exit 255")
    finish(servers, home, destination="solve2")
    ran = nova("fetch", "--all", "--json")
    assert (ran.code, line_of(ran)["job"]) == (75, home.job_id)
    assert "solve1: ssh failed: Connection refused" in ran.err
    assert (away.path / "remote.json").exists()


def test_a_connection_that_breaks_during_a_fetch_loses_nothing(leave, nova: Any, servers: Servers) -> None:
    job = leave()
    finish(servers, job)
    servers.add("solve1", fetch="head -c 700 /dev/zero; echo 'Connection reset' >&2; exit 255")
    assert nova("fetch", "last").code == 75
    assert (job.path / "remote.json").exists()
    finish(servers, job)
    assert nova("fetch", "last").code == 0


def test_a_reply_that_cannot_be_used_fails_the_job(leave, nova: Any, servers: Servers) -> None:
    job = leave()
    finish(servers, job)
    servers.sends("solve1", b"x" * 2000, verb="fetch")
    ran = nova("fetch", "last", "--json")
    assert (ran.code, line_of(ran)["status"]) == (74, "failed")
    assert {p.name for p in job.path.iterdir()} & {"wcs.fits", "manifest.json", "remote.json"} == set()


def test_a_fetch_that_was_interrupted_after_the_result_was_written_is_completed(
    leave, nova: Any, servers: Servers
) -> None:
    job = leave()
    finish(servers, job)
    remote = (job.path / "remote.json").read_bytes()
    nova("fetch", "last")
    (job.path / "remote.json").write_bytes(remote)
    before = len(servers.calls("fetch"))
    ran = nova("fetch", "--all", "--json")
    assert (ran.code, line_of(ran)["status"]) == (0, "solved")
    assert len(servers.calls("fetch")) == before
    assert not (job.path / "remote.json").exists()


def test_a_locked_job_is_skipped(leave, nova: Any, servers: Servers) -> None:
    job = leave()
    finish(servers, job)
    with job.locked():
        assert nova("fetch", "--all").code == 0
    assert (job.path / "remote.json").exists()


def test_a_server_that_is_busy_during_a_fetch_is_an_error(leave, nova: Any, servers: Servers) -> None:
    """A busy server and the lock of another process have the same exit code, but only the lock means "running"."""
    job = leave()
    finish(servers, job)
    servers.add("solve1", fetch="echo 'solvehost: no slot was free' >&2; exit 75")
    ran = nova("fetch", "--all")
    assert (ran.code, "solve1: no slot was free" in ran.err) == (75, True)
    assert (job.path / "remote.json").exists()


def test_a_damaged_record_is_reported(leave, nova: Any, servers: Servers) -> None:
    job = leave()
    (job.path / "remote.json").write_text('{"destination": "-oProxyCommand=x"}')
    ran = nova("fetch", "last")
    assert (ran.code, "remote.json: it is damaged" in ran.err) == (65, True)
    assert servers.calls("jobs") == []


@pytest.mark.parametrize("arguments", [(), ("last", "--all")])
def test_wrong_arguments_are_usage_errors(nova: Any, jobs: Path, arguments: tuple[str, ...]) -> None:
    assert nova("fetch", *arguments).code == 2


def test_a_job_that_was_not_detached_is_refused(nova: Any, jobs: Path) -> None:
    make_job(jobs, "interrupted")
    ran = nova("fetch", "last")
    assert (ran.code, "is interrupted and is not with a server" in ran.err) == (2, True)


def test_without_ssh_several_jobs_give_one_error(
    leave, nova: Any, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(), leave()
    monkeypatch.setenv("PATH", "/nowhere")
    ran = nova("fetch", "--all")
    assert (ran.code, ran.err.count("ssh was not found")) == (69, 1)


@pytest.mark.parametrize(("option", "calls"), [("--newer", 1), ("--older-than", 0)])
def test_jobs_can_be_selected_by_age(leave, nova: Any, servers: Servers, option: str, calls: int) -> None:
    leave()
    servers.has("solve1")
    assert nova("fetch", option, "1h").code == 0
    assert len(servers.calls("jobs")) == calls


# --- Crashes -------------------------------------------------------------------------------------------------------


def test_a_job_whose_client_was_killed_while_sending_is_sent_once_more_under_its_id(
    nova: Any, stars: str, jobs: Path, servers: Servers, home: Path
) -> None:
    """The record is written before the first byte is sent."""
    servers.add("solve1", solve="IFS= read -r id; echo $id >> ids; cat > /dev/null; kill -9 $(cat client); sleep 100")
    command = [sys.executable, "-m", "novacli", "submit", stars, *SIZE, "--to", "solve1", "--detach"]
    client = subprocess.Popen(command, cwd=home, stderr=subprocess.DEVNULL)
    (servers.place / "solve1" / "client").write_text(str(client.pid))
    assert client.wait() == -signal.SIGKILL
    (job,) = jobdir.list_jobs(jobs)
    assert json.loads(nova("jobs", "--json").out)["state"] == "remote"
    servers.add("solve1", solve=TAKES_IT.replace("cat > request.tar", "echo $id >> ids; cat > request.tar"))
    servers.has("solve1")
    assert nova("fetch", "--all").code == 0
    sent = (servers.place / "solve1" / "ids").read_text().split()
    assert sent == [wire_id(job)] * 2
    assert os.listdir(jobs) == [job.job_id]


# --- Log, cancel, rm, jobs --on, retry ------------------------------------------------------------------------------


def test_the_log_is_read_on_the_server_and_escaped(leave, nova: Any, servers: Servers) -> None:
    job = leave()
    servers.add("solve1", log=r"printf 'one\033[31m\n'; echo $3")
    assert nova("log", "last").out == "one\\x1b[31m\n\n"
    assert nova("log", "-f", "last").out.splitlines()[-1] == "--follow"
    assert servers.calls("log")[0] == f"solve1 log {wire_id(job)}"


def test_a_log_that_cannot_be_read_is_an_error(leave, nova: Any, servers: Servers) -> None:
    leave()
    servers.add("solve1", log="echo 'solvehost: there is no such job' >&2; exit 66")
    ran = nova("log", "last")
    assert (ran.code, "solve1: there is no such job" in ran.err) == (66, True)


def test_cancel_ends_a_job_on_the_server(leave, nova: Any, servers: Servers) -> None:
    job = leave()
    servers.has("solve1", JobLine(wire_id(job), "unsolved"))
    servers.add("solve1", cancel="cat jobs.json")
    ran = nova("cancel", "last")
    assert (ran.code, ran.out) == (0, f"{job.job_id}: unsolved; fetch it with nova fetch {job.job_id}\n")
    assert servers.calls("cancel") == [f"solve1 cancel {wire_id(job)}"]


def test_cancel_refuses_a_job_that_was_not_detached(nova: Any, jobs: Path, servers: Servers) -> None:
    make_job(jobs)
    ran = nova("cancel", "last")
    assert (ran.code, "was not left with a server" in ran.err, servers.calls()) == (2, True, [])


def test_rm_removes_the_job_on_the_server_too(leave, nova: Any, servers: Servers, jobs: Path) -> None:
    job = leave()
    known = wire_id(job)
    servers.has("solve1", JobLine(known, "removed"))
    servers.add("solve1", cancel="cat jobs.json", rm="cat jobs.json")
    assert nova("rm", "last").code == 0
    assert servers.calls()[-2:] == [f"solve1 cancel {known}", f"solve1 rm {known}"]
    assert jobdir.list_jobs(jobs) == []


def test_rm_keeps_a_job_if_its_server_fails_unless_forget_is_given(
    leave, nova: Any, servers: Servers, jobs: Path
) -> None:
    job = leave()
    servers.add("solve1", cancel="echo 'no route' >&2; exit 255")
    ran = nova("rm", "last")
    assert (ran.code, f"job {job.job_id} is kept: --forget removes it here alone" in ran.err) == (75, True)
    assert jobdir.list_jobs(jobs) == [job]
    assert nova("rm", "last", "--forget").code == 0
    assert jobdir.list_jobs(jobs) == []


def test_rm_removes_a_job_that_the_server_has_lost(leave, nova: Any, servers: Servers, jobs: Path) -> None:
    leave()
    servers.add("solve1", cancel="exit 66")
    assert nova("rm", "last").code == 0
    assert jobdir.list_jobs(jobs) == []


def test_the_jobs_on_a_server_are_listed(nova: Any, servers: Servers) -> None:
    servers.add("solve1")
    servers.has("solve1", JobLine("a-1", "solved", created="2026-01-01T00:00:00", size_bytes=2000))
    ran = nova("jobs", "--on", "solve1")
    assert [line.split()[:2] for line in ran.out.splitlines()] == [["SERVER", "ID"], ["solve1", "a-1"]]
    line = json.loads(nova("jobs", "--on", "solve1", "--json").out)
    assert (line["server"], line["id"], line["state"]) == ("solve1", "a-1", "solved")
    assert nova("jobs", "--on", "solve1", "--text", "x").code == 2


def test_a_detached_job_is_retried_elsewhere_only_with_to(leave, nova: Any, servers: Servers) -> None:
    job = leave()
    ran = nova("retry", "last")
    assert (ran.code, "is with a server: use nova fetch" in ran.err) == (75, True)
    servers.replies("solve2")
    assert nova("retry", "last", "--to", "solve2").code == 0
    assert not (job.path / "remote.json").exists()
