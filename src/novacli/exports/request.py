"""The outputs that a person asked for: checked before an image is solved, written once it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from novacli.errors import DataError, OutputError, UsageError
from novacli.exports.registry import SolvedField, all_exports, export_named
from novacli.exports.targets import STAR_LISTS, Target, check_existing, check_targets, input_identities
from novacli.inputs.kinds import FileInput, Input
from novacli.inputs.limits import DEFAULT_LIMITS
from novacli.inputs.opening import open_input
from novacli.inputs.registry import FITS_SUFFIXES, choose
from novacli.text.printable import shown_name
from solvehost.record import record


@record
class OutputRequest:
    """The outputs of one input.

    Attributes
    ----------
    files
        Files to write, by the names of their exports.
    optional
        Names of exports in ``files`` that are left out if the input is unfit for them, such as an image copy of a
        star list.
    update
        True to put the solution into the image itself.
    overwrite
        True to replace files that exist.
    replaceable
        Names of exports in ``files`` whose existing files may be replaced without ``overwrite``, such as those that an
        earlier run wrote.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    update: bool = False
    overwrite: bool = False
    replaceable: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """True if nothing is to be written."""
        return not self.files and not self.update

    @property
    def targets(self) -> list[Target]:
        """The files to write, for :func:`~novacli.exports.targets.check_targets`."""
        exports = {export.name: export for export in all_exports()}
        return [Target(exports[n].option, path, exports[n].copies_image(path)) for n, path in self.files.items()]


def check_requests(inputs: Sequence[Input], requests: Sequence[OutputRequest]) -> None:
    """Raise if the outputs cannot be written as asked, before anything is solved.

    Parameters
    ----------
    inputs
        All inputs.
    requests
        The outputs of each input, in the same order.

    Raises
    ------
    UsageError
        If an output is standard output, an input, or another output.
    OutputError
        If an output exists and may not be replaced, or its directory is missing.
    """
    targets = [target for request in requests for target in request.targets]
    for target in targets:
        if str(target.path) == "-":
            raise UsageError("results are files and are not written to standard output: give a file name instead of -")
        if not target.path.parent.is_dir():
            raise OutputError(f"{target.path}: there is no directory {target.path.parent}: make it first")
    overwrite = all(request.overwrite for request in requests)
    check_targets(targets, input_identities(inputs), overwrite=overwrite)


def check_input(given: Input, request: OutputRequest) -> None:
    """Raise if an input is unfit for an output that was asked for, before it is solved.

    Parameters
    ----------
    given
        The input.
    request
        Its outputs.

    Raises
    ------
    UnavailableError
        If a package that an output needs is not installed.
    UsageError
        If ``--update`` is asked for what is not a FITS file, or an image copy of what was not read from a file.
    DataError
        If ``--update`` is asked for a text file that is named like a FITS file.
    DataError, InputMissingError, DeniedError, TransferError
        If the input cannot be read.
    """
    for name in request.files:
        export_named(name).check_package()
    shown = shown_name(given.name)
    if not isinstance(given, FileInput):
        unfit = [
            export_named(n).option
            for n, path in request.files.items()
            if export_named(n).needs_image(path) and n not in request.optional
        ]
        for option in [*unfit, *(["--update"] if request.update else [])]:
            raise UsageError(f"{shown} is not a file, which {option} needs: save it first, or use --wcs")
    elif request.update:
        with open_input(given, DEFAULT_LIMITS) as source:
            word, suffix = choose(source).word, source.suffix
        if word in STAR_LISTS:
            if suffix in FITS_SUFFIXES:
                raise DataError(f"{shown} is a text file, though it is named like a FITS file: copy or export it again")
            raise UsageError(f"{shown} is a {word} file, which --update cannot write into: use --wcs FILE")
        if word != "FITS":
            raise UsageError(
                f"{shown} is a {word} file, which --update cannot write into: "
                "use --new-fits FILE for a FITS image with the solution"
            )


def write_outputs(
    request: OutputRequest, solved: SolvedField, before: object
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Write the outputs of a solved field.

    Parameters
    ----------
    request
        What to write.
    solved
        The field with its solution.
    before
        The :class:`~novacli.exports.update.Stamp` of the image from before it was read.

    Returns
    -------
    files : dict
        Absolute paths of what was written, by the names of the exports.
    notes : tuple of str
        Remarks for the user.

    Raises
    ------
    NovaError
        If an output cannot be written; others may have been written.
    """
    written: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    for target, name in zip(request.targets, request.files, strict=True):
        try:
            if target.path.exists():  # it may have come into being while the image was solved
                check_existing(target, overwrite=request.overwrite or name in request.replaceable)
            notes = (*notes, *(export_named(name).write(solved, target.path) or ()))
        except UsageError as exc:
            if name not in request.optional:
                raise
            notes = (*notes, f"{target.path} was not written: {exc}")
        else:
            written[name] = str(target.path.absolute())
    if request.update:
        from novacli.exports import update

        if not isinstance(before, update.Stamp):
            raise UsageError(f"{solved.origin.name} was not read from a file: use --new-fits FILE")
        notes = (*notes, *update.update_in_place(solved.origin, solved.solution.files.wcs, before))
    return written, notes
