"""Checks that the disks which a batch writes to have room."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from novacli.batch.records import BatchOutputs, FrameFile
from novacli.text.printable import shown_name

#: A disk with less free space than this counts as full.
_FULL_BYTES = 2**20


def full_disk(
    frame: FrameFile, outputs: BatchOutputs, folders: Iterable[str], *, for_outputs: bool = False
) -> str | None:
    """Return a message if a disk that is written to for a frame is full, None if all have room.

    Frames may lie on many disks; only those that are written to for this frame are checked.

    Parameters
    ----------
    frame
        The frame.
    outputs
        The outputs that are written for it.
    folders
        Folders that are written to for every frame, such as that of the jobs.
    for_outputs
        True if the frame's copy or its new version must fit, too.
    """
    beside = os.path.dirname(os.path.realpath(frame.path))  # noqa: PTH120 - may hold any bytes
    copy_bytes = frame.size if for_outputs else 0
    needed: list[tuple[str, int]] = [(folder, 0) for folder in folders]
    if outputs.kinds:
        target = outputs.out_dir or os.path.dirname(frame.path)  # noqa: PTH120
        needed.append((target, copy_bytes if "new_fits" in outputs.kinds else 0))
    if outputs.update:
        needed.append((beside, copy_bytes))
    for folder, size in needed:
        free = _free_bytes(folder)
        if free is not None and free < _FULL_BYTES + size:
            return f"the disk of {shown_name(folder)} {'is full' if free < _FULL_BYTES else 'has too little room'}"
    return None


def _free_bytes(folder: str) -> int | None:
    """Return the free space of a folder's disk, None if the folder does not exist."""
    with contextlib.suppress(OSError):
        status = os.statvfs(folder)
        return status.f_bavail * status.f_frsize
    return None
