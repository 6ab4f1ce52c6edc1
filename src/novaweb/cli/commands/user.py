"""``nova-web user``: make, list and approve users, and give them passwords."""

from __future__ import annotations

import secrets

import click

from novaweb import django_start

_PASSWORD_BYTES = 15


@click.group("user")
def command() -> None:
    """Make, list and approve users, and give them passwords."""


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

    for user in User.objects.filter(pk__gte=FIRST_PERSON_ID).order_by("pk"):
        click.echo(user.username if user.is_active else f"{user.username}  not active")
    return 0


@command.command("approve")
@click.argument("name")
def approve(name: str) -> int:
    """Let a user sign in whose account waits for approval, or was disabled."""
    _set_active(name, True)
    click.echo(f"user {name} can sign in")
    return 0


@command.command("disable")
@click.argument("name")
def disable(name: str) -> int:
    """Disable an account: sessions and keys end at once; what was uploaded stays."""
    _set_active(name, False)
    click.echo(f"user {name} can no longer sign in")
    return 0


@command.command("password")
@click.argument("name")
def password(name: str) -> int:
    """Give a user a new password and print it; the user can change it at the pages."""
    django_start.start()
    from novaweb.accounts.people import find_person

    person = find_person(name)
    word = secrets.token_urlsafe(_PASSWORD_BYTES)
    person.set_password(word)
    person.save(update_fields=["password"])
    click.echo(word)
    return 0


def _set_active(name: str, is_active: bool) -> None:
    django_start.start()
    from novaweb.accounts.people import find_person

    person = find_person(name)
    person.is_active = is_active
    person.save(update_fields=["is_active"])
