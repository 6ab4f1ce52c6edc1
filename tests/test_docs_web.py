"""The documentation of the web service names all that there is."""

from __future__ import annotations

import re
from pathlib import Path

import click
from django.urls import get_resolver

from novaweb.cli.main import COMMANDS, cli
from novaweb.config import KEYS

PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "web-api.md").read_text(encoding="utf-8")


def test_every_address_has_a_row() -> None:
    rows = set(re.findall(r"^\| `([^`]+)` \|", PAGE.partition("### Options")[0], re.MULTILINE))
    routes = {str(pattern.pattern.regex.pattern) for pattern in get_resolver().url_patterns}
    known = {route.removeprefix("^").removesuffix("/?$").replace("(?P<number>[0-9]{1,10})", "ID") for route in routes}
    assert rows == known - {"$"}  # the page for an upload


def test_every_setting_has_a_row() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", PAGE, re.MULTILINE))
    assert rows == {key.name: key.variable for key in KEYS}


def test_every_command_and_option_is_named() -> None:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert f"`nova-web {name}" in PAGE
        assert command is not None
        for option in (p for p in command.params if isinstance(p, click.Option) and "--help" not in p.opts):
            assert option.opts[0] in PAGE, f"{name} {option.opts[0]}"
