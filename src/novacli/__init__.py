"""``nova``: find where on the sky a picture is, with ``astrometry-engine``.

The Python API is :func:`solve` for one image and :class:`Solver` for many.  Importing the package is light: every name
is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvehost import __version__

if TYPE_CHECKING:
    from novacli.api import Solver as Solver
    from novacli.api import SolveResult as SolveResult
    from novacli.api import solve as solve
    from novacli.config import Config as Config
    from novacli.config import load as load_config
    from novacli.errors import ConfigError as ConfigError
    from novacli.errors import DataError as DataError
    from novacli.errors import DeniedError as DeniedError
    from novacli.errors import InputMissingError as InputMissingError
    from novacli.errors import InternalError as InternalError
    from novacli.errors import NotSolvedError as NotSolvedError
    from novacli.errors import NovaError as NovaError
    from novacli.errors import OutputError as OutputError
    from novacli.errors import ParameterError as ParameterError
    from novacli.errors import RetryLaterError as RetryLaterError
    from novacli.errors import TransferError as TransferError
    from novacli.errors import UnavailableError as UnavailableError
    from novacli.errors import UsageError as UsageError
    from novacli.files.urls import UrlPolicy as UrlPolicy
    from novacli.inputs.kinds import FileInput as FileInput
    from novacli.inputs.kinds import StreamInput as StreamInput
    from novacli.inputs.kinds import UrlInput as UrlInput
    from novacli.records.calibration import Calibration as Calibration
    from novacli.records.calibration import Match as Match
    from novacli.records.params import Position as Position
    from novacli.records.params import Scale as Scale
    from novacli.records.params import ScaleUnit as ScaleUnit
    from novacli.records.params import SolveParams as SolveParams
    from novacli.records.parity import Parity as Parity
    from novacli.records.progress import Progress as Progress
    from novacli.solution.reading import Solution as Solution

#: Module → the public names that it defines.
_NAMES = {
    "novacli.api": ("Solver", "SolveResult", "solve"),
    "novacli.config": ("Config",),
    "novacli.errors": (
        "ConfigError", "DataError", "DeniedError", "InputMissingError", "InternalError", "NotSolvedError", "NovaError",
        "OutputError", "ParameterError", "RetryLaterError", "TransferError", "UnavailableError", "UsageError",
    ),
    "novacli.files.urls": ("UrlPolicy",),
    "novacli.inputs.kinds": ("FileInput", "StreamInput", "UrlInput"),
    "novacli.records.calibration": ("Calibration", "Match"),
    "novacli.records.parity": ("Parity",),
    "novacli.records.params": ("Position", "Scale", "ScaleUnit", "SolveParams"),
    "novacli.records.progress": ("Progress",),
    "novacli.solution.reading": ("Solution",),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}
__all__ = ["__version__", "load_config", *_MODULE_OF]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "load_config":
        return import_module("novacli.config").load
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
