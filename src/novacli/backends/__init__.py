"""Backends: the places where jobs are solved, this machine and servers.

base    the protocols of a backend
kinds   the registry of the implementations
local   solves on this machine
ssh     solves on servers that are reached by ssh
web     solves at web services with the API of nova.astrometry.net
hosts   names for places
received, result_check    result files of other machines, checked → the job directory

All other rooms use the functions of this module, and none of them knows how a place is reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from novacli.backends import kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from novacli.backends.base import Backend, JobKeeper
    from novacli.config import Config
    from novacli.jobs.remote import RemoteJob
    from novacli.records.check import Check


def connect(place: str, config: Config) -> Backend:
    """Return the backend of a place; nothing is asked of the place yet.

    Parameters
    ----------
    place
        What the user gave: ``local``, a name known to ``nova hosts``, a pool, an ssh destination, or several of these
        separated by commas.
    config
        The settings.

    Raises
    ------
    UsageError
        If it denotes no place.
    ConfigError
        If the file of known hosts is damaged.
    """
    return kinds.module_of(_kind_of_place(place, config)).connect(config, place)


def of_job(remote: RemoteJob, config: Config) -> JobKeeper:
    """Return the backend that left a job at another place.

    Raises
    ------
    DataError
        If its ``remote.json`` is damaged, or was written by a version that knows more kinds.
    """
    from novacli.jobs.remote import damaged_remote

    if remote.kind not in kinds.KINDS:
        raise damaged_remote(remote.job)
    return kinds.module_of(remote.kind).of_job(config, remote)


def check_place(place: str, config: Config) -> Iterator[tuple[str, Iterator[Check]]]:
    """Yield the name of each machine of a place with its checks, for ``nova hosts check``.

    Raises
    ------
    UsageError
        If ``place`` denotes no place.
    """
    return kinds.module_of(_kind_of_place(place, config)).check_place(config, place)


def login(place: str, config: Config, ask: Callable[[str], str], *, is_checked: bool) -> Path:
    """Keep the API key of a web service, and return the path of the file that has it.

    Parameters
    ----------
    place
        The service: ``nova``, an address, or a name known to ``nova hosts``.
    config
        The settings.
    ask
        Returns the key for an address.
    is_checked
        True to log in with the key before it is kept.

    Raises
    ------
    UsageError
        If the place is no web service.
    NovaError
        If the service refuses the key, or the key cannot be kept.
    """
    from novacli.errors import UsageError
    from novacli.text.printable import printable_line

    if _kind_of_place(place, config) != "web":
        raise UsageError(
            f"{printable_line(place)} is no web service: write its address, such as https://nova.example.org"
        )
    from novacli.backends.web.keys import ask_and_store

    return ask_and_store(place, config, ask, is_checked=is_checked)


def _kind_of_place(place: str, config: Config) -> str:
    """Return the kind that all members of a place have."""
    from novacli.backends.hosts import read_hosts
    from novacli.errors import UsageError
    from novacli.text.printable import printable_line

    if place == "local":
        return "local"
    hosts = read_hosts(config)
    members = [member for part in place.split(",") for member in config["pools"].get(part, (part,))]
    found = {kinds.kind_of(hosts.get(member, member)): member for member in members}
    if len(found) > 1:
        reached = " and ".join(f"{printable_line(member)} ({kind})" for kind, member in found.items())
        raise UsageError(f"{printable_line(repr(place))}: {reached} cannot be combined: give places of one kind")
    return next(iter(found))
