"""The registry of backends: a new kind of place is a module beside ``local`` and one line in ``KINDS``."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from novacli.backends.base import Kind

#: Kind → (its module, a pattern of the destinations that it reaches).  The first pattern that matches decides.
KINDS = {
    "local": ("novacli.backends.local", "local"),
    "web": ("novacli.backends.web", "nova|https?://.*"),
    "ssh": ("novacli.backends.ssh", ".*"),
}


def kind_of(destination: str) -> str:
    """Return the kind of the place that a destination denotes."""
    return next(kind for kind, (_, pattern) in KINDS.items() if re.fullmatch(pattern, destination, re.DOTALL))


def module_of(kind: str) -> Kind:
    """Return the module of a kind, imported when it is first needed."""
    return cast("Kind", import_module(KINDS[kind][0]))


def check_destination(text: str) -> str:
    """Return ``text`` if a place can be reached under it.

    Raises
    ------
    UsageError
        If it cannot be a destination of any kind.
    """
    return module_of(kind_of(text)).check_destination(text)
