"""``nova submit --to``: solving on a server, on the next one if it fails, and the reports."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_lines import read_lines
from made_servers import HEIGHT, WIDTH, Servers, make_info, solved_files, write_star_list

from novacli.backends.ssh.retrying import MAX_CONNECTIONS, MAX_TRIES
from solvehost import wire
from solvehost.formats.jobdir import JobDir


@pytest.fixture
def submit(nova: Any, home: Path, jobs: Path) -> Callable[..., Any]:
    """Return a function that submits a star list to a place."""
    path = write_star_list(home / "stars.csv")
    return lambda place, *more: nova("submit", str(path), "--size", f"{WIDTH}x{HEIGHT}", "--to", place, *more)


def line_of(ran: Any) -> dict[str, Any]:
    (line,) = read_lines(ran.out)
    return line


def test_the_solution_of_a_server_is_put_into_the_job_directory(submit, servers: Servers, jobs: Path) -> None:
    servers.replies("solve1")
    ran = submit("solve1", "--json")
    line = line_of(ran)
    assert (ran.code, ran.err, line["status"], line["server"]) == (0, "", "solved", "solve1")
    job = JobDir(jobs / line["job"])
    assert line["calibration"]["ra"] == pytest.approx(187.1945, abs=1e-3)
    assert Path(line["files"]["wcs"]) == job.wcs
    assert job.wcs.exists()
    assert job.log.read_text() == "the engine said so\n"
    manifest = job.read_json("manifest.json")
    assert manifest is not None
    assert (manifest["id"], manifest["client"], manifest["version"]) == (job.job_id, "me", "1.2.3")
    assert [p.name for p in job.path.iterdir() if p.name.startswith(".")] == []
    assert servers.calls() == ["solve1 info", "solve1 solve"]


def test_the_request_follows_the_wire_protocol(submit, servers: Servers, jobs: Path) -> None:
    servers.replies("solve1")
    line = line_of(submit("solve1", "--json"))
    archive = (servers.place / "solve1" / "request.tar").read_bytes()
    request = wire.read_request(io.BytesIO(b"j\n" + archive).read)
    assert request.axys[1] == JobDir(jobs / line["job"]).axy(1).read_bytes()
    assert sorted(request.axys) == list(range(1, len(request.axys) + 1))


def test_a_server_is_asked_about_itself_once_in_a_while(submit, servers: Servers) -> None:
    servers.replies("solve1")
    submit("solve1")
    submit("solve1")
    assert servers.calls() == ["solve1 info", "solve1 solve", "solve1 solve"]


def test_an_unsolved_job_has_exit_code_1(submit, servers: Servers) -> None:
    servers.replies("solve1", {"backend.log": b"nothing\n"})
    ran = submit("solve1", "--json")
    assert (ran.code, line_of(ran)["reason"]) == (1, "exhausted")


def test_with_v_the_log_of_the_server_is_shown_escaped(submit, servers: Servers) -> None:
    servers.replies("solve1", before=r"printf 'engine\033[31m up\n' >&2")
    ran = submit("solve1", "-v")
    assert r"nova: engine\x1b[31m up" in ran.err.replace("\\\\", "\\")
    assert "\x1b" not in ran.err


# --- Several servers -----------------------------------------------------------------------------------------------


def test_the_least_busy_server_solves(submit, servers: Servers) -> None:
    for name, running in (("solve1", 2), ("solve2", 1), ("solve3", 2)):
        servers.says(name, make_info(running=running))
        servers.replies(name)
    assert line_of(submit("solve1,solve2,solve3", "--json"))["server"] == "solve2"


def test_a_pool_is_a_name_for_several_servers(submit, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_POOLS", "dome=solve1,solve2")
    servers.says("solve1", make_info(waiting=5))
    servers.replies("solve1")
    servers.replies("solve2")
    assert line_of(submit("dome", "--json"))["server"] == "solve2"


@pytest.mark.parametrize("code", [69, 70, 73, 74, 75, 78, 127, 137, 255])
def test_after_a_failure_the_next_server_is_tried_and_a_note_tells(submit, servers: Servers, code: int) -> None:
    servers.add("solve1", solve=f"cat > /dev/null; echo 'solvehost: that is why' >&2; exit {code}")
    servers.says("solve2", make_info(running=1))
    servers.replies("solve2")
    line = line_of(submit("solve1,solve2", "--json"))
    assert line["server"] == "solve2"
    (note,) = line["notes"]
    assert note.startswith("solve1: ")
    assert "that is why" in note
    assert note.endswith("; asked solve2 instead")


@pytest.mark.parametrize(("code", "exit_code"), [(64, 2), (65, 65), (66, 66), (77, 77)])
def test_after_an_error_that_another_server_would_repeat_the_job_fails(
    submit, servers: Servers, code: int, exit_code: int
) -> None:
    servers.add("solve1", solve=f"cat > /dev/null; echo 'solvehost: that is why' >&2; exit {code}")
    servers.says("solve2", make_info(running=1))
    servers.replies("solve2")
    ran = submit("solve1,solve2", "--json")
    assert ran.code == exit_code
    assert line_of(ran)["error"]["message"].endswith("solve1: that is why")
    assert servers.calls("solve") == ["solve1 solve"]


@pytest.mark.parametrize(("code", "times"), [(75, MAX_TRIES), (255, MAX_CONNECTIONS)])
def test_a_busy_server_is_tried_a_limited_number_of_times(submit, servers: Servers, code: int, times: int) -> None:
    servers.add("solve1", solve=f"cat > /dev/null; echo 'solvehost: no free slot' >&2; exit {code}")
    ran = submit("solve1", "--json")
    assert ran.code == 75
    assert "no free slot" in line_of(ran)["error"]["message"]
    assert len(servers.calls("solve")) == times


def test_a_server_that_is_no_longer_busy_solves(submit, servers: Servers) -> None:
    servers.replies("solve1", before="if [ ! -e been ]; then cat > /dev/null; touch been; exit 75; fi")
    line = line_of(submit("solve1", "--json"))
    assert line["status"] == "solved"
    assert line["notes"] == ["solve1: it gave no reason; asked it again"]


def test_a_dropped_connection_is_tried_again(submit, servers: Servers) -> None:
    """The MaxStartups of sshd drops connections if many clients come at once."""
    servers.replies("solve1")
    servers.add(
        "solve1", info="[ -e been ] || { touch been; echo 'kex_exchange: closed' >&2; exit 255; }; cat info.json"
    )
    assert line_of(submit("solve1", "--json"))["status"] == "solved"


@pytest.mark.parametrize(
    "said", ["me@solve1: Permission denied (publickey).", "Host key verification failed.",
             "ssh: Could not resolve hostname solve1: Name or service not known"],
)  # fmt: skip
def test_a_permanent_failure_of_ssh_is_not_tried_again(submit, servers: Servers, said: str) -> None:
    servers.add("solve1", info=f"echo '{said}' >&2; exit 255")
    ran = submit("solve1")
    assert ran.code == 75
    assert said.rstrip(".") in ran.err
    assert servers.calls() == ["solve1 info"]


def test_if_all_servers_fail_the_error_names_all_and_the_busy_one_is_tried_again(submit, servers: Servers) -> None:
    servers.add("solve1", info="echo 'Permission denied (publickey).' >&2; exit 255")
    servers.add("solve2", solve="cat > /dev/null; echo 'solvehost: no free slot' >&2; exit 75")
    ran = submit("solve1,solve2", "--json")
    message = line_of(ran)["error"]["message"]
    assert (ran.code, len(servers.calls("solve"))) == (75, MAX_TRIES)
    assert "solve2: no free slot" in message
    assert "solve1: ssh failed: Permission denied" in message
    assert servers.calls("info").count("solve1 info") <= 2


def test_only_the_first_of_several_images_waits_for_a_server_out_of_reach(
    nova: Any, servers: Servers, home: Path, jobs: Path
) -> None:
    servers.add("solve1", info="echo 'Connection timed out' >&2; exit 255")
    path = str(write_star_list(home / "stars.csv"))
    ran = nova("submit", path, path, path, "--size", f"{WIDTH}x{HEIGHT}", "--to", "solve1", "--json")
    assert (ran.code, len(read_lines(ran.out)), len(servers.calls("info"))) == (75, 3, MAX_CONNECTIONS)


def test_one_server_of_several_may_be_out_of_reach(submit, servers: Servers) -> None:
    servers.replies("solve2")
    line = line_of(submit("nowhere,solve2", "--json"))
    assert line["server"] == "solve2"
    assert "nowhere: ssh failed: ssh: Could not resolve hostname nowhere" in line["notes"][0]


def test_a_missing_solvehost_is_reported(submit, servers: Servers) -> None:
    servers.add("solve1", info="echo 'sh: solvehost: not found' >&2; exit 127")
    ran = submit("solve1")
    assert (ran.code, "there is no solvehost on it" in ran.err) == (69, True)


def test_without_ssh_the_error_tells_what_to_install(submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    ran = submit("solve1")
    assert ran.code == 69
    assert "ssh was not found: install the OpenSSH client" in ran.err


def test_a_server_without_index_files_is_unavailable(submit, servers: Servers) -> None:
    servers.says("solve1", make_info(indexes=()))
    ran = submit("solve1")
    assert (ran.code, "there is no index file on it" in ran.err) == (69, True)


def test_a_server_of_another_protocol_is_refused(submit, servers: Servers) -> None:
    servers.says("solve1", make_info(protocols=(7,)))
    ran = submit("solve1")
    assert (ran.code, "speaks other versions of the protocol (7)" in ran.err) == (69, True)


def test_a_server_that_failed_is_asked_about_itself_again(submit, servers: Servers) -> None:
    servers.replies("solve1")
    submit("solve1")
    servers.add("solve1", solve="cat > /dev/null; exit 78")
    submit("solve1")
    servers.replies("solve1")
    submit("solve1")
    assert servers.calls("info") == ["solve1 info"] * 2


# --- Time ----------------------------------------------------------------------------------------------------------


def test_a_solve_that_takes_too_long_is_unsolved(submit, servers: Servers) -> None:
    servers.add("solve1", solve="cat > /dev/null; echo $$ > pid; exec sleep 1000")
    ran = submit("solve1", "--json", "--timeout", "1.5")
    line = line_of(ran)
    assert (ran.code, line["reason"]) == (1, "time-limit")
    assert {a["outcome"] for a in line["timing"]["attempts"]} == {"stopped"}
    assert line["server"] == "solve1"
    manifest = JobDir(Path(line["files"]["directory"])).read_json("manifest.json")
    assert manifest is not None
    assert (manifest["status"], manifest["reason"]) == ("unsolved", "time-limit")
    pid = int((servers.place / "solve1" / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_ctrl_c_ends_ssh_and_the_job_can_be_retried(nova: Any, servers: Servers, home: Path, jobs: Path) -> None:
    servers.add("solve1", solve="cat > /dev/null; echo $$ > started; mv started pid; exec sleep 1000")
    path = write_star_list(home / "stars.csv")
    words = ["submit", str(path), "--size", f"{WIDTH}x{HEIGHT}", "--to", "solve1"]
    client = subprocess.Popen([sys.executable, "-m", "novacli", *words], cwd=home, stderr=subprocess.PIPE, text=True)
    pid_file = servers.place / "solve1" / "pid"
    deadline = time.monotonic() + 30
    while not pid_file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    client.send_signal(signal.SIGINT)
    _, said = client.communicate(timeout=30)
    assert (client.returncode, "interrupted" in said) == (130, True)
    assert not Path(f"/proc/{pid_file.read_text().strip()}").exists()
    servers.replies("solve1")
    assert nova("retry", "last").code == 0


def test_the_time_limit_of_the_server_is_reported(submit, servers: Servers) -> None:
    servers.replies("solve1", {}, reason="time-limit")
    assert line_of(submit("solve1", "--json"))["reason"] == "time-limit"


# --- Retry ---------------------------------------------------------------------------------------------------------


def test_a_retry_uses_the_place_of_the_job(submit, nova, servers: Servers, jobs: Path) -> None:
    servers.add("solve1", solve="cat > /dev/null; exit 78")
    assert submit("solve1").code == 78
    servers.replies("solve1")
    assert line_of(nova("retry", "last", "--json"))["server"] == "solve1"


def test_a_retry_can_use_another_place(submit, nova, servers: Servers) -> None:
    servers.add("solve1", solve="cat > /dev/null; exit 78")
    submit("solve1")
    servers.replies("solve2")
    assert line_of(nova("retry", "last", "--json", "--to", "solve2"))["server"] == "solve2"


def test_the_api_solves_on_a_server(servers: Servers, home: Path) -> None:
    from novacli import SolveParams, solve

    servers.replies("solve1", solved_files())
    path = write_star_list(home / "stars.csv")
    answer = solve(path, SolveParams(size=(WIDTH, HEIGHT)), to="solve1")
    assert answer.solved


def test_json_output_is_one_line(submit, servers: Servers) -> None:
    servers.replies("solve1")
    assert json.loads(submit("solve1", "--json").out)["input"].endswith("stars.csv")
