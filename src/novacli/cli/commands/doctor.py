"""``nova doctor``: check the installation."""

from __future__ import annotations

import json
import sys

import click

from novacli.doctor import examine, repair
from novacli.errors import worst_exit_code
from novacli.reports import checklist, settings


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--fix", is_flag=True, help="First make what is missing and can be made: the database of star patterns.")
def command(as_json: bool, fix: bool) -> int:
    """Check engine, index files, memory, disk and settings, and show what to do.

    Exit code: 0 solving can work, 69 there is no engine or index file, 73 jobs cannot be kept, 78 the configuration
    is wrong.
    """
    health = examine()
    if fix:
        repair(health.config)
        health = examine()
    if as_json:
        click.echo(json.dumps({**health.to_json(), **settings.to_json(health.config)}))
    else:
        checklist.write(health.checks, sys.stdout)
        click.echo("\nSettings")
        settings.write(health.config, sys.stdout)
    return worst_exit_code(health.exit_codes)
