"""``nova-web key``: make, list and revoke API keys."""

from __future__ import annotations

import click

from novacli.errors import UsageError
from novaweb import django_start

_NAME_CHARS = 64


@click.group("key")
def command() -> None:
    """Make, list and revoke API keys."""


@command.command("add")
@click.argument("user")
@click.option("--name", default="key", show_default=True, help="A name by which the user tells their keys apart.")
def add(user: str, name: str) -> int:
    """Make an API key for a user and print it; it cannot be shown again."""
    if len(name) > _NAME_CHARS:
        raise UsageError(f"the name of a key has at most {_NAME_CHARS} characters: choose a shorter one")
    django_start.start()
    from novaweb.accounts.keys import make_key
    from novaweb.accounts.models import ApiKey
    from novaweb.accounts.people import find_person

    owner = find_person(user)
    if ApiKey.objects.filter(user=owner, name=name).exists():
        raise UsageError(f"{user} has a key called {name} already: choose another --name")
    click.echo(make_key(owner, name))
    return 0


@command.command("list")
@click.argument("user")
def list_keys(user: str) -> int:
    """Print the names of a user's keys, with the time of their last use."""
    django_start.start()
    from novaweb.accounts.people import find_person

    for key in find_person(user).api_keys.order_by("pk"):
        used = "never used" if key.last_used is None else f"last used {key.last_used:%Y-%m-%d %H:%M} UTC"
        click.echo(f"{key.name}  {used}{'  revoked' if key.revoked else ''}")
    return 0


@command.command("revoke")
@click.argument("user")
@click.argument("name")
def revoke(user: str, name: str) -> int:
    """Revoke a key; sessions that were opened with it end at once."""
    django_start.start()
    from django.utils import timezone

    from novaweb.accounts.people import find_person

    if not find_person(user).api_keys.filter(name=name, revoked=None).update(revoked=timezone.now()):
        raise UsageError(f"{user} has no valid key called {name}: nova-web key list {user} names them")
    click.echo(f"the key {name} of {user} was revoked")
    return 0
