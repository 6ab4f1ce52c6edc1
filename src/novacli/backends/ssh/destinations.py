"""Parse what ``--to`` denotes: ssh destinations, names of ``nova hosts``, pools, or several separated by commas."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from novacli.errors import UsageError
from novacli.text.printable import printable_line
from solvehost.record import record

#: Not allowed in a destination: white space, control characters, and the comma, which separates several.
_FORBIDDEN = re.compile(r"[\s,\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: HOST:PORT; an IPv6 address has more colons.
_PORT = re.compile(r"[^:]+:[0-9]+")
_MAX_CHARACTERS = 255
_LOCAL = "local"


@record
class SshHost:
    """A host: the name by which the user knows it, and the destination that ssh is given."""

    name: str
    destination: str


def check_destination(text: str) -> str:
    """Return ``text`` if ssh accepts it as a destination: an alias of its configuration, HOST or USER@HOST.

    Raises
    ------
    UsageError
        If it could be taken for an option, or is several words.
    """
    if not isinstance(text, str) or not text or len(text) > _MAX_CHARACTERS or _FORBIDDEN.search(text):
        raise _bad(text, "give a host, an alias of ~/.ssh/config or USER@HOST")
    if text.startswith("-"):
        raise _bad(text, "it begins with a hyphen")
    if text.startswith("ssh://") or _PORT.fullmatch(text):
        raise _bad(text, "define an alias with that Port in ~/.ssh/config, and give the alias")
    if "://" in text:
        raise _bad(text, "the address of a web service begins with https:// or http://; a server over ssh is HOST")
    return text


def _bad(text: object, remedy: str) -> UsageError:
    return UsageError(f"{_shown(text)} is not an ssh destination: {remedy}")


def _shown(text: object) -> str:
    return printable_line(repr(text[:64] if isinstance(text, str) else text))


def resolve(place: str, hosts: Mapping[str, str], pools: Mapping[str, Sequence[str]]) -> tuple[SshHost, ...]:
    """Return the hosts that a place denotes, in order and without duplicates.

    Parameters
    ----------
    place
        Names or destinations, separated by commas.  A name is looked up among the pools, then among the known hosts;
        anything else is a destination.
    hosts
        Name of a known host → its destination.
    pools
        Name of a pool → its members.

    Raises
    ------
    UsageError
        If a part cannot be a destination.
    """
    names = [name for part in place.split(",") for name in pools.get(part, (part,))]
    if _LOCAL in names:
        raise UsageError(f"{_shown(place)}: {_LOCAL} cannot be one of several places: give servers alone")
    found = {name: SshHost(name, check_destination(hosts.get(name, name))) for name in names}
    by_destination = {host.destination: host for host in reversed(found.values())}
    return tuple(host for host in found.values() if by_destination[host.destination] is host)
