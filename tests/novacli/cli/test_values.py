"""No option and no argument of any command takes an empty value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from novacli.cli.main import COMMANDS, cli


def all_commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command and subcommand with the words that call it."""
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        yield (name,), command
        if isinstance(command, click.Group):
            yield from (((name, sub), found) for sub, found in command.commands.items())


def values() -> list[tuple[tuple[str, ...], click.Parameter]]:
    """Return every parameter that takes a value, with the words that call its command."""
    return [
        (words, param)
        for words, command in all_commands()
        for param in command.params
        if isinstance(param, click.Argument) or (isinstance(param, click.Option) and not param.is_flag)
    ]


def _label(value: object) -> str:
    return value.human_readable_name if isinstance(value, click.Parameter) else " ".join(map(str, value))  # type: ignore[call-overload]


@pytest.mark.parametrize(("words", "param"), values(), ids=_label)
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_value_is_a_usage_error(words: tuple[str, ...], param: click.Parameter, empty: str) -> None:
    """Also in commands that are added later: the test walks through all of them."""
    command = dict(all_commands())[words]
    context = click.Context(command, info_name="nova")
    with pytest.raises(click.UsageError):
        param.type_cast_value(context, (empty,) if param.multiple or param.nargs != 1 else empty)


@pytest.mark.parametrize(
    "words",
    [("batch", "--update", ""), ("batch", "--out", "", "x"), ("batch", "--ledger", "", "x"), ("batch", "--from", ""),
     ("batch", "status", ""), ("submit", ""), ("submit", "--wcs", "", "x"), ("submit", "--jobs-dir", "", "x"),
     ("rm", ""), ("show", ""), ("demo", "")],
)  # fmt: skip
def test_a_shell_variable_that_is_not_set_stands_for_no_folder(
    words: tuple[str, ...], nova, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in the current folder is touched."""
    monkeypatch.chdir(home)
    (home / "a.fits").write_bytes(b"SIMPLE")
    ran = nova(*words)
    assert (ran.code, ran.out) == (2, "")
    assert "the value is empty; is a shell variable not set?" in ran.err
    assert [path.name for path in home.iterdir()] == ["a.fits"]
