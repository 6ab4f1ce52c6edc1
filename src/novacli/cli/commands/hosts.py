"""``nova hosts``: give solve servers names, and check them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

import click

from novacli import config as configuration
from novacli.backends import hosts
from novacli.config import Config
from novacli.errors import InputMissingError, worst_exit_code
from novacli.records.check import Check, exit_codes
from novacli.text.columns import write_aligned
from novacli.text.printable import printable_line


@click.group("hosts")
def command() -> None:
    """Give solve servers names, and check them.

    A name can be used in place of an ssh destination, as in nova submit --to NAME.
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
        click.echo("nova: no server has a name: add one with nova hosts add", err=True)
    return 0


@command.command("rm")
@click.argument("name", metavar="NAME")
def rm(name: str) -> int:
    """Remove a server's name."""
    hosts.remove_host(configuration.load(), name)
    return 0


@command.command("check", short_help="Check that servers can be reached and solve.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each server.")
def check(names: tuple[str, ...], as_json: bool) -> int:
    """Check that servers can be reached, what they can solve, and how long a job takes there and back.

    NAME is what nova submit --to takes.  [default: all that nova hosts list shows]

    Exit code: 0 solving can work, 69 there is no index file, 70 a job does not come back, 74 the answer is not from
    solvehost, 75 ssh cannot connect.
    """
    config = configuration.load()
    codes: list[int] = []
    for number, (server, checks) in enumerate(_checks(names, config)):
        _show(server, checks, as_json=as_json, is_first=number == 0)
        codes += exit_codes(checks)
    return worst_exit_code(codes)


def _checks(names: Sequence[str], config: Config) -> Iterator[tuple[str, list[Check]]]:
    """Yield each server that the names denote, once, with its checks."""
    from novacli import backends

    chosen = names or tuple(hosts.read_hosts(config))
    if not chosen:
        raise InputMissingError(
            f"{hosts.hosts_file(config)}: no server has a name: name one to check, or add one with nova hosts add"
        )
    checked: set[str] = set()
    for place in [backends.check_place(name, config) for name in chosen]:  # a wrong name raises before the first check
        for server, checks in place:
            if server not in checked:
                checked.add(server)
                yield server, list(checks)


def _show(server: str, checks: Sequence[Check], *, as_json: bool, is_first: bool) -> None:
    if as_json:
        ok = all(each.ok is not False for each in checks)
        click.echo(json.dumps({"server": server, "ok": ok, "checks": [each.to_json() for each in checks]}))
        return
    from novacli.reports import checklist

    click.echo(f"{'' if is_first else chr(10)}{printable_line(server)}")
    checklist.write(checks, sys.stdout)
