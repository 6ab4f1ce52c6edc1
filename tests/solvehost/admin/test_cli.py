"""The sysadmin's command line takes the server's flags, and reports errors in one line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from admin import made_keys, made_state
from solvehost import __version__
from solvehost.admin import cli
from solvehost.server import settings
from solvehost.server.state_dir import StateDir

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line, and returns exit code, standard output and standard error."""

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.mark.parametrize("command", ["authorize", "check", "jobs", "gc", "config"])
def test_every_command_takes_the_flags_of_the_server(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([command, "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert all(flag in said for flag in ("--config", "--json", *(key.flag for key in settings.KEYS)))


def test_help_and_version_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for words, shown in (
        (["--help"], "COMMAND"),
        (["-h"], "authorize"),
        (["--version"], __version__),
        (["-V"], "solvehost "),
    ):
        with pytest.raises(SystemExit) as left:
            cli.main(words)
        assert left.value.code == 0
        assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    ["jobs --nonsense", "authorize", "jobs --sta /x", "config print", "config print nonsense", "config show x",
     "config nonsense", "gc --keep", "authorize k.pub --print --to x", "jobs --slots many --state /nowhere", "check x"],
)  # fmt: skip
def test_an_invalid_command_line_gives_64_and_one_line(words: str, run: Run) -> None:
    code, out, errors = run(*words.split())
    assert (code, out) == (64, "")
    assert errors.startswith("solvehost: ")
    assert errors.count("\n") == 1


def test_error_messages_have_no_control_characters(run: Run) -> None:
    code, _, errors = run("jobs", "\x1b[2J")
    assert code == 64
    assert "\x1b" not in errors


def test_a_key_is_authorized(run: Run, tmp_path: Path) -> None:
    key, to = made_keys.write(tmp_path), tmp_path / "keys" / "solve"
    code, out, errors = run(
        "authorize", str(key), "--to", str(to), "--client", "a", "--expiry", "2999-01-01", "--slots", "3"
    )
    assert (code, errors) == (0, "")
    assert "client a): added to" in out
    assert '--client a --slots 3",expiry-time="29990101"' in to.read_text()
    code, out, _ = run(
        "authorize", str(key), "--to", str(to), "--client", "a", "--expiry", "2999-01-01", "--slots", "3", "--json"
    )
    assert (code, json.loads(out)["outcome"]) == (0, "unchanged")
    code, _, errors = run("authorize", str(key), "--to", str(to), "--client", "b")
    assert code == 65
    assert "--replace" in errors
    assert run("authorize", str(key), "--to", str(to), "--client", "b", "--replace")[0] == 0


def test_a_printed_line_is_alone_on_standard_output(run: Run, tmp_path: Path) -> None:
    code, out, errors = run("authorize", str(made_keys.write(tmp_path)), "--print")
    assert code == 0
    assert out.startswith("restrict,command=")
    assert out.count("\n") == 1
    assert "share the jobs" in errors


def test_jobs_are_listed_as_a_table_and_as_json(run: Run, tmp_path: Path) -> None:
    state = StateDir(made_state.config(tmp_path / "state")).open()
    made_state.add_stored(state, "a", "job-1", result={"status": "failed", "exit_code": 70, "message": "bad \x1b[2J"})
    made_state.add_stored(state, "b", "job-2", result={"status": "solved"})
    flags = ("--config", os.devnull, "--state", str(state.path))
    _, out, _ = run("jobs", *flags)
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["CLIENT", "ID", "STATE"], ["a", "job-1", "failed"], ["b", "job-2", "solved"],
    ]  # fmt: skip
    assert "\x1b" not in out
    _, out, _ = run("jobs", *flags, "--client", "b", "--json")
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["job-2"]


def test_root_lists_and_removes_jobs_of_another_user(tmp_path: Path) -> None:
    """The owner of the jobs may not be allowed to read this program."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    state = StateDir(made_state.config(tmp_path / "state")).open()
    made_state.add_stored(state, "a", "job-1", age_days=8)
    for path in (*state.path.rglob("*"), state.path):
        os.chown(path, 54321, 54321)
    for path in state.path.parents:
        if path.stat().st_mode & 0o001 == 0:
            path.chmod(path.stat().st_mode | 0o011)
    flags = ["--config", os.devnull, "--state", str(state.path)]
    for command, shown in (("jobs", "job-1"), ("gc", "removed: 1 expired job")):
        ran = subprocess.run(
            [sys.executable, "-m", "solvehost", command, *flags], capture_output=True, text=True, check=False
        )
        assert shown in ran.stdout, ran.stderr


def test_gc_says_what_it_removed(run: Run, tmp_path: Path) -> None:
    state = StateDir(made_state.config(tmp_path / "state")).open()
    made_state.add_stored(state, "a", "job-1", age_days=8)
    flags = ("--config", os.devnull, "--state", str(state.path))
    assert "would be removed: 1 expired job " in run("gc", "--dry-run", *flags)[1]
    assert json.loads(run("gc", "--json", *flags)[1])["expired_jobs"] == 1
    assert "removed: 0 expired jobs" in run("gc", *flags)[1]


def test_check_exits_with_the_code_of_the_failed_finding(run: Run) -> None:
    code, out, _ = run("check", "--user", "no such user", "--json")
    assert code == 78
    assert json.loads(out)["checks"][0]["ok"] is False


def test_a_closed_pipe_gives_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with ``solvehost config | head -1``."""

    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert cli.main(["config"]) in (74, 78)


def test_the_server_does_not_import_the_admin_tools() -> None:
    """argparse and these modules would delay every request."""
    code = (
        "import os, sys\nfrom solvehost.server import forced_command\nforced_command.main(['--nonsense'], {})\n"
        "print(*[name for name in sys.modules if name == 'argparse' or name.startswith('solvehost.admin')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_main_runs_admin_commands() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "solvehost", "config", "print", "solvehost.toml"], capture_output=True, check=True
    )
    assert b"#state = " in ran.stdout
