"""``nova hosts``: names of servers, and their checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_servers import Servers, make_info


def test_a_name_stands_for_a_destination(nova: Any, home: Path) -> None:
    ran = nova("hosts", "add", "s1", "me@solve1")
    assert (ran.code, ran.out) == (0, "s1 is me@solve1; try: nova hosts check s1\n")
    nova("hosts", "add", "solve2")
    assert nova("hosts", "list").out.splitlines() == ["NAME    DESTINATION", "s1      me@solve1", "solve2  solve2"]
    assert json.loads(nova("hosts", "list", "--json").out)["hosts"] == {"s1": "me@solve1", "solve2": "solve2"}
    assert nova("hosts", "rm", "s1").code == 0
    assert nova("hosts", "rm", "s1").code == 66


def test_pools_are_listed_too(nova: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_POOLS", "dome=a,b")
    assert nova("hosts", "list").out.splitlines()[-1] == "dome  a, b"
    assert json.loads(nova("hosts", "list", "--json").out)["pools"] == {"dome": ["a", "b"]}


def test_an_empty_list_prints_nothing(nova: Any, home: Path) -> None:
    assert nova("hosts", "list").out == ""


@pytest.mark.parametrize("arguments", [("add", "-x"), ("add", "a", "b c"), ("add", "local"), ("add",), ("rm",)])
def test_wrong_arguments_are_usage_errors(nova: Any, home: Path, arguments: tuple[str, ...]) -> None:
    assert nova("hosts", *arguments).code == 2


def test_submit_takes_a_name_and_reports_it(nova: Any, servers: Servers, home: Path, jobs: Path) -> None:
    from made_servers import write_star_list

    nova("hosts", "add", "s1", "me@solve1")
    servers.replies("me@solve1")
    ran = nova("submit", str(write_star_list(home / "stars.csv")), "--size", "719x507", "--to", "s1", "--json")
    assert json.loads(ran.out)["server"] == "s1"
    assert servers.calls() == ["me@solve1 info", "me@solve1 solve"]


# --- check ---------------------------------------------------------------------------------------------------------


def checks_of(ran: Any) -> dict[str, dict[str, Any]]:
    (line,) = ran.out.splitlines()
    return {check["name"]: check for check in json.loads(line)["checks"]}


@pytest.fixture(autouse=True)
def no_local_index(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """These tests run as if this machine had no index files."""
    monkeypatch.setenv("NOVA_INDEX", str(tmp_path / "none"))


def set_up_working(servers: Servers) -> None:
    servers.replies("solve1", {"backend.log": b""})
    refused = "echo 'PTY allocation request failed on channel 0' >&2; exit 255\n"
    (servers.place / "solve1" / "probe-tt").write_text(refused)
    (servers.place / "solve1" / "probe-W").write_text("echo 'open failed: administratively prohibited' >&2; exit 255\n")


def test_a_working_server_passes_all_checks(nova: Any, servers: Servers, home: Path) -> None:
    set_up_working(servers)
    ran = nova("hosts", "check", "solve1")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "solve1"
    assert {line[0] for line in lines[1:]} == {"✓"}, ran.out
    assert "solvehost 1.2.3, protocol 1; it knows you as me" in ran.out
    assert "a job of 20 random stars there and back" in ran.out
    assert "only the connection is tested" in ran.out


def test_without_arguments_all_named_servers_are_checked(nova: Any, servers: Servers, home: Path) -> None:
    assert nova("hosts", "check").code == 66
    set_up_working(servers)
    nova("hosts", "add", "s1", "solve1")
    nova("hosts", "add", "s2", "nowhere")
    ran = nova("hosts", "check", "--json")
    assert ran.code == 75
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert [(line["server"], line["ok"]) for line in found] == [("s1", True), ("s2", False)]


TROUBLES = {
    "connection": ("echo 'Permission denied (publickey).' >&2; exit 255", 75, "have your public key added"),
    "answer": ("echo Welcome; cat info.json", 74, "with 2 lines instead of 1"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_each_problem_has_a_remedy(nova: Any, servers: Servers, home: Path, name: str) -> None:
    script, code, detail = TROUBLES[name]
    servers.add("solve1", info=script)
    ran = nova("hosts", "check", "solve1", "--json")
    found = checks_of(ran)
    assert (ran.code, list(found), found[name]["ok"]) == (code, [name], False)
    assert detail in found[name]["detail"] + found[name]["remedy"]
    assert found[name]["remedy"]
    assert found[name]["remedy"] not in found[name]["detail"]


def test_missing_index_files_and_a_missing_sandbox_are_reported(nova: Any, servers: Servers, home: Path) -> None:
    set_up_working(servers)
    servers.says("solve1", make_info(indexes=(), sandbox=False))
    ran = nova("hosts", "check", "solve1", "--json")
    found = checks_of(ran)
    assert (ran.code, found["index files"]["ok"], found["sandbox"]["ok"]) == (69, False, None)


def test_a_job_that_does_not_come_back_fails_the_check(nova: Any, servers: Servers, home: Path) -> None:
    set_up_working(servers)
    servers.add("solve1", solve="cat > /dev/null; echo 'solvehost: every attempt crashed' >&2; exit 70")
    ran = nova("hosts", "check", "solve1", "--json")
    assert (ran.code, checks_of(ran)["round trip"]["detail"]) == (70, "every attempt crashed")


def test_privileges_that_no_client_needs_are_reported(nova: Any, servers: Servers, home: Path) -> None:
    set_up_working(servers)
    for probe in ("probe-tt", "probe-W"):
        (servers.place / "solve1" / probe).write_text("exit 0\n")
    ran = nova("hosts", "check", "solve1", "--json")
    found = checks_of(ran)
    assert (ran.code, found["terminal"]["ok"], found["forwarding"]["ok"]) == (0, None, None)
    assert "restrict" in found["terminal"]["remedy"]


def test_a_server_that_runs_the_original_script_is_reported(nova: Any, servers: Servers, home: Path) -> None:
    set_up_working(servers)
    servers.add("solve1", info="exit 1")
    ran = nova("hosts", "check", "solve1", "--json")
    found = checks_of(ran)
    assert (ran.code, found["answer"]["ok"]) == (0, None)
    assert "it runs the original script" in found["answer"]["detail"]
