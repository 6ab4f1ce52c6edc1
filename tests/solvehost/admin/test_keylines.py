"""Lines of authorized_keys are parsed as sshd parses them, and written so that sshd and shells read them as meant."""

from __future__ import annotations

import base64
import contextlib
import shlex
import subprocess
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin import made_keys
from solvehost.admin import keylines, pubkeys
from solvehost.errors import CommandLineError, DataError

KEY = pubkeys.parse(made_keys.line())


def test_a_line_is_the_same_after_writing_and_parsing() -> None:
    command = ["/usr/bin/python3", "-I", "/a b/s.pyz"]
    line = keylines.forced(KEY, command, sources="192.0.2.0/24,!192.0.2.7,*.example.org", expiry="2999-12-31")
    assert line.text == (
        'restrict,command="/usr/bin/python3 -I \'/a b/s.pyz\'",from="192.0.2.0/24,!192.0.2.7,*.example.org",'
        f'expiry-time="29991231" {made_keys.line()}'
    )
    assert keylines.parse_line(line.text) == line
    assert line.has("restrict")
    assert line.value("expiry-time") == "29991231"


def test_a_shell_splits_a_quoted_command_into_its_words() -> None:
    words = ["/bin/echo", "a b", "$(id)", "*", "~", ";", "&&", "#"]
    text = keylines.quote_command(words)
    ran = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=True)
    assert ran.stdout == "a b $(id) * ~ ; && #\n"


@pytest.mark.parametrize("word", ["", "a'b", 'a"b', "a\\b", "a\nb", "a\0b", "a!b", "\u00e9", "\x1b", "a\tb"])
def test_words_that_cannot_be_quoted_safely_are_refused(word: str) -> None:
    with pytest.raises(CommandLineError, match="cannot be written into authorized_keys"):
        keylines.quote_command(["/usr/bin/python3", word])


@pytest.mark.parametrize("text", ["", "a b", '"', "192.0.2.1/24", "192.0.2.0/99", "a,,b", "!192.0.2.1", "a\nb", "x;y"])
def test_invalid_sources_are_refused(text: str) -> None:
    with pytest.raises(CommandLineError, match="--from"):
        keylines.check_sources(text)


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::/32", "*.example.org,!bad.example.org", "10.0.0.?"])
def test_valid_sources_are_accepted(text: str) -> None:
    assert keylines.check_sources(text) == text


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2999-13-01", "29990230", "2999", "20010101", "2999-1-1", "\u0662" * 8]
)
def test_invalid_and_past_dates_are_refused(text: str) -> None:
    with pytest.raises(CommandLineError, match="--expiry"):
        keylines.expiry_time(text)


@pytest.mark.parametrize("text", ["29991231", "299912312359", "29991231235959"])
def test_valid_dates_and_times_are_accepted(text: str) -> None:
    assert keylines.expiry_time(text) == text


def test_a_time_may_be_in_utc() -> None:
    assert isinstance(keylines.parse_time("20300101120000Z"), datetime)


@pytest.mark.parametrize("line", ["", "   ", "# a comment", "\t# another"])
def test_blank_lines_and_comments_are_skipped(line: str) -> None:
    assert keylines.parse_line(line) is None


@pytest.mark.parametrize(
    "line",
    ["nonsense", "restrict", "restrict,command=", 'command="x', "ssh-ed25519", f'command="x" y {made_keys.line()}',
     f"restrict , pty {made_keys.line()}", "ssh-ed25519 AAAA"],
)  # fmt: skip
def test_lines_that_sshd_ignores_are_an_error(line: str) -> None:
    with pytest.raises(DataError):
        keylines.parse_line(line)


def test_options_are_parsed() -> None:
    line = keylines.parse_line(f'No-PTY,command="echo \\"a,b\\" c",environment="A=b",restrict {made_keys.line()}')
    assert line is not None
    assert line.options == (
        ("No-PTY", None), ("command", 'echo "a,b" c'), ("environment", "A=b"), ("restrict", None),
    )  # fmt: skip
    assert line.has("no-pty")


@pytest.mark.parametrize(
    ("command", "split"),
    [
        ("/bin/python3 -I -m solvehost --client a", (["/bin/python3", "-I", "-m", "solvehost"], ["--client", "a"])),
        ("/usr/bin/solvehost", (["/usr/bin/solvehost"], [])),
        ("python3 '/a b/x.pyz' --state /s", (["python3", "/a b/x.pyz"], ["--state", "/s"])),
        ("/bin/sh script", None),
        ("", None),
        ("--client x", None),
    ],
)  # fmt: skip
def test_a_command_is_split_into_program_and_flags(command: str, split: object) -> None:
    assert keylines.split_command(command) == split


def test_a_command_with_unbalanced_quotes_is_an_error() -> None:
    with pytest.raises(DataError, match="cannot be parsed"):
        keylines.split_command("solvehost 'x")


def test_flags_are_removed_with_their_values() -> None:
    words = ["--client", "a", "--state", "/s", "--log=x", "--require-sandbox", "--slots", "2"]
    assert keylines.without_flags(words, {"--state": True, "--log": True, "--require-sandbox": False}) == [
        "--client", "a", "--slots", "2",
    ]  # fmt: skip


# --- Random text ------------------------------------------------------------------------------------------


@given(st.one_of(st.text(), st.from_regex(r'[a-z-]+(="([^"]|\\")*")?(,[a-z]+)* ssh-ed25519 [A-Za-z0-9+/=]* .*')))
def test_random_lines_are_parsed_or_refused(line: str) -> None:
    """The result is a line, None, or a DataError with a printable message."""
    try:
        keylines.parse_line(line)
    except DataError as exc:
        assert str(exc).isprintable()


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1), min_size=1))
def test_random_commands_are_the_same_after_parsing_or_refused(words: list[str]) -> None:
    try:
        line = keylines.forced(KEY, words)
    except CommandLineError:
        assert any(set(word) & set("\"'\\!") for word in words)
        return
    assert keylines.parse_line(line.text) == line
    assert shlex.split(line.value("command") or "") == words


@given(st.binary())
def test_random_files_are_refused(data: bytes) -> None:
    with pytest.raises(DataError) as caught:
        pubkeys.parse_file(data)
    assert str(caught.value).isprintable()


@given(st.binary(max_size=200), st.sampled_from(pubkeys.TYPES))
def test_random_key_data_are_parsed_or_refused(blob: bytes, kind: str) -> None:
    """Truncated data, wrong lengths, trailing bytes."""
    inside = len(kind).to_bytes(4, "big") + kind.encode() + blob
    with contextlib.suppress(DataError):
        found = pubkeys.parse(f"{kind} {base64.b64encode(inside).decode()}")
        assert base64.b64decode(found.base64) == inside
