"""Places where fields are solved; a new kind is a module here and a line in ``MODULES``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from novacli.backends.base import Backend
    from novacli.config import Config

#: Kind → module with a ``connect(config, place) -> Backend``; imported when first asked for.
MODULES = {"local": "novacli.backends.local", "ssh": "novacli.backends.ssh.backend"}


def kind_of(place: str) -> str:
    """Return which kind of place a text names."""
    return "local" if place == "local" else "ssh"


def connect(place: str, config: Config) -> Backend:
    """Return the backend for ``place``: ``local``, ssh destinations separated by commas, or the name of a pool.

    Raises
    ------
    UsageError
        Where it names no place.
    """
    backend: Backend = import_module(MODULES[kind_of(place)]).connect(config, place)
    return backend
