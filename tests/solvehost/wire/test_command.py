"""The grammar of the remote command line accepts the protocol's commands and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvehost import wire
from solvehost.errors import CommandLineError


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (None, wire.Command("solve")),
        ("", wire.Command("solve")),
        ("solve", wire.Command("solve")),
        ("solve --detach", wire.Command("solve", "--detach")),
        ("info", wire.Command("info")),
        ("jobs", wire.Command("jobs")),
        ("fetch job-1", wire.Command("fetch", job_id="job-1")),
        ("log job-1", wire.Command("log", job_id="job-1")),
        ("log job-1 --follow", wire.Command("log", "--follow", "job-1")),
        ("cancel " + "A" * 64, wire.Command("cancel", job_id="A" * 64)),
        ("rm info", wire.Command("rm", job_id="info")),
    ],
)
def test_a_command_is_the_same_after_parsing_and_writing(text: str | None, command: wire.Command) -> None:
    assert wire.parse_command(text) == command
    assert command.text == (text or "solve")


@pytest.mark.parametrize(
    "text",
    [
        "sol",
        "Solve",
        "solve ",
        " solve",
        "solve  --detach",
        "solve\t--detach",
        "solve\n",
        "solve --detach --detach",
        "solve --engine /bin/sh --client other",
        "--state /",
        "solve --state /",
        "solve job-1",
        "solve --det",
        "solve -d",
        "fetch",
        "fetch ../x",
        "fetch a b",
        "fetch --follow",
        "fetch a --follow",
        "log",
        "log --follow",
        "log --follow a",
        "log a -f",
        "rm -rf",
        "rm *",
        "jobs a",
        "info;id",
        "info; id",
        "info && id",
        "$(id)",
        "`id`",
        "info | sh",
        "'info'",
        "internal-sftp",
        "/usr/lib/openssh/sftp-server",
        "scp -t .",
        "rsync --server",
        "info\0",
        "fetch ä",
        "\udcff",
        " ",
        "fetch " + "a" * 65,
        "authorize",
        "check",
        "gc",
        "x" * 100_000,
        "info " * 9999,
        "\x1b]0;pwned\x07",
        "ınfo",
    ],
)
def test_other_text_is_a_usage_error_with_a_printable_message(text: str) -> None:
    with pytest.raises(CommandLineError, match="is not a command of this server; its commands are solve") as caught:
        wire.parse_command(text)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1100


@given(st.text(max_size=40))
def test_random_text_is_a_command_or_a_usage_error(text: str) -> None:
    try:
        command = wire.parse_command(text)
    except CommandLineError:
        return
    assert command.text == (text or "solve")
