"""``nova config``: show settings and where each comes from."""

from __future__ import annotations

import json
import os
import sys

import click

from novacli import config as configuration
from novacli.reports import settings


@click.group("config")
def command() -> None:
    """Show settings and where each comes from: a flag, the environment, config.toml or the default."""


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(as_json: bool) -> int:
    """Print each setting with its value and source."""
    config = configuration.load()
    if as_json:
        click.echo(json.dumps(settings.to_json(config)))
    else:
        settings.write(config, sys.stdout)
    return 0


@command.command("path")
def path() -> int:
    """Print the path of config.toml, which need not exist."""
    click.echo(configuration.config_file(os.environ))
    return 0
