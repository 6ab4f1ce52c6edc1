"""Import sep for the command line, without the look-up of its own version.

When it is imported, sep asks :mod:`importlib.metadata` for its version, which imports 45 modules and searches all
installed packages: 30 ms of CPU time, of the 200 that an easy solve takes.  Only a process with one thread may do
without it, since no other thread can then see the module that stands in; so the Python API imports sep as usual.
"""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from types import ModuleType

_METADATA = "importlib.metadata"


def import_sep() -> None:
    """Import sep; its ``__version__`` is empty afterwards.

    Call it while there is one thread, and after the import of numpy, which sep imports as well.  If sep asks for more
    than its version, it is imported as usual later.
    """
    if "sep" in sys.modules or _METADATA in sys.modules:
        return
    stand_in = ModuleType(_METADATA)
    stand_in.__dict__.update(version=lambda _name: "", PackageNotFoundError=ModuleNotFoundError)
    sys.modules[_METADATA] = stand_in
    try:
        with contextlib.suppress(ImportError, AttributeError):
            import_module("sep")
    finally:
        del sys.modules[_METADATA]
