"""Which outputs a person asked for, and the one function that writes them all once an image is solved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from novacli.errors import OutputError, UsageError
from novacli.records.field import Origin


@dataclass(frozen=True, slots=True)
class OutputRequest:
    """Files to write beside the job directory, and whether to put the solution into the image itself."""

    wcs: Path | None = None
    corr: Path | None = None
    rdls: Path | None = None
    axy: Path | None = None
    new_fits: Path | None = None
    update: bool = False

    @property
    def files(self) -> dict[str, Path]:
        """The files that were asked for, by the names under which results list them."""
        named = {"wcs": self.wcs, "corr": self.corr, "rdls": self.rdls, "axy": self.axy, "new_fits": self.new_fits}
        return {name: path for name, path in named.items() if path is not None}

    def check(self, inputs: Sequence[str]) -> None:
        """Refuse what cannot be done before anything is solved.

        Raises
        ------
        UsageError
            Where one output file is asked for several inputs or for two outputs, or is standard output.
        OutputError
            Where the directory of one is not there.
        """
        if len(inputs) > 1 and self.files:
            option = "--" + next(iter(self.files)).replace("_", "-")
            raise UsageError(
                f"{option} names one file for {len(inputs)} inputs: solve them one by one, or use --update"
            )
        if Path("-") in self.files.values():
            raise UsageError("results are files and are not written to standard output: give a file name instead of -")
        if len(set(self.files.values())) < len(self.files):
            raise UsageError("two outputs have the same name: give each its own")
        for path in self.files.values():
            if not path.parent.is_dir():
                raise OutputError(f"{path}: there is no directory {path.parent}: make it first")


def write_outputs(
    request: OutputRequest, origin: Origin, directory: Path, attempt: int, wcs_fits: bytes, before: object
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Write what was asked for a solved image; return the files by name, and remarks for the user.

    ``directory`` is the job's, ``attempt`` the number of the attempt that solved, ``before`` the
    :class:`~novacli.exports.update.Stamp` of the image from before it was read.

    Raises
    ------
    NovaError
        Where one cannot be written; the others may have been.
    """
    from novacli.exports import copies, update
    from novacli.exports import new_fits as newfits

    notes: tuple[str, ...] = ()
    copies.write_copies(
        directory, wcs=request.wcs, corr=request.corr, rdls=request.rdls, axy=request.axy, attempt=attempt
    )
    if request.new_fits is not None:
        newfits.new_fits(origin, wcs_fits, request.new_fits)
    if request.update:
        if not isinstance(before, update.Stamp):
            raise UsageError(f"{origin.name} was not read from a file: use --new-fits FILE")
        notes = update.update_in_place(origin, wcs_fits, before)
    return {name: str(path.absolute()) for name, path in request.files.items()}, notes
