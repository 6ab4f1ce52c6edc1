"""``nova-web config``: show settings and where each comes from."""

from __future__ import annotations

import json
import sys
from urllib.parse import urlsplit

import click

from novacli.config import Config
from novacli.reports import settings
from novaweb import config as configuration


@click.command("config")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(as_json: bool) -> int:
    """Print each setting of the service with its value and source.  Those of solving are shown by nova config show."""
    config = _without_password(configuration.load())
    if as_json:
        click.echo(json.dumps(settings.to_json(config, configuration.KEYS)))
    else:
        settings.write(config, sys.stdout, configuration.KEYS)
    return 0


def _without_password(config: Config) -> Config:
    """Return the settings without the password in the URL of the database."""
    password = urlsplit(config["database"]).password
    if password is None:
        return config
    source = config.settings["database"].source
    return config.replaced(source, database=config["database"].replace(f":{password}@", ":***@"))
