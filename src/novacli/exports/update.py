"""``--update``: write the solution into the header of the FITS image itself, or leave the file unchanged."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

from novacli.errors import OutputError, UsageError
from novacli.exports import insert
from novacli.files.atomic import NotWritableError, as_output_error, replacing
from novacli.files.compression import can_be_packed_again, kind_by_content, open_packer
from novacli.inputs.limits import DEFAULT_LIMITS, Limits
from novacli.inputs.source import Source, open_file
from novacli.inputs.unpack import unpack_source
from novacli.records.field import Origin
from novacli.text.printable import shown_name
from solvehost.record import record


@record
class Stamp:
    """The size (bytes) and the modification time (nanoseconds) of a file, which show if it has changed."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: str) -> Stamp:
        """Return the stamp of a file, to be taken before the file is read; OSError if the file is missing."""
        return cls._of(os.stat(path))  # noqa: PTH116 - a plain string may hold any bytes

    @classmethod
    def _of(cls, status: os.stat_result) -> Stamp:
        return cls(status.st_size, status.st_mtime_ns)


def update_in_place(
    origin: Origin, wcs_fits: bytes, seen: Stamp, *, limits: Limits = DEFAULT_LIMITS
) -> tuple[str, ...]:
    """Write the solution into the header of the FITS image that was solved.

    A packed file stays packed.  A symbolic link is followed.  The file keeps its mode and, if that is allowed, its
    owner; its times change.

    Parameters
    ----------
    origin
        Where the solved image came from.
    wcs_fits
        Content of the solution's ``wcs.fits``.
    seen
        The file's stamp from before it was read.
    limits
        Bounds on the image, which is read again.

    Returns
    -------
    tuple of str
        A remark for the user if the file has other names (hard links), which keep the old content.

    Raises
    ------
    UsageError
        If the image is not a FITS file.
    NotWritableError
        If permissions forbid it.
    OutputError
        If the file has changed since it was read, or cannot be written; it is then unchanged.
    DataError, TransferError
        If the file cannot be read again.
    """
    if origin.path is None or origin.format != "FITS":
        kind = "was not read from a file" if origin.path is None else f"is a {origin.format} file"
        raise UsageError(
            f"{shown_name(origin.name)} {kind}, which --update cannot write into: "
            "use --new-fits FILE for a FITS image with the solution"
        )
    path = Path(origin.path)
    packed = open_file(origin.path, limits)
    with packed.file, _unpack_if_packable(packed, limits) as source:
        header = insert.plan(source.file, origin.hdu or 0, wcs_fits, source.shown)
        try:
            with replacing(path) as raw:
                with open_packer(raw, kind_by_content(packed.head)) as stream:
                    insert.copy(source.file, header, stream, source.shown)
                links = _check_unchanged(path, seen)
        except NotWritableError as exc:
            remedy = "make it and its folder writable, or use --new-fits FILE or --wcs FILE in place of --update"
            raise NotWritableError(exc.what, remedy, path) from exc
    if links > 1:
        return (f"{source.shown} had {links} hard links: the other names keep the image without the solution",)
    return ()


def _unpack_if_packable(packed: Source, limits: Limits) -> AbstractContextManager[Source]:
    """Return the unpacked content of a file; raise if nova cannot pack it again in the same way."""
    if can_be_packed_again(packed.head):
        return unpack_source(packed, limits)
    raise UsageError(
        f"{packed.shown} is a ZIP or .Z file, which --update cannot write into: "
        "use --new-fits FILE for a FITS image with the solution"
    )


def _check_unchanged(path: Path, seen: Stamp) -> int:
    """Return the file's number of hard links; raise if it has changed since it was read."""
    try:
        status = path.stat()
    except OSError as exc:
        raise as_output_error(path, exc) from exc
    if Stamp._of(status) != seen:
        raise OutputError(f"{shown_name(str(path))} has changed since it was read: nothing was written; solve it again")
    return status.st_nlink
