"""``nova-web migrate``: make the tables of the database, or bring them up to date."""

from __future__ import annotations

import click

from novaweb import django_start


@click.command("migrate")
def command() -> int:
    """Make the database, or bring it up to date.  Repeating it changes nothing."""
    django_start.start(needs_tables=False)
    django_start.migrate()
    click.echo("the database is up to date")
    return 0
