"""Attack 12: invalid remote command lines, and jobs of other clients."""

from __future__ import annotations

import json

import pytest
from attack_server import Server, told
from test_detached import wait_for_state

BAD = [
    "internal-sftp", "/usr/lib/openssh/sftp-server", "scp -t /", "rsync --server . /", "sh", "/bin/sh -c id", "-c",
    "solve --engine /bin/sh --client other", "--state /", "solve --state /", "solve --state=/", "sol", "s", "SOLVE",
    "solve ", " solve", "solve  --detach", "solve --det", "solve -d", "solve --detach --detach", "solve job-1",
    "solve;id", "solve&id", "solve|id", "solve$(id)", "solve`id`", "solve>x", "solve\nid", "solve\r", "solve\tx", "\n",
    "solve\0x"[:5] + "\x01", "info x", "info --json", "jobs --all", "jobs other", "fetch", "fetch ", "fetch a b",
    "fetch ../other/x", "fetch /etc/passwd", "fetch -p", "fetch .", "fetch " + "a" * 65, "fetch *", "fetch ä", "log",
    "log a --follow --follow", "log --follow a", "log a --fol", "log a -f", "cancel", "cancel a b", "rm", "rm -rf /",
    "rm a;id", "rm *", "authorize x", "check", "gc", "config", "--help", "--version", "'solve'", '"solve"', "solve\\",
    "sólve", "x" * 100_000, "git-upload-pack 'x'", "borg serve",
]  # fmt: skip


@pytest.mark.parametrize("command", BAD, ids=[repr(b[:30]) for b in BAD])
def test_an_invalid_command_is_refused(server: Server, command: str) -> None:
    """Before a byte is read: standard input is still open."""
    process = server.start(ssh_command=command)
    assert process.wait(30) == 64
    stdout, stderr = process.communicate()
    assert stdout == b""
    assert stderr.count(b"\n") == 1
    assert len(stderr) < 600
    assert stderr.isascii()
    assert b"is not a command of this server" in stderr
    (logged,) = server.log.read_text().splitlines()
    assert " client=me verb=- id=- " in logged
    assert " result=refused exit=64 " in logged
    assert logged.isascii()
    assert logged.isprintable()
    assert not server.state.exists()
    server.assert_clean()


@pytest.mark.parametrize("words", [["--engine"], ["--no-such"], ["job.axy"], ["--slots", "x"], ["--slots", "0"],
                                   ["--state", "relative"], ["--client", "../x"], ["--client", "a b"],
                                   ["--max-wall", "-1"], ["--log", "relative"], ["--require-sandbox=1"]])  # fmt: skip
def test_flags_of_the_forced_command_are_checked(server: Server, words: list[str]) -> None:
    kept = server.flags
    server.flags = [w for n, w in enumerate(kept) if not {words[0], kept[n - 1]} & {w, words[0]}]
    server.assert_refused(server.run(told("solve"), *words), 64, "")


def test_jobs_of_another_client_do_not_exist(server: Server) -> None:
    done = server.run(told("solve"), ssh_command="solve --detach")
    assert done.code == 0
    wait_for_state(server, "job-1", "solved")
    before = {p: p.lstat().st_mtime_ns for p in server.state.rglob("*")}
    mine = server.flags
    server.flags = [w if w != "me" else "other" for w in mine]
    answers = {}
    for job_id in ("job-1", "job-7"):
        for verb in ("fetch", "log", "log --follow", "cancel", "rm"):
            name, _, option = verb.partition(" ")
            done = server.run(ssh_command=" ".join(w for w in (name, job_id, option) if w))
            server.assert_refused(done, 66, f"there is no job {job_id}")
            answers[job_id, verb] = done.stderr.replace(job_id, "ID")
    assert {answers["job-1", verb] for _, verb in answers} == {answers["job-7", verb] for _, verb in answers}
    assert server.run(ssh_command="jobs").stdout == b""
    # The other client can use the same id for its own job.
    line = json.loads(server.run(told("exhaust"), ssh_command="solve --detach").stdout)
    assert line["id"] == "job-1"
    wait_for_state(server, "job-1", "unsolved")
    assert server.run(ssh_command="rm job-1").code == 0
    server.flags = mine
    assert {p: p.lstat().st_mtime_ns for p in before} | before == before
    assert json.loads(server.run(ssh_command="jobs").stdout)["state"] == "solved"
    assert server.run(ssh_command="fetch job-1").code == 0
    server.assert_clean()
