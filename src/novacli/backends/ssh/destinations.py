"""What ``--to`` names: ssh destinations, hosts known to ``nova hosts``, pools; several are separated by commas."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from novacli.errors import UsageError
from novacli.text.printable import printable_line

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: White space and control characters have no place in a destination, nor what separates several.
_UNFIT = re.compile(r"[\s,\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: HOST:PORT; an IPv6 address has more colons.
_PORT = re.compile(r"[^:]+:[0-9]+")
_MAX_CHARACTERS = 255
LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Place:
    """A server: the name that the user knows it by, and what ssh is told."""

    name: str
    destination: str


def check_name(name: str) -> str:
    """Return ``name`` where a host or pool can be called so.

    Raises
    ------
    UsageError
        Where it cannot.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None or name == LOCAL:
        raise UsageError(
            f"{_shown(name)} cannot be the name of a host: take letters, digits, dots, hyphens and underscores, "
            f"beginning with a letter or digit, and not {LOCAL}"
        )
    return name


def check_destination(text: str) -> str:
    """Return ``text`` where ssh can be told to go there: an alias of its configuration, HOST or USER@HOST.

    Raises
    ------
    UsageError
        Where it could be an option, or is several words.
    """
    if not isinstance(text, str) or not text or len(text) > _MAX_CHARACTERS or _UNFIT.search(text):
        raise UsageError(f"{_shown(text)} is no ssh destination: give a host, an alias of ~/.ssh/config or USER@HOST")
    if text.startswith("-"):
        raise UsageError(f"{_shown(text)} is no ssh destination: it begins with a hyphen")
    if text.startswith("ssh://") or _PORT.fullmatch(text):
        raise UsageError(
            f"{_shown(text)} is no ssh destination: a port stands in ~/.ssh/config (Port), under an alias; give that"
        )
    if "://" in text:
        raise UsageError(f"{_shown(text)} is no ssh destination: web services cannot be asked yet; give HOST")
    return text


def _shown(text: object) -> str:
    return printable_line(repr(text if not isinstance(text, str) else text[:64]))


def resolve(place: str, hosts: Mapping[str, str], pools: Mapping[str, Sequence[str]]) -> tuple[Place, ...]:
    """Return the servers that ``place`` names, each once, in order.

    A name is a pool's if there is one, else that of a known host, else what ssh makes of it.

    Raises
    ------
    UsageError
        Where a part cannot be a destination.
    """
    names = [name for part in place.split(",") for name in pools.get(part, (part,))]
    if LOCAL in names:
        raise UsageError(f"{_shown(place)}: {LOCAL} cannot be one of several places: give servers alone")
    found = {name: Place(name, check_destination(hosts.get(name, name))) for name in names}
    by_destination = {known.destination: known for known in reversed(found.values())}
    return tuple(known for known in found.values() if by_destination[known.destination] is known)
