"""Decides which existing files the outputs of a frame may replace, and finds outputs that would reach one file.

A batch replaces the files that it wrote itself, so that it can run again each night.  It replaces other files only with
``--overwrite``, and never an image that nova did not write.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

from novacli.batch.frames.own_outputs import is_written_by_nova
from novacli.batch.records import BatchOutputs, FrameRecord
from novacli.errors import NovaError, UsageError
from novacli.exports.registry import export_named
from novacli.exports.targets import FileIdentity, TargetExistsError, holds_image
from novacli.text.printable import shown_name

FrameFiles = tuple[tuple[str, str], ...]


def replaceable(
    files: FrameFiles, written: Set[str], record: FrameRecord | None, outputs: BatchOutputs
) -> tuple[str, ...]:
    """Return those outputs of a frame that the batch itself has written.

    Parameters
    ----------
    files
        The frame's outputs: pairs of output and absolute path.
    written
        The outputs that the ledger lists.
    record
        The frame's record; ledgers of older versions list written outputs only there.
    outputs
        What the run writes for each frame.
    """
    recorded = frozenset() if record is None else record.outputs
    return tuple(path for kind, path in files if path in written or outputs.word(kind) in recorded)


def existing_error(
    frame: str, files: FrameFiles, may_be_replaced: Iterable[str], outputs: BatchOutputs
) -> NovaError | None:
    """Return the error if existing files prevent the outputs of a frame; None if they do not.

    Parameters
    ----------
    frame
        The frame's path.
    files
        Its outputs: pairs of output and absolute path.
    may_be_replaced
        What :func:`replaceable` returned.
    outputs
        What the run writes for each frame; its ``overwrite`` allows to replace other files, but no images.
    """
    own = frozenset(may_be_replaced)
    for kind, path in files:
        if not os.path.lexists(path):
            continue
        would = f"{shown_name(frame)}: {export_named(kind).option} would replace {shown_name(path)}"
        if os.path.isdir(path):  # noqa: PTH112 - may hold any bytes
            return TargetExistsError(f"{would}, a folder: move it, or write below another folder by --out DIR")
        if not is_written_by_nova(path) and holds_image(Path(path)):
            return UsageError(
                f"{would}, an image that nova did not write: move it, or write below another folder by --out DIR"
            )
        if path not in own and not outputs.overwrite:
            return TargetExistsError(
                f"{would}, which this batch did not write: move it, write below another folder by --out DIR, "
                "or replace it by --overwrite"
            )
    return None


class OutputClaims:
    """Finds outputs that would reach one file, although their paths differ.

    Paths may differ by symbolic links, or be hard links to one file.
    """

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}
        self._claims: dict[FileIdentity, tuple[str, str]] = {}

    def claim(self, frame: str, path: str) -> None:
        """Note that an output of a frame is written to ``path``.

        Raises
        ------
        UsageError
            If another output is written to the same file.
        """
        for identity in self._identities(path):
            other, other_path = self._claims.setdefault(identity, (frame, path))
            if (other, other_path) != (frame, path):
                same = "" if other_path == path else f", which is the same file as {shown_name(other_path)}"
                both = f"{shown_name(other)} and {shown_name(frame)}" if other != frame else "two outputs of one frame"
                raise UsageError(f"{both} would both be written to {shown_name(path)}{same}: run them apart")

    def _identities(self, path: str) -> list[FileIdentity]:
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        is_link = os.path.islink(path)  # noqa: PTH114 - may hold any bytes
        found: list[FileIdentity] = [os.path.realpath(path) if is_link else f"{self._folders[folder]}{os.sep}{name}"]
        with contextlib.suppress(OSError, ValueError):
            status = os.stat(path)  # noqa: PTH116
            if status.st_nlink > 1:
                found.append((status.st_dev, status.st_ino))
        return found


def check_distinct(files: Mapping[str, FrameFiles]) -> None:
    """Raise UsageError if two outputs would be written to one file; ``files`` are the outputs by the frame's path."""
    claims = OutputClaims()
    for frame, outputs in files.items():
        for _, path in outputs:
            claims.claim(frame, path)
