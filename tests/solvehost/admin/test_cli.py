"""The sysadmin's command line: its flags are the server's own, and whatever is wrong is said in one line."""

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
    """Return a function that runs a command line, and returns exit code, output and remarks."""

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.mark.parametrize("command", ["authorize", "check", "jobs", "gc", "config"])
def test_every_command_takes_the_settings_of_the_server(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([command, "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert all(flag in said for flag in ("--config", "--json", *(key.flag for key in settings.KEYS)))


def test_help_and_version_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
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
def test_a_wrong_command_line_is_64_in_one_line(words: str, run: Run) -> None:
    code, out, remarks = run(*words.split())
    assert (code, out) == (64, "")
    assert remarks.startswith("solvehost: ")
    assert remarks.count("\n") == 1


def test_what_is_wrong_is_said_without_control_characters(run: Run) -> None:
    code, _, remarks = run("jobs", "\x1b[2J")
    assert code == 64
    assert "\x1b" not in remarks


def test_a_key_is_authorized(run: Run, tmp_path: Path) -> None:
    key, to = made_keys.write(tmp_path), tmp_path / "keys" / "solve"
    code, out, remarks = run(
        "authorize", str(key), "--to", str(to), "--client", "a", "--expiry", "2999-01-01", "--slots", "3"
    )
    assert (code, remarks) == (0, "")
    assert "client a): added to" in out
    assert '--client a --slots 3",expiry-time="29990101"' in to.read_text()
    code, out, _ = run(
        "authorize", str(key), "--to", str(to), "--client", "a", "--expiry", "2999-01-01", "--slots", "3", "--json"
    )
    assert (code, json.loads(out)["outcome"]) == (0, "unchanged")
    code, _, remarks = run("authorize", str(key), "--to", str(to), "--client", "b")
    assert code == 65
    assert "--replace" in remarks
    assert run("authorize", str(key), "--to", str(to), "--client", "b", "--replace")[0] == 0


def test_a_printed_line_is_all_there_is_on_standard_output(run: Run, tmp_path: Path) -> None:
    code, out, remarks = run("authorize", str(made_keys.write(tmp_path)), "--print")
    assert code == 0
    assert out.startswith("restrict,command=")
    assert out.count("\n") == 1
    assert "share the jobs" in remarks


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


def test_root_lists_what_is_anothers(tmp_path: Path) -> None:
    """Whatever root may read and the owner of the jobs may not, such as this very program."""
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
    for command, shown in (("jobs", "job-1"), ("gc", "removed: 1 job")):
        ran = subprocess.run(
            [sys.executable, "-m", "solvehost", command, *flags], capture_output=True, text=True, check=False
        )
        assert shown in ran.stdout, ran.stderr


def test_a_clean_up_says_what_went(run: Run, tmp_path: Path) -> None:
    state = StateDir(made_state.config(tmp_path / "state")).open()
    made_state.add_stored(state, "a", "job-1", age_days=8)
    flags = ("--config", os.devnull, "--state", str(state.path))
    assert "would be removed: 1 job " in run("gc", "--dry-run", *flags)[1]
    assert json.loads(run("gc", "--json", *flags)[1])["expired_jobs"] == 1
    assert "removed: 0 jobs" in run("gc", *flags)[1]


def test_a_check_ends_with_the_code_of_what_failed(run: Run) -> None:
    code, out, _ = run("check", "--user", "no such user", "--json")
    assert code == 78
    assert json.loads(out)["checks"][0]["ok"] is False


def test_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed pipe is no traceback."""

    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert cli.main(["config"]) in (74, 78)


def test_the_server_itself_imports_no_part_of_this() -> None:
    """Argparse and the commands are for people; a job does not wait for them."""
    code = (
        "import os, sys\nfrom solvehost.server import forced_command\nforced_command.main(['--nonsense'], {})\n"
        "print(*[name for name in sys.modules if name == 'argparse' or name.startswith('solvehost.admin')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_main_passes_commands_on() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "solvehost", "config", "print", "solvehost.toml"], capture_output=True, check=True
    )
    assert b"#state = " in ran.stdout
