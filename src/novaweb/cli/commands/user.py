"""``nova-web user``: make and list users."""

from __future__ import annotations

import click

from novaweb import django_start


@click.group("user")
def command() -> None:
    """Make and list users."""


@command.command("add")
@click.argument("name")
def add(name: str) -> int:
    """Make a user; give them a key with nova-web key add NAME."""
    django_start.start()
    from novaweb.accounts.people import make_person

    click.echo(f"user {make_person(name).get_username()} was made")
    return 0


@command.command("list")
def list_users() -> int:
    """Print the names of all users, one a line."""
    django_start.start()
    from novaweb.accounts.models import FIRST_PERSON_ID, User

    for name in User.objects.filter(pk__gte=FIRST_PERSON_ID).order_by("pk").values_list("username", flat=True):
        click.echo(name)
    return 0
