"""The documentation of the solve server describes everything that exists, and nothing else."""

from __future__ import annotations

import argparse
import dataclasses
import re
import shlex
from pathlib import Path

import pytest

from solvehost import errors
from solvehost.admin import cli, config, records
from solvehost.server import request_log, settings, stored_job
from solvehost.wire.command import VERBS
from test_docs import _OPTION, ROOT, _blocks, _page, _sections, _table_keys

PAGE = _page("solvehost.md")
SECTIONS = _sections(PAGE)
HOWTO = ROOT / "docs" / "howto" / "solve-server.md"
COMMANDS = {
    name: parser
    for action in cli.make_parser()._subparsers._group_actions  # type: ignore[union-attr]
    for name, parser in action.choices.items()  # type: ignore[union-attr]
}


def _own_options(parser: argparse.ArgumentParser) -> set[str]:
    """Return the options of a command, without those of the server's settings and --help."""
    flags = {"--config", "-h", "--help", *(key.flag for key in settings.KEYS)}
    return {option for action in parser._actions for option in action.option_strings} - flags


def _rows(section: str) -> list[list[str]]:
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in section.splitlines() if row.startswith("| `")]


def test_every_setting_has_its_row() -> None:
    """Each row has the flag, its unit and the default."""
    rows = {row[0].strip("`"): row for row in _rows(SECTIONS["Settings"])}
    assert list(rows) == [key.name for key in settings.KEYS]
    for key in settings.KEYS:
        assert rows[key.name][1] == f"`{key.flag} {key.unit}`" if key.unit else f"`{key.flag}`", key.name
        if key.default is not None:
            shown = rows[key.name][2].strip("`")
            default = f"{key.default:g}" if isinstance(key.default, float) else str(key.default).lower()
            assert shown in (default, str(key.default)), key.name


@pytest.mark.parametrize("name", COMMANDS)
def test_exactly_the_options_of_a_command_are_described(name: str) -> None:
    described = {opt for key in _table_keys(SECTIONS[f"solvehost {name}"]) for opt in _OPTION.findall(key)}
    assert described == _own_options(COMMANDS[name])


def test_options_of_solvehost_itself_are_described() -> None:
    opening = PAGE.partition("\n## ")[0]
    assert all(f"`{option}`" in opening for option in ("-V", "--version", "-h", "--help"))


@pytest.mark.parametrize(
    ("name", "record"),
    [("authorize", records.AuthorizeResult), ("check", records.CheckReport), ("check", records.Finding),
     ("jobs", records.JobRow), ("gc", records.GcResult), ("config", records.SettingRow)],
)  # fmt: skip
def test_every_key_of_json_is_described(name: str, record: type) -> None:
    section = SECTIONS[f"solvehost {name}"]
    missing = [f.name for f in dataclasses.fields(record) if f"`{f.name}`" not in section]
    assert missing == []


def test_every_file_that_can_be_printed_is_described() -> None:
    section = SECTIONS["solvehost config"]
    assert [name for name in config.FILES if f"`{name}`" not in section] == []


def test_every_check_is_described() -> None:
    sources = [p.read_text(encoding="utf-8") for p in (Path(cli.__file__).parent / "checks").glob("*.py")]
    sources.append(Path(cli.__file__).with_name("check.py").read_text(encoding="utf-8"))
    text = "\n".join(sources)
    names = set(re.findall(r'(?:Finding|run_check|writable_finding)\(\s*"([^"]+)"', text)) | set(
        re.findall(r'^    name = "(.+)"', text, re.MULTILINE)
    )
    names |= set(re.findall(r'^(?:SOLVES|HARMLESS), \w+ = "([^"]+)", "([^"]+)"', text, re.MULTILINE)[0])
    described = _table_keys(SECTIONS["solvehost check"])
    assert len(names) > 15
    assert {name for name in names if name not in described} == set()


def test_every_exit_code_has_its_row() -> None:
    section = SECTIONS["Exit codes"]
    kinds = {errors.by_exit_code(code) for code in range(64, 79)}
    assert {kind for kind in kinds if f"| {kind.exit_code} | `{kind.__name__}` |" not in section} == set()
    assert "| 0 | |" in section


def test_every_word_of_the_log_line_is_described() -> None:
    line = request_log.LogEntry("a", reason="b").line()
    assert _table_keys(SECTIONS["The log line"]) >= set(re.findall(r"(\w+)=", line))


def test_every_file_of_the_state_directory_is_described() -> None:
    section = SECTIONS["The state directory"]
    names = (stored_job.RECORD, stored_job.STARTED, stored_job.CANCEL, "slots/", "work/", "waiting/", "running/")
    assert [name for name in names if name not in section] == []


def test_the_match_block_is_the_same_everywhere() -> None:
    """The how-to shows the block of the file that is installed."""
    block = config.print_file("sshd.conf").text.partition("Match ")[2]
    assert f"```\nMatch {block}```" in HOWTO.read_text(encoding="utf-8")


def test_the_number_of_verbs_is_right() -> None:
    assert len(VERBS) == 7
    page = (ROOT / "docs" / "explanation" / "solve-server-security.md").read_text(encoding="utf-8")
    assert "seven verbs" in page


def _command_lines() -> list[tuple[str, str]]:
    lines = [(str(page.relative_to(ROOT)), line) for page, body in _blocks("sh") for line in body.splitlines()]
    return [(page, line) for page, line in lines if line.startswith("solvehost ")]


@pytest.mark.parametrize(("page", "line"), _command_lines())
def test_command_lines_in_examples_are_valid(page: str, line: str) -> None:
    """Command lines in fenced blocks name existing commands, options and files."""
    words = shlex.split(line, comments=True)[1:]
    words = words[: next((i for i, word in enumerate(words) if word.startswith((">", "|"))), None)]
    found = cli.make_parser().parse_args(words)
    if found.command == "config" and found.action == "print":
        config.print_file(found.file)


def test_options_in_text_exist() -> None:
    """The pages for the sysadmin name only options of solvehost or of another known program."""
    known = {option for parser in COMMANDS.values() for action in parser._actions for option in action.option_strings}
    others = {"--to", "--no-deps", "--detach", "--follow", "--just-augment", "--axy", "--exclude", "--now", "--system",
              "--create-home", "--shell", "--no-install-recommends", "--version", "--atime-preserve",
              "--ignore-failed-read"}  # fmt: skip
    for name in ("howto/solve-server.md", "reference/solvehost.md", "explanation/solve-server-security.md"):
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - known - others == set(), name
