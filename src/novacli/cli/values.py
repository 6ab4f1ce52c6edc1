"""The type of every text value on the command line: a path, an address or a name, and never empty.

An empty value is nearly always a shell variable that is not set.  As a path it would mean the current folder, so that
``nova batch --update "$DIR"`` would rewrite every header below it.
"""

from __future__ import annotations

from typing import Any

import click


class _NonEmptyText(click.types.StringParamType):
    """Text of at least one character that is not white space."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text unchanged, or end with a usage error if it is empty."""
        text = super().convert(value, param, ctx)
        if isinstance(text, str) and not text.strip():
            self.fail("the value is empty; is a shell variable not set?", param, ctx)
        return text


NON_EMPTY_TEXT = _NonEmptyText()


def refuse_empty_values(command: click.Command) -> click.Command:
    """Give every text option and argument of a command and its subcommands the non-empty type; return the command."""
    for param in command.params:
        if type(param.type) is click.types.StringParamType:
            param.type = NON_EMPTY_TEXT
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            refuse_empty_values(subcommand)
    return command
