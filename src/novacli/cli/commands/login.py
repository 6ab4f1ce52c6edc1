"""``nova login``: keep the API key of a web service."""

from __future__ import annotations

import sys

import click

from novacli import config as configuration


@click.command("login")
@click.argument("service", metavar="[SERVICE]", default="nova")
@click.option("--no-check", is_flag=True, help="Store the key without asking the service.")
def command(service: str, no_check: bool) -> int:
    """Keep the API key of a web service, for nova submit --to SERVICE.

    SERVICE is nova (nova.astrometry.net), an address such as https://nova.example.org, or a name known to nova hosts.
    The key is asked for, or read from standard input, and stored in a file that only you can read.
    """
    from novacli import backends

    path = backends.login(service, configuration.load(), _ask, is_checked=not no_check)
    click.echo(f"the key is kept in {path}; try: nova submit --to {service} IMAGE")
    return 0


def _ask(url: str) -> str:
    """Return the key that the user types, or that is on standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    answer: str = click.prompt(f"API key for {url}", hide_input=True, err=True)
    return answer
