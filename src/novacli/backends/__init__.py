"""Where jobs are solved: on this machine, on servers reached by ssh.

``base`` defines the protocols, ``local`` and ``ssh`` implement them, ``hosts`` keeps the names of places.  This module
is the registry: a new kind of place is a module beside ``local`` and one line in ``KINDS``.  No other room knows how a
place is reached.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from novacli.backends.base import Backend, JobKeeper, Kind
    from novacli.config import Config
    from novacli.jobs.remote import RemoteJob
    from novacli.records.check import Check

#: Kind → (its module, a pattern of the places that it reaches).  The first pattern that matches a place decides.
KINDS = {
    "local": ("novacli.backends.local", "local"),
    "ssh": ("novacli.backends.ssh", ".*"),
}


def kind_of(destination: str) -> str:
    """Return the kind of the place that a destination denotes."""
    return next(kind for kind, (_, pattern) in KINDS.items() if re.fullmatch(pattern, destination, re.DOTALL))


def module_of(kind: str) -> Kind:
    """Return the module of a kind, imported when it is first needed."""
    return cast("Kind", import_module(KINDS[kind][0]))


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
    return module_of(_kind_of_place(place, config)).connect(config, place)


def of_job(remote: RemoteJob, config: Config) -> JobKeeper:
    """Return the backend that left a job at another place.

    Raises
    ------
    DataError
        If its ``remote.json`` is damaged, or was written by a version that knows more kinds.
    """
    from novacli.jobs.remote import damaged_remote

    if remote.kind not in KINDS:
        raise damaged_remote(remote.job)
    return module_of(remote.kind).of_job(config, remote)


def check_place(place: str, config: Config) -> Iterator[tuple[str, Iterator[Check]]]:
    """Yield the name of each machine of a place with its checks, for ``nova hosts check``.

    Raises
    ------
    UsageError
        If ``place`` denotes no place.
    """
    return module_of(_kind_of_place(place, config)).check_place(config, place)


def check_destination(text: str) -> str:
    """Return ``text`` if a place can be reached under it.

    Raises
    ------
    UsageError
        If it cannot be a destination of any kind.
    """
    return module_of(kind_of(text)).check_destination(text)


def _kind_of_place(place: str, config: Config) -> str:
    """Return the kind that all members of a place have."""
    from novacli.backends.hosts import read_hosts
    from novacli.errors import UsageError
    from novacli.text.printable import printable_line

    if place == "local":
        return "local"
    hosts = read_hosts(config)
    members = [member for part in place.split(",") for member in config["pools"].get(part, (part,))]
    kinds = {kind_of(hosts.get(member, member)): member for member in members}
    if len(kinds) > 1:
        reached = " and ".join(f"{printable_line(member)} ({kind})" for kind, member in kinds.items())
        raise UsageError(f"{printable_line(repr(place))}: {reached} cannot be combined: give places of one kind")
    return next(iter(kinds))
