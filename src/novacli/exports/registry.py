"""The list of exports, from which options, file names, JSON keys and the tests of the documentation follow.

A new export is one module that defines ``EXPORT`` and one line in :data:`MODULES`.  The module must be cheap to
import, since ``nova submit --help`` imports it; ``EXPORT.write`` imports what it needs.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from novacli.errors import UnavailableError
from solvehost.record import record

if TYPE_CHECKING:
    from novacli.records.field import Origin
    from novacli.solution.reading import Solution
    from solvehost.formats.jobdir import JobDir

#: One module per export, in the order in which options are listed and files are written.
MODULES = [
    "novacli.exports.wcs",
    "novacli.exports.corr",
    "novacli.exports.rdls",
    "novacli.exports.axy",
    "novacli.exports.new_fits",
    "novacli.exports.tpv",
    "novacli.exports.head",
    "novacli.exports.avm",
    "novacli.exports.ds9",
    "novacli.exports.ecsv",
    "novacli.exports.csv_table",
    "novacli.exports.stcs",
    "novacli.exports.moc",
    "novacli.exports.stellarium",
    "novacli.exports.astap",
    "novacli.exports.wtml",
    "novacli.exports.objects",
]


class Need(enum.Enum):
    """What an export reads besides the solution."""

    JOB = "the job's result files"
    IMAGE = "the image, read again from its file"


@record
class SolvedField:
    """A field with its solution, as an export receives it.

    Attributes
    ----------
    origin
        Where the field was read from.
    job
        The job directory with the result files.
    attempt
        Number of the attempt that solved the field.
    solution
        The solution.
    """

    origin: Origin
    job: JobDir
    attempt: int
    solution: Solution


@record
class Export:
    """A kind of file that nova can write for a solved field.

    Attributes
    ----------
    name
        Key under which results list the file; the option has hyphens for underscores.
    ending
        What a file's name ends in if nova names it after the image, such as ``.wcs``.
    help
        Noun phrase for the options' help.
    write
        Writes the file, and returns remarks for the user, if there are any; it raises ``NovaError`` if that fails.
    needs
        What the export reads.  An export that needs the image is refused for standard input and URLs.
    short
        One-letter option of ``nova submit``, if there is one.
    is_image_copy
        True if the file is the image with the solution in it.  Below the folder of ``nova batch --out`` it has the
        frame's own name, and with ``--overwrite`` it may replace another image.
    is_standard
        True if ``nova submit --dir`` and ``--out`` write the file without being asked for it by name.
    image_suffixes
        Suffixes of target files, in lower case, that make the file a copy of the image although ``is_image_copy`` is
        False, such as ``.jpg`` for a picture with metadata in it.
    package
        Package without which the file cannot be written, if nova does not always install it.
    extra
        Extra of nova that installs ``package``.
    """

    name: str
    ending: str
    help: str
    write: Callable[[SolvedField, Path], Sequence[str] | None]
    needs: Need = Need.JOB
    short: str | None = None
    is_image_copy: bool = False
    is_standard: bool = False
    image_suffixes: tuple[str, ...] = ()
    package: str | None = None
    extra: str | None = None

    def check_package(self) -> None:
        """Raise UnavailableError if the package that the export needs is not installed."""
        if self.package is not None and find_spec(self.package) is None:
            raise UnavailableError(
                f"{self.option} needs the package {self.package}: pip install 'novacli[{self.extra}]'"
            )

    def copies_image(self, target: Path) -> bool:
        """Return True if the file of this name is the image with the solution in it."""
        return self.is_image_copy or target.suffix.lower() in self.image_suffixes

    def needs_image(self, target: Path) -> bool:
        """Return True if the image is read again for the file of this name."""
        return self.needs is Need.IMAGE or self.copies_image(target)

    @property
    def option(self) -> str:
        """The option that asks for this file, such as ``--new-fits``."""
        return f"--{self.name.replace('_', '-')}"


def all_exports() -> tuple[Export, ...]:
    """Return the exports in the order of :data:`MODULES`."""
    return tuple(import_module(name).EXPORT for name in MODULES)


def export_named(name: str) -> Export:
    """Return the export of this name; KeyError if there is none."""
    return {export.name: export for export in all_exports()}[name]
