"""Import sep without the look-up of its own version.

When it is imported, sep asks :mod:`importlib.metadata` for its version, which imports 45 modules and searches all
installed packages: that takes 30 ms of CPU time, sep itself 1 ms.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import Any

_METADATA = "importlib.metadata"
_importing = threading.Lock()


class _MetadataWithoutSep(ModuleType):
    """Stands in for importlib.metadata, which it imports when it is asked for anything but the version of sep."""

    PackageNotFoundError = ModuleNotFoundError  # its base class; sep only wants the name

    @staticmethod
    def version(distribution_name: str) -> str:
        return "" if distribution_name == "sep" else str(_real_metadata().version(distribution_name))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks for __path__
            raise AttributeError(name)
        return getattr(_real_metadata(), name)


def _real_metadata() -> ModuleType:
    if isinstance(sys.modules.get(_METADATA), _MetadataWithoutSep):
        del sys.modules[_METADATA]
    return importlib.import_module(_METADATA)


def import_sep() -> Any:
    """Return the module sep; its ``__version__`` may be empty."""
    with _importing:
        if "sep" not in sys.modules and _METADATA not in sys.modules:
            stand_in = _MetadataWithoutSep(_METADATA)
            sys.modules[_METADATA] = stand_in
            try:
                return importlib.import_module("sep")
            finally:
                if sys.modules.get(_METADATA) is stand_in:
                    del sys.modules[_METADATA]
        return importlib.import_module("sep")
