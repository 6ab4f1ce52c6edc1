"""Places where fields are solved; a new one is a module here and a line in ``MODULES``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from novacli.errors import UsageError

if TYPE_CHECKING:
    from novacli.backends.base import Backend
    from novacli.config import Config

#: Name → module with a ``connect(config) -> Backend``; imported when first asked for.
MODULES = {"local": "novacli.backends.local"}


def connect(name: str, config: Config) -> Backend:
    """Return the backend called ``name``.

    Raises
    ------
    UsageError
        Where there is none of that name.
    """
    if name not in MODULES:
        raise UsageError(f"there is no place to solve called {name!r}: known are {', '.join(MODULES)}")
    backend: Backend = import_module(MODULES[name]).connect(config)
    return backend
