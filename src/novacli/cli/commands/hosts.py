"""``nova hosts``: name solve servers, and check them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from novacli import config as configuration
from novacli.backends.ssh import hosts
from novacli.config import Config
from novacli.errors import InputMissingError, worst_exit_code
from novacli.text.columns import write_aligned
from novacli.text.printable import printable_line

if TYPE_CHECKING:
    from novacli.doctor.checks import Check


@click.group("hosts")
def command() -> None:
    """Name solve servers, and check them.

    A name stands for an ssh destination, wherever one can be given: nova submit --to NAME.
    """


@command.command("add", short_help="Name a server.")
@click.argument("name", metavar="NAME")
@click.argument("destination", metavar="[DESTINATION]", required=False)
def add(name: str, destination: str | None) -> int:
    """Name a server: DESTINATION is a host, an alias of ~/.ssh/config or USER@HOST.  [default: NAME]"""
    config = configuration.load()
    hosts.add_host(config, name, name if destination is None else destination)
    click.echo(f"{name} is {printable_line(hosts.read_hosts(config)[name])}; try: nova hosts check {name}")
    return 0


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def list_(as_json: bool) -> int:
    """List the servers and pools that have names."""
    config = configuration.load()
    known = hosts.read_hosts(config)
    pools = {name: list(members) for name, members in config["pools"].items()}
    if as_json:
        click.echo(json.dumps({"hosts": known, "pools": pools}))
        return 0
    rows = [("NAME", "DESTINATION"), *known.items(), *((name, ", ".join(members)) for name, members in pools.items())]
    if len(rows) > 1:
        write_aligned([tuple(map(printable_line, row)) for row in rows], sys.stdout)
    elif sys.stdout.isatty():
        click.echo("nova: no server has a name: nova hosts add gives it one", err=True)
    return 0


@command.command("rm")
@click.argument("name", metavar="NAME")
def rm(name: str) -> int:
    """Forget a server's name."""
    hosts.remove_host(configuration.load(), name)
    return 0


@command.command("check", short_help="Look whether servers can be reached and solve.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each server.")
def check(names: tuple[str, ...], as_json: bool) -> int:
    """Look whether servers can be reached, what they can solve, and how long a job takes there and back.

    NAME is what nova submit --to takes.  [default: all that nova hosts list shows]

    Exit code: 0 solving can work, 69 there is no index file, 70 a job does not come back, 74 the answer is none of
    solvehost's, 75 ssh does not get there.
    """
    from novacli.backends.ssh.checks import EXIT_CODES, check_server
    from novacli.backends.ssh.command import Ssh
    from novacli.backends.ssh.server import Server

    config = configuration.load()
    places = _places(names, config)
    ssh = Ssh.of(config)
    codes: list[int] = []
    for number, place in enumerate(places):
        found = list(check_server(Server(place, ssh), config))
        codes += [EXIT_CODES[c.name] for c in found if c.ok is False]
        _show(place.name, found, as_json=as_json, is_first=number == 0)
    return worst_exit_code(codes)


def _places(names: tuple[str, ...], config: Config) -> list[Any]:
    from novacli.backends.ssh.destinations import resolve

    known = hosts.read_hosts(config)
    chosen = names or tuple(known)
    if not chosen:
        raise InputMissingError(f"{hosts.hosts_file(config)}: no server has a name: give one, or nova hosts add it")
    found = [place for name in chosen for place in resolve(name, known, config["pools"])]
    return list(dict.fromkeys(found))


def _show(name: str, found: list[Check], *, as_json: bool, is_first: bool) -> None:
    if as_json:
        checks = [{"name": c.name, "ok": c.ok, "detail": c.detail, "remedy": c.remedy or None} for c in found]
        click.echo(json.dumps({"server": name, "ok": all(c.ok is not False for c in found), "checks": checks}))
        return
    from novacli.reports import checklist

    click.echo(f"{'' if is_first else chr(10)}{printable_line(name)}")
    checklist.write(found, sys.stdout)
