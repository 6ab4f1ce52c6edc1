"""``nova``: find where on the sky a picture is, with ``astrometry-engine``.

The Python API is :func:`solve`; everything is imported when it is first used, so importing the package is light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvehost import __version__

if TYPE_CHECKING:
    from novacli.api import solve as solve
    from novacli.errors import NovaError as NovaError
    from novacli.records.params import Parity as Parity
    from novacli.records.params import Position as Position
    from novacli.records.params import Scale as Scale
    from novacli.records.params import ScaleUnit as ScaleUnit
    from novacli.records.params import SolveParams as SolveParams
    from novacli.solution.reading import Solution as Solution
    from novacli.solution.reading import Unsolved as Unsolved

_HOME = {
    "solve": "novacli.api",
    "NovaError": "novacli.errors",
    "Parity": "novacli.records.params",
    "Position": "novacli.records.params",
    "Scale": "novacli.records.params",
    "ScaleUnit": "novacli.records.params",
    "SolveParams": "novacli.records.params",
    "Solution": "novacli.solution.reading",
    "Unsolved": "novacli.solution.reading",
}
__all__ = ["__version__", *_HOME]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
