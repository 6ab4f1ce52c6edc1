"""``nova-web migrate``: make the tables of the database, or bring them up to date."""

from __future__ import annotations

import click

from novacli.errors import UnavailableError
from novaweb import django_start


@click.command("migrate")
def command() -> int:
    """Make the database, or bring it up to date.  Repeating it changes nothing."""
    django_start.start(needs_tables=False)
    from django.core.management import call_command
    from django.db import DatabaseError

    try:
        call_command("migrate", verbosity=0, interactive=False)
    except DatabaseError as exc:
        first = str(exc).partition("\n")[0]
        raise UnavailableError(f"the database cannot be used: {first}: see $NOVAWEB_DATABASE") from exc
    click.echo("the database is up to date")
    return 0
