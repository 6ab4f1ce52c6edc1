"""Refuse outputs that would destroy a file, before anything is solved.

An output never replaces an input, however the two are spelled (relative, through a symbolic link, as another hard
link).  It replaces another file only with ``--overwrite``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from novacli.errors import NovaError, OutputError, UsageError
from novacli.inputs.kinds import STANDARD_INPUT, FileInput, Input
from novacli.inputs.limits import DEFAULT_LIMITS
from novacli.inputs.opening import open_input
from novacli.inputs.registry import choose
from novacli.text.printable import shown_name
from solvehost.formats import fitsfile
from solvehost.record import record

#: Formats of lists of stars.
STAR_LISTS = ("JSON", "text")
FileIdentity = tuple[int, int] | str


class TargetExistsError(OutputError):
    """An output exists already and may not be replaced; the same call fails again until that changes."""

    retry_is_safe = False


@record
class Target:
    """A file to write.

    ``option`` is the option that asked for it, as messages name it; ``is_image_copy`` is True if the file is an image
    with its solution, which may replace another image.
    """

    option: str
    path: Path
    is_image_copy: bool = False


def file_identity(path: str | Path) -> FileIdentity:
    """Return a value that two names share if and only if they name the same file.

    It is (device, inode) of a file that exists, and the absolute path without symbolic links of one that does not.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - a plain string may hold any bytes
    except OSError:
        return os.path.realpath(path)
    except ValueError:  # a NUL byte: no file has such a name
        return str(path)
    return status.st_dev, status.st_ino


def input_identities(inputs: Iterable[Input]) -> dict[FileIdentity, str]:
    """Return the names of inputs by :func:`file_identity`.

    URLs are left out; standard input is the file that it is redirected from.
    """
    found: dict[FileIdentity, str] = {}
    for given in inputs:
        if isinstance(given, FileInput):
            found.setdefault(file_identity(given.path), given.name)
        elif given.name == STANDARD_INPUT and (identity := _stdin_identity()) is not None:
            found.setdefault(identity, given.name)
    return found


def check_targets(targets: Sequence[Target], inputs: dict[FileIdentity, str], *, overwrite: bool) -> None:
    """Raise if writing the targets would destroy a file.

    Parameters
    ----------
    targets
        All files that are going to be written.
    inputs
        What :func:`input_identities` returned for all inputs.
    overwrite
        True if existing files may be replaced.  Inputs are never replaced.

    Raises
    ------
    UsageError
        If a target is an input or another target, or an image where no image is written.
    TargetExistsError
        If a target exists and ``overwrite`` is False.
    """
    seen: dict[FileIdentity, Target] = {}
    for target in targets:
        shown, identity = shown_name(str(target.path)), file_identity(target.path)
        if identity in inputs:
            raise UsageError(_input_message(target, inputs[identity]))
        if identity in seen:
            other = seen[identity]
            both = target.option if other.option == target.option else f"{other.option} and {target.option}"
            raise UsageError(f"{both} would write two outputs to the same file, {shown}: give each its own name")
        seen[identity] = target
        if os.path.lexists(target.path):
            check_existing(target, overwrite=overwrite)


def check_existing(target: Target, *, overwrite: bool) -> None:
    """Raise if a target that exists may not be replaced; parameters and errors are those of :func:`check_targets`."""
    shown = shown_name(str(target.path))
    if target.path.is_dir():
        raise TargetExistsError(f"{target.option} {shown}: this is a directory: give the name of a file")
    if not target.is_image_copy and holds_image(target.path):
        raise UsageError(
            f"{target.option} {shown}: this is an image, and {target.option} would replace it by another kind of file: "
            f"name the file to write after {target.option}, then the images"
        )
    if not overwrite:
        raise TargetExistsError(
            f"{target.option} {shown}: the file exists already: give another name, or --overwrite to replace it"
        )


def _input_message(target: Target, name: str) -> str:
    remedy = "use --update, or give another name" if target.is_image_copy else "give another name"
    same = "the input" if str(target.path) == name else f"the same file as the input {shown_name(name)}"
    return f"{target.option} {shown_name(str(target.path))}: this is {same}, and outputs never replace one: {remedy}"


def _stdin_identity() -> FileIdentity | None:
    try:
        status = os.fstat(sys.stdin.fileno())
    except (OSError, ValueError, AttributeError):
        return None
    return status.st_dev, status.st_ino


def holds_image(path: Path) -> bool:
    """Return True if a file is an image that nova can read, by its content."""
    try:
        with open_input(FileInput(str(path)), DEFAULT_LIMITS) as source:
            word = choose(source).word
            if word != "FITS":
                return word not in STAR_LISTS
            return any(_is_image(header) for header, _ in fitsfile.iter_hdus(source.file))
    except (NovaError, OSError, ValueError):
        return False


def _is_image(header: fitsfile.Header) -> bool:
    """Return True if the header is that of an image of two or more axes, tile-compressed or not."""
    if header.get("ZIMAGE") is True:
        return True
    axes = header.get("NAXIS")
    return header.get("XTENSION", "IMAGE") == "IMAGE" and isinstance(axes, int) and axes >= 2
